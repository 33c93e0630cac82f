//! What is optional or newer than RFC 1939: one answer for each command, in every language, and
//! what the driver is told.

use pop3_proto::XclientFacts;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::properties::{everything, world};
use crate::transcript::{Given, Message};
use crate::world::World;

const LOGIN: &[u8] = b"AUTH PLAIN AGFpa28Ac2VjcmV0\r\n";

/// Takes one whole answer off `out`: the first line, and all the others of a long one.
fn take_answer(out: &mut Vec<u8>, long: bool) -> String {
    let end = |out: &[u8], what: &[u8]| {
        out.windows(what.len()).position(|part| part == what).map(|at| at + what.len())
    };
    let first = end(out, b"\r\n").expect("an answer");
    assert!(first <= 512, "{first} octets");
    let length = if long && out.starts_with(b"+OK") {
        end(&out[first - 2..], b"\r\n.\r\n").expect("the end of an answer") + first - 2
    } else {
        first
    };
    String::from_utf8(out.drain(..length).collect()).expect("UTF-8")
}

/// A command, and whether its answer has several lines.
fn command() -> impl Strategy<Value = (&'static str, bool)> {
    prop::sample::select(vec![
        ("LANG", true),
        ("LANG ja", false),
        ("LANG en", false),
        ("LANG *", false),
        ("LANG uga", false),
        ("LANG ja ja", false),
        ("UTF8", false),
        ("UTF8 x", false),
        ("LAST", false),
        ("CAPA", true),
        ("STAT", false),
        ("LIST", true),
        ("LIST 1", false),
        ("UIDL", true),
        ("UIDL 9", false),
        ("RETR 1", true),
        ("RETR 2", true),
        ("TOP 1 0", true),
        ("TOP 2 0", true),
        ("TOP 3 1", true),
        ("DELE 3", false),
        ("RSET", false),
        ("NOOP", false),
        ("XCLIENT ADDR=::1", false),
        ("APOP aiko 3f18b52881e44c0cc6067f46e0ced7bc", false),
        ("AUTH", false),
        ("STLS", false),
        ("NONSENSE", false),
    ])
}

proptest! {
    /// RFC 2449 section 6.6: pipelined commands are answered in turn, each once.
    #[test]
    fn every_command_has_one_answer(commands in vec(command(), 1..30)) {
        let mut world = world();
        everything(&mut world);
        let mut errors = 0;
        world.send(LOGIN);
        world.out.clear();
        let lines: Vec<String> = commands.iter().map(|(line, _)| format!("{line}\r\n")).collect();
        world.send(lines.concat().as_bytes());
        let mut out = std::mem::take(&mut world.out);
        for (line, long) in &commands {
            let answer = take_answer(&mut out, *long);
            prop_assert!(answer.starts_with("+OK ") || answer.starts_with("-ERR "), "{line}");
            errors += usize::from(answer.starts_with("-ERR"));
        }
        prop_assert!(out.is_empty());
        prop_assert!(errors <= commands.len());
    }

    /// Strictness about UTF-8 mode changes nothing for a header in ASCII, and refuses any other,
    /// whole and undamaged; after `UTF8` there is no difference.
    #[test]
    fn strictness_looks_at_headers_alone(
        stored in vec(prop::sample::select(b"\r\n\n.a\xc3".to_vec()), 0..40),
        lines in 0_u64..4,
    ) {
        let answers = |given: &[Given], before: &str| {
            let mut world = World::new();
            let (login, password) = ("aiko".to_owned(), b"secret".to_vec());
            world.arrange(&Given::Account { login, password });
            let message = Message { uidl: "u".to_owned(), stored: stored.clone() };
            world.arrange(&Given::Message(message));
            given.iter().for_each(|given| world.arrange(given));
            world.send(&[before.as_bytes(), LOGIN].concat());
            [format!("TOP 1 {lines}\r\n"), "RETR 1\r\n".to_owned()].map(|line| {
                world.out.clear();
                world.send(line.as_bytes());
                std::mem::take(&mut world.out)
            })
        };
        let lax = answers(&[], "");
        let strict = answers(&[Given::Utf8Only], "");
        prop_assert_eq!(&answers(&[Given::Utf8Only], "UTF8\r\n"), &lax);
        let crlf = [&b"\n"[..], &stored].concat();
        let header_end = crlf.windows(2).position(|pair| pair == b"\n\n");
        let header_end_cr = crlf.windows(3).position(|part| part == b"\n\r\n");
        let end = [header_end, header_end_cr].into_iter().flatten().min().unwrap_or(crlf.len());
        if crlf[..end].is_ascii() {
            prop_assert_eq!(strict, lax);
        } else {
            let refused = b"-ERR [UTF8] The message needs UTF-8 mode: send UTF8 first\r\n".to_vec();
            prop_assert_eq!(strict, [refused.clone(), refused]);
        }
    }

    /// A language changes no figure and no code: with the words taken out, the answers are the
    /// same.
    #[test]
    fn a_language_changes_words_alone(commands in vec(command(), 1..20)) {
        let played = |language: &str| {
            let mut world = world();
            everything(&mut world);
            world.send(LOGIN);
            world.send(format!("LANG {language}\r\n").as_bytes());
            world.out.clear();
            for (line, _) in commands.iter().filter(|(line, _)| !line.starts_with("LANG")) {
                world.send(format!("{line}\r\n").as_bytes());
            }
            let said = String::from_utf8(std::mem::take(&mut world.out)).unwrap();
            said.lines().map(skeleton).collect::<Vec<_>>()
        };
        prop_assert_eq!(played("en"), played("ja"));
    }
}

