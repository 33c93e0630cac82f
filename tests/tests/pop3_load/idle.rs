//! Ten thousand customers who have logged in and stay.

use std::thread;

use crate::crowd;
use crate::kit::Shop;
use crate::measure::{descriptors, descriptors_max, memory, wait_for_descriptors};
use crate::visitor::{HERE, Visitor, socket};

const SESSIONS: usize = 10_000;
/// A socket and a Maildir.
const DESCRIPTORS_EACH: usize = 2;
const THREADS: usize = 8;
/// The first ones pay for buffers, tables and threads.
const FIRST: usize = 200;

/// Logs all of them in, each to its own box.
fn log_in(shop: &Shop, tls: bool, from: usize, to: usize) -> Vec<Visitor> {
    let share = (to - from).div_ceil(THREADS);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|worker| {
                let numbers =
                    (from + worker * share).min(to)..(from + (worker + 1) * share).min(to);
                scope.spawn(move || -> Vec<Visitor> {
                    let one = |number| {
                        let socket = socket(shop.address(tls), HERE, None).unwrap();
                        let mut visitor = Visitor::greeted(socket, tls);
                        visitor.log_in(number);
                        visitor.expect("STAT", "+OK 1 ");
                        visitor
                    };
                    numbers.map(one).collect()
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

#[test]
#[ignore = "heavy: ten thousand sessions, twice"]
fn ten_thousand_idle_sessions_are_small() {
    xtask::bench::raise_file_limit();
    let mut shop = crowd::shop(SESSIONS + FIRST, 10, "");
    // Where that is allowed.
    shop.wrap("ulimit -n 65536 2>/dev/null || true; exec \"$@\"");
    for (tls, most) in [(false, 8 << 10), (true, 32 << 10)] {
        shop.start();
        let room = descriptors_max(&shop).saturating_sub(300) / DESCRIPTORS_EACH;
        let count = SESSIONS.min(room.saturating_sub(FIRST));
        if count < SESSIONS {
            eprintln!("only {count} sessions: the system allows no more descriptors");
        }
        assert!(count >= 1_000, "the limit of descriptors is too low to tell anything");
        let before = descriptors(&shop);
        let mut held = log_in(&shop, tls, 0, FIRST);
        let first = memory(&shop);
        held.extend(log_in(&shop, tls, FIRST, FIRST + count));
        let each = memory(&shop).saturating_sub(first) / count as u64;
        println!("{count} idle sessions, tls {tls}: {each} octets each");
        // They are all there, and served.
        for visitor in &mut held {
            visitor.expect("NOOP", "+OK");
        }
        assert!(each <= most, "tls {tls}: {each} octets");
        drop(held);
        wait_for_descriptors(&shop, before);
        shop.kill_9();
    }
}
