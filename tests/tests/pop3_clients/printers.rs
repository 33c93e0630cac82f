//! Printers and internet fax: port 110, USER and PASS in clear, and nothing else. They are let in
//! from networks that are listed for it; nobody else is.

use std::net::IpAddr;

use lastpost_tests::{House, Plan, Talk};

use crate::kit::{AIKO, base64, letters, listing, plain};

const PRINTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7));
const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));

/// A house whose clients come from where the proxy says, for loopback is always let in.
fn house() -> House {
    let house = House::start(Plan {
        proxied: true,
        pop3: "cleartext_networks = [\"198.51.100.0/24\"]\nsessions_per_ip_max = 2000\n",
        ..Plan::default()
    });
    for letter in letters() {
        house.deliver(AIKO, &letter);
    }
    house
}

/// The minimum of RFC 1939, as Fuji Xerox, Panasonic and Toshiba speak it: it always deletes.
#[test]
fn a_printer_in_a_listed_network_fetches_and_deletes() {
    let house = house();
    let mut talk = house.client("pop3", PRINTER);
    talk.expect(&format!("USER {AIKO}"), "+OK");
    talk.expect(&format!("PASS {}", house.customer(AIKO).password), "+OK");
    let stat = talk.expect("STAT", "+OK");
    let count: usize = stat.split(' ').nth(1).unwrap().parse().unwrap();
    assert_eq!(count, letters().len());
    for number in 1..=count {
        talk.expect(&format!("LIST {number}"), &format!("+OK {number} "));
        talk.expect(&format!("RETR {number}"), "+OK");
        talk.multiline();
        talk.expect(&format!("DELE {number}"), "+OK");
    }
    talk.expect("QUIT", "+OK");
    assert_eq!(crate::kit::left(&house), 0);
}

/// From elsewhere the password is refused before it is sent: USER already says what to do, and no
/// capability invites to it.
#[test]
fn a_stranger_in_clear_is_told_before_the_password() {
    let house = house();
    let mut talk = house.client("pop3", STRANGER);
    let capabilities = listing(&mut talk, "CAPA");
    assert!(capabilities.contains(&"STLS".to_owned()), "{capabilities:?}");
    let inviting = |line: &String| line == "USER" || line.starts_with("SASL");
    assert!(!capabilities.iter().any(inviting), "{capabilities:?}");
    assert!(listing(&mut talk, "AUTH").is_empty(), "no mechanism is offered");
    let reply = talk.expect(&format!("USER {AIKO}"), "-ERR");
    assert!(!reply.contains("[AUTH]") && reply.contains("TLS"), "{reply}");
    for refused in [
        format!("PASS {}", house.customer(AIKO).password),
        "AUTH PLAIN".to_owned(),
        "AUTH LOGIN".to_owned(),
        format!("AUTH PLAIN {}", plain(AIKO, house.customer(AIKO).password)),
        format!("AUTH LOGIN {}", base64(AIKO)),
    ] {
        let mut talk = house.client("pop3", STRANGER);
        let reply = talk.ask(&refused);
        assert!(reply.starts_with("-ERR") && !reply.contains("[AUTH]"), "{reply}");
        talk.expect("STAT", "-ERR");
    }
    assert_eq!(crate::kit::left(&house), letters().len());
}

/// The same stranger under TLS is a customer like any other.
#[test]
fn a_stranger_under_tls_is_let_in() {
    let house = house();
    let mut talk = house.client("pop3", STRANGER);
    talk.expect("STLS", "+OK");
    talk.start_tls();
    assert!(listing(&mut talk, "CAPA").contains(&"USER".to_owned()));
    talk.expect(&format!("USER {AIKO}"), "+OK");
    talk.expect(&format!("PASS {}", house.customer(AIKO).password), "+OK");
    talk.expect("STAT", &format!("+OK {} ", letters().len()));
    talk.expect("QUIT", "+OK");
}

/// Nobody makes himself a printer: a header of the proxy protocol counts at the beginning alone,
/// and from the proxy alone.
#[test]
fn nobody_names_an_address_of_his_own() {
    let house = house();
    let claim = format!("PROXY TCP4 {PRINTER} {PRINTER} 49152 110\r\n");
    let mut talk = house.client("pop3", STRANGER);
    talk.send_raw(claim.as_bytes());
    talk.expect_reply("-ERR");
    talk.expect(&format!("USER {AIKO}"), "-ERR");
    // Without the proxy's word there is no session on this listener.
    let mut talk = Talk::connect_from(house.address("pop3"), IpAddr::from([127, 0, 0, 5]));
    let _ = talk.try_send_raw(claim.as_bytes());
    let said = talk.rest().unwrap_or_default();
    assert!(!said.starts_with(b"+OK"), "{}", said.escape_ascii());
}

/// The networks are compared as addresses: a client with an IPv4 address written as IPv6 is the
/// same client.
#[test]
fn a_mapped_address_is_the_address_it_maps() {
    let house = house();
    for (address, welcome) in [("::ffff:198.51.100.7", true), ("::ffff:203.0.113.7", false)] {
        let mut talk = house.client("pop3", address.parse().unwrap());
        let reply = talk.ask(&format!("USER {AIKO}"));
        assert_eq!(reply.starts_with("+OK"), welcome, "{address}: {reply}");
    }
}
