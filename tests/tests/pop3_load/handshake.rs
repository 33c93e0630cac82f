//! A thousand clients that go away in the middle of a TLS handshake.

use std::io::{Read, Write};
use std::time::Duration;

use socket2::SockRef;

use crate::crowd;
use crate::kit::Shop;
use crate::measure::{descriptors, memory, wait_for_descriptors};
use crate::trickle::client_hello;
use crate::visitor::{HERE, Visitor, socket};

const COUNT: usize = 1_000;
/// For the allocator.
const SLACK: u64 = 16 << 20;

/// Goes away at another point each time: with a farewell or by a reset, before the first octet,
/// within the first message, behind it, or with the server's answer in hand.
fn abort(shop: &Shop, hello: &[u8], number: usize) {
    let by_command = number.is_multiple_of(3);
    let to = shop.address(!by_command);
    let mut visitor = Visitor::Clear(socket(to, HERE, None).unwrap());
    if by_command {
        visitor.line().unwrap();
        visitor.expect("STLS", "+OK");
    }
    let mut socket = visitor.socket();
    match number % 5 {
        0 => {}
        1 => drop(socket.write_all(&hello[..1 + number % hello.len()])),
        2 => socket.write_all(hello).unwrap(),
        3 => {
            socket.write_all(hello).unwrap();
            let answered = socket.read(&mut [0; 4096]).unwrap();
            assert!(answered > 0, "a handshake is answered");
        }
        // Noise where the client's second message belongs.
        _ => {
            socket.write_all(hello).unwrap();
            drop(socket.write_all(&[0x17, 3, 3, 0, 32]));
            drop(socket.write_all(&[number as u8; 32]));
        }
    }
    if number.is_multiple_of(2) {
        SockRef::from(visitor.socket()).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

#[test]
fn a_thousand_broken_handshakes_leave_nothing_behind() {
    let shop = crowd::open(1, 10, "");
    let hello = client_hello();
    let log_in = || {
        let mut good = Visitor::greeted(socket(shop.address(true), HERE, None).unwrap(), true);
        good.log_in(0);
        good.expect("QUIT", "+OK");
        good.wait_until_closed(crate::kit::PATIENCE);
    };
    let before = descriptors(&shop);
    log_in();
    for number in 0..100 {
        abort(&shop, &hello, number);
    }
    wait_for_descriptors(&shop, before);
    let memory_before = memory(&shop);
    for number in 0..COUNT {
        abort(&shop, &hello, number);
        if number % 100 == 0 {
            log_in();
        }
    }
    log_in();
    wait_for_descriptors(&shop, before);
    let rise = memory(&shop).saturating_sub(memory_before);
    println!("{COUNT} broken handshakes: {} KiB more", rise / 1024);
    assert!(rise <= SLACK, "{rise} octets");
}
