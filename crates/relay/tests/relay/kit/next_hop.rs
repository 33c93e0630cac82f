//! A next hop on a port of 127.0.0.1: a polite SMTP server unless its script says otherwise.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::session::serve;

/// What the script decides about.
pub(crate) struct Seen<'a> {
    /// 1 for the first connection.
    pub(crate) connection: usize,
    /// The command; `connect` before the greeting, `.` at the end of the text, and `text` when
    /// the first octets of a text have come.
    pub(crate) command: &'a str,
    /// How often this very command came, on all connections, this time included.
    pub(crate) times: usize,
}

/// What happens to a command.
pub(crate) enum Reaction {
    /// What a polite server does.
    Polite,
    /// This reply (lines are separated by `\n`), and on.
    Say(&'static str),
    /// This reply, and the end of the connection.
    SayAndClose(&'static str),
    /// The end of the connection.
    Close,
    /// No reply, for as long as the other side has patience.
    Hang,
    /// Politeness, but late.
    Late(Duration),
}

type Script = dyn Fn(&Seen<'_>) -> Reaction + Send + Sync;

/// How a next hop is set up.
pub(crate) struct Options {
    /// The lines of the reply to EHLO.
    pub(crate) extensions: Vec<&'static str>,
    pub(crate) tls: Option<TlsAcceptor>,
    /// TLS from the first octet.
    pub(crate) implicit: bool,
    /// Name and password it insists on.
    pub(crate) login: Option<(&'static str, &'static str)>,
    pub(crate) script: Box<Script>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            extensions: vec!["PIPELINING", "SIZE 50000000", "8BITMIME", "ENHANCEDSTATUSCODES"],
            tls: None,
            implicit: false,
            login: None,
            script: Box::new(|_| Reaction::Polite),
        }
    }
}

/// A message the next hop took.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) mail: String,
    pub(crate) recipients: Vec<String>,
    pub(crate) text: Vec<u8>,
    pub(crate) connection: usize,
    pub(crate) tls: bool,
}

#[derive(Default)]
pub(crate) struct Record {
    connections: usize,
    open: usize,
    open_max: usize,
    /// How often each command came.
    pub(crate) commands: HashMap<String, usize>,
    pub(crate) messages: Vec<Received>,
}

/// The server. It ends with the runtime.
pub(crate) struct NextHop {
    pub(crate) address: String,
    record: Arc<Mutex<Record>>,
    task: tokio::task::JoinHandle<()>,
}

impl NextHop {
    pub(crate) async fn start(options: Options) -> Self {
        Self::start_on("127.0.0.1:0", options).await
    }

    pub(crate) async fn scripted(
        script: impl Fn(&Seen<'_>) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        Self::start(Options { script: Box::new(script), ..Options::default() }).await
    }

    pub(crate) async fn start_on(address: &str, options: Options) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let record = Arc::new(Mutex::new(Record::default()));
        let (shared, options) = (Arc::clone(&record), Arc::new(options));
        let task = tokio::spawn(async move {
            // Dropped with this task, so that `stop` cuts all connections.
            let mut sessions = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (record, options) = (Arc::clone(&shared), Arc::clone(&options));
                sessions.spawn(async move {
                    let number = {
                        let mut record = lock(&record);
                        record.connections += 1;
                        record.open += 1;
                        record.open_max = record.open_max.max(record.open);
                        record.connections
                    };
                    let _ = serve(stream, number, &options, &record).await;
                    lock(&record).open -= 1;
                });
            }
        });
        Self { address, record, task }
    }

    /// Cuts all connections and closes the port.
    pub(crate) async fn stop(self) -> String {
        self.task.abort();
        let _ = self.task.await;
        self.address
    }

    pub(crate) fn messages(&self) -> Vec<Received> {
        lock(&self.record).messages.clone()
    }

    /// How many messages it took.
    pub(crate) fn count(&self) -> usize {
        lock(&self.record).messages.len()
    }

    pub(crate) fn connections(&self) -> usize {
        lock(&self.record).connections
    }

    /// The most that were open at the same time.
    pub(crate) fn connections_at_once(&self) -> usize {
        lock(&self.record).open_max
    }

    /// How many commands began with `verb`.
    pub(crate) fn heard(&self, verb: &str) -> usize {
        let record = lock(&self.record);
        record.commands.iter().filter(|(line, _)| line.starts_with(verb)).map(|(_, n)| n).sum()
    }
}

pub(crate) fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap()
}
