//! Errors that were read in other servers' POP3 code, each as a test of this one.

use pop3_proto::{Claim, LoginFacts, Messages, Session, Step, Terms};

use crate::transcript::{Given, Message, Trouble};
use crate::world::World;

const LOGIN: &str = "AUTH PLAIN AGFpa28Ac2VjcmV0";

/// `aiko` with `secret`, logged in, and these messages: `uid-1`, `uid-2`, …
fn maildrop(messages: &[&[u8]]) -> World {
    let mut world = World::new();
    world.arrange(&Given::Account { login: "aiko".to_owned(), password: b"secret".to_vec() });
    for (index, stored) in messages.iter().enumerate() {
        let uidl = format!("uid-{}", index + 1);
        world.arrange(&Given::Message(Message { uidl, stored: stored.to_vec() }));
    }
    world
}

fn logged_in(messages: &[&[u8]]) -> World {
    let mut world = maildrop(messages);
    say(&mut world, LOGIN);
    world
}

/// What the server answers to a line.
fn say(world: &mut World, line: &str) -> String {
    world.connect();
    world.out.clear();
    world.send(format!("{line}\r\n").as_bytes());
    String::from_utf8(std::mem::take(&mut world.out)).unwrap()
}

/// Seen: header lines counted as lines of the body, and `TOP m 0` sending the whole message.
#[test]
fn top_counts_body_lines_only() {
    let mut world = logged_in(&[b"A: 1\nB: 2\nC: 3\n\none\ntwo\n"]);
    let top = |body: &str| {
        format!("+OK Top of the message follows\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n{body}.\r\n")
    };
    assert_eq!(say(&mut world, "TOP 1 0"), top(""));
    assert_eq!(say(&mut world, "TOP 1 1"), top("one\r\n"));
    assert_eq!(say(&mut world, "TOP 1 2"), top("one\r\ntwo\r\n"));
    assert_eq!(say(&mut world, "TOP 1 3"), top("one\r\ntwo\r\n"));
}

/// Seen: a count of lines kept in 32 bits and a sign, so that 4294967294 became -2.
#[test]
fn huge_line_counts_do_not_wrap() {
    let mut world = logged_in(&[b"A: 1\n\none\ntwo\n"]);
    for count in ["2147483648", "4294967294", "4294967296", "18446744073709551616"] {
        let answer = say(&mut world, &format!("TOP 1 {count}"));
        assert!(answer.ends_with("\r\n\r\none\r\ntwo\r\n.\r\n"), "{count}: {answer}");
    }
}

/// Seen: `DELE 0` deleting message 1, for 0 minus 1 was 0.
#[test]
fn message_zero_is_none() {
    let mut world = logged_in(&[b"1\n", b"2\n"]);
    for command in ["DELE 0", "RETR 0", "TOP 0 0", "LIST 0", "UIDL 0", "DELE 00"] {
        assert_eq!(say(&mut world, command), "-ERR No such message\r\n", "{command}");
    }
    say(&mut world, "QUIT");
    assert_eq!(world.removed.as_deref(), Some(&[][..]));
}

/// Seen: `LIST 4294967297` taken for `LIST 1`.
#[test]
fn message_numbers_do_not_wrap() {
    let mut world = logged_in(&[b"1\n"]);
    for number in ["4294967297", "18446744073709551617", "340282366920938463463374607431768211457"]
    {
        for command in ["LIST", "UIDL", "RETR", "DELE"] {
            let answer = say(&mut world, &format!("{command} {number}"));
            assert_eq!(answer, "-ERR No such message\r\n", "{command} {number}");
        }
    }
}

/// Seen: deleted messages in `STAT`, `LIST` and `UIDL`, and `RETR` of one obeyed.
#[test]
fn deleted_messages_are_neither_listed_nor_sent() {
    let mut world = logged_in(&[b"1\n", b"22\n"]);
    say(&mut world, "DELE 1");
    assert_eq!(say(&mut world, "STAT"), "+OK 1 4\r\n");
    assert_eq!(say(&mut world, "LIST"), "+OK 1 messages (4 octets)\r\n2 4\r\n.\r\n");
    assert_eq!(say(&mut world, "UIDL"), "+OK 1 messages (4 octets)\r\n2 uid-2\r\n.\r\n");
    for command in ["RETR 1", "TOP 1 0", "LIST 1", "UIDL 1", "DELE 1"] {
        assert_eq!(say(&mut world, command), "-ERR That message is deleted\r\n", "{command}");
    }
}

