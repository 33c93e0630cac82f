//! Measures the window: octets a grant, consults a second, the longest pause of a sweep.
//!
//! `cargo run --release -p pop-before-smtp --example window [grants]`
//!
//! Rates are by the thread's processor time, so that a busy machine does not spoil them.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use address::{AccountKey, Mailbox, ReversePath};
use auth::{Account, Attempt, Directory, Moment, StoredHash};
use dashmap::DashMap;
use phaseout::Source;
use pop_before_smtp::{AddressKey, BridgeConfig, Candidate, Limits, Verdict, Window, consult};

const SCHEDULE: &str = r#"
[[schedule.cohort]]
name = "north"
domains = ["north.example"]
notice = 2027-01-10
closed = 2027-03-10
[[schedule.cohort]]
name = "rest"
rest = true
notice = 2027-02-10
closed = 2028-03-10
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let grants: u32 = std::env::args().nth(1).map_or(Ok(1_000_000), |n| n.parse())?;
    let limits = Limits {
        window: Duration::from_secs(1200),
        entries_max: grants as usize,
        per_address: 9,
        per_account: 16,
    };
    // The names are the directory's; a grant shares them.
    let accounts = (0..grants).map(account).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<_> = accounts.iter().map(|account| account.key().clone()).collect();
    let directory = Directory::from_accounts(accounts, None)?;
    let now = Duration::from_secs(1_000_000);
    let window = Window::new();
    let before = resident_octets();
    let begin = processor_time();
    for (n, name) in (0u32..).zip(&names) {
        window.publish(key(n), name, now, &limits);
    }
    println!("{} grants, {:.2} M publications/s", window.len(), rate(grants, begin));
    println!("{:.1} octets a grant", (resident_octets() - before) as f64 / f64::from(grants));
    lookups(&window, grants, now, &limits);
    consults(&window, &directory, &names, now)?;
    sweeps(&window, now + limits.window, limits.window);
    Ok(())
}

fn account(n: u32) -> Result<Account, Box<dyn std::error::Error>> {
    let name = format!("user{n}@isp.example");
    let hash = StoredHash::parse("{PLAIN}x")?;
    let key = AccountKey::parse(&name, None)?;
    Ok(Account::new(key, vec![Mailbox::parse(&name)?], hash, PathBuf::new(), false))
}

fn key(n: u32) -> AddressKey {
    AddressKey::new(client(n).into(), 128)
}

fn client(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0A00_0000 + n)
}

/// Somebody at random.
fn somebody(n: u32, grants: u32) -> u32 {
    n.wrapping_mul(2_654_435_761) % grants
}

fn lookups(window: &Window, grants: u32, now: Duration, limits: &Limits) {
    let probes = 4_000_000;
    let begin = processor_time();
    let found: usize = (0..probes)
        .map(|n| window.grants_of(key(somebody(n, grants)), now, limits.window).len())
        .sum();
    println!("{:.2} M lookups/s, {found} found", rate(probes, begin));

    // What a map of addresses and times alone would do, without accounts or quotas.
    let plain = DashMap::new();
    let before = resident_octets();
    (0..grants).for_each(|n| _ = plain.insert(IpAddr::from(client(n)), now));
    let octets = (resident_octets() - before) as f64 / f64::from(grants);
    let begin = processor_time();
    let live = |n| {
        plain
            .get(&IpAddr::from(client(somebody(n, grants))))
            .is_some_and(|login| now < *login + limits.window)
    };
    let found = (0..probes).filter(|n| live(*n)).count();
    println!("plain: {octets:.1} octets, {:.2} M lookups/s, {found} found", rate(probes, begin));
}

/// Lookup, directory, schedule and ruling, as a submission has them.
fn consults(
    window: &Window,
    directory: &Directory,
    names: &[AccountKey],
    now: Duration,
) -> Result<(), Box<dyn std::error::Error>> {
    let source = Source::from_text(Path::new("bench.toml"), SCHEDULE);
    let config = BridgeConfig::from_source(&source, None)?;
    let at = Moment { wall: "2027-02-20T12:00:00Z".parse()?, mono: now };
    let senders = names
        .iter()
        .take(100_000)
        .map(|name| Mailbox::parse(name.as_str()).map(ReversePath::Mailbox))
        .collect::<Result<Vec<_>, _>>()?;
    let probes = 2_000_000;
    let begin = processor_time();
    let mut allowed = 0;
    for n in 0..probes {
        let who = somebody(n, senders.len() as u32);
        let attempt = Attempt {
            client: client(who).into(),
            genuine_address: true,
            login: None,
            failed_auth: false,
            sender: &senders[who as usize],
            helo: "desktop",
            extended: true,
            tls: false,
            listener: "legacy",
            at,
        };
        let grants = window.grants_of(key(who), now, config.policy.window);
        let candidates: Vec<_> = grants
            .into_iter()
            .map(|grant| Candidate {
                account: directory.blocking().find(&grant.account).unwrap_or(None),
                grant,
            })
            .collect();
        let verdict = consult(&config.policy, &config.schedule, &candidates, &attempt, 1);
        allowed += u32::from(matches!(verdict, Verdict::Allow(..)));
    }
    println!("{:.2} M whole consults/s, {allowed} allowed", rate(probes, begin));
    Ok(())
}

fn sweeps(window: &Window, later: Duration, life: Duration) {
    let mut pauses = Vec::new();
    let begin = Instant::now();
    while !window.is_empty() {
        let one = Instant::now();
        window.sweep(later, life);
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

fn rate(count: u32, begin: Duration) -> f64 {
    f64::from(count) / (processor_time() - begin).as_secs_f64() / 1e6
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Octets of this process in memory.
fn resident_octets() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok().and_then(|statm| {
        let pages = statm.split_whitespace().nth(1)?;
        pages.parse::<u64>().ok()
    });
    pages.unwrap_or(0) * 4096
}
