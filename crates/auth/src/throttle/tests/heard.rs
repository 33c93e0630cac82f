//! What one throttle tells another, and what it makes of what it hears.

use std::sync::{Arc, Mutex};

use super::*;
use crate::attack::BlockReason;
use crate::{AccountTag, FailureEvent, FailureShare, Happening, ShareKey};

#[derive(Default)]
struct Told(Mutex<Vec<FailureEvent>>);

impl FailureShare for Told {
    fn publish(&self, event: FailureEvent) {
        self.0.lock().unwrap().push(event);
    }
}

/// A throttle that shares, and what it tells.
fn sharing(config: &AuthConfig) -> (Throttle, Arc<Told>) {
    let (throttle, told) = (Throttle::new(config), Arc::new(Told::default()));
    throttle.set_share(Arc::clone(&told) as _, ShareKey::new(&[7; 32]).unwrap());
    (throttle, told)
}

fn pair() -> [(Throttle, Arc<Told>); 2] {
    [sharing(&AuthConfig::default()), sharing(&AuthConfig::default())]
}

/// Hands over what was told, as if it had taken `age`.
fn hand_over(told: &Told, to: &Throttle, age: Duration, now: Moment) -> usize {
    let events = std::mem::take(&mut *told.0.lock().unwrap());
    for event in &events {
        to.hear(&FailureEvent { age, ..*event }, now);
    }
    events.len()
}

#[test]
fn failures_seen_elsewhere_delay_here() {
    let [(one, told), (two, echo)] = pair();
    for n in 0..5 {
        fail(&one, &subject(&one, "192.0.2.1", "ann@x.net"), n, at(0.0));
    }
    assert_eq!(hand_over(&told, &two, Duration::ZERO, at(0.0)), 5);
    let same_address = subject(&two, "192.0.2.1", "bob@x.net");
    assert!(admit(&two, &same_address, at(1.0)).unwrap() >= 6 * SECOND);
    let same_account = subject(&two, "198.51.100.1", "ann@x.net");
    assert!(admit(&two, &same_account, at(1.0)).unwrap() >= 6 * SECOND);
    let neither = subject(&two, "198.51.100.1", "bob@x.net");
    assert_eq!(admit(&two, &neither, at(1.0)), Ok(Duration::ZERO));
    assert!(echo.0.lock().unwrap().is_empty(), "what is heard is not told on");
}

#[test]
fn a_repeated_old_password_is_not_told() {
    let [(one, told), _] = pair();
    for minute in 0..100 {
        fail(&one, &subject(&one, "192.0.2.1", "ann@x.net"), 7, at(f64::from(minute) * 60.0));
    }
    assert_eq!(told.0.lock().unwrap().len(), 1);
}

#[test]
fn old_news_weighs_less_and_older_nothing() {
    let [(one, told), (two, _)] = pair();
    let who = subject(&one, "192.0.2.1", "ann@x.net");
    (0..8).for_each(|n| _ = fail(&one, &who, n, at(0.0)));
    hand_over(&told, &two, Duration::from_secs(600), at(0.0));
    let wait = |throttle: &Throttle| {
        let who = subject(throttle, "192.0.2.1", "bob@x.net");
        admit(throttle, &who, at(0.0)).unwrap()
    };
    assert_eq!(wait(&two), Duration::ZERO, "their delay is over");
    let delay = fail(&two, &subject(&two, "192.0.2.1", "x@x.net"), 1, at(0.0));
    assert!((1900..=2100).contains(&delay.as_millis()), "two of eight are left: {delay:?}");
    let (three, _) = sharing(&AuthConfig::default());
    (0..8).for_each(|n| _ = fail(&one, &who, 100 + n, at(0.0)));
    hand_over(&told, &three, Duration::from_secs(3601), at(0.0));
    let delay = fail(&three, &subject(&three, "192.0.2.1", "x@x.net"), 1, at(0.0));
    assert_eq!(delay.as_millis(), 500);
}

#[test]
fn a_customer_of_one_daemon_is_a_customer_of_the_other() {
    let [(one, told), (two, _)] = pair();
    let login = |throttle: &Throttle| subject(throttle, "192.0.2.1", "ann@x.net");
    for minute in 0..60 {
        succeed(&one, &login(&one), at(f64::from(minute) * 60.0));
    }
    let told_of = hand_over(&told, &two, Duration::ZERO, at(3600.0));
    assert_eq!(told_of, 1, "not each time");
    assert_eq!(standing(&two, &login(&two), at(3600.0)), Standing::Known);
    let week = 7.0 * 86_400.0;
    assert_eq!(standing(&two, &login(&two), at(3600.0 + week)), Standing::Unknown);
    succeed(&one, &login(&one), at(7.0 * 3600.0));
    assert_eq!(told.0.lock().unwrap().len(), 1, "but again in time");
}

