//! A hook that knows accounts (HTTP), and that can be broken and repaired while the house runs.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Works = 0,
    /// Answers 500.
    Broken = 1,
    /// Takes questions and says nothing.
    Hangs = 2,
}

pub(crate) struct Hook {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    accounts: Mutex<Vec<Value>>,
    mood: AtomicU8,
    asked: AtomicUsize,
    over: AtomicBool,
}

impl Hook {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            accounts: Mutex::default(),
            mood: AtomicU8::new(Mood::Works as u8),
            asked: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.over.load(Ordering::Relaxed) {
                    return;
                }
                let serving = Arc::clone(&serving);
                // A client that goes away ends it.
                std::thread::spawn(move || serving.serve(stream).unwrap_or_default());
            }
        });
        Self { address, shared }
    }

    /// From now on it knows this account: an answer's object, with its `login`.
    pub(crate) fn know(&self, account: Value) {
        self.shared.accounts.lock().unwrap().push(account);
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.shared.mood.store(mood as u8, Ordering::Relaxed);
    }

    /// How many questions came.
    pub(crate) fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::Relaxed)
    }

    /// Its `[[accounts.source]]`.
    pub(crate) fn source(&self, timeout: &str) -> String {
        format!(
            "[[accounts.source]]\nname = \"hook\"\nkind = \"http\"\n[accounts.source.http]\n\
             url = \"http://{}/accounts\"\ntimeout = \"{timeout}\"\n",
            self.address
        )
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn is(&self, mood: Mood) -> bool {
        self.mood.load(Ordering::Relaxed) == mood as u8
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        while let Some(question) = read(&mut reader)? {
            self.asked.fetch_add(1, Ordering::Relaxed);
            while self.is(Mood::Hangs) && !self.over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(5));
            }
            let (status, body) = match self.is(Mood::Broken) {
                true => (500, Value::Null),
                false => self.answer(&question),
            };
            let body = body.to_string();
            write!(
                stream,
                "HTTP/1.1 {status} So\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )?;
        }
        Ok(())
    }

    fn answer(&self, question: &Value) -> (u16, Value) {
        let accounts = self.accounts.lock().unwrap();
        let found = match question["ask"].as_str() {
            Some("account") => {
                accounts.iter().find(|known| known["login"] == question["login"]).cloned()
            }
            Some("owners") => {
                let owns = |known: &&Value| {
                    known["addresses"].as_array().unwrap().contains(&question["address"])
                };
                let owners: Vec<&Value> = accounts.iter().filter(owns).collect();
                (!owners.is_empty()).then(|| json!({ "accounts": owners }))
            }
            _ => None,
        };
        found.map_or((404, Value::Null), |found| (200, found))
    }
}

/// The body of the next request; none at the end of the connection.
fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Value>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(text) = line.strip_prefix("content-length:") {
            length = text.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(serde_json::from_slice(&body).unwrap()))
}
