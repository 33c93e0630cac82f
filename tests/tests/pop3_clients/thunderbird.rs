//! Thunderbird: its flow, and what must never be said to it.

use lastpost_tests::{House, Talk};

use crate::kit::{AIKO, HERE, base64, house, left, letters, listing, plain};

/// CAPA, STLS, CAPA again, AUTH PLAIN without initial response, STAT, LIST, UIDL, TOP, RETR.
fn flow(house: &House) -> (Talk, Vec<String>) {
    let mut talk = house.client("pop3", HERE);
    assert!(listing(&mut talk, "CAPA").contains(&"STLS".to_owned()));
    talk.expect("STLS", "+OK");
    talk.start_tls();
    let capabilities = listing(&mut talk, "CAPA");
    assert!(!capabilities.contains(&"STLS".to_owned()));
    for needed in ["TOP", "UIDL", "USER"] {
        assert!(capabilities.contains(&needed.to_owned()), "{needed}: {capabilities:?}");
    }
    let sasl = capabilities.iter().find(|line| line.starts_with("SASL ")).unwrap();
    assert!(sasl.split(' ').any(|word| word == "PLAIN"), "{sasl}");
    // It waits for the line with the plus.
    assert_eq!(talk.ask("AUTH PLAIN").trim_end(), "+");
    talk.expect(&plain(AIKO, house.customer(AIKO).password), "+OK");
    talk.expect("STAT", &format!("+OK {} ", left(house)));
    assert_eq!(listing(&mut talk, "LIST").len(), left(house));
    let ids = listing(&mut talk, "UIDL");
    (talk, ids)
}

#[test]
fn its_flow_from_capa_to_quit() {
    let house = house();
    let (mut talk, ids) = flow(&house);
    assert_eq!(ids.len(), letters().len());
    talk.expect("TOP 1 20", "+OK");
    let top = talk.multiline();
    talk.expect("TOP 1 0", "+OK");
    assert!(top.starts_with(&talk.multiline()));
    for number in 1..=ids.len() {
        talk.expect(&format!("RETR {number}"), "+OK");
        talk.multiline();
    }
    talk.expect("DELE 2", "+OK");
    talk.expect("NOOP", "+OK");
    talk.expect("QUIT", "+OK");
    let (mut talk, again) = flow(&house);
    let id = |line: &String| line.split_once(' ').unwrap().1.to_owned();
    let mut expected: Vec<String> = ids.iter().map(id).collect();
    expected.remove(1);
    assert_eq!(again.iter().map(id).collect::<Vec<_>>(), expected);
    talk.expect("QUIT", "+OK");
}

/// It falls back from AUTH PLAIN to AUTH LOGIN to USER on one connection, and every failure of
/// the password has the code by which it asks the customer for another.
#[test]
fn its_fallback_through_the_mechanisms() {
    let house = house();
    let mut talk = house.client("pop3", HERE);
    talk.expect("AUTH PLAIN", "+ ");
    talk.expect(&plain(AIKO, "mistyped"), "-ERR [AUTH]");
    talk.expect("AUTH LOGIN", "+ ");
    talk.expect(&base64(AIKO), "+ ");
    talk.expect(&base64(house.customer(AIKO).password), "+OK");
    talk.expect("QUIT", "+OK");
}

/// `STAT` with 0 wipes its memory of ids, and ids missing from one UIDL are forgotten: everything
/// is downloaded again. A temporary fault must therefore never look like less mail.
#[test]
fn a_fault_never_looks_like_an_empty_or_a_smaller_maildrop() {
    let house = house();
    let (mut talk, _) = flow(&house);
    talk.expect("QUIT", "+OK");
    for folder in ["new", "cur"] {
        let path = house.maildir(AIKO).join(folder);
        std::fs::rename(&path, path.with_extension("away")).unwrap();
        std::fs::write(&path, b"no directory").unwrap();
        let mut talk = house.client("pop3", HERE);
        talk.expect("AUTH PLAIN", "+ ");
        let reply = talk.ask(&plain(AIKO, house.customer(AIKO).password));
        assert!(reply.starts_with("-ERR [SYS/"), "{folder}: {reply}");
        talk.expect("STAT", "-ERR");
        std::fs::remove_file(&path).unwrap();
        std::fs::rename(path.with_extension("away"), &path).unwrap();
    }
    // Nor does a whole Maildir that is away, with the place where it was mounted.
    let maildir = house.maildir(AIKO);
    let home = maildir.parent().unwrap();
    let away = house.path("home.away");
    std::fs::rename(home, &away).unwrap();
    let mut talk = house.client("pop3", HERE);
    talk.expect("AUTH PLAIN", "+ ");
    let reply = talk.ask(&plain(AIKO, house.customer(AIKO).password));
    assert!(reply.starts_with("-ERR [SYS/"), "{reply}");
    std::fs::rename(&away, home).unwrap();
    let (_talk, ids) = flow(&house);
    assert_eq!(ids.len(), letters().len());
}

/// Inside a session that has begun, a listing is the one of the login, whatever becomes of the
/// disk.
#[test]
fn a_listing_never_shrinks_within_a_session() {
    let house = house();
    let (mut talk, ids) = flow(&house);
    for folder in ["new", "cur"] {
        let path = house.maildir(AIKO).join(folder);
        std::fs::rename(&path, path.with_extension("away")).unwrap();
    }
    assert_eq!(listing(&mut talk, "UIDL"), ids);
    talk.expect("STAT", &format!("+OK {} ", ids.len()));
    talk.expect("RETR 1", "-ERR");
    for folder in ["new", "cur"] {
        let path = house.maildir(AIKO).join(folder);
        std::fs::rename(path.with_extension("away"), &path).unwrap();
    }
    talk.expect("RETR 1", "+OK");
    talk.multiline();
    talk.expect("QUIT", "+OK");
}

/// Strict line ends: no reply has a bare LF or a bare CR.
#[test]
fn every_reply_ends_with_crlf() {
    let house = house();
    let password = house.customer(AIKO).password;
    let mut talk = Talk::connect(house.address("pop3"));
    talk.send_raw(
        format!(
            "CAPA\r\nAUTH\r\nBOGUS\r\nUSER {AIKO}\r\nPASS {password}\r\nSTAT\r\nLIST\r\nUIDL\r\n\
             TOP 1 0\r\nRETR 2\r\nRETR 99\r\nDELE 1\r\nRSET\r\nNOOP\r\nCAPA\r\nQUIT\r\n"
        )
        .as_bytes(),
    );
    let said = talk.rest().unwrap();
    assert!(said.ends_with(b"\r\n"));
    for (at, octet) in said.iter().enumerate() {
        match octet {
            b'\n' => assert_eq!(said[at - 1], b'\r', "a bare LF at {at}"),
            b'\r' => assert_eq!(said[at + 1], b'\n', "a bare CR at {at}"),
            _ => {}
        }
    }
}
