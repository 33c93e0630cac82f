//! Classes of attack that have had a CVE in some POP3 server, as far as a session without
//! sockets can show them.

use pop3_proto::{Claim, Session, Step};
use sasl::Secret;

use crate::properties::world;
use crate::transcript::Given;
use crate::world::{Maildrop, World};

fn say(world: &mut World, octets: &[u8]) -> String {
    world.connect();
    world.out.clear();
    world.send(octets);
    String::from_utf8(std::mem::take(&mut world.out)).unwrap()
}

fn offering_tls() -> World {
    let mut world = world();
    world.arrange(&Given::TlsOffered);
    world
}

/// CVE-2021-33515, CVE-2021-38084 and their family: commands appended to `STLS` in clear,
/// whole or cut, were answered under TLS.
#[test]
fn stls_discards_pipelined_plaintext() {
    for injected in [
        &b"USER mallory\r\nPASS x\r\n"[..],
        b"NO",
        b"CAPA\r\nUSER mal",
        b"AUTH LOGIN\r\n",
        b"\r",
        b"\0",
        &[b'x'; 20_000],
    ] {
        let mut world = offering_tls();
        let answer = say(&mut world, &[b"STLS\r\n", injected].concat());
        assert_eq!(answer, "+OK Begin TLS\r\n");
        world.shake_hands();
        assert_eq!(say(&mut world, b"NOOP\r\n"), "-ERR Log in first\r\n");
    }
}

/// CVE-2022-28220: the first repair missed what came after the reply and before the handshake.
#[test]
fn stls_discards_what_comes_before_the_handshake() {
    let mut world = offering_tls();
    say(&mut world, b"STLS\r\n");
    assert_eq!(say(&mut world, b"USER mallory\r\nCAPA\r\n"), "", "nobody reads it in clear");
}

/// Seen with it: a `USER` of before, a half-read line, a SASL exchange, taken over into TLS.
#[test]
fn stls_forgets_user() {
    let mut world = offering_tls();
    say(&mut world, b"USER aiko\r\nSTLS\r\n");
    world.shake_hands();
    assert_eq!(say(&mut world, b"PASS secret\r\n"), "-ERR Send USER first\r\n");
}

/// In the middle of `AUTH` a line is a response, and `STLS` no command.
#[test]
fn stls_is_no_command_within_auth() {
    let mut world = offering_tls();
    assert_eq!(say(&mut world, b"AUTH LOGIN\r\n"), "+ VXNlcm5hbWU6\r\n");
    // Four letters of base64 that make no name that is UTF-8.
    assert!(say(&mut world, b"STLS\r\n").starts_with("-ERR "));
    assert!(!world.asked.contains(&"tls".to_owned()));
}

#[test]
fn stls_is_refused_under_tls_and_after_the_login() {
    let mut world = offering_tls();
    say(&mut world, b"STLS\r\n");
    world.shake_hands();
    assert_eq!(say(&mut world, b"STLS\r\n"), "-ERR TLS is active already\r\n");
    assert!(!say(&mut world, b"CAPA\r\n").contains("STLS"));
    say(&mut world, b"USER aiko\r\nPASS secret\r\n");
    assert_eq!(say(&mut world, b"STLS\r\n"), "-ERR Not after the login\r\n");
    assert!(!say(&mut world, b"CAPA\r\n").contains("STLS"));
}

/// ALPACA: a browser or an FTP client made to talk to us finds nothing of its own words in the
/// reply, and is soon closed.
#[test]
fn nothing_that_is_sent_comes_back() {
    let mut world = world();
    let mark = "<script>alert(1)</script>";
    for line in ["GET /", "USER", "AUTH", "LANG", "APOP x", "XCLIENT", "RETR", "POST /"] {
        let answer = say(&mut world, format!("{line} {mark}\r\n").as_bytes());
        assert!(!answer.contains("script"), "{line}: {answer}");
    }
    assert!(world.is_closed());
}

/// CVE-2025-59028: base64 that is none, from one client, ended the logins of others. Here it
/// ends its own exchange and counts as a bad command.
#[test]
fn bad_base64_ends_the_exchange_alone() {
    let mut world = world();
    assert!(say(&mut world, b"AUTH PLAIN ====\r\n").starts_with("-ERR "));
    say(&mut world, b"AUTH LOGIN\r\n");
    assert!(say(&mut world, b"\xff\xfe=\r\n").starts_with("-ERR "));
    let answer = say(&mut world, b"AUTH PLAIN AGFpa28Ac2VjcmV0\r\n");
    assert_eq!(answer, "+OK 3 messages (38 octets)\r\n");
}

/// CVE-2017-15132: an aborted exchange left memory behind. Ten thousand leave a session that
/// still answers.
#[test]
fn aborted_exchanges_leave_nothing() {
    let mut world = world();
    for _ in 0..10_000 {
        assert_eq!(say(&mut world, b"AUTH LOGIN\r\n*\r\n").matches("\r\n").count(), 2);
    }
    assert!(say(&mut world, b"USER aiko\r\nPASS secret\r\n").ends_with("(38 octets)\r\n"));
}

