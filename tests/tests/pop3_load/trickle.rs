//! Clients that send an octet a second: `login_timeout` ends them, however they are dressed.

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::crowd;
use crate::kit::{PATIENCE, Shop};
use crate::measure::{descriptors, wait_for_descriptors};
use crate::visitor::{HERE, Visitor, socket, tls_session};

const STEP: Duration = Duration::from_secs(1);
/// The least that may be configured.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends an octet of `octets` a second until the daemon closes; how long that took.
fn trickle(mut visitor: Visitor, octets: &[u8], began: Instant, patience: Duration) -> Duration {
    let socket = visitor.socket().try_clone().unwrap();
    socket.set_read_timeout(Some(STEP)).unwrap();
    for octet in octets.iter().cycle() {
        assert!(began.elapsed() < patience, "it may go on for ever");
        // Refused once the daemon has closed.
        let refused = visitor.send(&[*octet]).is_err();
        if refused || is_closed(&socket) {
            return began.elapsed();
        }
    }
    unreachable!("there is no last octet")
}

/// Looks for a second whether the connection ends.
fn is_closed(mut socket: &TcpStream) -> bool {
    let until = Instant::now() + STEP;
    while Instant::now() < until {
        match std::io::Read::read(&mut socket, &mut [0; 512]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return !crate::visitor::is_timeout(&error),
        }
    }
    false
}

/// Comes to where the octets begin to trickle, and says which.
type Begin<'a> = Box<dyn FnOnce() -> (Visitor, Vec<u8>) + Send + 'a>;

fn greeted(shop: &Shop, tls: bool) -> Visitor {
    Visitor::greeted(socket(shop.address(tls), HERE, None).unwrap(), tls)
}

/// The first message of a TLS client.
pub(crate) fn client_hello() -> Vec<u8> {
    let mut hello = Vec::new();
    tls_session().write_tls(&mut hello).unwrap();
    hello
}

#[test]
fn an_octet_a_second_is_ended_by_the_login_timeout() {
    let shop = crowd::open(2, 10, "login_timeout = \"5s\"\n");
    let mut good = greeted(&shop, true);
    good.log_in(0);
    let before = descriptors(&shop);
    let hello = client_hello();
    thread::scope(|scope| {
        let ways: [(&str, Begin<'_>); 4] = [
            ("in clear", Box::new(|| (greeted(&shop, false), vec![b'N']))),
            ("whole commands", Box::new(|| (greeted(&shop, false), b"CAPA\r\n".to_vec()))),
            ("under TLS", Box::new(|| (greeted(&shop, true), vec![b'N']))),
            (
                "within the handshake after STLS",
                Box::new(|| {
                    let mut visitor = greeted(&shop, false);
                    visitor.expect("STLS", "+OK");
                    (visitor, hello.clone())
                }),
            ),
        ];
        let running: Vec<_> = ways
            .into_iter()
            .map(|(way, begin)| {
                scope.spawn(move || {
                    let began = Instant::now();
                    let (visitor, octets) = begin();
                    (way, trickle(visitor, &octets, began, PATIENCE))
                })
            })
            .collect();
        for way in running {
            let (way, took) = way.join().unwrap();
            println!("{way}: ended after {took:.1?}");
            assert!(took >= LOGIN_TIMEOUT - Duration::from_millis(500), "{way}: {took:?}");
        }
    });
    // Whoever has logged in is none of them.
    good.expect("NOOP", "+OK");
    wait_for_descriptors(&shop, before);
    good.expect("QUIT", "+OK");
}

/// Before the greeting under implicit TLS the handshake has half a minute of its own.
#[test]
#[ignore = "heavy: takes half a minute"]
fn a_handshake_by_the_octet_is_ended() {
    let shop = crowd::open(2, 10, "");
    let before = descriptors(&shop);
    let began = Instant::now();
    let visitor = Visitor::Clear(socket(shop.address(true), HERE, None).unwrap());
    let took = trickle(visitor, &client_hello(), began, 3 * PATIENCE);
    println!("ended after {took:.1?}");
    assert!(took >= Duration::from_secs(29), "{took:?}");
    wait_for_descriptors(&shop, before);
}
