//! retire: whole file
//! A grant beside SMTP AUTH: never after it, never instead of it, never on 587 or 465.

use lastpost_tests::{House, Talk};

use crate::kit::{AIKO, BERT, HOME, STRANGER, accepted, house};

const MAIL: &str = "MAIL FROM:<aiko@open.example>";
const FAILED_BEFORE: &str = "530 5.7.0 Authentication failed in this session";

fn fetched() -> House {
    let house = house("quota.messages = 1");
    house.fetch(AIKO, HOME);
    house
}

fn messages(house: &House) -> u64 {
    house.grant_reports()[0]["messages"].as_u64().unwrap()
}

#[test]
fn a_session_whose_auth_failed_never_falls_back_to_the_grant() {
    let house = fetched();
    let mut talk = house.greeted(HOME, "aiko");
    assert!(talk.auth_plain(AIKO, "wrong").starts_with("535 5.7.8"));
    talk.expect(MAIL, FAILED_BEFORE);
    // Whatever the session does but authenticate.
    talk.expect("RSET", "250");
    talk.expect(MAIL, FAILED_BEFORE);
    talk.expect("EHLO other.example", "250");
    talk.expect(MAIL, FAILED_BEFORE);
    talk.expect("HELO other.example", "250");
    talk.expect(MAIL, FAILED_BEFORE);
    talk.expect("EHLO other.example", "250");
    talk.expect("STARTTLS", "220");
    talk.start_tls();
    talk.expect("EHLO other.example", "250");
    talk.expect(MAIL, FAILED_BEFORE);
    assert_eq!(messages(&house), 0);
    // It may try again and succeed.
    assert!(talk.auth_plain(AIKO, house.customer(AIKO).password).starts_with("235"));
    talk.expect(MAIL, "250");
    assert_eq!(messages(&house), 0);
    // A session that does not try has the grant.
    accepted(&house.mail_from(AIKO, HOME));
}

#[test]
fn an_auth_that_breaks_off_counts_as_failed() {
    let house = fetched();
    let broken: [fn(&mut Talk); 4] = [
        |talk| {
            talk.expect("AUTH LOGIN", "334");
            talk.expect("*", "501");
        },
        |talk| _ = talk.expect("AUTH PLAIN !!!", "501"),
        |talk| _ = talk.expect("AUTH CRAM-MD5", "504"),
        |talk| _ = talk.expect("AUTH", "501"),
    ];
    for attempt in broken {
        let mut talk = house.greeted(HOME, "aiko");
        attempt(&mut talk);
        talk.expect(MAIL, FAILED_BEFORE);
    }
    assert_eq!(messages(&house), 0);
}

#[test]
fn a_session_that_authenticated_neither_consults_the_grant_nor_uses_it_up() {
    let house = fetched();
    let mut talk = house.greeted(HOME, "bert");
    assert!(talk.auth_plain(BERT, house.customer(BERT).password).starts_with("235"));
    // The owner of a live grant at this address is no sender of this session's.
    talk.expect(MAIL, "550 5.7.1 bert@open.example may not send as <aiko@open.example>");
    talk.expect(&format!("MAIL FROM:<{STRANGER}>"), "550 5.7.1");
    let mut aiko = house.greeted(HOME, "aiko");
    assert!(aiko.auth_plain(AIKO, house.customer(AIKO).password).starts_with("235"));
    for _ in 0..3 {
        talk.expect(&format!("MAIL FROM:<{BERT}>"), "250");
        talk.expect("RCPT TO:<friend@elsewhere.example>", "250");
        accepted(&talk.message(BERT));
        aiko.expect(MAIL, "250");
        aiko.expect("RCPT TO:<friend@elsewhere.example>", "250");
        accepted(&aiko.message(AIKO));
        assert_eq!(messages(&house), 0);
    }
    // The one message of the grant is still there.
    accepted(&house.send(AIKO, HOME));
    assert_eq!(messages(&house), 1);
    assert_eq!(house.wait_for_mail(7).len(), 7);
}

#[test]
fn on_587_and_465_a_grant_never_counts() {
    let house = fetched();
    let unauthenticated = "530 5.7.0 Authentication required";
    let mut submission = house.client("submission", HOME);
    submission.expect("EHLO aiko", "250");
    submission.expect(MAIL, unauthenticated);
    submission.expect("STARTTLS", "220");
    submission.start_tls();
    submission.expect("EHLO aiko", "250");
    submission.expect(MAIL, unauthenticated);
    let mut submissions = Talk::connect_tls(house.address("submissions"), HOME);
    submissions.expect_reply("220");
    submissions.expect("EHLO aiko", "250");
    submissions.expect(MAIL, unauthenticated);
    // On the legacy port it does, under TLS too.
    let mut legacy = house.greeted(HOME, "aiko");
    legacy.expect("STARTTLS", "220");
    legacy.start_tls();
    legacy.expect("EHLO aiko", "250");
    legacy.expect(MAIL, "250");
}

#[test]
fn starttls_begins_a_session_anew_and_forgets_its_login() {
    let house = fetched();
    let mut talk = house.greeted(HOME, "bert");
    assert!(talk.auth_plain(BERT, house.customer(BERT).password).starts_with("235"));
    talk.expect("EHLO again.example", "250");
    talk.expect(MAIL, "550 5.7.1 bert@open.example may not send as");
    // RFC 3207 section 4.2: what was said in clear is forgotten, so that this is a client like
    // any other behind the address. It could as well have connected again.
    talk.expect("STARTTLS", "220");
    talk.start_tls();
    talk.expect("EHLO bert", "250");
    talk.expect(&format!("MAIL FROM:<{BERT}>"), "550-5.7.1 No authentication");
    talk.expect(MAIL, "250");
    assert_eq!(messages(&house), 1);
}
