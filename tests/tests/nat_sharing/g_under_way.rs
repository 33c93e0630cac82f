//! retire: whole file
//! (g) The grant expires, or the phase flips, while a message is under way.

use std::time::Duration;

use lastpost_tests::{House, Talk};

use crate::kit::{AIKO, BERT, HOME, NO_GRANT, accepted, bridge, house, pass, refused};

const MAIL: &str = "MAIL FROM:<aiko@open.example>";
const RCPT: &str = "RCPT TO:<friend@elsewhere.example>";

/// The usual schedule, with aiko's domain closed since yesterday.
fn flipped() -> String {
    let cohort = "[[schedule.cohort]]\nname = \"flipped\"\naddresses = [\"aiko@*\"]\n\
                  closed = 2026-11-23\n";
    bridge("").replacen("[[schedule.cohort]]", &format!("{cohort}[[schedule.cohort]]"), 1)
}

const FLIPPED: &str = "Sending without authentication ended on 2026-11-23 (UTC).";

#[test]
fn a_grant_is_over_exactly_one_window_after_the_login() {
    let house = house("");
    house.fetch(AIKO, HOME);
    pass(&house, 20 * 60 - 1);
    accepted(&house.mail_from(AIKO, HOME));
    house.clock().advance(Duration::from_millis(999));
    accepted(&house.mail_from(AIKO, HOME));
    house.clock().advance(Duration::from_millis(1));
    refused(&house.mail_from(AIKO, HOME), "530 5.7.0", NO_GRANT);
    assert_eq!(house.grants(), []);
}

#[test]
fn it_expires_between_mail_and_data() {
    let house = house("");
    house.fetch(AIKO, HOME);
    pass(&house, 20 * 60 - 1);
    let mut talk = house.greeted(HOME, "aiko");
    talk.expect(MAIL, "250");
    pass(&house, 1);
    // MAIL decided, and that holds for this message.
    talk.expect(RCPT, "250");
    accepted(&talk.message(AIKO));
    // The next one is decided anew, in the same session.
    refused(&talk.ask(MAIL), "530 5.7.0", NO_GRANT);
    assert_eq!(house.wait_for_mail(1).len(), 1);
}

/// Begins a message and sends some of it.
fn begin(house: &House) -> Talk {
    let mut talk = house.greeted(HOME, "aiko");
    talk.expect(MAIL, "250");
    talk.expect(RCPT, "250");
    talk.expect("DATA", "354");
    talk.send("From: <aiko@open.example>");
    talk.send("Subject: a long one");
    talk.send("");
    fill(&mut talk);
    talk
}

/// A megabyte.
fn fill(talk: &mut Talk) {
    let block = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n".repeat(1024);
    for _ in 0..16 {
        talk.send_raw(block.as_bytes());
    }
}

#[test]
fn it_expires_during_a_long_message() {
    let house = house("");
    house.fetch(AIKO, HOME);
    pass(&house, 10 * 60);
    let mut talk = begin(&house);
    // Two windows pass, and the memory of the grant with them.
    pass(&house, 40 * 60);
    house.fetch(BERT, HOME);
    fill(&mut talk);
    accepted(&talk.ask("."));
    refused(&talk.ask(MAIL), "550 5.7.1", crate::kit::NOT_OWNED);
    let received = house.wait_for_mail(1);
    assert!(received[0].content.len() > 2 << 20, "{}", received[0].content.len());
}

#[test]
fn an_admin_flips_the_phase_between_mail_and_data_and_during_a_long_message() {
    let house = house("");
    house.fetch(AIKO, HOME);
    let mut early = house.greeted(HOME, "aiko");
    early.expect(MAIL, "250");
    let mut long = begin(&house);
    let mut idle = house.greeted(HOME, "aiko");
    house.reload_bridge(&flipped()).unwrap();
    // Sessions that say MAIL from now on are refused, new or old.
    refused(&idle.ask(MAIL), "530 5.7.0", FLIPPED);
    refused(&house.mail_from(AIKO, HOME), "530 5.7.0", FLIPPED);
    // What was permitted before goes through.
    early.expect(RCPT, "250");
    accepted(&early.message(AIKO));
    fill(&mut long);
    accepted(&long.ask("."));
    refused(&early.ask(MAIL), "530 5.7.0", FLIPPED);
    refused(&long.ask(MAIL), "530 5.7.0", FLIPPED);
    assert_eq!(house.wait_for_mail(2).len(), 2);
    // And back: the grant was not lost.
    house.reload_bridge(&bridge("")).unwrap();
    accepted(&house.mail_from(AIKO, HOME));
}

#[test]
fn a_message_given_up_is_not_counted() {
    let house = house("quota.messages = 1");
    house.fetch(AIKO, HOME);
    let messages = || house.grant_reports()[0]["messages"].as_u64().unwrap();
    // Reset, left, or broken off in the middle.
    let mut talk = house.greeted(HOME, "aiko");
    talk.expect(MAIL, "250");
    assert_eq!(messages(), 1, "a message under way holds its place");
    let over = "Without authentication 1 messages";
    refused(&house.mail_from(AIKO, HOME), "450 4.7.1", over);
    talk.expect("RSET", "250");
    assert_eq!(messages(), 0);
    talk.expect(MAIL, "250");
    talk.expect("QUIT", "221");
    let given_back = || {
        lastpost_tests::eventually(Duration::from_secs(10), "the place given back", || {
            messages() == 0
        });
    };
    given_back();
    begin(&house).abort();
    given_back();
    accepted(&house.send(AIKO, HOME));
    refused(&house.mail_from(AIKO, HOME), "450 4.7.1", over);
}
