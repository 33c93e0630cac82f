//! The window: life of a grant, bounds, quota, races.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const WINDOW: Duration = Duration::from_secs(1200);

fn limits() -> Limits {
    Limits { window: WINDOW, entries_max: 1_000_000, per_address: 9, per_account: 16 }
}

fn quota() -> Quota {
    Quota { messages: 10, recipients: 50, recipients_per_message: 20 }
}

fn key(n: u32) -> AddressKey {
    AddressKey::new(std::net::Ipv4Addr::from(0x0A00_0000 + n).into(), 128)
}

fn account(n: u32) -> AccountKey {
    AccountKey::parse(&format!("user{n}@isp.example"), None).unwrap()
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(1_000_000 + seconds)
}

fn accounts_of(window: &Window, address: u32, now: Duration) -> Vec<String> {
    let grants = window.grants_of(key(address), now, WINDOW);
    let mut names: Vec<_> = grants.iter().map(|grant| grant.account.to_string()).collect();
    names.sort();
    names
}

/// Sees every record, if no lane has more than a few steps of them.
fn sweep_all(window: &Window, now: Duration) {
    (0..4 * LANES).for_each(|_| _ = window.sweep(now, WINDOW));
}

/// Chains, buckets, free lists and the count agree.
fn assert_sound(window: &Window) {
    let mut by_address: HashMap<AddressKey, usize> = HashMap::new();
    let mut total = 0;
    window.visit(|address, grant| {
        *by_address.entry(address).or_default() += 1;
        total += 1;
        let chain = window.chain(*window.heads.get(&address).unwrap());
        assert!(chain.iter().any(|link| link.id == grant.id));
        let hash = window.hasher.hash_one(&grant.account);
        let lane = lane_of(hash);
        let of_account = lock(&window.lanes[lane]).of_account(&grant.account, hash, lane);
        assert!(of_account.iter().any(|(_, other)| other.id == grant.id));
        ControlFlow::Continue(())
    });
    assert_eq!(total, window.len());
    assert_eq!(by_address.len(), window.heads.len());
    for (address, grants) in by_address {
        assert_eq!(window.chain(*window.heads.get(&address).unwrap()).len(), grants);
    }
}

#[test]
fn a_grant_ends_exactly_one_window_after_the_last_login() {
    let window = Window::new();
    assert_eq!(window.publish(key(1), &account(1), at(0), &limits()), Publication::New);
    let nearly = at(1200) - Duration::from_nanos(1);
    assert_eq!(accounts_of(&window, 1, at(0)).len(), 1);
    assert_eq!(accounts_of(&window, 1, nearly).len(), 1);
    assert_eq!(accounts_of(&window, 1, at(1200)).len(), 0);
    // A reader whose clock was read before the login sees it too.
    assert_eq!(accounts_of(&window, 1, at(0) - Duration::from_millis(5)).len(), 1);
    assert_eq!(window.publish(key(1), &account(1), nearly, &limits()), Publication::Refreshed);
    assert_eq!(accounts_of(&window, 1, at(1200)).len(), 1);
    assert_eq!(window.publish(key(1), &account(1), at(2400), &limits()), Publication::New);
    assert_eq!((window.len(), accounts_of(&window, 2, at(2400)).len()), (1, 0));
    assert_sound(&window);
}

#[test]
fn neighbours_do_not_replace_each_other() {
    let window = Window::new();
    for n in 0..5 {
        window.publish(key(1), &account(n), at(n.into()), &limits());
    }
    assert_eq!(accounts_of(&window, 1, at(10)).len(), 5);
    assert_eq!(window.revoke(Which::Account(&account(3))), 1);
    assert_eq!(accounts_of(&window, 1, at(10)).len(), 4);
    assert!(!accounts_of(&window, 1, at(10)).contains(&account(3).to_string()));
    assert_sound(&window);
}