/// CVE-2019-10691: a name that is no UTF-8 crashed the login.
#[test]
fn a_name_that_is_no_utf8_is_nobody() {
    for name in [&b"\xff"[..], b"\xc3", b"a\0b", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"] {
        let mut world = world();
        let line = [b"USER ", name, b"\r\nPASS secret\r\n"].concat();
        let answer = say(&mut world, &line);
        assert!(answer.contains("\r\n-ERR [AUTH] "), "{answer}");
    }
}

/// CVE-2017-2669, CVE-2026-24031, CVE-2026-27860: a name is data. Whatever it holds, the driver
/// gets it as it came, in one piece.
#[test]
fn names_are_passed_on_as_they_come() {
    for name in ["%u%s", "a' OR '1'='1", "*)(uid=*", "../../x", "a;b|c", "a\\b", "{x}"] {
        let mut out = Vec::new();
        let session = Session::<Maildrop>::greet(world().terms, &mut out);
        let (_, step) = session.advance(format!("USER {name}\r\nPASS x\r\n").as_bytes(), &mut out);
        let Step::Verify(Claim::Password { login, .. }, _) = step else { panic!("a login") };
        assert_eq!(login, name);
    }
}

/// The session once `lines` are answered; a mechanism asks with nothing.
fn in_exchange(
    mut session: Session<Maildrop>,
    mut lines: &[u8],
    out: &mut Vec<u8>,
) -> Session<Maildrop> {
    loop {
        let (done, step) = session.advance(lines, out);
        lines = &lines[done..];
        session = match step {
            Step::Continue(session) => return session,
            Step::Sasl(_, pending) => pending.challenge(&Secret::default(), out),
            _ => panic!("nothing else is asked"),
        };
    }
}

/// CVE-2025-61600: a parser without bound in some of its states.
#[test]
fn no_state_keeps_an_endless_line() {
    for (before, name) in [
        (&b""[..], "before the login"),
        (b"AUTH PLAIN\r\n", "within AUTH"),
        (b"AUTH LOGIN\r\nYWlrbw==\r\n", "within AUTH, later"),
        (b"USER aiko\r\n", "behind USER"),
    ] {
        let mut out = Vec::new();
        let session = Session::<Maildrop>::greet(world().terms, &mut out);
        let mut session = in_exchange(session, before, &mut out);
        let mut kept: Vec<u8> = Vec::new();
        for _ in 0..2_000 {
            kept.extend_from_slice(&[b'A'; 1000]);
            let (done, step) = session.advance(&kept, &mut out);
            kept.drain(..done);
            let Step::Continue(next) = step else { panic!("{name}: no line was sent") };
            session = next;
            assert!(kept.len() < 14_000, "{name}: {} octets kept", kept.len());
        }
        out.clear();
        let _ = session.advance(b"\r\n", &mut out);
        let answer = String::from_utf8(out).unwrap();
        assert!(answer.starts_with("-ERR ") && answer.matches("\r\n").count() == 1, "{name}");
    }
}

/// CVE-2001-0996: a line of one dot within a message ended it, and what followed was read as
/// replies.
#[test]
fn a_dot_within_a_message_does_not_end_it() {
    let mut world = world();
    say(&mut world, b"AUTH PLAIN AGFpa28Ac2VjcmV0\r\n");
    let answer = say(&mut world, b"RETR 1\r\n");
    assert_eq!(answer.matches("\r\n.\r\n").count(), 1);
    assert!(answer.ends_with("\r\n\r\n..\r\n...\r\nx\r\n.\r\n"), "{answer}");
}

/// Neither a password nor a digest is in what a driver might log.
#[test]
fn claims_do_not_show_their_secrets() {
    const DIGEST: [u8; 16] = [0xc4; 16];
    let claim = Claim::Digest { login: "aiko".to_owned(), stamp: "<1@h>".into(), digest: DIGEST };
    assert_eq!(format!("{claim:?}"), "Digest { login: \"aiko\", .. }");
    let mut out = Vec::new();
    let session = Session::<Maildrop>::greet(world().terms, &mut out);
    let (_, step) = session.advance(b"USER aiko\r\nPASS tanstaaf\r\n", &mut out);
    let Step::Verify(claim, _) = step else { panic!("a login") };
    let shown = format!("{claim:?}");
    assert!(shown.contains("aiko") && !shown.contains("tanstaaf"), "{shown}");
}

/// What can never be right goes the way of a wrong password: the driver delays and logs it, and
/// the session counts it.
#[test]
fn void_claims_reach_the_driver_and_count() {
    let mut world = world();
    world.arrange(&Given::Apop("<1@h>".to_owned()));
    let answer = say(&mut world, b"USER aiko\r\nPASS \r\n");
    assert!(answer.ends_with("-ERR [AUTH] Login failed: check the user name and the password\r\n"));
    assert!(say(&mut world, b"APOP aiko x\r\n").starts_with("-ERR [AUTH] "));
    // boss NUL aiko NUL secret.
    assert!(say(&mut world, b"AUTH PLAIN Ym9zcwBhaWtvAHNlY3JldA==\r\n").starts_with("-ERR [AUTH]"));
    assert!(world.is_closed());
    let void = "verify Void { login: Some(\"aiko\") }";
    let foreign = format!("PLAIN true Some({:?})", b"boss\0aiko\0secret");
    assert_eq!(world.asked, [void, void, &foreign]);
}
