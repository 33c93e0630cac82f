//! Measures the window: octets a grant, consults a second, the longest pause of a sweep.
//!
//! `cargo run --release -p pop-before-smtp --example window [grants]`

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use address::AccountKey;
use pop_before_smtp::{AddressKey, Limits, Window};

fn main() {
    let grants: u32 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let limits = Limits {
        window: Duration::from_secs(1200),
        entries_max: grants as usize,
        per_address: 9,
        per_account: 16,
    };
    let key = |n: u32| AddressKey::new(Ipv4Addr::from(0x0A00_0000 + n).into(), 128);
    // The names are the directory's; a grant shares them.
    let accounts: Vec<_> = (0..grants)
        .filter_map(|n| AccountKey::parse(&format!("user{n}@isp.example"), None).ok())
        .collect();
    let now = Duration::from_secs(1_000_000);
    let window = Window::new();
    let before = resident_octets();
    let begin = Instant::now();
    let mut slowest = Duration::ZERO;
    for (n, account) in accounts.iter().enumerate() {
        let one = Instant::now();
        window.publish(key(n as u32), account, now, &limits);
        slowest = slowest.max(one.elapsed());
    }
    let rate = |count: usize, took: Duration| count as f64 / took.as_secs_f64() / 1e6;
    println!("{} grants", window.len());
    println!("{:.1} octets a grant", (resident_octets() - before) as f64 / f64::from(grants));
    println!("{:.2} M publications/s, slowest {slowest:?}", rate(accounts.len(), begin.elapsed()));

    let probes = 4_000_000u32;
    let begin = Instant::now();
    let mut found = 0;
    for n in 0..probes {
        let who = n.wrapping_mul(2_654_435_761) % grants;
        found += window.grants_of(key(who), now, limits.window).len();
    }
    println!("{:.2} M lookups/s, {found} found", rate(probes as usize, begin.elapsed()));

    let later = now + limits.window;
    let mut pauses = Vec::new();
    let begin = Instant::now();
    while !window.is_empty() {
        let one = Instant::now();
        window.sweep(later, limits.window);
        pauses.push(one.elapsed());
    }
    pauses.sort_unstable();
    let of = |share: usize| pauses.get((pauses.len() - 1) * share / 1000).copied();
    println!(
        "all swept in {:?} by {} calls, median {:?}, 99.9 % {:?}, slowest {:?}",
        begin.elapsed(),
        pauses.len(),
        of(500).unwrap_or_default(),
        of(999).unwrap_or_default(),
        of(1000).unwrap_or_default()
    );
}

/// Octets of this process in memory.
fn resident_octets() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok().and_then(|statm| {
        let pages = statm.split_whitespace().nth(1)?;
        pages.parse::<u64>().ok()
    });
    pages.unwrap_or(0) * 4096
}