#[test]
fn an_address_keeps_the_youngest() {
    let window = Window::new();
    for n in 0..100 {
        window.publish(key(1), &account(n), at(n.into()), &limits());
    }
    let mut youngest: Vec<_> = (91..100).map(|n| account(n).to_string()).collect();
    youngest.sort();
    assert_eq!(accounts_of(&window, 1, at(100)), youngest);
    assert_eq!(window.len(), 9);
    assert_sound(&window);
}

#[test]
fn an_account_keeps_its_youngest_addresses() {
    let window = Window::new();
    for n in 0..100 {
        window.publish(key(n), &account(7), at(n.into()), &limits());
    }
    assert_eq!(window.len(), 16);
    for n in 0..100 {
        assert_eq!(accounts_of(&window, n, at(100)).len(), usize::from(n >= 84), "{n}");
    }
    assert_sound(&window);
    assert_eq!(window.revoke(Which::Account(&account(7))), 16);
    assert!(window.is_empty() && window.heads.is_empty());
}

#[test]
fn a_full_window_gives_up_old_ones_and_stays_bounded() {
    let window = Window::new();
    let limits = Limits { entries_max: 2_000, ..limits() };
    for n in 0..10_000 {
        let now = at(u64::from(n) / 20);
        assert_eq!(window.publish(key(n), &account(n), now, &limits), Publication::New);
        assert!(window.len() <= 2_000);
    }
    let now = at(500);
    let mut ages = Vec::new();
    window.visit(|_, grant| {
        ages.push((now - grant.login).as_secs());
        ControlFlow::Continue(())
    });
    ages.sort_unstable();
    assert_eq!(ages.len(), 2_000);
    // The sample is a few records, so the oldest go first by and large, not exactly.
    assert!(ages[1_000] < 75, "{}", ages[1_000]);
    assert!(accounts_of(&window, 9_999, now).len() == 1);
    assert_sound(&window);
}

#[test]
fn sweeping_frees_what_is_over_and_only_that() {
    let window = Window::new();
    for n in 0..5_000 {
        window.publish(key(n), &account(n), at(u64::from(n) / 5), &limits());
    }
    assert_eq!(window.len(), 5_000);
    sweep_all(&window, at(1_700));
    // Those of second 500 and before are over at 1700.
    assert_eq!(window.len(), 5_000 - 501 * 5);
    assert_sound(&window);
    for n in 0..5_000u32 {
        assert_eq!(accounts_of(&window, n, at(1_700)).len(), usize::from(n / 5 > 500), "{n}");
    }
    sweep_all(&window, at(10_000));
    assert!(window.is_empty() && window.heads.is_empty());
    // Freed records are used again.
    let records = |window: &Window| window.lanes.iter().map(|lane| lock(lane).len()).sum::<usize>();
    let before = records(&window);
    for n in 0..5_000 {
        window.publish(key(n), &account(n), at(20_000), &limits());
    }
    assert_eq!(records(&window), before);
    assert_sound(&window);
}

#[test]
fn publications_alone_keep_the_window_clean() {
    let window = Window::new();
    for n in 0..60_000u32 {
        window.publish(key(n), &account(n), at(u64::from(n)), &limits());
    }
    // 1200 are live; the rest goes with the logins that come.
    assert!(window.len() < 4_000, "{}", window.len());
    assert_sound(&window);
}

fn only_grant(window: &Window, now: Duration) -> Grant {
    window.grants_of(key(1), now, WINDOW).pop().unwrap()
}

