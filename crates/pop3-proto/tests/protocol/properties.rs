//! Properties of the session: total for any bytes, the same for any split, and never a reply
//! that breaks the rules of the wire.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::transcript::{Fact, Follows, Given, Message};
use crate::world::{Maildrop, World};

/// `aiko` with `secret`, and three messages, one of them full of dots.
pub(crate) fn world() -> World {
    let mut world = World::new();
    world.arrange(&Given::Account { login: "aiko".to_owned(), password: b"secret".to_vec() });
    for (uidl, stored) in [
        ("uid-a", &b"From: a\n\n.\n..\nx"[..]),
        ("uid-b", b""),
        ("uid-c", b"Subject: c\r\n\r\nc\r\n"),
    ] {
        world.arrange(&Given::Message(Message { uidl: uidl.to_owned(), stored: stored.to_vec() }));
    }
    world
}

/// All that is optional, switched on.
pub(crate) fn everything(world: &mut World) {
    for given in [
        Given::Apop("<1896.697170952@dbc.mtview.ca.us>".to_owned()),
        Given::Last,
        Given::Proxy,
        Given::Utf8Only,
        Given::OfAll(Fact::LoginDelay(60), true),
        Given::Retrieved(1),
        Given::Mechanisms {
            names: vec!["PLAIN".to_owned(), "LOGIN".to_owned(), "SCRAM-SHA-256".to_owned()],
            under_tls: false,
        },
        Given::Turn(b"n,,n=aiko".to_vec(), Follows::Challenge(b"r=1".to_vec())),
        Given::Turn(b"aiko".to_vec(), Follows::Accepted),
    ] {
        world.arrange(&given);
    }
}

/// What a client might send: well-formed commands, near misses and noise.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "USER aiko",
        "PASS secret",
        "PASS wrong",
        "AUTH",
        "AUTH PLAIN",
        "AUTH LOGIN",
        "AUTH PLAIN =",
        "AUTH SCRAM-SHA-256 biwsbj1haWtv",
        "AUTH EXTERNAL =",
        "AUTH XOAUTH2",
        "AUTH PLAIN AGFpa28Ac2VjcmV0",
        "AGFpa28Ac2VjcmV0",
        "YWlrbw==",
        "c2VjcmV0",
        "*",
        "CAPA",
        "STAT",
        "LIST",
        "UIDL",
        "RSET",
        "NOOP",
        "UTF8",
        "APOP a b",
        "APOP aiko 3f18b52881e44c0cc6067f46e0ced7bc",
        "LANG",
        "LANG ja",
        "LANG *",
        "LANG mul",
        "LANG a b",
        "LAST",
        "XCLIENT ADDR=192.0.2.7 PORT=4711",
        "XCLIENT ADDR=x",
        "XOIP ::1",
        "XTND XMIT",
        "STLS",
        "QUIT",
        "DELE 1",
        "DELE 2",
        "RETR 1",
        "RETR 2",
        "RETR 3",
        "TOP 1 0",
        "TOP 1 2",
        "TOP 3 1",
        "LIST 1",
        "UIDL 3",
        "LIST 0",
        "RETR 4294967297",
        "DELE -1",
        "TOP 1x 1",
        "retr 1",
        "sTaT ",
    ]);
    let end = prop::sample::select(vec!["\r\n", "\n", "\r\r\n", ""]);
    prop_oneof![
        8 => (known, end).prop_map(|(text, end)| [text, end].concat().into_bytes()),
        1 => vec(any::<u8>(), 0..40),
        1 => (0_usize..14_000).prop_map(|length| [vec![b'x'; length], b"\r\n".to_vec()].concat()),
    ]
}

fn dialogue() -> impl Strategy<Value = Vec<u8>> {
    let login = prop_oneof![
        Just(Vec::new()),
        Just(b"USER aiko\r\nPASS secret\r\n".to_vec()),
        Just(b"AUTH PLAIN AGFpa28Ac2VjcmV0\r\n".to_vec()),
    ];
    (login, vec(line(), 0..24)).prop_map(|(login, lines)| [login, lines.concat()].concat())
}

