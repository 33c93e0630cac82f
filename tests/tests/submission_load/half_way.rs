//! A thousand clients that stop in the middle of an AUTH exchange.

use std::io::Read;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::sender::Sender;
use crate::shop::Shop;

const CROWD: usize = 1_000;
const THREADS: usize = 8;
/// The first ones pay for buffers, tables and threads.
const FIRST: usize = 100;
/// Long enough for all of them to be there at one time.
const TIMEOUT: Duration = Duration::from_secs(10);
/// No more than an idle session may have, in clear and under TLS.
const EACH_MAX: [(bool, u64); 2] = [(false, 8 << 10), (true, 32 << 10)];

/// What they say before they fall silent; each line gets `334`.
const EXCHANGES: &[&[&str]] = &[
    &["AUTH PLAIN\r\n"],
    &["AUTH LOGIN\r\n"],
    &["AUTH LOGIN bm9ib2R5QG9wZW4uZXhhbXBsZQ==\r\n"],
    &["AUTH CRAM-MD5\r\n"],
    // `n,,n=nobody@open.example,r=abcdefgh`
    &["AUTH SCRAM-SHA-256 biwsbj1ub2JvZHlAb3Blbi5leGFtcGxlLHI9YWJjZGVmZ2g=\r\n"],
    &["AUTH SCRAM-SHA-1\r\n", "biwsbj1ub2JvZHlAb3Blbi5leGFtcGxlLHI9YWJjZGVmZ2g=\r\n"],
];

const MECHANISMS: &str = "[auth.sasl]\n\
    mechanisms = [\"PLAIN\", \"LOGIN\", \"CRAM-MD5\", \"SCRAM-SHA-256\", \"SCRAM-SHA-1\"]\n\n[accounts]";

fn stop_half_way(shop: &Shop, tls: bool, numbers: std::ops::Range<usize>) -> Vec<Sender> {
    let stop = |number: usize| {
        let mut sender = Sender::greeted(shop.address(tls), tls);
        for line in EXCHANGES[number % EXCHANGES.len()] {
            sender.ask(line, &["334"]);
        }
        sender
    };
    let numbers: Vec<usize> = numbers.collect();
    thread::scope(|scope| {
        let shares = numbers.chunks(numbers.len().div_ceil(THREADS));
        let shares = shares.map(|share| {
            scope.spawn(move || share.iter().map(|&number| stop(number)).collect::<Vec<_>>())
        });
        let shares: Vec<_> = shares.collect();
        shares.into_iter().flat_map(|share| share.join().unwrap()).collect()
    })
}

/// They cost little more than idle sessions, they are in nobody's way, and the timeout ends them,
/// an octet now and then notwithstanding.
#[test]
#[ignore = "heavy: a thousand sessions, twice, and ten seconds of waiting for each"]
fn who_stops_within_an_exchange_holds_little_and_is_cut_off() {
    xtask::bench::raise_file_limit();
    for (tls, each_max) in EACH_MAX {
        let shop = Shop::open_with(SocketAddr::from(([127, 0, 0, 1], 9)), &|text| {
            let timeout = format!("[submission]\ncommand_timeout = \"{}s\"\n", TIMEOUT.as_secs());
            text.replace("[submission]\n", &timeout).replace("[accounts]", MECHANISMS)
        });
        let account = shop.account();
        let mut crowd = stop_half_way(&shop, tls, 0..FIRST);
        let before = shop.memory();
        crowd.extend(stop_half_way(&shop, tls, FIRST..FIRST + CROWD));
        let begun = Instant::now();
        let each = shop.memory().saturating_sub(before) / CROWD as u64;
        println!("{CROWD} sessions within an exchange, tls {tls}: {each} octets each");
        // A customer does not notice.
        let mut good = Sender::connect(shop.address(tls), tls, account);
        good.submit(&account.addresses[0], 2_000);
        println!("a customer beside them, login and message: {:?}", begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        assert!(each <= each_max, "tls {tls}: {each} octets");
        for mut sender in crowd {
            let mut rest = Vec::new();
            // Under TLS the connection may end without another word.
            let _ = sender.read_to_end(&mut rest);
            let text = String::from_utf8(rest).unwrap();
            assert_eq!(text, "421 4.4.2 Timeout, closing the connection\r\n");
        }
        let took = begun.elapsed();
        println!("all of them cut off after {took:?}");
        assert!(took < TIMEOUT * 3, "{took:?}");
    }
}
