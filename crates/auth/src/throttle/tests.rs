//! Delays: how they grow, whom they hit, and whom they spare.

mod attacks;
mod customers;
mod heard;

use super::*;
use crate::testing::{key, origin};

const SECOND: Duration = Duration::from_secs(1);

fn throttle() -> Throttle {
    Throttle::new(&AuthConfig::default())
}

fn subject(throttle: &Throttle, client: &str, login: &str) -> Subject {
    throttle.subject(&origin(client), Some(&key(login)))
}

fn at(seconds: f64) -> Moment {
    crate::testing::moment(1_000_000.0 + seconds)
}

/// Fails with another password each time.
fn fail(throttle: &Throttle, subject: &Subject, attempt: u64, now: Moment) -> Duration {
    fail_as(throttle, subject, "somebody", attempt, now)
}

fn fail_as(
    throttle: &Throttle,
    subject: &Subject,
    login: &str,
    attempt: u64,
    now: Moment,
) -> Duration {
    let standing = throttle.standing(subject, now.mono);
    let client = subject
        .source
        .map_or_else(|| "0.0.0.0".to_owned(), |source| source.net().addr().to_string());
    let wrong = attempt.to_be_bytes();
    throttle.failed(subject, standing, Some(&wrong), (&origin(&client), login), now).delay
}

fn succeed(throttle: &Throttle, subject: &Subject, now: Moment) {
    let client = subject
        .source
        .map_or_else(|| "0.0.0.0".to_owned(), |source| source.net().addr().to_string());
    throttle.succeeded(subject, &origin(&client), now);
}

fn standing(throttle: &Throttle, subject: &Subject, now: Moment) -> Standing {
    throttle.standing(subject, now.mono)
}

fn admit(throttle: &Throttle, subject: &Subject, now: Moment) -> Result<Duration, PutOff> {
    let standing = throttle.standing(subject, now.mono);
    throttle.admit(subject, standing, now).map(|admitted| admitted.wait)
}

