//! A table of 100,000 accounts is read again while customers log in: they see the old table or
//! the new one, never something between, and do not wait for either.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use auth::{
    AccountsConfig, AuthConfig, Authenticator, Channel, Directory, Moment, Origin, Service,
};
use sasl::Secret;

const ACCOUNTS: usize = 100_000;

/// Writes the table, all accounts below `home`, and puts it in the place of the one before.
fn write(file: &Path, home: &str) {
    let mut text = String::with_capacity(ACCOUNTS * 64);
    for n in 0..ACCOUNTS {
        writeln!(text, "user{n:06}:{{PLAIN}}pass-{n}::::{home}/user{n:06}::quota=1G").unwrap();
    }
    let new = file.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, file).unwrap();
}

struct Customers {
    auth: Authenticator,
    origin: Origin,
    at: Moment,
}

impl Customers {
    /// Logs one in; whether the new table knew him.
    async fn log_in(&self, n: usize) -> bool {
        let secret = Secret::from(format!("pass-{n}").as_str());
        let login = format!("user{n:06}");
        let login = self.auth.verify(&login, &secret, &self.origin, self.at).await.unwrap();
        login.account.maildir().starts_with("/new")
    }
}

#[test]
fn logins_go_on_while_a_great_table_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let config = AccountsConfig {
        passwd_file: folder.path().join("passwd"),
        default_domain: "example.net".to_owned(),
        ..AccountsConfig::default()
    };
    write(&config.passwd_file, "/old");
    let directory = Directory::load(&config).unwrap();
    let auth = Authenticator::new(&AuthConfig::default(), directory.clone()).unwrap();
    let channel = Channel { service: Service::Pop3, tls: true, genuine_address: true };
    let origin = Origin { client: "192.0.2.1".parse().unwrap(), channel };
    let at = Moment { wall: jiff::Timestamp::UNIX_EPOCH, mono: Duration::from_secs(1) };
    let customers = Customers { auth, origin, at };
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    write(&config.passwd_file, "/new");

    let reloaded = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reload = scope.spawn(|| {
            let start = Instant::now();
            runtime().block_on(directory.reload()).unwrap();
            reloaded.store(true, Ordering::SeqCst);
            start.elapsed()
        });
        let (before, longest) = runtime().block_on(async {
            let (mut before, mut longest, mut is_new) = (0_u32, Duration::ZERO, false);
            for n in (0..ACCOUNTS).cycle() {
                let over = reloaded.load(Ordering::SeqCst);
                let start = Instant::now();
                let found_new = customers.log_in(n).await;
                longest = longest.max(start.elapsed());
                assert!(found_new >= is_new, "the old table came back at {n}");
                assert!(found_new >= over, "the reload ended, and {n} is still of the old table");
                if found_new && !is_new {
                    // Of all the new table's accounts, none is missing any more.
                    for other in [0, 1, ACCOUNTS / 2, ACCOUNTS - 1] {
                        assert!(customers.log_in(other).await, "{other} is still of the old table");
                    }
                }
                is_new = found_new;
                before += u32::from(!found_new);
                if over {
                    break;
                }
            }
            (before, longest)
        });
        let took = reload.join().unwrap();
        println!("reload: {took:?}; {before} logins meanwhile, the longest {longest:?}");
        assert!(before >= 100, "{before} logins");
        assert!(longest < took / 2, "a login took {longest:?} of the {took:?} of the reload");
    });
}
