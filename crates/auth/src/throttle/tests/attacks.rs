//! Guessing, spraying, and one account from everywhere: what is found, and what is answered.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::attack::{AttackEventKind, BlockReason};

const MINUTE: f64 = 60.0;

/// Waits are of no interest here: every failure is looked at, once a second.
fn quick(change: impl FnOnce(&mut AttackConfig)) -> Throttle {
    let mut config = AuthConfig::default();
    change(&mut config.attack);
    Throttle::new(&config)
}

fn blocked(throttle: &Throttle, client: &str, now: Moment) -> bool {
    throttle.blocks.hold(Source::from(client.parse::<std::net::IpAddr>().unwrap()), now.mono)
}

/// The blocks that hold, as text.
fn blocks(throttle: &Throttle, now: Moment) -> Vec<String> {
    throttle.blocked_networks(now).iter().map(|block| block.network.to_string()).collect()
}

#[test]
fn an_address_that_fails_again_and_again_is_blocked_for_a_time_that_doubles() {
    let throttle = quick(|rules| rules.failures_max = 10);
    let ann = subject(&throttle, "192.0.2.1", "ann@x.net");
    let mut now = 0.0;
    let mut periods = Vec::new();
    for round in 0..12 {
        for n in 0..10 {
            assert!(!blocked(&throttle, "192.0.2.1", at(now)), "{round}: failure {n}");
            fail(&throttle, &ann, round * 100 + n, at(now));
        }
        assert!(blocked(&throttle, "192.0.2.1", at(now)));
        let block = &throttle.blocked_networks(at(now))[0];
        assert_eq!(u64::from(block.strikes), round + 1);
        assert_eq!((block.reason, block.learned), (BlockReason::Failures, false));
        let period = (block.until.as_second() - block.since.as_second()) as f64;
        periods.push(period / MINUTE);
        assert!(blocked(&throttle, "192.0.2.1", at(now + period - 1.0)));
        now += period + 1.0;
    }
    assert_eq!(periods[..8], [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0]);
    assert_eq!(periods[8..], [1440.0; 4]);
    // Whoever behaves for as long as the longest block begins anew.
    now += 25.0 * 60.0 * MINUTE;
    (0..10).for_each(|n| _ = fail(&throttle, &ann, n, at(now)));
    assert_eq!(throttle.blocked_networks(at(now))[0].strikes, 1);
    assert_eq!(throttle.counts.blocks.get(), 13);
}

#[test]
fn a_blocked_network_is_not_looked_at_and_its_neighbours_are() {
    let throttle = quick(|rules| rules.failures_max = 5);
    let ann = subject(&throttle, "192.0.2.1", "ann@x.net");
    (0..5).for_each(|n| _ = fail(&throttle, &ann, n, at(0.0)));
    let before = throttle.counts.blocked.get();
    for _ in 0..1000 {
        assert_eq!(admit(&throttle, &ann, at(1.0)), Err(PutOff::Blocked));
    }
    assert_eq!(throttle.counts.blocked.get() - before, 1000);
    assert_eq!(throttle.blocked_networks(at(1.0)).len(), 1, "attempts lengthen nothing");
    assert!(!blocked(&throttle, "192.0.2.2", at(1.0)));
    assert!(!blocked(&throttle, "2001:db8::1", at(1.0)));
}

#[test]
fn many_64s_of_one_48_count_for_the_48() {
    let throttle = quick(|_| {});
    let of = |n: u64| {
        let client = format!("2001:db8:7:{n:x}::1");
        subject(&throttle, &client, "ann@x.net")
    };
    // Every failure from another /64. The delay of the /48 rises...
    for n in 0..20 {
        fail(&throttle, &of(n), n, at(n as f64));
    }
    let bob = subject(&throttle, "2001:db8:7:ffff::1", "bob@x.net");
    let wait = admit(&throttle, &bob, at(20.0)).unwrap();
    assert!(wait > SECOND, "{wait:?}");
    let elsewhere = subject(&throttle, "2001:db8:8::1", "bob@x.net");
    assert_eq!(admit(&throttle, &elsewhere, at(20.0)), Ok(Duration::ZERO));
    // ... and in the end it is blocked as a whole.
    for n in 20..400 {
        fail(&throttle, &of(n), n, at(n as f64));
    }
    assert_eq!(blocks(&throttle, at(400.0)), ["2001:db8:7::/48"]);
    assert!(blocked(&throttle, "2001:db8:7:abcd::9", at(400.0)));
    assert!(!blocked(&throttle, "2001:db8:8::1", at(400.0)));
}

