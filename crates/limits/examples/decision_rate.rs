//! Decisions a second, and the memory of a million accounts.
//!
//! `cargo run --release -p limits --example decision_rate -- [ACCOUNTS] [MESSAGES]`
//!
//! One thread asks about `MESSAGES` messages (2,000,000) of `ACCOUNTS` accounts (1,000,000) in a
//! scattered order, with one recipient each: first of accounts that were never seen, then again
//! of the same ones, then of a thousand busy ones. Every limit is in force, and high enough that
//! all pass. Rates are of processor time, so that others on the machine do not count. Then the
//! snapshot is written and read.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use address::{AccountKey, Mailbox};
use auth::{Clock, ManualClock};
use limits::{AddressConfig, Ceiling, Limits, LimitsConfig, OctetCeiling, ProfileConfig, Who};

type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let accounts: usize = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let messages: usize = arguments.next().map_or(Ok(2_000_000), |text| text.parse())?;
    let directory = std::env::temp_dir().join(format!("decision-rate-{}", std::process::id()));
    let clock = Arc::new(ManualClock::new("2026-11-24T12:00:00Z".parse()?));
    let ceiling = |most| Some(Ceiling { most, action: None });
    let account = ProfileConfig {
        messages_per_hour: ceiling(1_000_000),
        messages_per_day: ceiling(10_000_000),
        recipients_per_hour: ceiling(1_000_000),
        recipients_per_day: ceiling(10_000_000),
        octets_per_day: ceiling(1 << 39).map(OctetCeiling),
        ..ProfileConfig::default()
    };
    let address =
        AddressConfig { messages_per_hour: ceiling(1_000_000), ..AddressConfig::default() };
    let entries_max = accounts.max(1000);
    let config = LimitsConfig { account, address, entries_max, ..LimitsConfig::default() };
    let limits = Limits::open(&config, &directory, clock.clone())?;
    let keys = (0..accounts)
        .map(|number| AccountKey::parse(&format!("customer{number}@example.net"), None))
        .collect::<Result<Vec<_>, _>>()?;
    let friends = (0..16)
        .map(|number| Mailbox::parse(&format!("friend{number}@example.org")))
        .collect::<Result<Vec<_>, _>>()?;
    let before = resident();
    rate("accounts never seen", &limits, &keys, &friends, accounts, &clock).await;
    println!(
        "memory: {} octets for each account and address",
        (resident() - before) / accounts as u64
    );
    rate("accounts seen before", &limits, &keys, &friends, messages, &clock).await;
    rate("1000 busy accounts", &limits, &keys[..keys.len().min(1000)], &friends, messages, &clock)
        .await;
    let begin = Instant::now();
    limits.save()?;
    let octets = std::fs::metadata(directory.join("counters"))?.len();
    println!("snapshot: {octets} octets in {:.2} s", begin.elapsed().as_secs_f64());
    drop(limits);
    let begin = Instant::now();
    black_box(Limits::open(&config, &directory, clock)?);
    println!("read again in {:.2} s", begin.elapsed().as_secs_f64());
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

async fn rate(
    what: &str,
    limits: &Limits,
    keys: &[AccountKey],
    friends: &[Mailbox],
    messages: usize,
    clock: &ManualClock,
) {
    let (begin, mut passed, at) = (worked(), 0_usize, clock.now());
    for number in 0..messages {
        // A step that is prime to nearly every number of accounts: all of them, scattered.
        let place = number.wrapping_mul(7_368_787) % keys.len();
        let address = u32::try_from(place).unwrap_or(0) | 0x0a00_0000;
        let who = Who {
            account: &keys[place],
            client: Some(std::net::Ipv4Addr::from(address).into()),
            listener: "submission",
            profile: None,
        };
        let to = [&friends[number % friends.len()]];
        let ruling = limits.message(&who, to, 4096, at).await;
        if let Some(charge) = ruling.charge {
            charge.keep();
            passed += 1;
        }
    }
    let seconds = worked() - begin;
    println!(
        "{what}: {:.0} decisions/s ({passed} of {messages} passed)",
        messages as f64 / seconds
    );
}

/// Seconds of processor time of this thread, by the kernel's word.
fn worked() -> f64 {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = line.split(' ').next().and_then(|field| field.parse::<f64>().ok());
    nanoseconds.unwrap_or(0.0) / 1e9
}

/// Octets of memory in use, by the kernel's word.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}
