//! A customer's old telephone, which tries a password of last year each second for five hours.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use lastpost_tests::{House, Plan};

use crate::kit::{edit, figure, house, pop3_from};

const AIKO: &str = "aiko@open.example";
const BERT: &str = "bert@open.example";
/// Where the telephone is, with the rest of the family.
const FAMILY: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
/// Where she works.
const WORK: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 9));

const MINUTES: u64 = 300;
/// What a session of the telephone tries, one each second, before it connects anew.
const TRIES: u64 = 60;

/// Clients behind a proxy that says where they are; those of this host are never blocked.
fn proxied() -> House {
    let plan = Plan {
        proxied: true,
        pop3: "errors_max = 250\ncleartext_networks = [\"0.0.0.0/0\"]\n",
        ..Plan::default()
    };
    house(plan, "[accounts]\npasswd_file = \"users\"\n", "", |house| {
        // It begins with nothing that can be felt; failures that count would double it up to what
        // nobody can overlook.
        edit(house, |text| {
            text.replace("failure_delay = \"0s\"", "failure_delay = \"1us\"")
                .replace("failure_delay_max = \"0s\"", "failure_delay_max = \"15s\"")
        });
    })
}

/// A minute of the telephone.
fn try_in_vain(house: &House, login: &str, password: &str) {
    let mut talk = house.client("pop3", FAMILY);
    let both = format!("USER {login}\r\nPASS {password}\r\n");
    for _ in 0..TRIES {
        talk.send_raw(both.as_bytes());
        talk.expect_reply("+OK");
        talk.expect_reply("-ERR [AUTH]");
        house.clock().advance(Duration::from_secs(1));
    }
    talk.expect("QUIT", "+OK");
}

/// The longest that a good login took, of all that were tried.
fn good_logins(house: &House) -> Duration {
    let who = [
        (FAMILY, AIKO, "aiko's password"),
        (WORK, AIKO, "aiko's password"),
        (FAMILY, BERT, "bert's password"),
    ];
    let took = who.map(|(from, login, password)| {
        let begun = Instant::now();
        let reply = pop3_from(house, from, login, password);
        assert!(reply.starts_with("+OK"), "{login} from {from}: {reply}");
        begun.elapsed()
    });
    took.into_iter().max().unwrap()
}

#[test]
fn five_hours_of_an_old_password_hinder_nobody() {
    let house = proxied();
    good_logins(&house);
    let hashes = figure(&house, "hashes");
    let mut longest = Duration::ZERO;
    for minute in 0..MINUTES {
        try_in_vain(&house, AIKO, "last year's");
        // Now and then, with what is remembered long forgotten.
        if minute % 10 == 0 {
            longest = longest.max(good_logins(&house));
        }
    }
    longest = longest.max(good_logins(&house));
    // Where she has never been.
    let hotel = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 33));
    assert!(pop3_from(&house, hotel, AIKO, "aiko's password").starts_with("+OK"));
    assert!(longest < Duration::from_secs(10), "{longest:?}");
    assert_eq!(figure(&house, "repeated failures"), MINUTES * TRIES - 1);
    // What is spent on the telephone is one hash; the good logins cost those they always cost.
    let spent = figure(&house, "hashes") - hashes;
    assert!(spent <= 2 + 3 * 31, "{spent} hashes");
    assert_eq!(house.control().get("/auth/blocks").unwrap(), "[]");
    assert_eq!(figure(&house, "blocks"), 0);
    assert_eq!(figure(&house, "accounts found attacked"), 0);
}