#[test]
fn attempts_that_are_put_off_count_towards_the_block() {
    let throttle = quick(|_| {});
    let of = |n: u64| subject(&throttle, "198.51.100.7", &format!("u{}@x.net", n % 5));
    (0..6).for_each(|n| _ = fail(&throttle, &of(n), n, at(0.0)));
    let mut put_off = 0;
    while !blocked(&throttle, "198.51.100.7", at(1.0)) {
        put_off += u64::from(admit(&throttle, &of(put_off), at(1.0)).is_err());
        assert!(put_off < 200);
    }
    assert!((40..=100).contains(&put_off), "{put_off}");
}

#[test]
fn spraying_from_one_address_is_found_by_the_different_accounts() {
    let throttle = quick(|_| {});
    let mut tried = 0;
    while !blocked(&throttle, "192.0.2.9", at(tried as f64)) {
        let who = subject(&throttle, "192.0.2.9", &format!("user{tried}@x.net"));
        fail(&throttle, &who, 1, at(tried as f64));
        tried += 1;
    }
    assert!((22..=40).contains(&tried), "about thirty accounts: {tried}");
    assert_eq!((throttle.counts.blocks.get(), throttle.counts.sprayings.get()), (1, 1));
    let [event] = &throttle.events(10)[..] else { panic!("one event") };
    let AttackEventKind::Blocked { reason, accounts, strikes, .. } = event.kind else {
        panic!("{event:?}")
    };
    assert_eq!((reason, strikes), (BlockReason::Spraying, 1));
    assert!(accounts >= 30);
}

#[test]
fn spraying_spread_over_a_24_or_a_48_is_found_as_well() {
    for v6 in [false, true] {
        let throttle = quick(|_| {});
        let client = |n: u32| match v6 {
            false => Ipv4Addr::from(0xc633_6400 + n % 256).to_string(),
            true => Ipv6Addr::from((0x2001_0db8_0009_0000_u128 + u128::from(n)) << 64).to_string(),
        };
        let mut tried = 0;
        while throttle.blocked_networks(at(f64::from(tried))).is_empty() {
            let who = subject(&throttle, &client(tried), &format!("user{tried}@x.net"));
            fail(&throttle, &who, 1, at(f64::from(tried)));
            tried += 1;
            assert!(tried < 300);
        }
        let network = if v6 { "2001:db8:9::/48" } else { "198.51.100.0/24" };
        assert_eq!(blocks(&throttle, at(f64::from(tried))), [network]);
        assert!((90..=160).contains(&tried), "about 120 accounts: {tried}");
        assert!(blocked(&throttle, &client(tried + 1), at(f64::from(tried))), "a fresh address");
    }
}

#[test]
fn one_account_from_many_networks_is_found_once() {
    let throttle = quick(|_| {});
    for n in 0..200_u64 {
        let who = subject(&throttle, &format!("198.51.{n}.1"), "ann@x.net");
        fail_as(&throttle, &who, "Ann@X.net", n, at(n as f64));
    }
    assert_eq!(throttle.counts.attacked.get(), 1, "one event, whatever follows");
    let [event] = &throttle.events(10)[..] else { panic!("one event") };
    let AttackEventKind::Attacked { name, networks } = &event.kind else { panic!("{event:?}") };
    assert_eq!(name.as_deref(), Some("Ann@X.net"));
    assert!((18..=24).contains(networks), "{networks}");
    let [attacked] = &throttle.attacked_accounts(at(200.0))[..] else { panic!("one account") };
    assert_eq!(attacked.name.as_deref(), Some("Ann@X.net"));
    // It ends an hour after the last failure.
    let last = 199.0;
    assert_eq!(throttle.attacked_accounts(at(last + 59.0 * MINUTE)).len(), 1);
    assert!(throttle.attacked_accounts(at(last + 61.0 * MINUTE)).is_empty());
}

