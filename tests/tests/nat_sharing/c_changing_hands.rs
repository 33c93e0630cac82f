//! retire: whole file
//! (c) The address changes hands inside the window: the customer leaves, a stranger comes.

use crate::kit::{
    AIKO, BERT, ELSEWHERE, HELO_CHANGED, HOME, NO_GRANT, NOT_OWNED, STRANGER, accepted, house,
    pass, refused,
};

#[test]
fn the_stranger_has_the_customer_s_name_until_the_window_ends() {
    let house = house("");
    house.fetch(AIKO, HOME);
    pass(&house, 10 * 60);
    // The customer's line is another one's now.
    refused(&house.send_named(STRANGER, HOME, "stranger"), "550 5.7.1", NOT_OWNED);
    refused(&house.send_named("", HOME, "stranger"), "530 5.7.0", "Without authentication a");
    refused(&house.send_named(AIKO, ELSEWHERE, "control"), "530 5.7.0", NO_GRANT);
    // If he happens to know her address, he passes; sending does not prolong it.
    for _ in 0..3 {
        accepted(&house.send_named(AIKO, HOME, "stranger"));
        pass(&house, 3 * 60);
    }
    pass(&house, 59);
    accepted(&house.send_named(AIKO, HOME, "stranger"));
    pass(&house, 1);
    refused(&house.send_named(AIKO, HOME, "stranger"), "530 5.7.0", NO_GRANT);
}

#[test]
fn with_the_helo_pin_he_needs_the_customer_s_computer_s_name_too() {
    let house = house("sharing.helo_pin = true");
    house.fetch(AIKO, HOME);
    accepted(&house.send_named(AIKO, HOME, "aiko-desktop"));
    pass(&house, 5 * 60);
    refused(&house.send_named(AIKO, HOME, "stranger"), "530 5.7.0", HELO_CHANGED);
    // Only if she has sent: a grant that was never used has no pin yet.
    house.fetch(BERT, HOME);
    accepted(&house.send_named(BERT, HOME, "stranger"));
    pass(&house, 15 * 60);
    refused(&house.send_named(AIKO, HOME, "aiko-desktop"), "550 5.7.1", NOT_OWNED);
}

#[test]
fn revoking_the_address_ends_it_at_once() {
    let house = house("");
    house.fetch(AIKO, HOME);
    house.fetch(BERT, HOME);
    house.fetch(AIKO, ELSEWHERE);
    let mut stranger = house.greeted(HOME, "stranger");
    stranger.expect(&format!("MAIL FROM:<{AIKO}>"), "250");
    stranger.expect("RSET", "250");
    assert_eq!(house.revoke_address(HOME), 2);
    // In the session that is open, and in new ones.
    refused(&stranger.ask(&format!("MAIL FROM:<{AIKO}>")), "530 5.7.0", NO_GRANT);
    refused(&house.send(BERT, HOME), "530 5.7.0", NO_GRANT);
    assert_eq!(house.grants(), [(ELSEWHERE, AIKO.to_owned())]);
    accepted(&house.send(AIKO, ELSEWHERE));
    assert_eq!(house.revoke_address(HOME), 0);
}

#[test]
fn revoking_the_account_ends_it_everywhere_and_for_nobody_else() {
    let house = house("");
    for from in [HOME, ELSEWHERE] {
        house.fetch(AIKO, from);
        house.fetch(BERT, from);
    }
    // What was permitted before still goes through: MAIL decided it.
    let mut talk = house.greeted(HOME, "aiko");
    talk.expect(&format!("MAIL FROM:<{AIKO}>"), "250");
    assert_eq!(house.revoke_account(AIKO), 2);
    talk.expect("RCPT TO:<friend@elsewhere.example>", "250");
    accepted(&talk.message(AIKO));
    for from in [HOME, ELSEWHERE] {
        refused(&house.send(AIKO, from), "550 5.7.1", NOT_OWNED);
        accepted(&house.send(BERT, from));
    }
    // A login makes a new grant: revoking is not closing.
    house.fetch(AIKO, HOME);
    accepted(&house.send(AIKO, HOME));
}

#[test]
fn the_next_customer_has_his_own_name_beside_hers() {
    let house = house("");
    house.fetch(AIKO, HOME);
    pass(&house, 15 * 60);
    house.fetch(BERT, HOME);
    accepted(&house.send(BERT, HOME));
    accepted(&house.send(AIKO, HOME));
    // Hers ends by its own time, not by his.
    pass(&house, 5 * 60);
    refused(&house.send(AIKO, HOME), "550 5.7.1", NOT_OWNED);
    accepted(&house.send(BERT, HOME));
    refused(&house.send(BERT, ELSEWHERE), "530 5.7.0", NO_GRANT);
}