#[test]
fn what_is_under_way_counts_for_the_quota() {
    let window = Window::new();
    window.publish(key(1), &account(1), at(0), &limits());
    let grant = only_grant(&window, at(0));
    let first = window.reserve(&grant, &quota(), None).unwrap();
    let second = window.reserve(&grant, &quota(), None).unwrap();
    let third = window.reserve(&grant, &quota(), None).unwrap();
    assert_eq!((first, second, third), (20, 20, 10));
    assert_eq!(window.reserve(&grant, &quota(), None), Err(Unreserved::Recipients));
    // One was given up, one had a single recipient, one used all it could.
    window.settle(&grant, first, None);
    window.settle(&grant, second, Some(1));
    window.settle(&grant, third, Some(10));
    let seen = only_grant(&window, at(0));
    assert_eq!((seen.messages, seen.recipients), (2, 11));
    // A settlement that claims more than was reserved gains nothing and costs nothing more.
    let fourth = window.reserve(&grant, &quota(), None).unwrap();
    window.settle(&grant, fourth, Some(1_000_000));
    assert_eq!(only_grant(&window, at(0)).recipients, 31);
    for _ in 3..10 {
        let taken = window.reserve(&grant, &quota(), None).unwrap();
        window.settle(&grant, taken, Some(1));
    }
    assert_eq!(window.reserve(&grant, &quota(), None), Err(Unreserved::Messages));
}

#[test]
fn frequent_logins_do_not_multiply_the_quota() {
    let window = Window::new();
    window.publish(key(1), &account(1), at(0), &limits());
    let small = Quota { messages: 1, ..quota() };
    let grant = only_grant(&window, at(0));
    window.reserve(&grant, &small, None).unwrap();
    for minute in 1..20 {
        window.publish(key(1), &account(1), at(minute * 60), &limits());
        let grant = only_grant(&window, at(minute * 60));
        assert_eq!(window.reserve(&grant, &small, None), Err(Unreserved::Messages), "{minute}");
    }
    window.publish(key(1), &account(1), at(1200), &limits());
    let renewed = only_grant(&window, at(1200));
    assert_eq!((renewed.messages, renewed.recipients), (0, 0));
    assert!(window.reserve(&renewed, &small, None).is_ok());
    // The old one settles late, and gives nothing back to the new period.
    window.settle(&grant, 20, None);
    assert_eq!(only_grant(&window, at(1200)).messages, 1);
}

#[test]
fn a_grant_that_is_gone_is_not_reserved_even_if_its_record_lives_on() {
    let window = Window::new();
    window.publish(key(1), &account(1), at(0), &limits());
    let grant = only_grant(&window, at(0));
    assert_eq!(window.revoke(Which::Address(key(1))), 1);
    assert_eq!(window.reserve(&grant, &quota(), None), Err(Unreserved::Gone));
    window.publish(key(1), &account(1), at(1), &limits());
    let again = only_grant(&window, at(1));
    assert_eq!(again.id, grant.id, "the record is used again");
    assert_eq!(window.reserve(&grant, &quota(), None), Err(Unreserved::Gone));
    window.settle(&grant, 20, None);
    assert_eq!(window.revoke(Which::All), 1);
    assert_eq!(window.revoke(Which::All), 0);
}

#[test]
fn the_first_helo_pins_until_the_next_login() {
    let window = Window::new();
    window.publish(key(1), &account(1), at(0), &limits());
    let (desktop, copier) = (window.helo_mark("Desktop"), window.helo_mark("copier"));
    assert_eq!(window.helo_mark(" DESKTOP "), desktop);
    let grant = only_grant(&window, at(0));
    for _ in 0..2 {
        let taken = window.reserve(&grant, &quota(), Some(desktop)).unwrap();
        window.settle(&grant, taken, Some(1));
    }
    assert_eq!(window.reserve(&grant, &quota(), Some(copier)), Err(Unreserved::Helo));
    // Without the pin the name is of no interest.
    assert!(window.reserve(&grant, &quota(), None).is_ok());
    window.publish(key(1), &account(1), at(60), &limits());
    assert!(window.reserve(&only_grant(&window, at(60)), &quota(), Some(copier)).is_ok());
}

