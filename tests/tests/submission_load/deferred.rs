//! A next hop that is dead for days, and customers who go on sending.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::sender::Sender;
use crate::shop::Shop;

const DEFERRED: u64 = 100_000;
const SENDERS: u64 = 16;
const OCTETS: usize = 2_000;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);

/// Nobody listens there.
fn dead() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9))
}

/// Messages that the shop takes until `enough` says so, and how long that took.
fn load(shop: &Shop, enough: impl Fn(u64, Duration) -> bool + Sync) -> (u64, Duration) {
    let taken = AtomicU64::new(0);
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                let account = shop.account();
                let mut sender = Sender::connect(shop.address(false), false, account);
                while !enough(taken.load(Ordering::Relaxed), begun.elapsed()) {
                    sender.submit(&account.addresses[0], OCTETS);
                    taken.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    (taken.into_inner(), begun.elapsed())
}

fn rate(shop: &Shop) -> f64 {
    let (taken, time) = load(shop, |_, elapsed| elapsed >= ROUND);
    taken as f64 / time.as_secs_f64()
}

#[test]
#[ignore = "heavy: a queue of a hundred thousand messages"]
fn a_hundred_thousand_deferred_messages_do_not_slow_the_next_ones() {
    let full = Shop::open(dead());
    let before = full.memory();
    load(&full, |taken, _| taken >= DEFERRED);
    let memory = full.memory().saturating_sub(before);
    println!("{DEFERRED} deferred: {} octets of memory each", memory / DEFERRED);
    // In turns: whatever else the machine does meets both.
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let empty = rate(&Shop::open(dead()));
            let behind = rate(&full);
            println!("empty queue {empty:.0}/s, behind {DEFERRED} deferred {behind:.0}/s");
            behind / empty
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ROUNDS / 2];
    println!("ratio {median:.3}");
    // The goal is 0.9; a machine with other work may lie a little.
    assert!(median >= 0.8, "{ratios:?}");
    assert!(memory / DEFERRED < 1_000, "{memory} octets");
}
