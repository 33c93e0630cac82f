//! retire: whole file
//! (b) Two customers of different cohorts share an address, one open, one closed.

use crate::kit::{
    AIKO, BERT, CLARA, CLOSED, ELSEWHERE, HOME, NO_GRANT, NOT_OWNED, accepted, house, refused,
};

#[test]
fn the_closed_one_does_not_ride_on_the_open_one_s_grant() {
    let house = house("");
    // Fetching goes on as ever for both; only one of them has a grant by it.
    house.fetch(CLARA, HOME);
    house.fetch(AIKO, HOME);
    house.fetch(CLARA, HOME);
    assert_eq!(house.grants(), [(HOME, AIKO.to_owned())]);
    accepted(&house.send(AIKO, HOME));
    refused(&house.send(CLARA, HOME), "530 5.7.0", CLOSED);
    // The closed one reads the same where nobody shares the address.
    house.fetch(CLARA, ELSEWHERE);
    refused(&house.send(CLARA, ELSEWHERE), "530 5.7.0", CLOSED);
    refused(&house.send(AIKO, ELSEWHERE), "530 5.7.0", NO_GRANT);
    assert_eq!(house.wait_for_mail(1).len(), 1);
}

#[test]
fn the_closed_one_s_attempts_do_not_hurt_the_open_one() {
    let house = house("quota.messages = 2\nsharing.accounts_per_address = 1");
    house.fetch(AIKO, HOME);
    for _ in 0..3 {
        house.fetch(CLARA, HOME);
        refused(&house.send(CLARA, HOME), "530 5.7.0", CLOSED);
        refused(&house.send(BERT, HOME), "550 5.7.1", NOT_OWNED);
    }
    // Neither counts among those who share the address, nor uses her quota.
    accepted(&house.send(AIKO, HOME));
    accepted(&house.send(AIKO, HOME));
}

#[test]
fn what_the_closed_one_is_told_to_switch_on_works_there() {
    let house = house("");
    house.fetch(AIKO, HOME);
    let mut talk = house.client("submission", HOME);
    talk.expect("EHLO clara", "250");
    talk.expect("STARTTLS", "220");
    talk.start_tls();
    talk.expect("EHLO clara", "250");
    assert!(talk.auth_plain(CLARA, house.customer(CLARA).password).starts_with("235"));
    talk.expect(&format!("MAIL FROM:<{CLARA}>"), "250");
    talk.expect("RCPT TO:<friend@elsewhere.example>", "250");
    accepted(&talk.message(CLARA));
    assert_eq!(house.wait_for_mail(1)[0].sender, format!("<{CLARA}>"));
}