#[test]
fn the_delay_doubles_up_to_the_longest() {
    let throttle = throttle();
    let ann = subject(&throttle, "192.0.2.1", "ann@example.net");
    let delays: Vec<_> = (0..8).map(|n| fail(&throttle, &ann, n, at(0.0)).as_millis()).collect();
    assert_eq!(delays, [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
}

#[test]
fn failures_are_forgotten_by_halves() {
    let throttle = throttle();
    let ann = subject(&throttle, "192.0.2.1", "ann@example.net");
    for n in 0..4 {
        fail(&throttle, &ann, n, at(0.0));
    }
    // Four have become two after one half-life, and this is the third.
    let delay = fail(&throttle, &ann, 9, at(300.0));
    assert!((1900..=2100).contains(&delay.as_millis()), "{delay:?}");
    let delay = fail(&throttle, &ann, 10, at(300.0 + 3000.0));
    assert!(delay < Duration::from_millis(510), "{delay:?}");
}

#[test]
fn one_address_guessing_many_accounts_is_slowed_down() {
    let throttle = throttle();
    let of = |n: u64| subject(&throttle, "192.0.2.1", &format!("u{n}@x.net"));
    let delays: Vec<_> = (0..6).map(|n| fail(&throttle, &of(n), n, at(0.0))).collect();
    assert_eq!(delays.last(), Some(&(15 * SECOND)));
    let elsewhere = subject(&throttle, "192.0.2.2", "other@x.net");
    assert_eq!(fail(&throttle, &elsewhere, 0, at(0.0)).as_millis(), 500);
}

#[test]
fn many_addresses_guessing_one_account_are_slowed_down_side_by_side() {
    let throttle = throttle();
    for n in 0..6 {
        fail(&throttle, &subject(&throttle, &format!("192.0.2.{n}"), "ann@x.net"), n, at(0.0));
    }
    for n in 100..120 {
        let fresh = subject(&throttle, &format!("192.0.2.{n}"), "ann@x.net");
        assert_eq!(admit(&throttle, &fresh, at(1.0)), Ok(14 * SECOND), "held back, never refused");
    }
    let other_account = subject(&throttle, "192.0.2.200", "bob@x.net");
    assert_eq!(admit(&throttle, &other_account, at(1.0)), Ok(Duration::ZERO));
}

#[test]
fn parallel_attempts_of_one_network_take_turns_and_then_are_put_off() {
    let throttle = throttle();
    let of = |n: u64| subject(&throttle, "192.0.2.1", &format!("u{n}@x.net"));
    for n in 0..4 {
        fail(&throttle, &of(n), n, at(0.0));
    }
    // The delay is 4 s now: one turn each, as long as none waits longer than 15 s.
    let waits: Vec<_> = (10..16).map(|n| admit(&throttle, &of(n), at(0.0))).collect();
    let seconds = |n| Ok(Duration::from_secs(n));
    assert_eq!(waits[..4], [seconds(4), seconds(8), seconds(12), Err(PutOff::Overloaded)]);
    assert_eq!(waits[4..], [Err(PutOff::Overloaded), Err(PutOff::Overloaded)]);
    // Being put off took no turn.
    let later = admit(&throttle, &of(20), at(8.0)).unwrap();
    assert!((7.9..=8.0).contains(&later.as_secs_f64()), "{later:?}");
}

#[test]
fn the_rate_of_guesses_of_one_network_is_bounded_however_many_connections_it_has() {
    let throttle = throttle();
    let mut verified = 0;
    let mut pending: Vec<Duration> = Vec::new();
    for tick in 0..6000_u64 {
        let now = at(tick as f64 / 10.0);
        for connection in 0..20 {
            let who = subject(&throttle, "198.51.100.7", &format!("u{connection}-{tick}@x.net"));
            if let Ok(wait) = admit(&throttle, &who, now) {
                pending.push(now.mono + wait);
            }
        }
        let due: Vec<_> = pending.extract_if(.., |due| *due <= now.mono).collect();
        for (n, _) in due.iter().enumerate() {
            let who = subject(&throttle, "198.51.100.7", &format!("v{n}-{tick}@x.net"));
            fail(&throttle, &who, n as u64, now);
            verified += 1;
        }
    }
    // 12,000 attempts a minute for ten minutes. The first burst goes unseen; then 15 s each.
    assert!((20..100).contains(&verified), "{verified}");
}

#[test]
fn an_old_password_in_a_telephone_hurts_nobody() {
    let throttle = throttle();
    let ann = subject(&throttle, "192.0.2.1", "ann@x.net");
    let old = [7; 8];
    let who = (&origin("192.0.2.1"), "ann@x.net");
    assert!(!throttle.failed(&ann, Standing::Unknown, Some(&old), who, at(0.0)).repeated);
    for n in 1..200 {
        let now = at(f64::from(n) * 10.0);
        assert!(throttle.is_known_wrong(&ann, &old));
        let counted = throttle.failed(&ann, Standing::Unknown, Some(&old), who, now);
        assert_eq!((counted.delay.as_millis(), counted.repeated), (500, true));
    }
    let laptop = subject(&throttle, "192.0.2.1", "ann@x.net");
    assert_eq!(admit(&throttle, &laptop, at(2000.0)), Ok(Duration::ZERO));
    let brother = subject(&throttle, "192.0.2.1", "bob@x.net");
    assert!(fail(&throttle, &brother, 1, at(2000.0)).as_millis() < 550, "no more than a first one");
}

#[test]
fn four_old_devices_are_remembered_and_a_fifth_pushes_one_out() {
    let throttle = throttle();
    let ann = subject(&throttle, "192.0.2.1", "ann@x.net");
    for n in 0..5_u64 {
        fail(&throttle, &ann, n, at(0.0));
    }
    let known: Vec<bool> =
        (0..5_u64).map(|n| throttle.is_known_wrong(&ann, &n.to_be_bytes())).collect();
    assert_eq!(known, [false, true, true, true, true]);
    let bob = subject(&throttle, "192.0.2.1", "bob@x.net");
    assert!(!throttle.is_known_wrong(&bob, &3_u64.to_be_bytes()), "each account has its own");
}

#[test]
fn a_customer_at_home_is_spared_what_others_do() {
    let throttle = throttle();
    let home = subject(&throttle, "192.0.2.1", "ann@x.net");
    succeed(&throttle, &home, at(0.0));
    for n in 0..18 {
        fail(&throttle, &subject(&throttle, &format!("198.51.100.{n}"), "ann@x.net"), n, at(1.0));
        fail(&throttle, &subject(&throttle, "192.0.2.1", &format!("u{n}@x.net")), n, at(1.0));
    }
    assert_eq!(standing(&throttle, &home, at(2.0)), Standing::Known);
    assert_eq!(admit(&throttle, &home, at(2.0)), Ok(Duration::ZERO));
    assert_eq!(fail(&throttle, &home, 1, at(2.0)).as_millis(), 500, "his own first failure");
    let roaming = subject(&throttle, "203.0.113.9", "ann@x.net");
    assert!(admit(&throttle, &roaming, at(2.0)).unwrap() > 13 * SECOND);
    // A stranger at her address is no customer.
    let neighbour = subject(&throttle, "192.0.2.1", "bob@x.net");
    assert!(admit(&throttle, &neighbour, at(2.0)).unwrap() > 13 * SECOND);
}

#[test]
fn the_indulgence_ends_with_own_failures_and_with_time() {
    let throttle = throttle();
    let home = subject(&throttle, "192.0.2.1", "ann@x.net");
    succeed(&throttle, &home, at(0.0));
    let delays: Vec<_> = (0..3).map(|n| fail(&throttle, &home, n, at(1.0)).as_millis()).collect();
    assert_eq!(delays, [500, 1000, 2000]);
    assert_eq!(standing(&throttle, &home, at(1.0)), Standing::Unknown);
    assert!(!admit(&throttle, &home, at(1.0)).unwrap().is_zero());
    succeed(&throttle, &home, at(60.0));
    assert_eq!(standing(&throttle, &home, at(60.0)), Standing::Known);
    let week = 7.0 * 86_400.0;
    assert_eq!(standing(&throttle, &home, at(60.0 + week - 1.0)), Standing::Known);
    assert_eq!(standing(&throttle, &home, at(60.0 + week)), Standing::Unknown);
}

#[test]
fn addresses_of_many_people_are_not_counted() {
    let config = AuthConfig {
        shared_networks: vec!["203.0.113.0/24".parse().unwrap()],
        ..AuthConfig::default()
    };
    let throttle = Throttle::new(&config);
    let mut balancer = origin("192.0.2.1");
    balancer.channel.genuine_address = false;
    for n in 0..50 {
        let user = key(&format!("u{n}@x.net"));
        let webmail = throttle.subject(&origin("203.0.113.5"), Some(&user));
        assert_eq!(fail(&throttle, &webmail, n, at(0.0)).as_millis(), 500);
        let behind = throttle.subject(&balancer, Some(&user));
        assert_eq!(behind.source, None);
        succeed(&throttle, &behind, at(0.0));
        assert_eq!(standing(&throttle, &behind, at(0.0)), Standing::Unknown);
    }
    let webmail = throttle.subject(&origin("::ffff:203.0.113.5"), Some(&key("new@x.net")));
    assert_eq!(admit(&throttle, &webmail, at(0.0)), Ok(Duration::ZERO));
}

#[test]
fn without_a_delay_nobody_waits_but_failures_are_known() {
    let config = AuthConfig { failure_delay: Duration::ZERO, ..AuthConfig::default() };
    let throttle = Throttle::new(&config);
    let ann = subject(&throttle, "192.0.2.1", "ann@x.net");
    for n in 0..20 {
        assert_eq!(fail(&throttle, &ann, n, at(0.0)), Duration::ZERO);
        assert_eq!(admit(&throttle, &ann, at(0.0)), Ok(Duration::ZERO));
    }
}

#[test]
fn a_flood_of_addresses_and_names_stays_within_its_bounds() {
    let config = AuthConfig { failure_entries: 1000, ..AuthConfig::default() };
    let throttle = Throttle::new(&config);
    for n in 0..50_000_u32 {
        let client = std::net::Ipv6Addr::from((u128::from(n) + (0x2001_0db8 << 64)) << 32);
        let who = subject(&throttle, &client.to_string(), &format!("u{n}@x.net"));
        fail(&throttle, &who, n.into(), at(0.0));
        succeed(&throttle, &who, at(0.0));
    }
    for len in [
        throttle.networks.len(),
        throttle.accounts.len(),
        throttle.pairs.len(),
        throttle.pressure.len(),
        throttle.blocks.len(),
    ] {
        assert!(len <= 1024, "{len}");
    }
    assert_eq!(throttle.places.accounts(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_bound_are_held_back_at_once() {
    let throttle = std::sync::Arc::new(throttle());
    let mut held = Vec::new();
    for _ in 0..SLEEPERS_MAX {
        let throttle = std::sync::Arc::clone(&throttle);
        held.push(tokio::spawn(async move { throttle.hold_back(SECOND).await }));
    }
    tokio::task::yield_now().await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    let start = tokio::time::Instant::now();
    assert!(!throttle.hold_back(SECOND).await);
    assert!(start.elapsed().is_zero());
    for task in held {
        assert!(task.await.unwrap());
    }
    assert!(throttle.hold_back(SECOND).await, "there is room again");
    assert_eq!(throttle.counts.delayed.get(), SLEEPERS_MAX as u64 + 1);
}

/// What the guide says of memory follows from these.
#[test]
fn an_entry_takes_few_octets() {
    let sizes = [
        size_of::<(Source, OfNetwork)>(),
        size_of::<(Tag, OfAccount)>(),
        size_of::<((Source, Tag), Pair)>(),
        size_of::<(Source, Pressure)>(),
    ];
    assert!(sizes.iter().zip([144, 200, 80, 48]).all(|(is, most)| *is <= most), "{sizes:?}");
}
