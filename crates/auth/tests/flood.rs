//! Ten thousand wrong logins a second from a thousand addresses, and what a customer feels of
//! them. Alone in its program: it needs the whole machine, and measures its own memory.
//!
//! `cargo test --release -p auth --test flood -- --ignored --nocapture`

#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use address::AccountKey;
use auth::{
    Account, AuthConfig, Authenticator, Channel, Clock, Denied, Directory, FailureEvent, Happening,
    Origin, Service, ShareKey, StoredHash, SystemClock,
};
use sasl::Secret;

const PER_SECOND: u64 = 10_000;
const ADDRESSES: u32 = 1000;
const LASTS: Duration = Duration::from_secs(10);
/// The attack is under way for so long before customers are measured; what they feel before is
/// printed beside it.
const BEGINS: Duration = Duration::from_secs(1);
/// Customers log in so often, of each kind.
const EVERY: Duration = Duration::from_millis(50);
const ACCOUNTS: u32 = 20_000;
/// argon2id at the default cost, of "bench-pass".
const HASH: &str = "{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$bGFzdHBvc3RiZW5jaDAwMQ$hb30xK1vvhCLVAoHIKrEpp0GMvt0JcImbsMr7CtRQqs";

/// Resident memory in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

struct NoOne;

impl auth::FailureShare for NoOne {
    fn publish(&self, _event: FailureEvent) {}
}

#[derive(Clone)]
struct Stage {
    auth: Authenticator,
    clock: Arc<SystemClock>,
    key: ShareKey,
}

impl Stage {
    fn new() -> Self {
        let hash = StoredHash::parse(HASH).unwrap();
        let account = |n| {
            let key = AccountKey::parse(&customer(n), None).unwrap();
            Account::new(key, Vec::new(), hash.clone(), PathBuf::from("/m"), false)
        };
        let directory = Directory::from_accounts((0..ACCOUNTS).map(account).collect(), None);
        let auth = Authenticator::new(&AuthConfig::default(), directory.unwrap()).unwrap();
        let key = ShareKey::new(&[1; 32]).unwrap();
        let auth = auth.with_share(Arc::new(NoOne), key.clone());
        Self { auth, clock: Arc::new(SystemClock::new()), key }
    }

    async fn login(&self, login: &str, password: &str, client: IpAddr) -> Result<(), Denied> {
        let channel = Channel { service: Service::Pop3, tls: true, genuine_address: true };
        let origin = Origin { client, channel };
        self.auth.verify(login, &Secret::from(password), &origin, self.clock.now()).await.map(drop)
    }

    /// The customer has logged in from there before, though its password is not remembered.
    fn vouch(&self, login: &str, client: IpAddr) {
        let happening = Happening::Succeeded { client, account: self.key.tag(login) };
        self.auth.hear(&FailureEvent { age: Duration::ZERO, happening }, self.clock.now());
    }
}

fn customer(n: u32) -> String {
    format!("customer{n}@example.net")
}

/// Addresses of customers are in no network of the attackers'.
fn home(n: u32) -> IpAddr {
    Ipv4Addr::from(0x6440_0000 + n * 300).into()
}

/// What customers feel for a while.
#[derive(Default)]
struct Felt {
    cached: Vec<(Duration, Duration)>,
    known: Vec<(Duration, Duration)>,
    new: Vec<(Duration, Duration)>,
    /// When one was told to come back in a minute.
    refused: Vec<Duration>,
}

/// Logs customers in, each time others: one whose password is remembered, one who was there
/// before, and one who was not.
async fn customers(stage: &Stage, first: u32, lasts: Duration) -> Felt {
    let mut felt = Felt::default();
    let begun = Instant::now();
    let always = customer(0);
    stage.login(&always, "bench-pass", home(0)).await.unwrap();
    let mut number = first;
    while begun.elapsed() < lasts {
        for kind in 0..3 {
            number += 1;
            let (login, client) = match kind {
                0 => (always.clone(), home(0)),
                _ => (customer(number), home(number)),
            };
            if kind == 1 {
                stage.vouch(&login, client);
            }
            let (asked, at) = (Instant::now(), begun.elapsed());
            match stage.login(&login, "bench-pass", client).await {
                Ok(()) => {
                    let took = (at, asked.elapsed());
                    [&mut felt.cached, &mut felt.known, &mut felt.new][kind].push(took);
                }
                Err(_) => felt.refused.push(at),
            }
        }
        tokio::time::sleep(EVERY).await;
    }
    felt
}