#[test]
fn concurrent_reservations_never_exceed_the_quota() {
    let window = Window::new();
    window.publish(key(1), &account(1), at(0), &limits());
    let grant = only_grant(&window, at(0));
    let quota = Quota { messages: 1_000, recipients: 3_000, recipients_per_message: 7 };
    let taken: u32 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut taken = 0;
                    for n in 0..2_000u32 {
                        let Ok(reserved) = window.reserve(&grant, &quota, None) else { continue };
                        let used = (n % 3 != 0).then_some(n % 8);
                        window.settle(&grant, reserved, used);
                        taken += used.unwrap_or(0).min(reserved.into());
                    }
                    taken
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let seen = only_grant(&window, at(0));
    assert_eq!(u32::from(seen.recipients), taken);
    assert!(seen.messages <= 1_000 && seen.recipients <= 3_000);
}

#[test]
fn publish_consult_sweep_and_revoke_at_once() {
    let window = Window::new();
    let limits = Limits { entries_max: 500, per_address: 4, per_account: 3, ..limits() };
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..3u32 {
            let (window, limits) = (&window, &limits);
            scope.spawn(move || {
                for n in 0..30_000u32 {
                    let seed = n.wrapping_mul(2_654_435_761).rotate_left(thread * 7);
                    let (address, person) = (seed % 300, seed / 300 % 400);
                    let now = at(u64::from(n) / 5);
                    window.publish(key(address), &account(person), now, limits);
                    let grants = window.grants_of(key(address), now, WINDOW);
                    assert!(grants.len() <= 4);
                    for grant in &grants {
                        if let Ok(reserved) = window.reserve(grant, &quota(), Some(1)) {
                            window.settle(grant, reserved, (n % 2 == 0).then_some(1));
                        }
                    }
                    match n % 50 {
                        0 => _ = window.revoke(Which::Account(&account(person + 1))),
                        1 => _ = window.revoke(Which::Address(key(address + 1))),
                        _ => {}
                    }
                }
            });
        }
        let sweeper = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                window.sweep(at(3_000), WINDOW);
                let mut seen = 0;
                window.visit(|_, _| {
                    seen += 1;
                    ControlFlow::Continue(())
                });
                assert!(seen <= 1_000);
            }
        });
        std::thread::sleep(Duration::from_millis(300));
        stop.store(true, Ordering::Relaxed);
        sweeper.join().unwrap();
    });
    assert_sound(&window);
    assert!(window.len() <= 500, "{}", window.len());
    window.revoke(Which::All);
    assert!(window.is_empty() && window.heads.is_empty());
}

/// The window as it would be written without regard for memory and speed.
#[derive(Default)]
struct Model(HashMap<(u32, u32), u64>);

impl Model {
    fn live(&self, address: u32, now: u64) -> Vec<String> {
        let live = self.0.iter().filter(|((a, _), login)| *a == address && now < **login + 1200);
        let mut names: Vec<_> = live.map(|((_, person), _)| account(*person).to_string()).collect();
        names.sort();
        names
    }
}

proptest! {
    #[test]
    fn behaves_like_a_plain_table(
        steps in proptest::collection::vec((0u32..6, 0u32..5, 0u64..400, 0u8..10), 1..200),
    ) {
        let window = Window::new();
        let mut model = Model::default();
        let mut now = 0;
        for (address, person, passes, what) in steps {
            now += passes;
            match what {
                0 => {
                    window.revoke(Which::Account(&account(person)));
                    model.0.retain(|(_, p), _| *p != person);
                }
                1 => {
                    window.revoke(Which::Address(key(address)));
                    model.0.retain(|(a, _), _| *a != address);
                }
                2 => sweep_all(&window, at(now)),
                _ => {
                    window.publish(key(address), &account(person), at(now), &limits());
                    model.0.insert((address, person), now);
                }
            }
            for address in 0..6 {
                prop_assert_eq!(accounts_of(&window, address, at(now)), model.live(address, now));
            }
        }
        assert_sound(&window);
    }
}
