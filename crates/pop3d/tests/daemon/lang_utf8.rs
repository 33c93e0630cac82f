//! LANG, UTF8 and LAST through the daemon.

use crate::kit::Setup;

const MESSAGES: [&[u8]; 3] = [b"Subject: 1\n\n1\n", "Subject: 日本\n\n2\n".as_bytes(), b"3\n"];

#[test]
fn replies_come_in_the_language_that_was_chosen() {
    let mut setup = Setup::aiko(&MESSAGES);
    setup.config.maildrop.takeover_after = std::time::Duration::ZERO;
    setup.config.maildrop.lock_wait = std::time::Duration::ZERO;
    let daemon = setup.start();
    let mut client = daemon.greeted();
    client.ask("LANG", "+OK");
    let known = client.listing();
    assert!(known.contains(&b"en English".to_vec()), "{known:?}");
    assert!(known.iter().any(|line| line.starts_with(b"ja ")), "{known:?}");
    client.ask("LANG ja", "+OK ja ");
    // Programs still read what they look for.
    client.ask("USER aiko", "+OK");
    let refused = client.ask("PASS wrong", "-ERR [AUTH] ");
    assert!(!refused.is_ascii(), "{refused}");
    let _holder = daemon.logged_in("aiko", "secret");
    client.ask("USER aiko", "+OK");
    let in_use = client.ask("PASS secret", "-ERR [IN-USE] ");
    assert!(in_use.contains("lock") && !in_use.is_ascii(), "{in_use}");
    client.ask("LANG xx", "-ERR");
    client.ask("LANG *", "+OK en ");
    assert!(client.ask("NOOP", "-ERR").is_ascii());
}

#[test]
fn the_language_lasts_through_login_and_errors() {
    let daemon = Setup::aiko(&MESSAGES).start();
    let mut client = daemon.greeted();
    client.ask("LANG ja-JP", "+OK ja ");
    client.log_in("aiko", "secret");
    assert!(!client.ask("RETR 9", "-ERR").is_ascii());
    client.ask("STAT", "+OK 3 ");
    assert!(!client.ask("QUIT", "+OK").is_ascii());
}

#[test]
fn utf8_before_and_after_the_login() {
    let daemon = Setup::aiko(&MESSAGES).start();
    let mut client = daemon.greeted();
    client.ask("UTF8", "+OK");
    // No TLS in the middle of it (RFC 6856 section 2.1).
    client.ask("STLS", "-ERR");
    client.log_in("aiko", "secret");
    client.ask("RETR 2", "+OK");
    assert_eq!(client.listing()[0], "Subject: 日本".as_bytes());
    client.ask("QUIT", "+OK");
    // As Outlook has it.
    let mut client = daemon.logged_in("aiko", "secret");
    client.ask("UTF8", "+OK");
    client.ask("RETR 2", "+OK");
    assert_eq!(client.listing()[0], "Subject: 日本".as_bytes());
}

#[test]
fn names_may_be_more_than_ascii() {
    let mut setup = Setup::new();
    let key_taken = address::AccountKey::parse("花子", None).is_ok();
    if key_taken {
        setup.account("花子", "秘密");
    }
    let daemon = setup.start();
    let mut client = daemon.greeted();
    client.ask("UTF8", "+OK");
    client.ask("USER 花子", "+OK");
    client.ask("PASS 秘密", if key_taken { "+OK" } else { "-ERR [AUTH]" });
}

#[test]
fn a_message_in_utf8_is_sent_as_it_is_or_refused_as_configured() {
    for utf8_only in [false, true] {
        let mut setup = Setup::aiko(&MESSAGES);
        setup.config.protocol.utf8_only = utf8_only;
        let daemon = setup.start();
        let mut client = daemon.logged_in("aiko", "secret");
        for command in ["RETR 2", "TOP 2 0"] {
            if utf8_only {
                client.ask(command, "-ERR [UTF8] ");
            } else {
                client.ask(command, "+OK");
                assert_eq!(client.listing()[0], "Subject: 日本".as_bytes());
            }
        }
        // A plain one is nobody's trouble, and UTF8 lifts it.
        client.ask("RETR 1", "+OK");
        client.listing();
        client.ask("UTF8", "+OK");
        client.ask("RETR 2", "+OK");
        client.listing();
    }
}

#[test]
fn last_is_answered_where_it_is_asked_for() {
    let mut setup = Setup::aiko(&MESSAGES);
    setup.config.protocol.last = true;
    let daemon = setup.start();
    let mut client = daemon.logged_in("aiko", "secret");
    client.ask("LAST", "+OK 0");
    client.ask("RETR 2", "+OK");
    client.listing();
    client.ask("LAST", "+OK 2");
    client.ask("QUIT", "+OK");
    // Remembered from an earlier session.
    let mut client = daemon.logged_in("aiko", "secret");
    client.ask("LAST", "+OK 2");
    client.ask("RETR 1", "+OK");
    client.listing();
    client.ask("LAST", "+OK 2");
    client.ask("RETR 3", "+OK");
    client.listing();
    client.ask("LAST", "+OK 3");
    // RSET takes back what this session did (RFC 1460 section 5).
    client.ask("RSET", "+OK");
    client.ask("LAST", "+OK 2");

    let daemon = Setup::aiko(&MESSAGES).start();
    daemon.logged_in("aiko", "secret").ask("LAST", "-ERR");
}
