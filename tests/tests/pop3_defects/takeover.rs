//! The lock and dead clients: Dovecot leaves the lock off because of them, iOS and telephones
//! without network hold it for ten minutes elsewhere.

use std::net::SocketAddr;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use lastpost_tests::{House, Talk};

use crate::kit::{AIKO, HERE, house_with, message, names_in, put, wire};
use crate::stopped_clock::with_stopped_clock;

const MINUTE: &str =
    "sessions_per_ip_max = 2000\n[pop3.maildrop]\ntakeover_after = \"1m\"\nlock_wait = \"2s\"\n";
const NEVER: &str =
    "sessions_per_ip_max = 2000\n[pop3.maildrop]\ntakeover_after = \"0s\"\nlock_wait = \"2s\"\n";

fn furnished(pop3: &'static str) -> House {
    let house = house_with(pop3);
    for name in ["1.m", "2.m"] {
        put(&house, AIKO, name, b"text\n");
    }
    house
}

fn named(address: SocketAddr) -> Talk {
    let mut talk = Talk::connect_from(address, HERE);
    talk.expect_reply("+OK");
    talk.expect(&format!("USER {AIKO}"), "+OK");
    talk
}

fn log_in(address: SocketAddr, password: &str) -> Talk {
    let mut talk = named(address);
    talk.expect(&format!("PASS {password}"), "+OK");
    talk
}

/// Lets time pass in small steps until `talk` has a reply; `meanwhile` is done before each.
fn reply_in_time(
    mut talk: Talk,
    advance: &dyn Fn(Duration),
    meanwhile: &mut dyn FnMut(),
) -> (Talk, String) {
    let (done, reply) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let reply = talk.reply();
        let _ = done.send((talk, reply));
    });
    loop {
        meanwhile();
        advance(Duration::from_millis(10));
        match reply.recv_timeout(Duration::from_millis(5)) {
            Ok(answered) => {
                reader.join().unwrap();
                return answered;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => panic!("no reply came"),
        }
    }
}

/// The session of a telephone without network gives way to its owner's next login after a minute,
/// without a word and with nothing deleted.
#[test]
fn an_idle_session_gives_way_and_deletes_nothing() {
    let mut house = furnished(MINUTE);
    let (password, maildir) = (house.customer(AIKO).password, house.maildir(AIKO));
    with_stopped_clock(&mut house, move |address, advance| {
        let mut first = log_in(address, password);
        first.expect("DELE 1", "+OK");
        advance(Duration::from_secs(62));
        let mut second = log_in(address, password);
        let said = first.rest().unwrap();
        assert!(said.is_empty(), "{}", said.escape_ascii());
        assert_eq!(names_in(&maildir), ["1.m", "2.m"]);
        second.expect("STAT", "+OK 2 12");
        second.expect("DELE 2", "+OK");
        second.expect("QUIT", "+OK");
        assert_eq!(names_in(&maildir), ["1.m"]);
    });
}

/// One that is at work does not: the login waits, reads [IN-USE], and the words that fetchmail
/// looks for.
#[test]
fn a_session_at_work_is_left_alone() {
    let mut house = furnished(MINUTE);
    let password = house.customer(AIKO).password;
    with_stopped_clock(&mut house, move |address, advance| {
        let mut first = log_in(address, password);
        for _ in 0..5 {
            advance(Duration::from_secs(50));
            first.expect("NOOP", "+OK");
        }
        let mut second = named(address);
        second.send(&format!("PASS {password}"));
        let mut work = || {
            first.expect("NOOP", "+OK");
        };
        let (_second, reply) = reply_in_time(second, advance, &mut work);
        assert!(reply.starts_with("-ERR [IN-USE]"), "{reply}");
        assert!(reply.contains("lock") && reply.contains("wait"), "{reply}");
        first.expect("STAT", "+OK 2 12");
        first.expect("QUIT", "+OK");
    });
}

/// Whoever waits gets the maildrop as soon as it is free.
#[test]
fn whoever_waits_is_let_in_when_the_other_quits() {
    let mut house = furnished(NEVER);
    let password = house.customer(AIKO).password;
    with_stopped_clock(&mut house, move |address, _| {
        for _ in 0..20 {
            let mut first = log_in(address, password);
            let mut second = named(address);
            second.send(&format!("PASS {password}"));
            first.expect("QUIT", "+OK");
            second.expect_reply("+OK 2 messages");
            second.expect("QUIT", "+OK");
        }
    });
}

/// "0s": a session is never ended for another's sake.
#[test]
fn it_can_be_switched_off() {
    let mut house = furnished(NEVER);
    let password = house.customer(AIKO).password;
    with_stopped_clock(&mut house, move |address, advance| {
        let mut first = log_in(address, password);
        advance(Duration::from_secs(300));
        let mut second = named(address);
        second.send(&format!("PASS {password}"));
        let (_second, reply) = reply_in_time(second, advance, &mut || {});
        assert!(reply.starts_with("-ERR [IN-USE]"), "{reply}");
        first.expect("STAT", "+OK 2 12");
    });
}

/// A client that reads a large message slowly is at work, however long ago it asked for it; one
/// that has stopped reading is not.
#[test]
fn a_message_on_its_way_is_work_while_it_is_read() {
    let mut house = furnished(MINUTE);
    let large = [b"Subject: large\n\n".as_slice(), &b"0123456789abcde\n".repeat(2 << 20)].concat();
    std::fs::write(message(&house, AIKO, "3.m"), &large).unwrap();
    let password = house.customer(AIKO).password;
    let expected = wire(&large).len();
    with_stopped_clock(&mut house, move |address, advance| {
        let mut first = log_in(address, password);
        first.expect("RETR 3", "+OK");
        first.octets_until(b"\r\n\r\n");
        // What it takes in is progress: the session outlives many minutes of it.
        let mut second = named(address);
        advance(Duration::from_secs(30));
        let got = first.octets_until(b"\r\n.\r\n").len();
        assert_eq!(got + b"Subject: large\r\n\r\n".len(), expected + b".\r\n".len());
        // The last of it was taken in half a minute after it was asked for: that counts.
        advance(Duration::from_secs(40));
        second.send(&format!("PASS {password}"));
        let (_second, reply) = reply_in_time(second, advance, &mut || {});
        assert!(reply.starts_with("-ERR [IN-USE]"), "{reply}");
        first.expect("QUIT", "+OK");
    });
}

/// Only with the right password: nobody else's login ends anything.
#[test]
fn a_wrong_password_ends_nobodys_session() {
    let mut house = furnished(MINUTE);
    let password = house.customer(AIKO).password;
    with_stopped_clock(&mut house, move |address, advance| {
        let mut first = log_in(address, password);
        advance(Duration::from_secs(120));
        named(address).expect("PASS wrong", "-ERR [AUTH]");
        first.expect("STAT", "+OK 2 12");
    });
}
