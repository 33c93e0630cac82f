//! retire: whole file
//! (e) A webmail host, or a foreign host that fetches for many people, logs in for hundreds.

use std::net::{IpAddr, Ipv4Addr};

use crate::kit::{
    AIKO, BERT, ELSEWHERE, EXCLUDED, HOME, NO_GRANT, accepted, bridge, crowd, crowded, pass,
    refused,
};

const CROWD: usize = 300;
const WEBMAIL: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 10));
/// One of a network of fetchers.
const FETCHER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 9, 77));
const LISTED: &str = "excluded = [\"127.0.0.10\", \"127.0.9.0/24\"]";

#[test]
fn a_listed_one_makes_no_grant_for_any_of_hundreds_and_harms_nobody() {
    let house = crowded(LISTED, CROWD);
    house.fetch(AIKO, HOME);
    house.fetch(&crowd(7), ELSEWHERE);
    for number in 0..CROWD {
        // All of them get their mail.
        house.fetch(&crowd(number), if number % 2 == 0 { WEBMAIL } else { FETCHER });
    }
    house.fetch(AIKO, WEBMAIL);
    assert_eq!(house.grants(), [(HOME, AIKO.to_owned()), (ELSEWHERE, crowd(7))]);
    for host in [WEBMAIL, FETCHER] {
        for sender in [&crowd(0), &crowd(1), &crowd(299), AIKO, ""] {
            refused(&house.send(sender, host), "530 5.7.0", EXCLUDED);
        }
    }
    // Those who fetched from home send from there as before, and nobody else does.
    accepted(&house.send(AIKO, HOME));
    accepted(&house.send(&crowd(7), ELSEWHERE));
    refused(&house.send(&crowd(7), [127, 0, 0, 4].into()), "530 5.7.0", NO_GRANT);
    // A webmail host sends as it should.
    let mut webmail = house.greeted(WEBMAIL, "webmail.isp.example");
    assert!(webmail.auth_plain(&crowd(5), "crowd").starts_with("235"));
    webmail.expect(&format!("MAIL FROM:<{}>", crowd(5)), "250");
}

#[test]
fn one_that_nobody_listed_runs_into_the_sharing_limit() {
    let house = crowded("", 40);
    house.fetch(AIKO, HOME);
    for number in 0..40 {
        house.fetch(&crowd(number), FETCHER);
        pass(&house, 1);
    }
    // Up to eight may share an address; one more is remembered, and no more than that.
    assert_eq!(house.grants().len(), 1 + 9);
    let shared = "More than 8 customers share your address";
    for number in 31..40 {
        refused(&house.send(&crowd(number), FETCHER), "530 5.7.0", shared);
    }
    accepted(&house.send(AIKO, HOME));
}

#[test]
fn listing_it_ends_the_grants_that_it_has() {
    let house = crowded("", 1);
    house.fetch(BERT, WEBMAIL);
    house.fetch(AIKO, HOME);
    let mut open = house.greeted(WEBMAIL, "webmail.isp.example");
    open.expect(&format!("MAIL FROM:<{BERT}>"), "250");
    open.expect("RSET", "250");
    house.reload_bridge(&bridge(LISTED)).unwrap();
    refused(&open.ask(&format!("MAIL FROM:<{BERT}>")), "530 5.7.0", EXCLUDED);
    accepted(&house.send(AIKO, HOME));
}
