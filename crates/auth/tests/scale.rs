//! The table of a whole provider: 100,000 accounts, in time and memory. Alone in its program,
//! so that the memory it measures is its own.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use auth::{
    AccountsConfig, AuthConfig, Authenticator, Channel, Directory, Moment, Origin, Service,
};
use sasl::Secret;

const ACCOUNTS: usize = 100_000;
const HASH: &str = "{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$bGFzdHBvc3RiZW5jaDAwMQ$hb30xK1vvhCLVAoHIKrEpp0GMvt0JcImbsMr7CtRQqs";

/// Resident memory in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// What a debug build may take longer.
fn allowed(optimised: Duration) -> Duration {
    if cfg!(debug_assertions) { optimised * 30 } else { optimised }
}

#[test]
fn a_hundred_thousand_accounts_load_in_a_second_and_64_mib() {
    let folder = tempfile::tempdir().unwrap();
    let config = AccountsConfig {
        passwd_file: folder.path().join("passwd"),
        default_domain: "example.net".to_owned(),
        ..AccountsConfig::default()
    };
    {
        let mut text = String::new();
        for n in 0..ACCOUNTS {
            writeln!(text, "user{n:06}:{HASH}:5000:5000::/srv/mail/user{n:06}::").unwrap();
        }
        std::fs::write(&config.passwd_file, text).unwrap();
    }
    let before = resident();
    let start = Instant::now();
    let directory = Directory::load(&config).unwrap();
    let took = start.elapsed();
    let grown = resident().saturating_sub(before);
    println!("{ACCOUNTS} accounts: {took:?}, {grown} KiB");
    assert_eq!(directory.count(), Some(ACCOUNTS));
    assert!(took < allowed(Duration::from_secs(1)), "{took:?}");
    assert!(grown < 64 * 1024, "{grown} KiB");

    let key = directory.key("user077777").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let account = directory.find(&key).await.unwrap().unwrap();
        assert_eq!(directory.owners(&account.addresses()[0]).await.unwrap().len(), 1);
    });
    cached_logins(directory, &runtime);
}

fn cached_logins(directory: Directory, runtime: &tokio::runtime::Runtime) {
    let auth = Authenticator::new(&AuthConfig::default(), directory).unwrap();
    let channel = Channel { service: Service::Pop3, tls: true, genuine_address: true };
    let origin = Origin { client: "192.0.2.1".parse().unwrap(), channel };
    let secret = Secret::from("bench-pass");
    let at = Moment { wall: jiff::Timestamp::UNIX_EPOCH, mono: Duration::from_secs(1) };
    let rounds = 10_000;
    let took = runtime.block_on(async {
        auth.verify("user077777", &secret, &origin, at).await.unwrap();
        let start = Instant::now();
        for _ in 0..rounds {
            auth.verify("user077777", &secret, &origin, at).await.unwrap();
        }
        start.elapsed() / rounds
    });
    println!("cached login: {took:?}");
    assert!(took < allowed(Duration::from_micros(10)), "{took:?}");
    assert_eq!((auth.statistics().hashes, auth.statistics().cached), (1, u64::from(rounds)));
}
