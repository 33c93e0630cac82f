//! The transcripts of the protocol crate, played over TCP and TLS.

use std::path::{Path, PathBuf};

use maildrop::{Maildrop, OpenOptions};

use crate::kit::{Client, Daemon, Setup, names, put};
use crate::transcript::{Given, Transcript, Trouble, What};

/// A transcript on its way.
struct Play {
    transcript: Transcript,
    maildir: PathBuf,
    /// Names of the messages in their order.
    uidls: Vec<String>,
    tls_port: bool,
    /// Another session's lock.
    lock: Option<Maildrop>,
}

#[test]
fn every_transcript_plays_over_the_network() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pop3-proto/tests/transcripts");
    let mut played = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let transcript = Transcript::read(&entry.unwrap().path());
        if !transcript.pure_only {
            play(transcript);
            played += 1;
        }
    }
    assert!(played > 40, "{played} transcripts");
}

fn play(transcript: Transcript) {
    let mut setup = Setup::new();
    let maildir = setup.path().join("Maildir");
    maildrop::create(&maildir).unwrap();
    // A transcript without TLS is one in which STLS is refused.
    let mut mode = netio::TlsMode::None;
    let mut uidls = Vec::new();
    let mut tls_port = false;
    for item in &transcript.items {
        match &item.what {
            What::Given(Given::Account { login, password }) => {
                let password = String::from_utf8(password.clone()).unwrap();
                setup.account_at(login, &password, maildir.clone());
            }
            What::Given(Given::Message(message)) => {
                put(&maildir, &message.uidl, &message.stored);
                uidls.push(message.uidl.clone());
            }
            What::Given(Given::TlsOffered) => mode = netio::TlsMode::Starttls,
            What::Given(Given::TlsActive) => tls_port = true,
            _ => {}
        }
    }
    setup.config.listen[0].tls = mode;
    let daemon = setup.start();
    let mut play = Play { transcript, maildir, uidls, tls_port, lock: None };
    play.run(&daemon);
}

impl Play {
    fn run(&mut self, daemon: &Daemon) {
        let items = std::mem::take(&mut self.transcript.items);
        let mut client: Option<Client> = None;
        for item in &items {
            let place = format!("{}:{}", self.transcript.name, item.line);
            if let What::Given(given) = &item.what {
                self.arrange(given);
                continue;
            }
            let mut speaking = client.take().unwrap_or_else(|| self.connect(daemon));
            match &item.what {
                What::Client(octets) => speaking.send(octets),
                What::Tls => speaking = daemon.secure(speaking, &[]).unwrap(),
                What::Drop => drop(speaking.socket.shutdown(std::net::Shutdown::Both)),
                What::Server(expected) => {
                    let line = speaking.line().unwrap_or_else(|| panic!("{place}: closed"));
                    let shown = String::from_utf8_lossy(&line);
                    assert!(expected.matches(&line), "{place}: the server says {shown:?}");
                }
                What::Rest(octets) => assert_eq!(&speaking.rest(), octets, "{place}"),
                What::Closed => speaking.expect_closed(),
                What::Removed(indexes) => self.check_removed(indexes, &place),
                // Seen by the pure session alone: the files do not show it.
                What::Retrieved(_) | What::Given(_) => {}
            }
            client = Some(speaking);
        }
    }

    fn connect(&self, daemon: &Daemon) -> Client {
        if self.tls_port { daemon.connect_tls() } else { daemon.connect() }
    }

    fn arrange(&mut self, given: &Given) {
        match given {
            Given::Login(Some(Trouble::InUse)) => {
                self.lock = Some(Maildrop::open(&self.maildir, &OpenOptions::default()).unwrap());
            }
            Given::Login(None) => self.lock = None,
            Given::Gone(index) => {
                let name = &self.uidls[*index];
                std::fs::remove_file(self.maildir.join("new").join(name)).unwrap();
            }
            Given::Account { .. } | Given::Message(_) | Given::TlsOffered | Given::TlsActive => {}
            other => panic!("{}: {other:?} needs `only: pure`", self.transcript.name),
        }
    }

    fn check_removed(&self, indexes: &[usize], place: &str) {
        let mut left = self.uidls.clone();
        for &index in indexes.iter().rev() {
            left.remove(index);
        }
        left.sort();
        assert_eq!(names(&self.maildir), left, "{place}");
    }
}