#[test]
fn at_an_attacked_account_strangers_wait_longer_and_few_at_a_time_while_its_owner_does_not() {
    let throttle = quick(|_| {});
    let home = subject(&throttle, "192.0.2.1", "ann@x.net");
    succeed(&throttle, &home, at(0.0));
    for n in 0..40_u64 {
        let who = subject(&throttle, &format!("198.51.{n}.1"), "ann@x.net");
        fail(&throttle, &who, n, at(1.0 + n as f64));
    }
    let now = at(300.0);
    assert_eq!(
        (standing(&throttle, &home, now), admit(&throttle, &home, now)),
        (Standing::Known, Ok(Duration::ZERO))
    );
    let mut held = Vec::new();
    for n in 0..100 {
        let stranger = subject(&throttle, &format!("203.0.{n}.1"), "ann@x.net");
        let standing = standing(&throttle, &stranger, now);
        assert_eq!(standing, Standing::Suspect, "he is served last");
        match throttle.admit(&stranger, standing, now) {
            Ok(admitted) => {
                assert!(admitted.wait >= 20 * SECOND);
                held.push(admitted);
            }
            Err(why) => assert_eq!(why, PutOff::Attacked),
        }
    }
    assert_eq!(held.len(), 16);
    assert_eq!(throttle.counts.attacked_refused.get(), 84);
    let bob = subject(&throttle, "203.0.50.1", "bob@x.net");
    assert_eq!(standing(&throttle, &bob, at(310.0)), Standing::Unknown, "others are not touched");
    drop(held);
    assert_eq!(throttle.places.accounts(), 0);
}

#[test]
fn the_addresses_of_one_48_are_not_many_networks() {
    let throttle = quick(|rules| rules.failures_max = 0);
    for n in 0..300 {
        let who = subject(&throttle, &format!("2001:db8:7:{n:x}::1"), "ann@x.net");
        fail(&throttle, &who, n, at(n as f64));
    }
    assert_eq!(throttle.counts.attacked.get(), 0);
}

#[test]
fn what_is_switched_off_is_off() {
    let throttle = quick(|rules| {
        (rules.failures_max, rules.accounts_max, rules.networks_max) = (0, 0, 0);
    });
    for n in 0..2000_u64 {
        let client = format!("198.51.{}.1", n % 3);
        let who = subject(&throttle, &client, &format!("u{}@x.net", n % 700));
        fail(&throttle, &who, n, at(n as f64 / 10.0));
    }
    assert!(throttle.events(10).is_empty());
    let unblocked = quick(|rules| rules.block = Duration::ZERO);
    for n in 0..2000_u64 {
        let who = subject(&unblocked, "198.51.100.1", &format!("u{n}@x.net"));
        fail(&unblocked, &who, n, at(n as f64 / 10.0));
    }
    assert!(unblocked.events(10).is_empty() && !blocked(&unblocked, "198.51.100.1", at(200.0)));
}

#[test]
fn this_hosts_own_addresses_are_never_blocked() {
    let throttle = quick(|rules| rules.failures_max = 3);
    for n in 0..500_u64 {
        for client in ["127.0.0.1", "127.0.0.9", "::1"] {
            let who = subject(&throttle, client, &format!("u{n}@x.net"));
            fail(&throttle, &who, n, at(0.0));
        }
    }
    assert!(blocks(&throttle, at(0.0)).is_empty());
    let who = subject(&throttle, "127.0.0.1", "ann@x.net");
    assert!(admit(&throttle, &who, at(0.0)).unwrap() > SECOND, "but delayed");
}

#[test]
fn slow_spraying_within_its_bounds_stays_unseen_and_slow() {
    let throttle = quick(|_| {});
    for n in 0..240_u64 {
        let who = subject(&throttle, "192.0.2.9", &format!("user{n}@x.net"));
        fail(&throttle, &who, 1, at(n as f64 * 5.0 * MINUTE));
    }
    assert!(throttle.events(10).is_empty(), "twelve accounts an hour are a large office");
}

