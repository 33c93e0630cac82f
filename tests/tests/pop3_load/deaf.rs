//! Clients that ask for much and take in nothing.

use std::io::Write;
use std::time::Duration;

use lastpost_tests::eventually;

use crate::crowd;
use crate::kit::PATIENCE;
use crate::measure::{descriptors, memory, wait_for_descriptors};
use crate::visitor::{HERE, Visitor, socket};

const CROWD: usize = 60;
/// Some 24 MB: more than the system buffers for a socket.
const LINES: usize = 400_000;
/// For each of them, one block on its way and some.
const EACH_MAX: u64 = 768 << 10;
/// For the allocator.
const SLACK: u64 = 24 << 20;

/// Each holds a block and no more, is cut off by `write_timeout`, and its box is free then; its
/// own end of the connection stays open all the time.
#[test]
fn who_never_reads_is_cut_off_and_holds_no_more_than_a_block() {
    let shop = crowd::open(CROWD + 1, LINES, "write_timeout = \"3s\"\n");
    let mut good = Visitor::greeted(socket(shop.address(false), HERE, None).unwrap(), false);
    good.log_in(CROWD);
    // Once each way, so that what is made once is made.
    for tls in [false, true] {
        let mut first = Visitor::greeted(socket(shop.address(tls), HERE, None).unwrap(), tls);
        first.log_in(0);
        first.expect("QUIT", "+OK");
    }
    wait_for_sessions(&shop, 1);
    let before = (descriptors(&shop), memory(&shop));

    let mut deaf: Vec<Visitor> = (0..CROWD)
        .map(|number| {
            let tls = number % 2 == 0;
            let socket = socket(shop.address(tls), HERE, Some(4096)).unwrap();
            let mut visitor = Visitor::greeted(socket, tls);
            visitor.log_in(number);
            visitor.send(&b"RETR 1\r\n".repeat(20)).unwrap();
            visitor
        })
        .collect();
    let mut most = 0;
    eventually(PATIENCE, "all of them to be cut off", || {
        most = memory(&shop).max(most);
        good.expect("NOOP", "+OK");
        shop.daemon().log().matches("ended=\"unread\"").count() == CROWD
    });
    let rise = most.saturating_sub(before.1);
    println!("{CROWD} clients that do not read: {} KiB each", rise / 1024 / CROWD as u64);
    assert!(rise <= CROWD as u64 * EACH_MAX + SLACK, "{rise} octets");
    wait_for_descriptors(&shop, before.0);
    // Free, while the deaf still hold their ends.
    let mut again = Visitor::greeted(socket(shop.address(false), HERE, None).unwrap(), false);
    again.log_in(7);
    again.expect("QUIT", "+OK");
    for visitor in &mut deaf {
        visitor.wait_until_closed(PATIENCE);
    }
}

fn wait_for_sessions(shop: &crate::kit::Shop, count: usize) {
    eventually(PATIENCE, "the sessions to end", || {
        shop.daemon().log().matches("session ended").count() > count
    });
}

/// Commands without end, whose answers nobody reads: the daemon stops reading them.
#[test]
fn who_only_ever_asks_is_cut_off() {
    let shop = crowd::open(2, 10, "write_timeout = \"3s\"\n");
    let mut good = Visitor::greeted(socket(shop.address(false), HERE, None).unwrap(), false);
    good.log_in(1);
    let (before, memory_before) = (descriptors(&shop), memory(&shop));
    for logged_in in [false, true] {
        let socket = socket(shop.address(false), HERE, Some(4096)).unwrap();
        let mut asking = Visitor::greeted(socket, false);
        if logged_in {
            asking.log_in(0);
        }
        asking.socket().set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        let block = b"CAPA\r\n".repeat(10_000);
        let mut sent = 0_u64;
        // Until it is cut off; a pause of the daemon's is not yet that.
        eventually(PATIENCE, "it to be cut off", || {
            match asking.write(&block) {
                Ok(count) => sent += count as u64,
                Err(error) => return !crate::visitor::is_timeout(&error),
            }
            assert!(sent < 1 << 30, "it is never cut off");
            false
        });
        good.expect("NOOP", "+OK");
    }
    let rise = memory(&shop).saturating_sub(memory_before);
    assert!(rise <= SLACK, "{rise} octets");
    wait_for_descriptors(&shop, before);
}
