//! retire: whole file
//! (f) IPv6 neighbours in one /64. The addresses are those that a trusted proxy names.

use std::net::IpAddr;

use lastpost_tests::{House, Plan};

use crate::kit::{AIKO, BERT, NO_GRANT, NOT_OWNED, accepted, bridge, refused};

fn proxied(settings: &str) -> House {
    let plan = Plan {
        proxied: true,
        pop3: "cleartext_networks = [\"2001:db8::/32\", \"192.0.2.0/24\"]\n",
        ..Plan::default()
    };
    House::start(plan.with_bridge(&bridge(settings)))
}

fn at(address: &str) -> IpAddr {
    address.parse().unwrap()
}

#[test]
fn by_default_the_very_same_address_counts() {
    let house = proxied("");
    house.fetch(AIKO, at("2001:db8:1:2::a"));
    assert_eq!(house.grants(), [(at("2001:db8:1:2::a"), AIKO.to_owned())]);
    accepted(&house.send(AIKO, at("2001:db8:1:2::a")));
    accepted(&house.send(AIKO, at("2001:db8:1:2:0:0:0:a")));
    // The neighbour in the same network, and her own computer after its address has changed.
    for other in ["2001:db8:1:2::b", "2001:db8:1:2:ffff::a", "2001:db8:1:3::a", "192.0.2.7"] {
        refused(&house.send(AIKO, at(other)), "530 5.7.0", NO_GRANT);
        refused(&house.send(BERT, at(other)), "530 5.7.0", NO_GRANT);
    }
    refused(&house.send(BERT, at("2001:db8:1:2::a")), "550 5.7.1", NOT_OWNED);
}

#[test]
fn with_a_prefix_of_64_the_household_is_one_address() {
    let house = proxied("ipv6_prefix = 64");
    house.fetch(AIKO, at("2001:db8:1:2::a"));
    assert_eq!(house.grants(), [(at("2001:db8:1:2::"), AIKO.to_owned())]);
    // Her computer under its next address, and the neighbour who forges her name: no way to
    // tell them apart, as behind one IPv4 address.
    accepted(&house.send(AIKO, at("2001:db8:1:2:ffff::b")));
    refused(&house.send(BERT, at("2001:db8:1:2:ffff::b")), "550 5.7.1", NOT_OWNED);
    refused(&house.send("", at("2001:db8:1:2:ffff::b")), "530 5.7.0", "Without authentication a");
    // The next network is another one.
    refused(&house.send(AIKO, at("2001:db8:1:3::a")), "530 5.7.0", NO_GRANT);
    // Revoking any address of the network revokes the network.
    assert_eq!(house.revoke_address(at("2001:db8:1:2::77")), 1);
    refused(&house.send(AIKO, at("2001:db8:1:2::a")), "530 5.7.0", NO_GRANT);
}

#[test]
fn the_sharing_limit_counts_the_household() {
    let house = proxied("ipv6_prefix = 64\nsharing.accounts_per_address = 1");
    house.fetch(AIKO, at("2001:db8:1:2::a"));
    accepted(&house.send(AIKO, at("2001:db8:1:2::a")));
    house.fetch(BERT, at("2001:db8:1:2::b"));
    for (sender, from) in [(AIKO, "2001:db8:1:2::a"), (BERT, "2001:db8:1:2::b")] {
        refused(&house.send(sender, at(from)), "530 5.7.0", "More than 1 customers share");
    }
    // The prefix is for IPv6 alone.
    house.fetch(AIKO, at("192.0.2.7"));
    house.fetch(BERT, at("192.0.2.8"));
    accepted(&house.send(AIKO, at("192.0.2.7")));
    refused(&house.send(AIKO, at("192.0.2.8")), "550 5.7.1", NOT_OWNED);
}

#[test]
fn a_customer_has_one_address_in_whichever_clothes_it_comes() {
    let house = proxied("");
    // A proxy on an IPv6 socket names an IPv4 client.
    house.fetch(AIKO, at("::ffff:192.0.2.7"));
    assert_eq!(house.grants(), [(at("192.0.2.7"), AIKO.to_owned())]);
    accepted(&house.send(AIKO, at("192.0.2.7")));
    accepted(&house.send(AIKO, at("::ffff:192.0.2.7")));
    // Who fetches over one protocol and sends over the other is two clients.
    refused(&house.send(AIKO, at("2001:db8::7")), "530 5.7.0", NO_GRANT);
}

#[test]
fn another_prefix_put_in_force_ends_all_grants() {
    let house = proxied("ipv6_prefix = 64");
    house.fetch(AIKO, at("2001:db8:1:2::a"));
    house.reload_bridge(&bridge("ipv6_prefix = 128")).unwrap();
    assert_eq!(house.grants(), []);
    refused(&house.send(AIKO, at("2001:db8:1:2::a")), "530 5.7.0", NO_GRANT);
}
