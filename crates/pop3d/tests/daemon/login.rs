//! Logging in: what comes before `+OK`, and what keeps it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use auth::{Answer, Login, LoginObserver};
use maildrop::{Maildrop, OpenError, OpenOptions};

use crate::counting::Counting;
use crate::kit::{Setup, eventually};

/// Says whether the maildrop was locked when it was told, and takes its time to be through.
#[derive(Default)]
struct Careful {
    through: AtomicBool,
    unlocked: AtomicUsize,
}

impl LoginObserver for Careful {
    fn on_login<'a>(&'a self, login: &'a Login) -> Answer<'a, ()> {
        Box::pin(async move {
            let open = Maildrop::open(login.account.maildir(), &OpenOptions::default());
            if !matches!(open, Err(OpenError::InUse { .. })) {
                self.unlocked.fetch_add(1, Ordering::SeqCst);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            self.through.store(true, Ordering::SeqCst);
        })
    }
}

#[test]
fn lock_then_observers_then_ok() {
    let mut setup = Setup::aiko(&[b"x\n"]);
    let careful = Arc::new(Careful::default());
    setup.observers = vec![Arc::<Careful>::clone(&careful)];
    let daemon = setup.start();
    for _ in 0..50 {
        careful.through.store(false, Ordering::SeqCst);
        let mut client = daemon.logged_in("aiko", "secret");
        assert!(careful.through.load(Ordering::SeqCst), "+OK before the observer was through");
        client.ask("QUIT", "+OK");
        client.expect_closed();
    }
    assert_eq!(careful.unlocked.load(Ordering::SeqCst), 0);
    assert_eq!(daemon.pop3d.statistics().logins, 50);
}

#[test]
fn a_second_session_finds_the_maildrop_in_use() {
    let mut setup = Setup::aiko(&[b"x\n"]);
    let counting = Arc::new(Counting::default());
    setup.observers = vec![Arc::<Counting>::clone(&counting)];
    let daemon = setup.start();
    let mut first = daemon.logged_in("aiko", "secret");
    let mut second = daemon.greeted();
    second.ask("USER aiko", "+OK");
    second.ask("PASS secret", "-ERR [IN-USE] ");
    // No maildrop, no login, no grant.
    assert_eq!(counting.told(), ["aiko 127.0.0.1 false"]);
    assert_eq!(daemon.pop3d.statistics().in_use, 1);
    // The lock is free when the first one reads its +OK.
    first.ask("QUIT", "+OK");
    second.log_in("aiko", "secret");
    second.ask("STAT", "+OK 1 3");
    assert_eq!(counting.told().len(), 2);
    // A client that is cut off and comes back at once is let in.
    drop(second);
    daemon.logged_in("aiko", "secret");
}

#[test]
fn an_unreadable_maildrop_is_no_login() {
    let mut setup = Setup::new();
    let counting = Arc::new(Counting::default());
    setup.observers = vec![Arc::<Counting>::clone(&counting)];
    let file = setup.path().join("file");
    std::fs::write(&file, "not a directory").unwrap();
    setup.account_at("broken", "secret", file);
    let missing = setup.path().join("not-mounted/Maildir");
    setup.account_at("unmounted", "secret", missing);
    let daemon = setup.start();
    for login in ["broken", "unmounted"] {
        let mut client = daemon.greeted();
        client.ask(&format!("USER {login}"), "+OK");
        client.ask("PASS secret", "-ERR [SYS/TEMP] ");
        client.ask("STAT", "-ERR ");
    }
    assert!(counting.told().is_empty());
    assert_eq!(daemon.pop3d.statistics().unavailable, 2);
}

/// Observers as they should not be.
struct Hanging;
struct Panicking;

impl LoginObserver for Hanging {
    fn on_login<'a>(&'a self, _: &'a Login) -> Answer<'a, ()> {
        Box::pin(std::future::pending())
    }
}

impl LoginObserver for Panicking {
    fn on_login<'a>(&'a self, _: &'a Login) -> Answer<'a, ()> {
        Box::pin(async { panic!("expected by this test") })
    }
}

#[test]
fn observers_can_neither_fail_nor_hold_up_a_login() {
    let mut setup = Setup::aiko(&[b"x\n"]);
    let counting = Arc::new(Counting::default());
    setup.observers =
        vec![Arc::new(Hanging), Arc::new(Panicking), Arc::<Counting>::clone(&counting)];
    let daemon = setup.start();
    let mut client = daemon.greeted();
    client.ask("USER aiko", "+OK");
    let before = Instant::now();
    client.ask("PASS secret", "+OK");
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
    // The one in order was told in spite of the others.
    assert_eq!(counting.told().len(), 1);
    client.ask("STAT", "+OK 1 3");
}

#[test]
fn wrong_unknown_and_impossible_read_the_same() {
    let mut setup = Setup::aiko(&[]);
    setup.config.errors_max = 10;
    let daemon = setup.start();
    let mut client = daemon.greeted();
    let mut replies = Vec::new();
    for (login, password) in [
        ("aiko", "wrong"),
        ("nobody", "secret"),
        ("../aiko", "secret"),
        ("a/b", "x"),
        ("a\0b", "x"),
    ] {
        replies.push(client.ask(&format!("USER {login}"), "+OK"));
        replies.push(client.ask(&format!("PASS {password}"), "-ERR [AUTH] "));
    }
    replies.sort();
    replies.dedup();
    assert_eq!(replies.len(), 2);
}

#[test]
fn the_client_may_leave_while_it_is_verified() {
    let daemon = Setup::aiko(&[b"x\n"]).start();
    for _ in 0..50 {
        let mut client = daemon.greeted();
        client.send("USER aiko\r\nPASS secret\r\n");
        drop(client);
    }
    eventually("all sessions gone", || daemon.pop3d.gate().counts().sessions == 0);
    daemon.logged_in("aiko", "secret");
}