fn played(octets: &[u8], cuts: &[usize], optional: bool) -> World {
    let mut world = world();
    if optional {
        everything(&mut world);
    }
    let mut from = 0;
    for &cut in cuts {
        let to = from + cut.min(octets.len() - from);
        world.send(&octets[from..to]);
        from = to;
    }
    world.send(&octets[from..]);
    world
}

/// Splits what the server said into lines; panics on a lone CR or LF outside messages.
pub(crate) fn lines(out: &[u8]) -> Vec<&[u8]> {
    assert!(out.is_empty() || out.ends_with(b"\r\n"));
    out.split(|&octet| octet == b'\n').filter(|line| !line.is_empty()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_the_same_replies(
        octets in dialogue(),
        cuts in vec(0_usize..60, 0..40),
        optional in any::<bool>(),
    ) {
        let whole = played(&octets, &[], optional);
        let split = played(&octets, &cuts, optional);
        prop_assert_eq!(&split.asked, &whole.asked);
        prop_assert_eq!(&split.out, &whole.out);
        prop_assert_eq!(&split.removed, &whole.removed);
        prop_assert_eq!(&split.client, &whole.client);
        prop_assert_eq!(split.is_closed(), whole.is_closed());
    }

    #[test]
    fn any_bytes_are_answered_or_closed(octets in vec(any::<u8>(), 0..3000)) {
        let world = played(&octets, &[], true);
        for line in lines(&world.out) {
            prop_assert!(line.len() < 512);
            prop_assert!(line.starts_with(b"+OK ") || line.starts_with(b"-ERR "));
        }
    }

    /// One reply for each line, never longer than RFC 2449 section 4 allows, with a status in
    /// capitals, and never what the client sent.
    #[test]
    fn every_line_has_one_reply(
        junk in vec("[b-zB-Z0-9;:/ ]{12,60}", 1..18),
    ) {
        let mut world = world();
        world.send(b"AUTH PLAIN AGFpa28Ac2VjcmV0\r\n");
        world.out.clear();
        for line in &junk {
            world.send(format!("{line}\r\n").as_bytes());
        }
        let out = std::mem::take(&mut world.out);
        let replies = lines(&out);
        prop_assert_eq!(replies.len(), junk.len());
        for (reply, line) in replies.iter().zip(&junk) {
            prop_assert!(reply.starts_with(b"-ERR ") && reply.len() <= 512);
            let echoed = reply.windows(8).any(|part| part == &line.as_bytes()[..8]);
            prop_assert!(!echoed);
        }
    }

    /// LIST, the reply to RETR and what RETR sends say the same (RFC 1939 section 11).
    #[test]
    fn list_size_equals_octets_sent(
        stored in vec(prop::sample::select(b"\r\n.ab".to_vec()), 0..200),
    ) {
        let mut world = World::new();
        world.arrange(&Given::Account { login: "aiko".to_owned(), password: b"secret".to_vec() });
        world.arrange(&Given::Message(Message { uidl: "u".to_owned(), stored }));
        world.send(b"AUTH PLAIN AGFpa28Ac2VjcmV0\r\n");
        world.out.clear();
        world.send(b"LIST 1\r\n");
        let listed = String::from_utf8(std::mem::take(&mut world.out)).unwrap();
        world.send(b"RETR 1\r\n");
        let answer = std::mem::take(&mut world.out);
        let header = answer.windows(2).position(|pair| pair == b"\r\n").unwrap() + 2;
        let body = &answer[header..];
        prop_assert!(body == b".\r\n" || body.ends_with(b"\r\n.\r\n"));
        let sent = unstuffed_octets(&body[..body.len() - 3]);
        prop_assert_eq!(listed, format!("+OK 1 {sent}\r\n"));
        let told = format!("+OK {sent} octets\r\n");
        prop_assert_eq!(&answer[..header], told.as_bytes());
    }
}

/// Octets of a body without the doubled dots, as a client counts them; checks that nothing
/// inside ends the answer.
fn unstuffed_octets(body: &[u8]) -> usize {
    let mut octets = 0;
    let mut at_start = true;
    let mut index = 0;
    while index < body.len() {
        if at_start && body[index] == b'.' {
            assert_eq!(body.get(index + 1), Some(&b'.'), "a dot that is not doubled");
            index += 1;
        }
        at_start = body[index] == b'\n' && index > 0 && body[index - 1] == b'\r';
        octets += 1;
        index += 1;
    }
    octets
}

#[test]
fn listings_of_a_huge_maildrop_come_in_blocks() {
    const COUNT: usize = 100_000;
    let mut world = World::new();
    world.arrange(&Given::Account { login: "aiko".to_owned(), password: b"secret".to_vec() });
    for index in 0..COUNT {
        let uidl = format!("{index:070}");
        world.arrange(&Given::Message(Message { uidl, stored: b"x\n".to_vec() }));
    }
    // `World::send` asserts that no block is much longer than `REPLY_BLOCK`.
    world.send(b"AUTH PLAIN AGFpa28Ac2VjcmV0\r\nDELE 7\r\nUIDL\r\nLIST\r\nSTAT\r\n");
    let replies = lines(&world.out);
    // Greeting, login, DELE, two listings (+OK and dot each), STAT.
    assert_eq!(replies.len(), 3 + 2 * (COUNT - 1 + 2) + 1);
    assert_eq!(replies.last().unwrap(), b"+OK 99999 299997\r");
}

#[test]
fn pipelined_listings_do_not_pile_up() {
    let mut world = world();
    world.send(b"AUTH PLAIN AGFpa28Ac2VjcmV0\r\n");
    world.out.clear();
    world.send(&b"LIST\r\n".repeat(20_000));
    assert_eq!(lines(&world.out).len(), 20_000 * 5);
}

#[test]
fn a_line_that_never_ends_is_not_kept() {
    let mut out = Vec::new();
    let mut session = pop3_proto::Session::<Maildrop>::greet(world().terms.clone(), &mut out);
    let mut kept: Vec<u8> = Vec::new();
    for _ in 0..10_000 {
        kept.extend_from_slice(&[b'x'; 1000]);
        let (done, step) = session.advance(&kept, &mut out);
        kept.drain(..done);
        let pop3_proto::Step::Continue(next) = step else { panic!("no line was sent") };
        session = next;
        assert!(kept.len() < 14_000, "{} octets kept", kept.len());
    }
}

#[test]
fn an_idle_session_is_small() {
    let octets = size_of::<pop3_proto::Session<Maildrop>>();
    assert!(octets <= 192, "{octets} octets");
}

/// A command is obeyed in its own state alone (RFC 1939 section 3, RFC 2595 section 4).
#[test]
fn commands_are_legal_in_their_state_only() {
    const LOGIN: &str = "AUTH PLAIN AGFpa28Ac2VjcmV0";
    // Of the stamp below and "secret".
    const APOP: &str = "APOP aiko 3f18b52881e44c0cc6067f46e0ced7bc";
    let table = [
        // Command, before the login, after it.
        ("USER aiko", true, false),
        ("AUTH", true, false),
        (LOGIN, true, false),
        ("PASS secret", false, false),
        ("STLS", true, false),
        ("CAPA", true, true),
        ("QUIT", true, true),
        ("STAT", false, true),
        ("LIST", false, true),
        ("LIST 1", false, true),
        ("UIDL", false, true),
        ("UIDL 1", false, true),
        ("RETR 1", false, true),
        ("TOP 1 0", false, true),
        ("DELE 1", false, true),
        ("RSET", false, true),
        ("NOOP", false, true),
        ("UTF8", true, true),
        ("LANG", true, true),
        ("LANG ja", true, true),
        ("LAST", false, true),
        (APOP, true, false),
        ("XCLIENT ADDR=192.0.2.7", true, false),
        ("XOIP 192.0.2.7", true, false),
    ];
    for (command, before, after) in table {
        for (logged_in, legal) in [(false, before), (true, after)] {
            let mut world = world();
            world.arrange(&Given::TlsOffered);
            everything(&mut world);
            world.connect();
            if logged_in {
                world.send(format!("{LOGIN}\r\n").as_bytes());
            }
            world.out.clear();
            world.send(format!("{command}\r\n").as_bytes());
            let obeyed = world.out.starts_with(b"+OK");
            assert_eq!(obeyed, legal, "{command}, logged in: {logged_in}");
        }
    }
}
