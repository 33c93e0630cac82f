//! Customers in bad company: behind one address with an attacker, with an old password, with a
//! whole office.

use super::*;

/// A day of a telephone with an old password, which asks each minute from a moving address, and
/// a household in which two more have it: nobody waits, nothing is blocked, nobody is attacked.
#[test]
fn a_day_with_an_old_password_hurts_nobody() {
    let throttle = throttle();
    let home = |client: &str| subject(&throttle, client, "ann@x.net");
    succeed(&throttle, &home("192.0.2.1"), at(0.0));
    for minute in 0..24 * 60_u64 {
        let now = at(minute as f64 * 60.0);
        let roaming = format!("100.64.{}.{}", minute / 250, minute % 250);
        for client in ["192.0.2.1", "192.0.2.1", &roaming] {
            // The same wrong password, whoever sends it.
            let delay = fail(&throttle, &home(client), 7, now);
            assert!(delay.as_millis() <= 500, "{delay:?} in minute {minute}");
        }
    }
    let now = at(86_400.0);
    assert_eq!(standing(&throttle, &home("192.0.2.1"), now), Standing::Known);
    assert_eq!(admit(&throttle, &home("192.0.2.1"), now), Ok(Duration::ZERO));
    let neighbour = subject(&throttle, "192.0.2.1", "bob@x.net");
    assert_eq!(admit(&throttle, &neighbour, now), Ok(Duration::ZERO));
    assert!(throttle.events(10).is_empty());
    assert_eq!(throttle.counts.attacked.get() + throttle.counts.blocks.get(), 0);
}

/// Fifty thousand customers behind a few addresses of their provider, of whom one in a hundred
/// has an old password: the telephones repeat it, and new customers come.
#[test]
fn old_passwords_behind_a_carriers_nat_slow_nobody_down() {
    let throttle = throttle();
    let who = |n: u64| {
        let client = format!("100.64.0.{}", n % 50);
        subject(&throttle, &client, &format!("customer{n}@x.net"))
    };
    // Everybody has logged in before, as customers do, and some again each minute.
    (0..50_000).for_each(|n| succeed(&throttle, &who(n), at(0.0)));
    for minute in 1..60_u64 {
        let now = at(minute as f64 * 60.0);
        for n in 0..500 {
            let delay = fail(&throttle, &who(n * 100), 7, now);
            assert!(delay.as_millis() <= 500, "{delay:?}");
        }
        (0..500).for_each(|n| succeed(&throttle, &who(n * 100 + minute), now));
    }
    assert!(throttle.events(10).is_empty());
    for n in 0..50 {
        let new = subject(&throttle, &format!("100.64.0.{n}"), &format!("new{n}@x.net"));
        assert_eq!(admit(&throttle, &new, at(3600.0)), Ok(Duration::ZERO));
    }
}

#[test]
fn a_customer_gets_in_from_a_blocked_network() {
    let throttle = throttle();
    let home = subject(&throttle, "192.0.2.1", "ann@x.net");
    succeed(&throttle, &home, at(0.0));
    for n in 0..200 {
        let who = subject(&throttle, "192.0.2.1", &format!("u{n}@x.net"));
        fail(&throttle, &who, n, at(n as f64));
    }
    let stranger = subject(&throttle, "192.0.2.1", "bob@x.net");
    assert_eq!(admit(&throttle, &stranger, at(201.0)), Err(PutOff::Blocked));
    assert_eq!(admit(&throttle, &home, at(201.0)), Ok(Duration::ZERO));
    // What he may, his neighbour's attacker may not by failing at his account.
    (0..3).for_each(|n| _ = fail(&throttle, &home, 1000 + n, at(202.0)));
    assert_eq!(admit(&throttle, &home, at(203.0)), Err(PutOff::Blocked));
}

/// On Monday an office of two hundred has to change its passwords: each mistypes, at an account
/// that he used there before.
#[test]
fn an_office_that_mistypes_is_not_blocked() {
    let throttle = throttle();
    let who = |n: u64| subject(&throttle, "192.0.2.1", &format!("staff{n}@x.net"));
    (0..200).for_each(|n| succeed(&throttle, &who(n), at(0.0)));
    for n in 0..200 {
        assert!(fail(&throttle, &who(n), n, at(n as f64)).as_millis() <= 500);
        succeed(&throttle, &who(n), at(n as f64 + 0.5));
    }
    assert!(throttle.events(10).is_empty());
    let new = subject(&throttle, "192.0.2.1", "new@x.net");
    assert_eq!(admit(&throttle, &new, at(200.0)), Ok(Duration::ZERO));
}

/// Where many log in many fail: each customer makes up for one failure.
#[test]
fn customers_make_up_for_strangers_who_fail() {
    let throttle = throttle();
    let of = |name: &str, n: u64| subject(&throttle, "100.64.0.1", &format!("{name}{n}@x.net"));
    // The first failure makes the address one that is watched.
    fail(&throttle, &of("lost", 0), 1, at(0.0));
    (0..100).for_each(|n| succeed(&throttle, &of("customer", n), at(1.0)));
    for n in 1..60 {
        let delay = fail(&throttle, &of("lost", n), 1, at(2.0 + n as f64));
        assert!(delay.as_millis() <= 500, "{delay:?} after {n}");
    }
    assert!(throttle.events(10).is_empty());
    // But not for an attack.
    for n in 60..200 {
        fail(&throttle, &of("lost", n), 1, at(2.0 + n as f64));
    }
    assert_eq!(throttle.counts.sprayings.get(), 1);
}

#[test]
fn nothing_counts_that_comes_from_a_trusted_network() {
    let mut config = AuthConfig::default();
    config.attack.trusted_networks = vec!["203.0.113.0/24".parse().unwrap()];
    let throttle = Throttle::new(&config);
    for n in 0..2000 {
        let who = subject(&throttle, "::ffff:203.0.113.5", &format!("u{}@x.net", n % 100));
        assert_eq!(admit(&throttle, &who, at(0.0)), Ok(Duration::ZERO));
        assert_eq!(fail(&throttle, &who, n, at(0.0)).as_millis(), 500);
    }
    assert!(throttle.events(10).is_empty());
    let elsewhere = subject(&throttle, "192.0.2.1", "u1@x.net");
    assert_eq!(admit(&throttle, &elsewhere, at(0.0)), Ok(Duration::ZERO));
    // Whoever merely claims such an address is not there.
    let mut claims = origin("203.0.113.5");
    claims.channel.genuine_address = false;
    assert!(!throttle.subject(&claims, None).trusted);
}
