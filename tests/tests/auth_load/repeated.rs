//! Clients that look for mail again and again, with passwords that cost an argon2 each time but
//! for the memory of them.

use std::thread;
use std::time::{Duration, Instant};

use crate::customer::{self, login};
use crate::shop::{Account, COSTLY, Shop};
use crate::wire::{Service, is_welcome};

const CLIENTS: usize = 8;
const LASTS: Duration = Duration::from_secs(3);

/// Whole sessions a second (connection, login, QUIT), and hashes in all.
fn rate(auth: &str) -> (f64, u64) {
    let account = |number| Account { has_box: true, ..Account::new(login(number)) };
    let accounts: Vec<_> = (0..CLIENTS).map(account).collect();
    let shop = Shop::open(auth, &accounts, COSTLY);
    let begun = Instant::now();
    let count: usize = thread::scope(|scope| {
        let client = |number| {
            let to = shop.address(Service::Pop3);
            move || {
                let mut count = 0;
                while begun.elapsed() < LASTS {
                    let (reply, _) = customer::log_in(Service::Pop3, to, number);
                    assert!(is_welcome(&reply), "{reply}");
                    count += 1;
                }
                count
            }
        };
        let clients: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(client(number))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    (count as f64 / begun.elapsed().as_secs_f64(), shop.figures().of("hashes"))
}

#[test]
#[ignore = "heavy: measures time"]
fn a_repeated_login_costs_no_hash() {
    let (remembered, hashes) = rate("");
    println!("remembered: {remembered:.0} POP3 sessions a second, {hashes} hashes in all");
    assert_eq!(hashes, CLIENTS as u64, "one for each account");
    let (hashed, hashes) = rate("cache_ttl = \"0s\"\n");
    println!("hashed each time: {hashed:.1} POP3 sessions a second, {hashes} hashes");
    assert!(remembered >= 20.0 * hashed, "{remembered} and {hashed}");
}