#[test]
fn an_admin_forgives_a_network_and_an_account() {
    let throttle = quick(|rules| rules.failures_max = 5);
    for client in ["192.0.2.1", "192.0.2.200", "198.51.100.1"] {
        let who = subject(&throttle, client, "ann@x.net");
        (0..5).for_each(|n| _ = fail(&throttle, &who, n, at(0.0)));
    }
    assert_eq!(blocks(&throttle, at(1.0)).len(), 3);
    let network = "192.0.2.0/24".parse().unwrap();
    let mut ended = throttle.forgive_network(&network, at(1.0));
    ended.sort();
    assert_eq!(ended, ["192.0.2.1/32".parse().unwrap(), "192.0.2.200/32".parse().unwrap()]);
    assert_eq!(blocks(&throttle, at(1.0)), ["198.51.100.1/32"]);
    let who = subject(&throttle, "192.0.2.1", "new@x.net");
    assert_eq!(admit(&throttle, &who, at(1.0)), Ok(Duration::ZERO), "nothing is left of it");
    for n in 0..40_u64 {
        let who = subject(&throttle, &format!("203.0.{n}.1"), "ann@x.net");
        fail_as(&throttle, &who, "ann@x.net", n, at(2.0));
    }
    assert_eq!(throttle.attacked_accounts(at(3.0)).len(), 1);
    assert!(throttle.forgive_account("ann@x.net", at(3.0)));
    assert!(!throttle.forgive_account("ann@x.net", at(3.0)));
    assert!(throttle.attacked_accounts(at(3.0)).is_empty());
    let fresh = subject(&throttle, "203.0.113.1", "ann@x.net");
    assert_eq!(admit(&throttle, &fresh, at(3.0)), Ok(Duration::ZERO));
    let kinds: Vec<_> = throttle.events(3).into_iter().map(|event| event.kind).collect();
    assert!(matches!(kinds[0], AttackEventKind::AccountForgiven));
}

#[test]
fn networks_that_only_try_are_served_last_before_anything_failed() {
    let throttle = quick(|_| {});
    let who = |n: u64| subject(&throttle, "198.51.100.7", &format!("u{n}@x.net"));
    let standings: Vec<_> = (0..4_u64)
        .map(|n| {
            let standing = standing(&throttle, &who(n), at(n as f64 / 10.0));
            admit(&throttle, &who(n), at(n as f64 / 10.0)).unwrap();
            standing
        })
        .collect();
    use Standing::{Suspect, Unknown};
    assert_eq!(standings, [Unknown, Unknown, Suspect, Suspect]);
    assert_eq!(standing(&throttle, &who(9), at(10.0)), Unknown, "for some seconds");
    // A success speaks for the network.
    (0..5).for_each(|n| _ = admit(&throttle, &who(n), at(20.0)));
    assert_eq!(standing(&throttle, &who(9), at(20.0)), Suspect);
    succeed(&throttle, &who(8), at(20.0));
    assert_eq!(standing(&throttle, &who(9), at(20.0)), Unknown);
}

#[test]
fn exchanges_that_are_broken_off_count_for_the_network_alone() {
    let throttle = quick(|rules| rules.failures_max = 10);
    let ann = subject(&throttle, "192.0.2.1", "ann@x.net");
    for n in 0..10 {
        assert!(!blocked(&throttle, "192.0.2.1", at(0.0)), "{n}");
        throttle.abandoned(&ann, Standing::Unknown, at(0.0));
    }
    assert!(blocked(&throttle, "192.0.2.1", at(0.0)));
    let elsewhere = subject(&throttle, "198.51.100.1", "ann@x.net");
    assert_eq!(admit(&throttle, &elsewhere, at(0.0)), Ok(Duration::ZERO));
    succeed(&throttle, &elsewhere, at(0.0));
    (0..50).for_each(|_| throttle.abandoned(&elsewhere, Standing::Known, at(0.0)));
    assert!(!blocked(&throttle, "198.51.100.1", at(0.0)), "a customer's client may be odd");
}