/// Seen: after `DELE`, listings that count from 1 again, so that the next `DELE` hits another.
#[test]
fn numbers_never_shift_after_dele() {
    let mut world = logged_in(&[b"1\n", b"22\n", b"333\n", b"4444\n"]);
    say(&mut world, "DELE 2");
    assert!(say(&mut world, "LIST").ends_with("\r\n1 3\r\n3 5\r\n4 6\r\n.\r\n"));
    assert!(say(&mut world, "UIDL").ends_with("\r\n1 uid-1\r\n3 uid-3\r\n4 uid-4\r\n.\r\n"));
    assert_eq!(say(&mut world, "UIDL 3"), "+OK 3 uid-3\r\n");
    assert!(say(&mut world, "RETR 3").ends_with("\r\n333\r\n.\r\n"));
    say(&mut world, "DELE 3");
    say(&mut world, "QUIT");
    assert_eq!(world.removed, Some(vec![1, 2]));
}

/// Seen: `DELE`, `RSET`, `DELE` leaking, and the sums off afterwards.
#[test]
fn dele_rset_dele_is_one_dele() {
    let mut world = logged_in(&[b"1\n", b"22\n"]);
    for _ in 0..100 {
        say(&mut world, "DELE 1");
        assert_eq!(say(&mut world, "STAT"), "+OK 1 4\r\n");
        say(&mut world, "RSET");
        assert_eq!(say(&mut world, "STAT"), "+OK 2 7\r\n");
    }
    say(&mut world, "DELE 2");
    say(&mut world, "QUIT");
    assert_eq!(world.removed, Some(vec![1]));
}

/// Seen: every line beginning with a dot stuffed, but not the first octet of the message.
#[test]
fn first_octet_dot_is_stuffed() {
    let mut world = logged_in(&[b".\n.a\n..\n", b"."]);
    assert_eq!(say(&mut world, "RETR 1"), "+OK 11 octets\r\n..\r\n..a\r\n...\r\n.\r\n");
    assert_eq!(say(&mut world, "RETR 2"), "+OK 3 octets\r\n..\r\n.\r\n");
    assert!(say(&mut world, "TOP 1 9").contains("\r\n..\r\n..a\r\n...\r\n"));
}

/// Seen: the CRLF that ends a message without line end, and the CR before a bare LF, sent and
/// not counted.
#[test]
fn added_line_ends_are_counted() {
    let mut world = logged_in(&[b"a\nb", b"a\r\nb\r\n", b""]);
    assert!(say(&mut world, "LIST").ends_with("\r\n1 6\r\n2 6\r\n3 0\r\n.\r\n"));
    assert_eq!(say(&mut world, "RETR 1"), "+OK 6 octets\r\na\r\nb\r\n.\r\n");
    assert_eq!(say(&mut world, "RETR 2"), "+OK 6 octets\r\na\r\nb\r\n.\r\n");
    assert_eq!(say(&mut world, "RETR 3"), "+OK 0 octets\r\n.\r\n");
}

/// Seen: a read error in the middle of `RETR` ended by a dot, so that half a message looked
/// whole and was deleted.
#[test]
fn read_error_never_ends_in_a_dot() {
    let mut world = maildrop(&[b"Subject: a\n\nhalf of it\n"]);
    world.arrange(&Given::Breaks(0));
    say(&mut world, LOGIN);
    let answer = say(&mut world, "RETR 1");
    assert!(answer.starts_with("+OK 26 octets\r\nSubject: a\r\n\r\nhalf"), "{answer}");
    assert!(!answer.contains("\r\n.\r\n") && world.is_closed(), "{answer}");
    assert_eq!(world.removed, None);
}

/// Seen: `+OK` to `PASS` before the maildrop was open, so that its trouble answered `STAT`.
#[test]
fn login_is_answered_after_the_maildrop_is_open() {
    let mut world = maildrop(&[b"1\n"]);
    world.arrange(&Given::Login(Some(Trouble::Unavailable)));
    let answer = say(&mut world, &format!("{LOGIN}\r\nSTAT"));
    assert!(answer.starts_with("-ERR [SYS/TEMP] "), "{answer}");
    assert!(answer.ends_with("\r\n-ERR Log in first\r\n"), "{answer}");
}

/// Seen: `+OK` to `QUIT` before the removal, and after one that failed.
#[test]
fn quit_is_answered_after_the_removal() {
    let mut out = Vec::new();
    let session =
        Session::<One>::greet(Terms { cleartext_login: true, ..Terms::default() }, &mut out);
    let (_, step) = session.advance(b"USER aiko\r\nPASS secret\r\n", &mut out);
    let Step::Verify(Claim::Password { .. }, pending) = step else { panic!("a login") };
    let session = pending.accept(One, LoginFacts::default(), &mut out);
    out.clear();
    let (_, step) = session.advance(b"DELE 1\r\nQUIT\r\n", &mut out);
    assert_eq!(out, b"+OK Deleted when you quit\r\n", "no word on QUIT yet");
    let Step::Update { deleted, pending, .. } = step else { panic!("the update") };
    assert_eq!(deleted, [0]);
    out.clear();
    pending.refuse(&mut out);
    assert_eq!(out, b"-ERR some deleted messages not removed\r\n");
}

