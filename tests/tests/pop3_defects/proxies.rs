//! XCLIENT: whose word is taken for the client's address.

use std::net::IpAddr;

use lastpost_tests::{House, Talk};

use crate::kit::{AIKO, HERE, house_with, listing, put};

const TRUSTING: &str = "sessions_per_ip_max = 2000\nerrors_max = 20\n\
     cleartext_networks = [\"192.0.2.0/24\"]\n[pop3.protocol]\nxclient_networks = [\"127.0.0.1/32\"]\n";
/// On this host, and no proxy.
const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 9));

fn furnished() -> House {
    let house = house_with(TRUSTING);
    put(&house, AIKO, "1.m", b"one\n");
    house
}

fn login_in_clear(talk: &mut Talk, house: &House) -> bool {
    if !talk.ask(&format!("USER {AIKO}")).starts_with("+OK") {
        return false;
    }
    talk.expect(&format!("PASS {}", house.customer(AIKO).password), "+OK");
    talk.expect("QUIT", "+OK");
    true
}

/// The policy for passwords in clear is the client's, not the proxy's.
#[test]
fn the_named_client_is_the_client() {
    let house = furnished();
    for (address, welcome) in [
        ("192.0.2.7", true),
        ("198.51.100.7", false),
        ("::ffff:192.0.2.7", true),
        ("2001:db8::7", false),
    ] {
        let mut talk = house.client("pop3", HERE);
        talk.expect(&format!("XCLIENT ADDR={address} PORT=4711"), "+OK");
        assert_eq!(login_in_clear(&mut talk, &house), welcome, "{address}");
    }
}

/// From anywhere else the command is unknown, and nothing that it names counts.
#[test]
fn nobody_else_is_believed() {
    let house = furnished();
    let mut talk = house.client("pop3", ELSEWHERE);
    let greeting_says_so = {
        let mut talk = Talk::connect_from(house.address("pop3"), ELSEWHERE);
        talk.expect_reply("+OK").contains("XCLIENT")
    };
    assert!(!greeting_says_so, "only proxies are told that there is XCLIENT");
    talk.expect("XCLIENT ADDR=198.51.100.7", "-ERR");
    talk.expect("XOIP 198.51.100.7", "-ERR");
    assert!(!listing(&mut talk, "CAPA").iter().any(|line| line.contains("XCLIENT")));
    assert!(login_in_clear(&mut talk, &house), "it is still from loopback");
}

/// Believed once, and not after the login; what was said before is forgotten.
#[test]
fn a_client_is_named_once_and_before_the_login() {
    let house = furnished();
    let mut talk = house.client("pop3", HERE);
    talk.expect("XCLIENT ADDR=192.0.2.7", "+OK");
    talk.expect("XCLIENT ADDR=192.0.2.8", "-ERR");
    talk.expect(&format!("USER {AIKO}"), "+OK");
    talk.expect(&format!("PASS {}", house.customer(AIKO).password), "+OK");
    talk.expect("XCLIENT ADDR=192.0.2.9", "-ERR");
    talk.expect("STAT", "+OK 1 5");
    talk.expect("QUIT", "+OK");
}

/// Commands in the same packet as XCLIENT come after it, as the named client's.
#[test]
fn what_follows_in_the_packet_is_the_named_clients() {
    let house = furnished();
    let mut talk = house.client("pop3", HERE);
    talk.send_raw(format!("XCLIENT ADDR=198.51.100.7\r\nUSER {AIKO}\r\n").as_bytes());
    talk.expect_reply("+OK");
    talk.expect_reply("-ERR");
}

#[test]
fn what_is_no_address_is_one_error() {
    let house = furnished();
    for line in [
        "XCLIENT",
        "XCLIENT ADDR=",
        "XCLIENT ADDR=999.1.1.1",
        "XCLIENT ADDR=192.0.2.7 PORT=70000",
        "XCLIENT ADDR=192.0.2.7 PORT=-1",
        "XCLIENT ADDR=192.0.2.7/24",
        "XCLIENT =",
        "XCLIENT ADDR",
    ] {
        let mut talk = house.client("pop3", HERE);
        let reply = talk.ask(line);
        let taken = reply.starts_with("+OK");
        assert!(!taken || !line.contains("ADDR=1"), "{line}: {reply}");
        assert!(!login_in_clear(&mut talk, &house), "{line} let somebody in in clear");
    }
}
