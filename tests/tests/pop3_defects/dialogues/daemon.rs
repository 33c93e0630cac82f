//! Our daemon: every word, in clear, under TLS, in one piece and octet by octet.

use std::net::SocketAddr;
use std::path::PathBuf;

use lastpost_tests::House;

use super::{Account, Manner, Server, play, speaks_of_tls, transcripts};
use crate::kit::{house, set_users, user, wait_for_sessions};
use crate::transcript::Message;

struct Daemon(House);

impl Server for Daemon {
    fn furnish(&self, account: &Account, messages: &[&Message]) {
        let maildir = self.maildir(account);
        let _ = std::fs::remove_dir_all(&maildir);
        maildrop::create(&maildir).unwrap();
        for message in messages {
            std::fs::write(maildir.join("new").join(&message.uidl), &message.stored).unwrap();
        }
        let password = std::str::from_utf8(&account.password).unwrap();
        let addresses = format!("addresses={}@open.example", account.login);
        set_users(&self.0, &user(&self.0, &account.login, password, &addresses));
    }

    fn maildir(&self, account: &Account) -> PathBuf {
        self.0.maildir(&account.login)
    }

    fn address(&self, tls: bool) -> SocketAddr {
        self.0.address(if tls { "pop3s" } else { "pop3" })
    }

    fn certificate(&self) -> PathBuf {
        self.0.path("certificate.pem")
    }

    fn settle(&self) {
        wait_for_sessions(&self.0, 0);
    }
}

fn play_all(piece: usize) {
    let daemon = Daemon(house());
    let mut played = 0;
    for transcript in transcripts() {
        if piece < usize::MAX && transcript.unsplit_only {
            continue;
        }
        for tls in [false, true] {
            if !(tls && speaks_of_tls(&transcript)) {
                let outcome = play(&daemon, &transcript, Manner { tls, piece });
                outcome.unwrap_or_else(|deviation| panic!("{deviation}"));
                played += 1;
            }
        }
    }
    assert!(played >= 50, "{played} dialogues played");
}

#[test]
fn the_daemon_says_what_is_written() {
    play_all(usize::MAX);
}

#[test]
fn the_daemon_says_what_is_written_octet_by_octet() {
    play_all(1);
}
