//! retire: whole file
//! (a) A neighbour behind the address of a customer who has just fetched.

use crate::kit::{
    AIKO, BERT, ELSEWHERE, HELO_CHANGED, HOME, NO_GRANT, NOT_OWNED, SALES, STRANGER, accepted,
    crowd, crowded, house, refused,
};

#[test]
fn sends_as_himself_as_nobody_and_as_the_customer() {
    let house = house("");
    house.fetch(AIKO, HOME);
    let neighbour = |sender: &str| house.send_named(sender, HOME, "neighbour");
    // As himself: another customer who has not fetched, or no customer at all.
    refused(&neighbour(BERT), "550 5.7.1", NOT_OWNED);
    refused(&neighbour(STRANGER), "550 5.7.1", NOT_OWNED);
    // As nobody.
    refused(&neighbour(""), "530 5.7.0", "Without authentication a sender address is needed.");
    // As the customer: by the address alone the two cannot be told apart. This is the hole.
    accepted(&neighbour(AIKO));
    accepted(&neighbour(SALES));
    // Where nobody fetched, none of it works.
    for sender in [AIKO, SALES, BERT, STRANGER, ""] {
        refused(&house.send_named(sender, ELSEWHERE, "control"), "530 5.7.0", NO_GRANT);
    }
    let mut senders: Vec<_> =
        house.wait_for_mail(2).into_iter().map(|message| message.sender).collect();
    senders.sort();
    assert_eq!(senders, [format!("<{AIKO}>"), format!("<{SALES}>")]);
}

#[test]
fn who_passes_as_the_customer_cannot_write_another_name_into_the_letter() {
    let house = house("");
    house.fetch(AIKO, HOME);
    let used = |house: &lastpost_tests::House| {
        let grant = &house.grant_reports()[0];
        (grant["messages"].as_u64().unwrap(), grant["recipients"].as_u64().unwrap())
    };
    let mut talk = house.greeted(HOME, "neighbour");
    let both = format!("{AIKO}>, <{BERT}");
    for from in [BERT, STRANGER, &both] {
        talk.expect(&format!("MAIL FROM:<{AIKO}>"), "250");
        talk.expect("RCPT TO:<friend@elsewhere.example>", "250");
        let reply = talk.message(from);
        assert!(reply.starts_with("550 5.7.1"), "{from}: {reply}");
        // What was not sent is not counted.
        assert_eq!(used(&house), (0, 0));
    }
    talk.expect(&format!("MAIL FROM:<{AIKO}>"), "250");
    talk.expect("RCPT TO:<friend@elsewhere.example>", "250");
    accepted(&talk.message(SALES));
    assert_eq!(used(&house), (1, 1));
    assert_eq!(house.wait_for_mail(1).len(), 1);
}

#[test]
fn the_quota_bounds_what_he_sends_as_the_customer() {
    let house = house("quota.messages = 3");
    house.fetch(AIKO, HOME);
    house.fetch(AIKO, ELSEWHERE);
    accepted(&house.send_named(AIKO, HOME, "aiko"));
    accepted(&house.send_named(AIKO, HOME, "neighbour"));
    accepted(&house.send_named(SALES, HOME, "neighbour"));
    let over = "Without authentication 3 messages may be sent within 20 minutes.";
    // He, and the customer with him: she is told what to switch on.
    refused(&house.send_named(AIKO, HOME, "neighbour"), "450 4.7.1", over);
    refused(&house.send_named(AIKO, HOME, "aiko"), "450 4.7.1", over);
    // What she switches on works at once, at the same address.
    let mut talk = house.greeted(HOME, "aiko");
    let password = house.customer(AIKO).password;
    assert!(talk.auth_plain(AIKO, password).starts_with("235"));
    talk.expect(&format!("MAIL FROM:<{AIKO}>"), "250");
    // Elsewhere she has a grant of her own, which he has not touched.
    accepted(&house.send_named(AIKO, ELSEWHERE, "control"));
}

#[test]
fn the_helo_pin_stops_him_if_the_customer_was_first() {
    let house = house("sharing.helo_pin = true");
    house.fetch(AIKO, HOME);
    accepted(&house.send_named(AIKO, HOME, "aiko-desktop"));
    refused(&house.send_named(AIKO, HOME, "neighbour"), "530 5.7.0", HELO_CHANGED);
    accepted(&house.send_named(AIKO, HOME, "aiko-desktop"));
    // A name is no secret: who knows hers passes.
    accepted(&house.send_named(AIKO, HOME, "AIKO-Desktop"));
    // The control client's grant has its own pin.
    house.fetch(AIKO, ELSEWHERE);
    accepted(&house.send_named(AIKO, ELSEWHERE, "neighbour"));
}

#[test]
fn the_helo_pin_is_his_if_he_was_first_until_the_customer_fetches_again() {
    let house = house("sharing.helo_pin = true");
    house.fetch(AIKO, HOME);
    accepted(&house.send_named(AIKO, HOME, "neighbour"));
    refused(&house.send_named(AIKO, HOME, "aiko-desktop"), "530 5.7.0", HELO_CHANGED);
    // The reply tells her so.
    house.fetch(AIKO, HOME);
    accepted(&house.send_named(AIKO, HOME, "aiko-desktop"));
    refused(&house.send_named(AIKO, HOME, "neighbour"), "530 5.7.0", HELO_CHANGED);
}

#[test]
fn the_sharing_limit_takes_the_crowd_from_him() {
    let house = crowded("sharing.accounts_per_address = 2", 1);
    for login in [AIKO, BERT] {
        house.fetch(login, HOME);
    }
    accepted(&house.send_named(AIKO, HOME, "neighbour"));
    house.fetch(&crowd(0), HOME);
    let shared = "More than 2 customers share your address";
    for sender in [AIKO, SALES, BERT, &crowd(0)] {
        refused(&house.send_named(sender, HOME, "neighbour"), "530 5.7.0", shared);
    }
    house.fetch(AIKO, ELSEWHERE);
    accepted(&house.send_named(AIKO, ELSEWHERE, "control"));
}
