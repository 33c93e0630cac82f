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

/// Refusals that a session of the telephone brings about before it quits.
const TRIES: usize = 3;
const SECONDS: usize = 300 * 60;

/// Clients behind a proxy that says where they are; those of this host are never blocked.
fn proxied() -> House {
    let plan = Plan {
        proxied: true,
        pop3: "cleartext_networks = [\"0.0.0.0/0\"]\n",
        ..Plan::default()
    };
    house(plan, "[accounts]\npasswd_file = \"users\"\n", "", |house| {
        // As long as a service has them, or what is not waited for could not be told.
        edit(house, |text| {
            text.replace("failure_delay = \"0s\"", "failure_delay = \"500ms\"")
                .replace("failure_delay_max = \"0s\"", "failure_delay_max = \"15s\"")
        });
    })
}

/// One session of the telephone.
fn try_in_vain(house: &House, login: &str, password: &str) {
    let mut talk = house.client("pop3", FAMILY);
    let line = format!("USER {login}\r\nPASS {password}\r\n");
    talk.send_raw((line.repeat(TRIES) + "QUIT\r\n").as_bytes());
    for _ in 0..TRIES {
        talk.expect_reply("+OK");
        talk.expect_reply("-ERR [AUTH]");
    }
    talk.expect_reply("+OK");
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
    let mut sessions = 0;
    for second in (0..SECONDS).step_by(TRIES) {
        try_in_vain(&house, AIKO, "last year's");
        house.clock().advance(Duration::from_secs(TRIES as u64));
        sessions += 1;
        // Every ten minutes, after what is remembered has been forgotten now and then.
        if second % 600 == 0 {
            longest = longest.max(good_logins(&house));
        }
    }
    longest = longest.max(good_logins(&house));
    assert!(longest < Duration::from_secs(10), "{longest:?}");
    assert_eq!(figure(&house, "repeated failures"), sessions * TRIES as u64 - 1);
    // What is spent on the telephone is one hash; the good logins cost those they always cost.
    let spent = figure(&house, "hashes") - hashes;
    assert!(spent <= 1 + 3 * 31, "{spent} hashes");
    assert_eq!(house.control().get("/auth/blocks").unwrap(), "[]");
    assert_eq!(figure(&house, "blocks"), 0);
    assert_eq!(figure(&house, "accounts found attacked"), 0);
}