/// A status line without its words, any other line as it is.
fn skeleton(line: &str) -> String {
    match line.split_once(' ') {
        Some((status @ ("+OK" | "-ERR"), rest)) => {
            let code = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
            let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
            // The words themselves have figures only in the name of the mode.
            let digits = if rest.contains("UTF") { String::new() } else { digits };
            format!("{status} {:?} {digits}", code.map(|(code, _)| code))
        }
        _ => line.to_owned(),
    }
}

fn proxied(line: &str) -> World {
    let mut world = world();
    world.arrange(&Given::Proxy);
    world.send(format!("{line}\r\n").as_bytes());
    world
}

#[test]
fn the_driver_is_told_what_the_proxy_said() {
    let world = proxied("XCLIENT ADDR=192.0.2.7 PORT=4711 SESSION=s TTL=2 CLIENT-TRANSPORT=TLS");
    let facts = XclientFacts {
        address: Some("192.0.2.7".parse().unwrap()),
        port: Some(4711),
        session: Some("s".into()),
        ttl: Some(2),
        secured: Some(true),
    };
    assert_eq!(world.client, Some(facts));
    let address = Some("::1".parse().unwrap());
    let world = proxied("xoip ::1");
    assert_eq!(world.client, Some(XclientFacts { address, ..XclientFacts::default() }));
}

#[test]
fn a_client_is_no_proxy() {
    let mut world = world();
    world.send(b"XCLIENT ADDR=192.0.2.7\r\nXOIP 192.0.2.7\r\n");
    assert_eq!(world.client, None);
    world.send(LOGIN);
    assert!(world.out.ends_with(b"+OK 3 messages (38 octets)\r\n"), "and the login still goes");
}

/// The greeting is shown once, and the digest is made of what it showed.
#[test]
fn the_stamp_outlives_the_proxys_word_and_the_handshake() {
    const APOP: &[u8] = b"APOP aiko 3f18b52881e44c0cc6067f46e0ced7bc\r\n";
    let mut world = world();
    everything(&mut world);
    world.arrange(&Given::TlsOffered);
    world.send(b"XCLIENT ADDR=192.0.2.7\r\nSTLS\r\n");
    world.shake_hands();
    world.out.clear();
    world.send(APOP);
    assert!(world.out.starts_with(b"+OK 3 messages"));
}

#[test]
fn a_greeting_fits_its_512_octets() {
    for (length, shown) in [(200, true), (256, true), (257, false), (100_000, false)] {
        let mut world = world();
        world.arrange(&Given::Proxy);
        world.arrange(&Given::Apop(format!("<{}@h>", "x".repeat(length - 4))));
        world.connect();
        assert!(world.out.len() <= 512);
        assert_eq!(world.out.contains(&b'<'), shown, "{length}");
    }
    for bad in ["<a@b", "a@b>", "<ab>", "<@b>", "<a@>", "<a @b>", "<a@b\r\nx>", "<a@b><c@d>", ""] {
        let mut world = world();
        world.arrange(&Given::Apop(bad.to_owned()));
        world.connect();
        assert_eq!(world.out, b"+OK Lastpost POP3 server ready\r\n", "{bad:?}");
    }
}
