//! retire: whole file
//! (d) More distinct accounts on one address than may share it.

use crate::kit::{
    AIKO, ELSEWHERE, HOME, NO_GRANT, NOT_OWNED, accepted, crowd, crowded, pass, refused,
};

const SHARED: &str = "More than 3 customers share your address: without authentication they \
                      can't be told apart.";

#[test]
fn one_more_than_the_limit_ends_it_for_all_of_them() {
    let house = crowded("sharing.accounts_per_address = 3", 5);
    for number in 0..3 {
        house.fetch(&crowd(number), HOME);
        pass(&house, 1);
    }
    for number in 0..3 {
        accepted(&house.send(&crowd(number), HOME));
    }
    // The same ones again are no more than they were.
    house.fetch(&crowd(1), HOME);
    accepted(&house.send(&crowd(1), HOME));
    pass(&house, 60);
    for number in 3..5 {
        pass(&house, 1);
        house.fetch(&crowd(number), HOME);
        refused(&house.send(&crowd(number), HOME), "530 5.7.0", SHARED);
        refused(&house.send(&crowd(2), HOME), "530 5.7.0", SHARED);
    }
    // Who is not among them does not learn of the crowd; memory of it is bounded.
    refused(&house.send(AIKO, HOME), "550 5.7.1", NOT_OWNED);
    assert_eq!(house.grants().len(), 4);
    // Elsewhere each is alone.
    refused(&house.send(&crowd(4), ELSEWHERE), "530 5.7.0", NO_GRANT);
    house.fetch(&crowd(4), ELSEWHERE);
    accepted(&house.send(&crowd(4), ELSEWHERE));
}

#[test]
fn it_is_over_when_the_crowd_is() {
    let house = crowded("sharing.accounts_per_address = 3", 4);
    for number in 0..4 {
        house.fetch(&crowd(number), HOME);
        pass(&house, 60);
    }
    refused(&house.send(&crowd(3), HOME), "530 5.7.0", SHARED);
    // The first login was at minute 0; now it is minute 20.
    pass(&house, 16 * 60);
    accepted(&house.send(&crowd(3), HOME));
    refused(&house.send(&crowd(0), HOME), "550 5.7.1", NOT_OWNED);
}

#[test]
fn authentication_works_in_any_crowd() {
    let house = crowded("sharing.accounts_per_address = 3", 4);
    for number in 0..4 {
        house.fetch(&crowd(number), HOME);
    }
    let mut talk = house.greeted(HOME, "customer.example");
    assert!(talk.auth_plain(&crowd(2), "crowd").starts_with("235"));
    talk.expect(&format!("MAIL FROM:<{}>", crowd(2)), "250");
}

#[test]
fn a_grant_revoked_in_a_crowd_lets_the_rest_in_until_the_next_login() {
    // One grant more than may share an address is remembered, not the whole crowd: with one
    // of them gone, those who were pushed out before do not count.
    let house = crowded("sharing.accounts_per_address = 3", 8);
    for number in 0..7 {
        house.fetch(&crowd(number), HOME);
        pass(&house, 1);
    }
    refused(&house.send(&crowd(6), HOME), "530 5.7.0", SHARED);
    house.revoke_account(&crowd(5));
    accepted(&house.send(&crowd(6), HOME));
    house.fetch(&crowd(7), HOME);
    refused(&house.send(&crowd(6), HOME), "530 5.7.0", SHARED);
    // Revoking the address leaves nobody in doubt.
    assert_eq!(house.revoke_address(HOME), 4);
    refused(&house.send(&crowd(6), HOME), "530 5.7.0", NO_GRANT);
}
