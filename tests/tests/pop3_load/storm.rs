//! Connections without end that never log in; meanwhile a customer does.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::crowd;
use crate::kit::Shop;
use crate::measure::{Times, descriptors, wait_for_descriptors};
use crate::visitor::{HERE, Visitor, socket};

/// Some thousand places, none of them the customer's.
fn place(number: usize) -> IpAddr {
    Ipv4Addr::new(127, 66, (number / 200 % 200) as u8, (1 + number % 200) as u8).into()
}

/// Comes and goes: at once by a reset, or after the greeting, or having said something.
fn come_and_go(to: SocketAddr, number: usize) {
    let Ok(socket) = socket(to, place(number), None) else { return };
    let mut visitor = Visitor::Clear(socket);
    match number % 8 {
        0 => drop(visitor.line()),
        1 => drop(visitor.send(b"USER nobody\r\n")),
        _ => {}
    }
    // No port stays behind in TIME_WAIT.
    let _ = SockRef::from(visitor.socket()).set_linger(Some(Duration::ZERO));
}

/// How long the customer's logins took while `storm` went on.
fn customer_during(shop: &Shop, storm: impl FnOnce()) -> Times {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let customer = scope.spawn(|| {
            let mut times = Vec::new();
            while !over.load(Ordering::Relaxed) || times.len() < 10 {
                let began = Instant::now();
                let socket = socket(shop.address(false), HERE, None).unwrap();
                let mut visitor = Visitor::greeted(socket, false);
                visitor.log_in(0);
                visitor.expect("STAT", "+OK 1 ");
                visitor.expect("QUIT", "+OK");
                times.push(began.elapsed());
            }
            Times::of(times)
        });
        storm();
        over.store(true, Ordering::Relaxed);
        customer.join().expect("each of the customer's logins succeeds")
    })
}

#[test]
fn a_customer_logs_in_amid_two_thousand_connections() {
    const COUNT: usize = 2_000;
    let shop = crowd::open(1, 10, "sessions_per_ip_max = 50\n");
    let before = descriptors(&shop);
    let to = shop.address(false);
    let next = AtomicUsize::new(0);
    let times = customer_during(&shop, || {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= COUNT {
                            return;
                        }
                        come_and_go(to, number);
                    }
                });
            }
        });
    });
    println!("the customer's sessions during the storm: {times:.1?}");
    wait_for_descriptors(&shop, before);
}

/// Ten thousand connections a second for some seconds, as near as this machine comes to it: the
/// client has the same cores.
#[test]
#[ignore = "heavy"]
fn a_customer_logs_in_amid_ten_thousand_connections_a_second() {
    const A_SECOND: usize = 10_000;
    const STORM: Duration = Duration::from_secs(5);
    /// Less is no storm.
    const LEAST: usize = 2_000;
    const WORST: Duration = Duration::from_secs(5);
    let shop = crowd::open(1, 10, "sessions_per_ip_max = 50\n");
    let before = descriptors(&shop);
    let to = shop.address(false);
    let next = AtomicUsize::new(0);
    let calm = customer_during(&shop, || thread::sleep(Duration::from_secs(2)));
    let times = customer_during(&shop, || {
        let began = Instant::now();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while began.elapsed() < STORM {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let due = Duration::from_secs_f64(number as f64 / A_SECOND as f64);
                        thread::sleep(due.saturating_sub(began.elapsed()));
                        come_and_go(to, number);
                    }
                });
            }
        });
    });
    let rate = next.into_inner() / STORM.as_secs() as usize;
    println!(
        "{rate} connections a second; the customer's sessions: {calm:.1?} before, {times:.1?}"
    );
    assert!(rate >= LEAST, "only {rate} connections a second");
    assert!(times.p99 <= WORST, "{times:?}");
    wait_for_descriptors(&shop, before);
}
