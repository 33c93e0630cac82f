//! Hashes replaced in the table of a whole provider: one rewriting for all of them. Alone in its
//! program, so that the memory it measures is its own.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::{AccountSource, AccountsConfig, PasswdSource, StoredHash};

const ACCOUNTS: usize = 100_000;
const CHANGES: usize = 500;
const HASH: &str = "{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$bGFzdHBvc3RiZW5jaDAwMQ$hb30xK1vvhCLVAoHIKrEpp0GMvt0JcImbsMr7CtRQqs";

/// Most resident memory so far, in KiB.
fn resident_peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn line(n: usize, hash: &str) -> String {
    format!("user{n:06}@example.net:{hash}:5000:5000::/srv/mail/user{n:06}::\n")
}

#[test]
fn five_hundred_upgrades_rewrite_a_hundred_thousand_accounts_once() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        AccountsConfig { passwd_file: folder.path().join("passwd"), ..AccountsConfig::default() };
    let mut text = String::new();
    (0..ACCOUNTS).for_each(|n| write!(text, "{}", line(n, HASH)).unwrap());
    std::fs::write(&config.passwd_file, &text).unwrap();
    drop(text);
    let source = Arc::new(PasswdSource::load("passwd-file", &config).unwrap());
    let before = (std::fs::metadata(&config.passwd_file).unwrap().ino(), resident_peak());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let start = Instant::now();
    runtime.block_on(async {
        let mut changes = tokio::task::JoinSet::new();
        for n in 0..CHANGES {
            let source = Arc::clone(&source);
            changes.spawn(async move {
                let login = format!("user{:06}@example.net", n * (ACCOUNTS / CHANGES));
                let key = address::AccountKey::parse(&login, None).unwrap();
                let old = StoredHash::parse(HASH).unwrap();
                let new = StoredHash::parse(&format!("{{PLAIN}}new{n}")).unwrap();
                source.replace_hash(&key, &old, &new).await.unwrap()
            });
        }
        while let Some(made) = changes.join_next().await {
            assert!(made.unwrap());
        }
    });
    // The second in which changes are gathered is part of it.
    let took = start.elapsed().saturating_sub(Duration::from_secs(1));
    let grown = resident_peak().saturating_sub(before.1);
    println!("{ACCOUNTS} accounts rewritten: {took:?}, {grown} KiB");
    assert_ne!(std::fs::metadata(&config.passwd_file).unwrap().ino(), before.0);
    let text = std::fs::read_to_string(&config.passwd_file).unwrap();
    for (n, found) in text.split_inclusive('\n').enumerate() {
        let (change, rest) = (n / (ACCOUNTS / CHANGES), n % (ACCOUNTS / CHANGES));
        let hash = if rest == 0 { &format!("{{PLAIN}}new{change}") } else { HASH };
        assert_eq!(found, line(n, hash));
    }
    let allowed = Duration::from_secs(if cfg!(debug_assertions) { 30 } else { 1 });
    assert!(took < allowed, "{took:?}");
    assert!(grown < 128 * 1024, "{grown} KiB");
}
