//! retire: whole file
//! (h) A load balancer in front: its own address must never become a grant.

use std::net::{IpAddr, Ipv4Addr};

use lastpost_tests::{House, Plan, Talk};

use crate::kit::{AIKO, EXCLUDED, HOME, NO_GRANT, accepted, bridge, house, refused};

/// PROXY version 2, LOCAL: the balancer speaks for itself.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
/// Version 1: for whom, it does not say.
const UNKNOWN: &[u8] = b"PROXY UNKNOWN\r\n";

fn proxied() -> House {
    let plan = Plan {
        proxied: true,
        pop3: "cleartext_networks = [\"192.0.2.0/24\"]\n",
        ..Plan::default()
    };
    House::start(plan.with_bridge(&bridge("")))
}

/// A connection of the trusted balancer that begins with `header`.
fn balanced(house: &House, listener: &str, header: &[u8]) -> Talk {
    let mut talk = Talk::connect(house.address(listener));
    talk.send_raw(header);
    talk
}

#[test]
fn a_login_whose_address_the_balancer_does_not_tell_makes_no_grant() {
    let house = proxied();
    for header in [UNKNOWN, LOCAL] {
        let mut pop3 = balanced(&house, "pop3", header);
        pop3.expect_reply("+OK");
        // Nor is it local enough for a password in clear, though it comes from loopback.
        pop3.expect(&format!("USER {AIKO}"), "-ERR");
        pop3.expect("STLS", "+OK");
        pop3.start_tls();
        pop3.expect(&format!("USER {AIKO}"), "+OK");
        pop3.expect(&format!("PASS {}", house.customer(AIKO).password), "+OK");
        assert_eq!(house.grants(), []);
        pop3.expect("QUIT", "+OK");
        assert_eq!(house.grants(), []);
    }
    // Not even a grant for the balancer's address would count for such a session.
    house.fetch(AIKO, [192, 0, 2, 7].into());
    house.fetch(AIKO, Ipv4Addr::LOCALHOST.into());
    assert_eq!(house.grants().len(), 2);
    for header in [UNKNOWN, LOCAL] {
        let mut smtp = balanced(&house, "legacy", header);
        smtp.expect_reply("220");
        smtp.expect("EHLO customer.example", "250");
        refused(&smtp.ask(&format!("MAIL FROM:<{AIKO}>")), "530 5.7.0", EXCLUDED);
    }
    accepted(&house.send(AIKO, [192, 0, 2, 7].into()));
    refused(&house.send(AIKO, [192, 0, 2, 8].into()), "530 5.7.0", NO_GRANT);
}

#[test]
fn without_a_header_nobody_talks() {
    let house = proxied();
    for (listener, hello) in [("pop3", "USER aiko@open.example\r\n"), ("legacy", "EHLO x\r\n")] {
        let mut talk = balanced(&house, listener, hello.as_bytes());
        assert_eq!(talk.try_line().ok().flatten(), None, "{listener}");
    }
    assert_eq!(house.grants(), []);
}

#[test]
fn nobody_but_the_balancer_says_whom_he_carries() {
    let house = proxied();
    let forged = b"PROXY TCP4 192.0.2.7 192.0.2.1 49152 110\r\n";
    for listener in ["pop3", "legacy"] {
        let mut talk = Talk::connect_from(house.address(listener), HOME);
        // The daemon may be gone already.
        let _ = talk.try_send_raw(forged);
        let reply = talk.try_line().ok().flatten().unwrap_or_default();
        assert!(!reply.starts_with("+OK") && !reply.starts_with("220"), "{listener}: {reply}");
    }
    assert_eq!(house.grants(), []);
    // Within a session the header is a command that nobody knows.
    let mut talk = house.client("legacy", [192, 0, 2, 9].into());
    talk.expect("PROXY TCP4 192.0.2.7 192.0.2.1 49152 25", "500");
}

#[test]
fn one_without_the_protocol_is_on_the_list_and_makes_no_grant() {
    // Everybody comes from its address, and the listener cannot know.
    let balancer: IpAddr = [127, 0, 0, 50].into();
    let listed = house("excluded = [\"127.0.0.50\"]");
    listed.fetch(AIKO, balancer);
    listed.fetch(crate::kit::BERT, balancer);
    assert_eq!(listed.grants(), []);
    refused(&listed.send(AIKO, balancer), "530 5.7.0", EXCLUDED);
    // One that sends the header to a listener that expects none is itself the client still.
    let mut talk = Talk::connect_from(listed.address("pop3"), balancer);
    talk.expect_reply("+OK");
    talk.expect("PROXY TCP4 127.0.0.2 127.0.0.1 49152 110", "-ERR");
    talk.expect(&format!("USER {AIKO}"), "+OK");
    talk.expect(&format!("PASS {}", listed.customer(AIKO).password), "+OK");
    assert_eq!(listed.grants(), []);
    // Those who come past it are not concerned.
    drop(talk);
    listed.fetch(crate::kit::BERT, HOME);
    accepted(&listed.send(crate::kit::BERT, HOME));
}

#[test]
fn one_on_this_host_is_on_the_list_by_default() {
    let file = bridge("").replace("excluded = []\n", "");
    let house = House::start(Plan::default().with_bridge(&file));
    house.fetch(AIKO, HOME);
    assert_eq!(house.grants(), []);
    refused(&house.send(AIKO, HOME), "530 5.7.0", EXCLUDED);
}
