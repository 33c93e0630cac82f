//! Thousands of programs that have logged in and keep their session.

use std::net::SocketAddr;

use crate::sender::Sender;
use crate::shop::Shop;

const SESSIONS: usize = 5_000;
/// The first ones pay for buffers, tables and threads.
const FIRST: usize = 200;

#[test]
#[ignore = "heavy: five thousand sessions, twice"]
fn five_thousand_idle_sessions_are_small() {
    xtask::bench::raise_file_limit();
    for (tls, most) in [(false, 8 << 10), (true, 32 << 10)] {
        let shop = Shop::open(SocketAddr::from(([127, 0, 0, 1], 9)));
        let room = shop.descriptors_max().saturating_sub(300 + FIRST);
        let count = SESSIONS.min(room);
        assert!(count >= 500, "the limit of descriptors is too low to tell anything");
        let account = shop.account();
        let log_in = |number: usize| -> Vec<Sender> {
            (0..number).map(|_| Sender::connect(shop.address(tls), tls, account)).collect()
        };
        let mut held = log_in(FIRST);
        // They have also sent: what that took must be given back.
        for sender in &mut held {
            sender.submit(&account.addresses[0], 20_000);
        }
        let first = shop.memory();
        held.extend(log_in(count));
        for sender in &mut held[FIRST..] {
            sender.submit(&account.addresses[0], 2_000);
        }
        let each = shop.memory().saturating_sub(first) / count as u64;
        println!("{count} idle sessions, tls {tls}: {each} octets each");
        for sender in &mut held {
            sender.ask("NOOP\r\n", &["250"]);
        }
        assert!(each <= most, "tls {tls}: {each} octets\n{}", shop.log().len());
    }
}
