//! LANG, UTF8 and LAST: which no other server answers as a whole.

use lastpost_tests::Talk;

use crate::kit::{AIKO, HERE, house_of, house_with, lines, listing, put, set_users, user};

const LAST: &str = "sessions_per_ip_max = 2000\n[pop3.protocol]\nlast = true\n";
const STRICT: &str = "sessions_per_ip_max = 2000\n[pop3.protocol]\nutf8_only = true\n";

/// Words by which programs decide stay what they are, whatever the language (fetchmail's
/// "lock" and "wait", the codes in brackets, +OK and -ERR).
#[test]
fn no_language_hides_what_programs_look_for() {
    let house = house_with("sessions_per_ip_max = 2000\nerrors_max = 255\n");
    put(&house, AIKO, "1.m", b"one\n");
    let languages = {
        let mut talk = house.client("pop3", HERE);
        talk.expect("LANG", "+OK");
        lines(&talk.multiline())
    };
    assert!(languages.len() >= 2, "{languages:?}");
    let _holder = house.logged_in(AIKO, HERE);
    for language in languages {
        let tag = language.split(' ').next().unwrap();
        let mut talk = house.client("pop3", HERE);
        talk.expect(&format!("LANG {tag}"), &format!("+OK {tag} "));
        let reply = talk.auth_plain(AIKO, house.customer(AIKO).password);
        assert!(reply.starts_with("-ERR [IN-USE]"), "{reply}");
        assert!(reply.contains("lock") || reply.contains("wait"), "{reply}");
        let reply = talk.auth_plain(AIKO, "wrong");
        assert!(reply.starts_with("-ERR [AUTH]"), "{reply}");
        let lower = reply.to_lowercase();
        assert!(!lower.contains("lock") && !lower.contains("wait"), "{reply}");
        let ours = |line: &str| line.starts_with("+OK") || line.starts_with("-ERR");
        for command in ["STAT", "BOGUS", "AUTH NTLM", "STLS x", "LANG tlh"] {
            let reply = talk.ask(command);
            assert!(ours(&reply) && reply.len() <= 510, "{command}: {reply}");
        }
    }
}

/// Numbers, sizes and ids are the same in each.
#[test]
fn no_language_changes_a_figure() {
    let house = house_of(&[b"one\n", b".two\n"]);
    let mut seen = Vec::new();
    for tag in ["en", "ja"] {
        let mut talk = house.logged_in(AIKO, HERE);
        talk.expect(&format!("LANG {tag}"), "+OK");
        let stat = talk.ask("STAT");
        let listed = (listing(&mut talk, "LIST"), listing(&mut talk, "UIDL"));
        let capabilities = listing(&mut talk, "CAPA");
        talk.expect("RETR 2", "+OK");
        let sent = talk.multiline();
        talk.expect("QUIT", "+OK");
        seen.push((stat, listed, capabilities, sent));
    }
    assert_eq!(seen[0], seen[1]);
}

/// RFC 6856 section 2.1: UTF8 in both states is welcome here (Courier dca4b60: Outlook), and STLS
/// behind it is refused or forgets it; either way the session goes on.
#[test]
fn utf8_and_stls_in_either_order() {
    let house = house_of(&[b"one\n"]);
    let mut talk = house.client("pop3", HERE);
    talk.expect("UTF8", "+OK");
    if talk.ask("STLS").starts_with("+OK") {
        talk.start_tls();
    }
    assert!(talk.auth_plain(AIKO, house.customer(AIKO).password).starts_with("+OK"));
    talk.expect("QUIT", "+OK");
    let mut talk = Talk::connect_tls(house.address("pop3s"), HERE);
    talk.expect_reply("+OK");
    talk.expect("UTF8", "+OK");
    assert!(talk.auth_plain(AIKO, house.customer(AIKO).password).starts_with("+OK"));
    talk.expect("STAT", "+OK 1 5");
}

/// RFC 6856 section 2.2: passwords beyond ASCII, by each way to log in.
#[test]
fn passwords_beyond_ascii_log_in() {
    let house = house_of(&[b"one\n"]);
    let password = "\u{3072}\u{307f}\u{3064} p\u{e4}ss";
    set_users(&house, &user(&house, AIKO, password, ""));
    for utf8 in [false, true] {
        for by_auth in [false, true] {
            let mut talk = house.client("pop3", HERE);
            if utf8 {
                talk.expect("UTF8", "+OK");
            }
            let reply = if by_auth {
                talk.auth_plain(AIKO, password)
            } else {
                talk.expect(&format!("USER {AIKO}"), "+OK");
                talk.ask(&format!("PASS {password}"))
            };
            assert!(reply.starts_with("+OK"), "{utf8} {by_auth}: {reply}");
            talk.expect("QUIT", "+OK");
        }
    }
}

/// By default a header beyond ASCII goes to everybody as it is stored; by the letter of RFC 6856
/// where that is asked for.
#[test]
fn headers_beyond_ascii_go_as_they_are_or_by_the_letter() {
    let stored = "Subject: \u{624b}\u{7d19}\n\n\u{672c}\u{6587}\n".as_bytes();
    let house = house_of(&[stored]);
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("RETR 1", "+OK");
    assert_eq!(talk.multiline(), crate::kit::wire(stored));
    let house = house_with(STRICT);
    put(&house, AIKO, "1.m", stored);
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("RETR 1", "-ERR [UTF8]");
    talk.expect("TOP 1 0", "-ERR [UTF8]");
    talk.expect("UTF8", "+OK");
    talk.expect("RETR 1", "+OK");
    assert_eq!(talk.multiline(), crate::kit::wire(stored));
}

/// RFC 1460 section 5: the highest number retrieved, over sessions that ended with QUIT.
#[test]
fn last_remembers_over_sessions() {
    let house = house_with(LAST);
    for number in 1..=4 {
        put(&house, AIKO, &format!("{number}.m"), b"text\n");
    }
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("LAST", "+OK 0");
    talk.expect("RETR 2", "+OK");
    talk.multiline();
    talk.expect("LAST", "+OK 2");
    talk.abort();
    crate::kit::wait_for_sessions(&house, 0);
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("LAST", "+OK 0");
    talk.expect("RETR 3", "+OK");
    talk.multiline();
    talk.expect("QUIT", "+OK");
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("LAST", "+OK 3");
    talk.expect("DELE 1", "+OK");
    talk.expect("QUIT", "+OK");
    // The numbers have moved up by one, and so has the answer.
    house.logged_in(AIKO, HERE).expect("LAST", "+OK 2");
    // Where it is not asked for, it is not there.
    let house = house_of(&[b"one\n"]);
    house.logged_in(AIKO, HERE).expect("LAST", "-ERR");
}
