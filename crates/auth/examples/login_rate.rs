//! What a login costs: one that repeats, one that does not, and one of nobody.
//!
//! `cargo run --release -p auth --example login_rate`

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use address::{AccountKey, Mailbox};
use auth::{
    Account, Argon2Params, AuthConfig, Authenticator, Channel, Clock, Directory, Origin, Service,
    StoredHash, SystemClock, hash_new,
};
use sasl::Secret;

/// Accounts in the table; the repeated logins go round among so many of them.
const ACCOUNTS: usize = 100_000;
const CUSTOMERS: usize = 1000;
const REPEATED: usize = 1_000_000;
const FRESH: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let params = Argon2Params::default();
    let hash = hash_new(b"correct horse", &params)?;
    let alone = time_alone(&hash);
    let auth = authenticator(&hash)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let fresh = fresh(&auth, "correct horse").await?;
        println!("argon2id alone            {alone:>10.1?} each");
        println!(
            "not seen before           {fresh:>10.1?} each ({:+.1} %)",
            (fresh.as_secs_f64() / alone.as_secs_f64() - 1.0) * 100.0
        );
        let each = repeated(&auth).await?;
        println!(
            "repeated                  {each:>10.1?} each ({:.0}/s)",
            1.0 / each.as_secs_f64()
        );
        let statistics = auth.statistics();
        println!("{} logins, {} hashes", statistics.attempts, statistics.hashes);
        Ok::<_, Box<dyn Error>>(())
    })
}

fn time_alone(hash: &StoredHash) -> Duration {
    let begun = Instant::now();
    for _ in 0..FRESH {
        assert!(hash.verify(b"correct horse"));
    }
    begun.elapsed() / FRESH as u32
}

fn authenticator(hash: &StoredHash) -> Result<Authenticator, Box<dyn Error>> {
    let mut accounts = Vec::with_capacity(ACCOUNTS);
    for number in 0..ACCOUNTS {
        let login = name(number);
        let (key, address) = (AccountKey::parse(&login, None)?, Mailbox::parse(&login)?);
        let maildir = PathBuf::from(format!("/srv/mail/{number}"));
        accounts.push(Account::new(key, vec![address], hash.clone(), maildir, false));
    }
    let config =
        AuthConfig { verify_threads: 1, failure_delay: Duration::ZERO, ..AuthConfig::default() };
    Ok(Authenticator::new(&config, Directory::from_accounts(accounts, None)?)?)
}

fn name(number: usize) -> String {
    format!("customer{number}@example.net")
}

fn origin() -> Origin {
    let channel = Channel { service: Service::Pop3, tls: true, genuine_address: true };
    Origin { client: [192, 0, 2, 1].into(), channel }
}

async fn fresh(auth: &Authenticator, password: &str) -> Result<Duration, Box<dyn Error>> {
    let (clock, secret) = (SystemClock::new(), Secret::from(password));
    let begun = Instant::now();
    for number in 0..FRESH {
        auth.verify(&name(CUSTOMERS + number), &secret, &origin(), clock.now()).await?;
    }
    Ok(begun.elapsed() / FRESH as u32)
}

async fn repeated(auth: &Authenticator) -> Result<Duration, Box<dyn Error>> {
    let (clock, secret) = (SystemClock::new(), Secret::from("correct horse"));
    let names: Vec<_> = (0..CUSTOMERS).map(name).collect();
    for name in &names {
        auth.verify(name, &secret, &origin(), clock.now()).await?;
    }
    let begun = Instant::now();
    for name in names.iter().cycle().take(REPEATED) {
        auth.verify(name, &secret, &origin(), clock.now()).await?;
    }
    Ok(begun.elapsed() / REPEATED as u32)
}