/// One message.
struct One;

impl Messages for One {
    fn count(&self) -> usize {
        1
    }

    fn octets(&self, _: usize) -> u64 {
        3
    }

    fn uidl(&self, _: usize) -> &str {
        "uid-1"
    }

    fn retrieved_before(&self, _: usize) -> bool {
        false
    }
}

/// Seen: what was retrieved removed although the client hung up without `QUIT`.
#[test]
fn without_quit_nothing_is_removed() {
    let mut world = logged_in(&[b"1\n"]);
    say(&mut world, "RETR 1");
    say(&mut world, "DELE 1");
    world.hang_up();
    assert_eq!((world.removed, world.retrieved), (None, None));
}

/// Seen: a crash on an empty line, on a colon, on `UIDL` of an empty maildrop.
#[test]
fn odd_lines_and_empty_maildrops_are_answered() {
    let mut world = logged_in(&[]);
    for line in ["", ":", "::", "UIDL:", " ", "\0", "\r"] {
        assert_eq!(say(&mut world, line), "-ERR Unknown command\r\n", "{line:?}");
    }
    for listing in ["LIST", "UIDL"] {
        assert_eq!(say(&mut world, listing), "+OK 0 messages (0 octets)\r\n.\r\n");
    }
    assert_eq!(say(&mut world, "STAT"), "+OK 0 0\r\n");
}

/// Seen: a crash when the client left in the middle of `LIST`.
#[test]
fn a_client_may_leave_in_the_middle_of_a_listing() {
    let messages = vec![&b"1\n"[..]; 20_000];
    let mut world = logged_in(&messages);
    let (Some(mut session), input) = (world.take_session(), b"UIDL\r\nQUIT\r\n") else {
        panic!("the session is open")
    };
    let mut out = Vec::new();
    for _ in 0..2 {
        let (done, step) = session.advance(if out.is_empty() { input } else { b"" }, &mut out);
        assert!(done <= 6, "QUIT is behind the listing");
        let Step::Flush(next) = step else { panic!("{} octets are not all", out.len()) };
        session = next;
    }
    drop(session);
    assert!(!out.ends_with(b"\r\n.\r\n"));
}

/// Seen: an overlong line cut into two commands.
#[test]
fn the_tail_of_a_long_line_is_no_command() {
    let mut world = logged_in(&[b"1\n"]);
    for length in [120, 127, 128, 250, 255, 512, 1024, 8192, 70_000] {
        let line = format!("{}DELE 1", "x".repeat(length));
        let answer = say(&mut world, &line);
        assert_eq!(answer.matches("\r\n").count(), 1, "{length}: {answer}");
        assert!(answer.starts_with("-ERR "), "{length}: {answer}");
    }
    say(&mut world, "QUIT");
    assert_eq!(world.removed, Some(vec![]));
}

/// Seen: passwords with spaces refused, or cut.
#[test]
fn a_password_is_the_rest_of_the_line() {
    for password in ["two words", " leading", "trailing ", "a  b", "pass:word", "パス ワード"]
    {
        let mut world = World::new();
        let account =
            Given::Account { login: "aiko".to_owned(), password: password.as_bytes().to_vec() };
        world.arrange(&account);
        say(&mut world, "USER aiko");
        let answer = say(&mut world, &format!("PASS {password}"));
        assert_eq!(answer, "+OK 0 messages (0 octets)\r\n", "{password:?}");
    }
}

/// Seen: UTF8 after the login refused, which Outlook does not bear.
#[test]
fn utf8_after_login_is_ok() {
    let mut world = logged_in(&[]);
    assert_eq!(say(&mut world, "UTF8"), "+OK UTF-8 mode\r\n");
}

/// Seen: response codes announced and none sent, or sent and not announced.
#[test]
fn announced_codes_are_sent() {
    let mut world = maildrop(&[]);
    let capabilities = say(&mut world, "CAPA");
    assert!(capabilities.contains("\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"));
    for (trouble, code) in [
        (Trouble::InUse, "[IN-USE]"),
        (Trouble::Unavailable, "[SYS/TEMP]"),
        (Trouble::TooSoon(9), "[LOGIN-DELAY]"),
        (Trouble::TooMany, "[IN-USE]"),
        (Trouble::Busy, "[SYS/TEMP]"),
    ] {
        world.arrange(&Given::Login(Some(trouble)));
        let answer = say(&mut world, LOGIN);
        assert!(answer.starts_with(&format!("-ERR {code} ")), "{trouble:?}: {answer}");
    }
    assert!(say(&mut world, "AUTH PLAIN AGFpa28Ad3Jvbmc=").starts_with("-ERR [AUTH] "));
}
