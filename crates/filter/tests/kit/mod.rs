//! A milter and a policy service that do as they are told, and what they are asked about.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use filter::{Client, FilterConfig, Filters, Message, Recipient, Selection, Sender};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A packet: letter and data.
pub(crate) type Packet = (u8, Vec<u8>);

/// What a double answers to a command; called with the command and what came before it.
pub(crate) type Script = Arc<dyn Fn(&Packet) -> Vec<Packet> + Send + Sync>;

/// A milter on a port of its own.
pub(crate) struct Milter {
    pub(crate) port: u16,
    pub(crate) seen: Arc<Mutex<Vec<Packet>>>,
}

/// Options as a milter sends them: version 6, all changes, and `protocol`.
pub(crate) fn options(protocol: u32) -> Packet {
    let numbers = [6u32, 0x7f, protocol];
    (b'O', numbers.iter().flat_map(|number| number.to_be_bytes()).collect())
}

pub(crate) fn reply(letter: u8, data: &[u8]) -> Packet {
    (letter, data.to_vec())
}

impl Milter {
    /// Answers `c` to everything but what `script` says otherwise.
    pub(crate) async fn start(
        protocol: u32,
        script: impl Fn(&Packet) -> Option<Vec<Packet>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let script: Script = Arc::new(move |packet| {
            script(packet).unwrap_or_else(|| match packet.0 {
                b'O' => vec![options(protocol)],
                b'D' | b'Q' => vec![],
                _ => vec![reply(b'c', b"")],
            })
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&log)));
            }
        });
        Self { port, seen }
    }

    /// The commands but macros, as letters.
    pub(crate) fn letters(&self) -> String {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|(letter, _)| char::from(*letter)).filter(|c| *c != 'D').collect()
    }

    /// The data of all commands `letter`.
    pub(crate) fn data(&self, letter: u8) -> Vec<Vec<u8>> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|(other, _)| *other == letter).map(|(_, data)| data.clone()).collect()
    }

    pub(crate) fn text(&self, letter: u8) -> String {
        String::from_utf8_lossy(&self.data(letter).concat()).into_owned()
    }
}

async fn serve(mut stream: TcpStream, script: Script, log: Arc<Mutex<Vec<Packet>>>) {
    while let Ok(length) = stream.read_u32().await {
        let mut packet = vec![0; length as usize];
        if stream.read_exact(&mut packet).await.is_err() {
            return;
        }
        let packet = (packet[0], packet[1..].to_vec());
        log.lock().unwrap().push(packet.clone());
        for (letter, data) in script(&packet) {
            // Nothing answers to 0: the connection is closed.
            if letter == 0 {
                return;
            }
            let mut octets = (data.len() as u32 + 1).to_be_bytes().to_vec();
            octets.push(letter);
            octets.extend(data);
            if stream.write_all(&octets).await.is_err() {
                return;
            }
        }
    }
}

/// A selection of milters at `ports`, each with `more` in its table.
pub(crate) fn milters(ports: &[u16], more: &str) -> (Filters, Selection) {
    let tables: String = ports
        .iter()
        .enumerate()
        .map(|(n, port)| {
            format!("[[milter]]\nname = \"m{n}\"\naddress = \"127.0.0.1:{port}\"\n{more}\n")
        })
        .collect();
    let names: Vec<_> = (0..ports.len()).map(|n| format!("m{n}")).collect();
    select(&tables, &names)
}

pub(crate) fn select(config: &str, names: &[String]) -> (Filters, Selection) {
    let config: FilterConfig = toml::from_str(config).unwrap();
    let filters = Filters::new(&config).unwrap();
    let selection = filters.for_listener(names).unwrap();
    (filters, selection)
}

pub(crate) fn client() -> Client {
    Client {
        address: "192.0.2.7".parse().unwrap(),
        port: 4711,
        hello: "anna-pc".to_owned(),
        extended: true,
        listener: "submission".to_owned(),
        host: "mail.example.net".to_owned(),
        login: Some("anna@example.net".to_owned()),
        mechanism: Some("PLAIN".to_owned()),
        tls: Some(("TLSv1.3".to_owned(), "TLS_AES_256_GCM_SHA384".to_owned())),
    }
}

pub(crate) const SENDER: Sender<'static> = Sender { path: "anna@example.net", size: Some(1000) };
pub(crate) const BEN: Recipient<'static> = Recipient { path: "ben@example.org", before: 0 };
pub(crate) const HEADER: &[u8] =
    b"From: anna@example.net\r\nSubject: one\r\n two\r\nTo: ben@example.org\r\n";

pub(crate) fn body() -> Vec<Bytes> {
    vec![Bytes::from_static(b"Hello\r\n"), Bytes::from_static(b"Ben\r\n")]
}

/// A message with `body` to `recipients`.
pub(crate) fn message<'a>(body: &'a Vec<Bytes>, recipients: &'a [String]) -> Message<'a> {
    let octets = body.iter().map(Bytes::len).sum::<usize>() + HEADER.len();
    Message {
        token: "token",
        header: HEADER,
        body,
        octets: octets as u64,
        sender: "anna@example.net",
        recipients,
    }
}