#[test]
fn a_block_elsewhere_holds_here_for_the_rest_of_its_time() {
    let [(one, told), (two, echo)] = pair();
    for n in 0..100 {
        let who = subject(&one, "192.0.2.1", &format!("u{}@x.net", n % 5));
        fail(&one, &who, n, at(0.0));
    }
    assert_eq!(one.counts.blocks.get(), 1);
    hand_over(&told, &two, Duration::from_secs(60), at(0.0));
    let [block] = &two.blocked_networks(at(0.0))[..] else { panic!("one block") };
    assert_eq!((block.network.to_string().as_str(), block.strikes), ("192.0.2.1/32", 1));
    assert!(block.learned && block.reason == BlockReason::Failures);
    let who = subject(&two, "192.0.2.1", "bob@x.net");
    assert_eq!(admit(&two, &who, at(539.0)), Err(PutOff::Blocked));
    assert_ne!(admit(&two, &who, at(541.0)), Err(PutOff::Blocked));
    assert_eq!(two.counts.blocks.get(), 0, "it was counted where it was made");
    assert!(echo.0.lock().unwrap().is_empty());
    // Forgiven here, forgiven there.
    let (network, now) = ("192.0.2.1/32".parse().unwrap(), at(100.0));
    assert_eq!(two.forgive_network(&network, now).len(), 1);
    hand_over(&echo, &one, Duration::ZERO, now);
    assert!(one.blocked_networks(now).is_empty());
}

/// Ten daemons, each of which sees a tenth: one block, one event, wherever it is found.
#[test]
fn an_attack_spread_over_ten_hosts_is_found_once() {
    let hosts: Vec<_> = (0..10).map(|_| sharing(&AuthConfig::default())).collect();
    for n in 0..100_u64 {
        let (host, told) = &hosts[n as usize % 10];
        let who = subject(host, "192.0.2.1", &format!("u{}@x.net", n % 5));
        let now = at(n as f64);
        fail(host, &who, n, now);
        let events = std::mem::take(&mut *told.0.lock().unwrap());
        for (number, (other, _)) in hosts.iter().enumerate() {
            if number != n as usize % 10 {
                events.iter().for_each(|event| other.hear(event, now));
            }
        }
    }
    let blocks: u64 = hosts.iter().map(|(host, _)| host.counts.blocks.get()).sum();
    assert_eq!(blocks, 1);
    assert!(hosts.iter().all(|(host, _)| host.blocked_networks(at(100.0)).len() == 1));
}

#[test]
fn an_account_attacked_elsewhere_is_protected_here() {
    let [(one, told), (two, _)] = pair();
    for n in 0..30_u64 {
        fail(&one, &subject(&one, &format!("198.51.{n}.1"), "ann@x.net"), n, at(0.0));
    }
    hand_over(&told, &two, Duration::ZERO, at(0.0));
    let stranger = subject(&two, "203.0.113.1", "ann@x.net");
    assert_eq!(standing(&two, &stranger, at(1.0)), Standing::Suspect);
    let [attacked] = &two.attacked_accounts(at(1.0))[..] else { panic!("one") };
    assert_eq!(attacked.name, None, "names are not told");
    assert!(two.forgive_account("ann@x.net", at(1.0)));
    assert_eq!(standing(&two, &stranger, at(1.0)), Standing::Unknown);
}

/// Whoever can write to the server must not get more than what hosts tell.
#[test]
fn hostile_news_is_bounded() {
    let mut config = AuthConfig { failure_entries: 1000, ..AuthConfig::default() };
    config.shared_networks = vec!["203.0.113.0/24".parse().unwrap()];
    let (throttle, _) = sharing(&config);
    let hear = |happening| {
        throttle.hear(&FailureEvent { age: Duration::ZERO, happening }, at(0.0));
    };
    let blocked = |network: &str, period| Happening::Blocked {
        network: network.parse().unwrap(),
        period,
        strikes: u32::MAX,
        reason: BlockReason::Spraying,
    };
    let ever = Duration::MAX;
    for network in ["0.0.0.0/0", "10.0.0.0/8", "::/0", "2001:db8::/32", "127.0.0.1/32", "::1/128"] {
        hear(blocked(network, ever));
    }
    hear(blocked("203.0.113.7/32", ever));
    assert!(throttle.blocked_networks(at(0.0)).is_empty(), "of no size that is blocked, exempt");
    hear(blocked("192.0.2.1/32", ever));
    let [block] = &throttle.blocked_networks(at(0.0))[..] else { panic!("one block") };
    assert_eq!(block.until.as_second() - block.since.as_second(), 86_400, "no longer than here");
    for n in 0..50_000_u32 {
        let client = std::net::Ipv4Addr::from(n << 8).into();
        let account = AccountTag(u64::from(n) << 40);
        hear(Happening::Failed { client: Some(client), account: Some(account) });
        hear(Happening::Succeeded { client, account });
        hear(Happening::Attacked { account, period: ever });
        let network = std::net::Ipv4Addr::from(n << 8).to_string() + "/24";
        hear(blocked(&network, ever));
    }
    for len in [throttle.networks.len(), throttle.accounts.len(), throttle.blocks.len()] {
        assert!(len <= 1024, "{len}");
    }
    assert!(throttle.events(usize::MAX).len() <= 500);
    assert!(throttle.attacked_accounts(at(0.0)).len() <= 1000);
}

/// Names are the same on all hosts, and nothing without the key.
#[test]
fn tags_are_of_the_key() {
    let tag = |key: u8| ShareKey::new(&[key; 32]).unwrap().tag("ann@x.net");
    assert_eq!(tag(1), tag(1));
    assert_ne!(tag(1), tag(2));
    assert_ne!(tag(1), ShareKey::new(&[1; 32]).unwrap().tag("bob@x.net"));
    assert_eq!(format!("{:?}", ShareKey::new(&[1; 32]).unwrap()), "ShareKey(..)");
}