/// Wrong logins, evenly over the addresses and the time, each in a session of its own.
async fn attack(stage: Stage, over: Arc<AtomicBool>, sent: Arc<AtomicU64>) {
    let begun = Instant::now();
    let mut number = 0_u64;
    let mut ticks = tokio::time::interval(Duration::from_millis(2));
    while !over.load(Ordering::Relaxed) {
        ticks.tick().await;
        let due = (begun.elapsed().as_secs_f64() * PER_SECOND as f64) as u64;
        while number < due {
            let stage = stage.clone();
            let client: IpAddr =
                Ipv4Addr::from(0xc633_0000 + (number as u32 % ADDRESSES) * 256 + 7).into();
            // Half of the names exist.
            let login = customer(number as u32 * 7919 % (2 * ACCOUNTS));
            tokio::spawn(async move {
                let _ = stage.login(&login, &format!("guess{number}"), client).await;
            });
            number += 1;
        }
        sent.store(number, Ordering::Relaxed);
    }
}

fn quantile(of: &[(Duration, Duration)], from: Duration, part: f64) -> Duration {
    let mut of: Vec<_> = of.iter().filter(|(at, _)| *at >= from).map(|(_, took)| *took).collect();
    of.sort_unstable();
    of[((of.len() - 1) as f64 * part).round() as usize]
}

fn print(what: &str, felt: &Felt, from: Duration) {
    for (name, of) in [("cached", &felt.cached), ("known", &felt.known), ("new", &felt.new)] {
        println!(
            "{what:<22} {name:<7} {:>4} logins: median {:>9.2?}, p99 {:>9.2?}, most {:>9.2?}",
            of.len(),
            quantile(of, from, 0.5),
            quantile(of, from, 0.99),
            quantile(of, from, 1.0)
        );
    }
}

#[test]
#[ignore = "heavy: 20 s of the whole machine, optimised"]
fn a_customer_feels_little_of_ten_thousand_wrong_logins_a_second() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stage = Stage::new();
        let idle = customers(&stage, 1, Duration::from_secs(5)).await;
        let before = (resident(), stage.auth.statistics());
        let (over, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let attack = tokio::spawn(attack(stage.clone(), Arc::clone(&over), Arc::clone(&sent)));
        let felt = customers(&stage, 5000, LASTS).await;
        over.store(true, Ordering::Relaxed);
        let after = (resident(), stage.auth.statistics());
        attack.await.unwrap();
        print("idle", &idle, Duration::ZERO);
        print("under attack", &felt, BEGINS);
        print("with its first second", &felt, Duration::ZERO);
        let counted = after.1;
        println!(
            "{} wrong logins in {LASTS:?}; {} hashes, {} failures, {} busy, of which {} from \
             blocked networks; {} networks blocked; hashes took {} KiB at most; memory {} KiB, \
             {} KiB more than before",
            sent.load(Ordering::Relaxed),
            counted.hashes - before.1.hashes,
            counted.wrong + counted.unknown,
            counted.busy,
            counted.blocked,
            counted.blocks,
            counted.memory_peak,
            after.0,
            after.0.saturating_sub(before.0)
        );
        assert!(sent.load(Ordering::Relaxed) >= PER_SECOND * LASTS.as_secs() * 9 / 10);
        // In the first moments attackers have a first attempt each, as new customers have.
        println!("customers put off, and when: {:?}", felt.refused);
        assert!(idle.refused.is_empty());
        assert!(felt.refused.iter().all(|at| *at < BEGINS), "no customer is put off");
        for (idle, felt) in [(&idle.known, &felt.known), (&idle.new, &felt.new)] {
            let allowed = quantile(idle, Duration::ZERO, 0.99) * 3;
            let p99 = quantile(felt, BEGINS, 0.99);
            assert!(p99 <= allowed, "{p99:?}, allowed are {allowed:?}");
        }
        // A remembered login takes microseconds: what is left is the machine being busy.
        assert!(quantile(&felt.cached, BEGINS, 0.99) <= quantile(&idle.new, Duration::ZERO, 0.99));
        assert!(after.0.saturating_sub(before.0) < 128 * 1024);
    });
}

#[test]
#[ignore = "heavy: optimised, a figure"]
fn a_repeated_login_stays_cheap_where_failures_are_shared() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let each = runtime.block_on(async {
        let stage = Stage::new();
        stage.login(&customer(0), "bench-pass", home(0)).await.unwrap();
        let (begun, rounds) = (Instant::now(), 200_000);
        for _ in 0..rounds {
            stage.login(&customer(0), "bench-pass", home(0)).await.unwrap();
        }
        begun.elapsed() / rounds
    });
    println!("repeated, with names under a shared key: {each:?}");
    assert!(each < Duration::from_micros(5), "{each:?}");
}
