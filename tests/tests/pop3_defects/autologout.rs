//! The ten minutes of RFC 1939 section 3: no second less, and nothing said at their end.

use std::time::Duration;

use lastpost::config::Config;
use lastpost_tests::Talk;

use crate::kit::{AIKO, HERE, house_of, names_in, wire};
use crate::stopped_clock::with_stopped_clock;

const TEN_MINUTES: Duration = Duration::from_secs(600);

fn log_in(address: std::net::SocketAddr, password: &str) -> Talk {
    let mut talk = Talk::connect_from(address, HERE);
    talk.expect_reply("+OK");
    talk.expect(&format!("USER {AIKO}"), "+OK");
    talk.expect(&format!("PASS {password}"), "+OK");
    talk
}

/// Courier closes after 300 seconds, hosters after 60. Commands that follow each other within
/// ten minutes keep the session.
#[test]
fn ten_minutes_are_not_shortened() {
    let mut house = house_of(&[b"one\n"]);
    let password = house.customer(AIKO).password;
    with_stopped_clock(&mut house, move |address, advance| {
        let mut talk = log_in(address, password);
        for _ in 0..6 {
            advance(TEN_MINUTES - Duration::from_secs(2));
            talk.expect("NOOP", "+OK");
        }
        advance(TEN_MINUTES - Duration::from_secs(2));
        talk.expect("RETR 1", "+OK");
        assert_eq!(talk.multiline(), wire(b"one\n"));
        talk.expect("QUIT", "+OK");
    });
}

/// Dovecot and Stalwart say -ERR before they close. RFC 1939 section 3: "without … sending any
/// response", and nothing is removed.
#[test]
fn the_end_comes_without_a_word_and_deletes_nothing() {
    let mut house = house_of(&[b"one\n", b"two\n"]);
    let password = house.customer(AIKO).password;
    let maildir = house.maildir(AIKO);
    with_stopped_clock(&mut house, move |address, advance| {
        let mut talk = log_in(address, password);
        talk.expect("RETR 1", "+OK");
        talk.multiline();
        talk.expect("DELE 1", "+OK");
        talk.expect("DELE 2", "+OK");
        // Half a command does not put the end off.
        advance(TEN_MINUTES / 2);
        talk.send_raw(b"QUI");
        advance(TEN_MINUTES / 2 + Duration::from_secs(2));
        let said = talk.rest().unwrap();
        assert!(said.is_empty(), "{}", said.escape_ascii());
        assert_eq!(names_in(&maildir), ["1.m", "2.m"]);
        let mut talk = log_in(address, password);
        talk.expect("STAT", "+OK 2 10");
        talk.expect("QUIT", "+OK");
    });
}

/// Who has not logged in is closed much sooner, and without a word too.
#[test]
fn without_a_login_the_time_is_shorter() {
    let mut house = house_of(&[]);
    with_stopped_clock(&mut house, move |address, advance| {
        let mut talk = Talk::connect_from(address, HERE);
        talk.expect_reply("+OK");
        talk.expect("CAPA", "+OK");
        talk.multiline();
        advance(TEN_MINUTES);
        assert!(talk.rest().unwrap().is_empty());
    });
}

/// No configuration makes it shorter than the standard allows.
#[test]
fn no_configuration_shortens_it() {
    let house = house_of(&[]);
    let text = std::fs::read_to_string(house.path("lastpost.toml")).unwrap();
    for (value, good) in
        [("9m59s", false), ("1m", false), ("0s", false), ("10m", true), ("30m", true)]
    {
        let changed = text.replacen("[pop3]\n", &format!("[pop3]\nautologout = \"{value}\"\n"), 1);
        assert_ne!(changed, text);
        let file = house.path("changed.toml");
        std::fs::write(&file, changed).unwrap();
        let loaded = Config::load(&file);
        assert_eq!(loaded.is_ok(), good, "{value}");
        if let Err(error) = loaded {
            assert!(error.to_string().contains("autologout"), "{error}");
        }
    }
}
