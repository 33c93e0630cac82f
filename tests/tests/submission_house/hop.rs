//! A next hop that does as it is told: SMTP or LMTP, with a login, refusing, or hanging.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use lastpost_tests::eventually;

/// How it is set up.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    /// LHLO, and a reply for each recipient behind the text.
    pub(crate) lmtp: bool,
    /// What it announces.
    pub(crate) extensions: &'static [&'static str],
    /// Begins with this instead of 220.
    pub(crate) greeting: &'static str,
    /// Says nothing at all until it is let go.
    pub(crate) hangs: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Self { lmtp: false, extensions: &["8BITMIME"], greeting: "220 hop.example", hangs: false }
    }
}

/// A message that it took.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    /// The whole command.
    pub(crate) mail: String,
    /// The arguments of `RCPT TO`, brackets included.
    pub(crate) recipients: Vec<String>,
    /// The text with CRLF line ends.
    pub(crate) content: Vec<u8>,
}

#[derive(Default)]
struct Shared {
    taken: Mutex<Vec<Taken>>,
    connections: Mutex<usize>,
    let_go: Mutex<bool>,
    released: Condvar,
}

/// The server; its threads end with the process.
pub(crate) struct Hop {
    pub(crate) address: SocketAddr,
    manner: Manner,
    shared: Arc<Shared>,
}

impl Hop {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&own);
                *shared.connections.lock().unwrap() += 1;
                // A connection that breaks is the other side's affair.
                std::thread::spawn(move || serve(stream, manner, &shared));
            }
        });
        Self { address, manner, shared }
    }

    /// The tables of the configuration: a hop `name` with `more` in it, and a route to it.
    pub(crate) fn tables(&self, name: &str, domains: &[&str], more: &str) -> String {
        let protocol = if self.manner.lmtp { "lmtp" } else { "smtp" };
        format!(
            "[[relay.hop]]\nname = \"{name}\"\naddress = \"{}\"\nprotocol = \"{protocol}\"\n{more}\n\
             [[relay.route]]\ndomains = {domains:?}\nhops = [\"{name}\"]\n",
            self.address
        )
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.shared.taken.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.shared.connections.lock().unwrap()
    }

    /// Waits until it has `count` messages.
    pub(crate) fn wait_for_mail(&self, count: usize, patience: Duration) -> Vec<Taken> {
        eventually(patience, "mail at the hop", || self.taken().len() >= count);
        self.taken()
    }

    /// Lets it work, if it hangs.
    pub(crate) fn let_go(&self) {
        *self.shared.let_go.lock().unwrap() = true;
        self.shared.released.notify_all();
    }
}

fn serve(stream: TcpStream, manner: Manner, shared: &Shared) -> io::Result<()> {
    if manner.hangs {
        let held = shared.let_go.lock().unwrap();
        drop(shared.released.wait_while(held, |let_go| !*let_go).unwrap());
    }
    let mut output = stream.try_clone()?;
    let mut say = |reply: &str| output.write_all(format!("{reply}\r\n").as_bytes());
    let mut input = BufReader::new(stream);
    say(manner.greeting)?;
    let (mut mail, mut recipients) = (String::new(), Vec::new());
    loop {
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match (verb.as_str(), manner.lmtp) {
            ("EHLO", false) | ("LHLO", true) => {
                say("250-hop.example")?;
                for extension in manner.extensions {
                    say(&format!("250-{extension}"))?;
                }
                say("250 HELP")?;
            }
            ("AUTH", _) => say("235 2.7.0 welcome")?,
            ("MAIL", _) => {
                (mail, recipients) = (line, Vec::new());
                say("250 2.1.0 fine")?;
            }
            ("RCPT", _) => {
                let path = line.split_once(':').map_or("", |(_, path)| path);
                recipients.push(path.split(' ').next().unwrap_or_default().to_owned());
                say("250 2.1.5 fine")?;
            }
            ("DATA", _) => {
                say("354 go on")?;
                let content = text(&mut input)?;
                let replies = if manner.lmtp { recipients.len() } else { 1 };
                let taken = Taken {
                    mail: std::mem::take(&mut mail),
                    recipients: std::mem::take(&mut recipients),
                    content,
                };
                shared.taken.lock().unwrap().push(taken);
                for _ in 0..replies {
                    say("250 2.0.0 taken")?;
                }
            }
            ("QUIT", _) => return say("221 2.0.0 bye"),
            ("RSET" | "NOOP", _) => say("250 2.0.0 fine")?,
            _ => say("502 5.5.1 unknown")?,
        }
    }
}

/// The text up to its dot.
fn text(input: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(content);
        }
        content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
