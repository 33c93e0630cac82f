//! Two hundred customers behind thin lines, and the next one who logs in.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::crowd;
use crate::kit::Shop;
use crate::measure::Times;
use crate::visitor::{HERE, Visitor, is_timeout, socket};

const CUSTOMERS: usize = 200;
/// Some 8 MB: nobody comes to the end.
const LINES: usize = 130_000;
/// What a customer takes in each second.
const OCTETS: usize = 1024;
/// How long logins are measured: several of the seconds in which everybody reads once.
const PHASE: Duration = Duration::from_secs(6);
/// Below this no difference can be felt, and noise would decide.
const FLOOR: Duration = Duration::from_millis(5);
const ATTEMPTS: u32 = 3;

/// Sessions of the next customer for so long, from the connection to the answer to PASS.
fn logins(shop: &Shop, time: Duration) -> Times {
    let one = || {
        let began = Instant::now();
        let socket = socket(shop.address(false), HERE, None).unwrap();
        let mut visitor = Visitor::greeted(socket, false);
        visitor.log_in(CUSTOMERS);
        let took = began.elapsed();
        visitor.expect("QUIT", "+OK");
        took
    };
    let until = Instant::now() + time;
    let mut times = vec![one()];
    while Instant::now() < until {
        times.push(one());
    }
    Times::of(times)
}

/// Takes in [`OCTETS`] of each session each second.
fn read_slowly(customers: &mut [Visitor], over: &AtomicBool) -> Vec<usize> {
    let mut taken = vec![0; customers.len()];
    while !over.load(Ordering::Relaxed) {
        let began = Instant::now();
        for (visitor, taken) in customers.iter_mut().zip(&mut taken) {
            match visitor.read(&mut [0; OCTETS]) {
                Ok(0) => panic!("a slow customer was cut off after {taken} octets"),
                Ok(read) => *taken += read,
                Err(error) => assert!(is_timeout(&error), "{error} after {taken} octets"),
            }
        }
        thread::sleep(Duration::from_secs(1).saturating_sub(began.elapsed()));
    }
    taken
}

/// The logins of the next customer, alone and beside the slow ones.
fn compare(shop: &Shop, tls: bool) -> (Times, Times) {
    let idle = logins(shop, PHASE);
    let mut customers: Vec<Visitor> = (0..CUSTOMERS)
        .map(|number| {
            let socket = socket(shop.address(tls), HERE, Some(4096)).unwrap();
            let mut visitor = Visitor::greeted(socket, tls);
            visitor.log_in(number);
            visitor.send(b"RETR 1\r\n").unwrap();
            visitor.socket().set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            visitor
        })
        .collect();
    let over = AtomicBool::new(false);
    let (loaded, taken) = thread::scope(|scope| {
        let reading = scope.spawn(|| read_slowly(&mut customers, &over));
        thread::sleep(Duration::from_secs(3));
        let loaded = logins(shop, PHASE);
        over.store(true, Ordering::Relaxed);
        (loaded, reading.join().unwrap())
    });
    println!("tls {tls}: logins of the next customer {idle:.2?} alone, {loaded:.2?} beside");
    assert!(taken.iter().all(|&octets| octets > 0), "{taken:?}");
    (idle, loaded)
}

#[test]
#[ignore = "heavy: measures time"]
fn slow_customers_do_not_slow_the_next_login() {
    let shop = crowd::open(CUSTOMERS + 1, LINES, "");
    logins(&shop, PHASE / 4);
    for tls in [false, true] {
        // What else the machine does meanwhile is no fault of the daemon's.
        let kept = (0..ATTEMPTS).any(|_| {
            let (idle, loaded) = compare(&shop, tls);
            loaded.p99 <= (2 * idle.p99).max(FLOOR)
        });
        assert!(kept, "tls {tls}");
    }
}
