//! The defects as dialogues: one text, three servers. The pure session in memory and the daemon
//! over TCP, in clear and under TLS, must say what is written; Dovecot, where
//! `LASTPOST_TRANSCRIPTS_AGAINST=dovecot` asks for it, must say it but for the defects that are
//! listed here.
//!
//! What is written leaves the wording open (`...`), for it is each server's own.

mod daemon;
mod dovecot;
mod pure;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::client::Client;
use crate::kit::names_in;
use crate::transcript::{Expected, Given, Item, Message, Transcript, What};

fn transcripts() -> Vec<Transcript> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts/pop3");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| Transcript::read(file)).collect()
}

/// Each file tells whose defect it is before anything else.
#[test]
fn every_dialogue_says_why_it_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts/pop3");
    let mut found = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(text.starts_with("# ") && text.lines().next().unwrap().len() > 20, "{text}");
        found += 1;
    }
    assert!(found >= 30, "{found}");
}

/// A server on a socket, of any make.
trait Server {
    /// Gives the account of a transcript these messages and no others.
    fn furnish(&self, account: &Account, messages: &[&Message]);
    /// Where the account's Maildir is.
    fn maildir(&self, account: &Account) -> PathBuf;
    /// The listener that offers STLS, or the one that begins with TLS.
    fn address(&self, tls: bool) -> SocketAddr;
    /// The certificate that it shows.
    fn certificate(&self) -> PathBuf;
    /// Waits until the session of a client that has left is over.
    fn settle(&self);
}

/// Who logs in.
struct Account {
    login: String,
    password: Vec<u8>,
}

fn account(transcript: &Transcript) -> Account {
    let mut given = transcript.items.iter().filter_map(|item| match &item.what {
        What::Given(Given::Account { login, password, .. }) => {
            Some(Account { login: login.clone(), password: password.clone() })
        }
        _ => None,
    });
    given.next().unwrap_or_else(|| panic!("{}: no account", transcript.name))
}

fn messages(transcript: &Transcript) -> Vec<&Message> {
    let given = transcript.items.iter().filter_map(|item| match &item.what {
        What::Given(Given::Message(message)) => Some(message),
        _ => None,
    });
    given.collect()
}

/// How the client comes, and in pieces of how many octets.
#[derive(Clone, Copy, Debug)]
struct Manner {
    tls: bool,
    piece: usize,
}

/// Plays a transcript.
///
/// # Errors
/// The first place where the server says something else.
fn play(server: &dyn Server, transcript: &Transcript, manner: Manner) -> Result<(), String> {
    let account = account(transcript);
    server.furnish(&account, &messages(transcript));
    let mut client = Client::connect(server.address(manner.tls));
    if manner.tls {
        client.start_tls(&server.certificate());
    }
    let mut left = false;
    for item in &transcript.items {
        let place = || format!("{}:{} ({manner:?})", transcript.name, item.line);
        match &item.what {
            What::Client(octets) => client.send(octets, manner.piece),
            What::Tls => client.start_tls(&server.certificate()),
            What::Drop => {
                client.drop_connection();
                server.settle();
                left = true;
            }
            What::Server(expected) => match client.line() {
                Some(line) if is_said(expected, &line) => {}
                Some(line) => {
                    return Err(format!("{}: {}", place(), String::from_utf8_lossy(&line)));
                }
                None => return Err(format!("{}: closed or silent", place())),
            },
            What::Closed => {
                let rest = client.rest().ok_or_else(|| format!("{}: not closed", place()))?;
                if !rest.is_empty() {
                    return Err(format!("{}: {} too", place(), rest.escape_ascii()));
                }
                left = true;
            }
            What::Removed(indexes) => {
                server.settle();
                compare(server, transcript, indexes)
                    .map_err(|why| format!("{}: {why}", place()))?;
            }
            What::Given(_) => {}
            other => panic!("{}: {other:?} is beyond these drivers", place()),
        }
    }
    if !left {
        client.leave();
    }
    server.settle();
    Ok(())
}

/// Where the wording is open, there may also be none.
fn is_said(expected: &Expected, line: &[u8]) -> bool {
    let bare = expected.open_end && expected.text == [line, b" "].concat();
    bare || expected.matches(line)
}

/// Whether exactly these messages are gone.
fn compare(server: &dyn Server, transcript: &Transcript, gone: &[usize]) -> Result<(), String> {
    let kept: BTreeSet<String> =
        names_in(&server.maildir(&account(transcript))).into_iter().collect();
    for (index, message) in messages(transcript).iter().enumerate() {
        if kept.contains(&message.uidl) == gone.contains(&index) {
            return Err(format!(
                "{} is {}",
                message.uidl,
                if gone.contains(&index) { "kept" } else { "gone" }
            ));
        }
    }
    Ok(())
}

fn speaks_of_tls(transcript: &Transcript) -> bool {
    let of_tls = |item: &Item| matches!(item.what, What::Tls | What::Given(Given::TlsOffered));
    transcript.items.iter().any(of_tls)
}
