//! How many sessions one account may have.

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::AccountPolicy;

use crate::counting::Counting;
use crate::kit::{Client, Daemon, LONG, Setup, eventually};

fn begin_login(daemon: &Daemon) -> Client {
    let mut client = daemon.greeted();
    client.ask("USER aiko", "+OK");
    client.send("PASS secret\r\n");
    client
}

/// Tries until the account has no seat left.
fn refused(daemon: &Daemon) -> String {
    let end = Instant::now() + LONG;
    loop {
        let mut client = begin_login(daemon);
        let reply = client.expect("-ERR [IN-USE] ");
        if reply.contains("too many sessions") {
            return reply;
        }
        assert!(Instant::now() < end, "never too many");
    }
}

#[test]
fn one_has_the_maildrop_one_waits_and_the_third_is_told_so() {
    let mut setup = Setup::aiko(&[b"x\n"]);
    setup.account("bea", "secret");
    setup.config.maildrop.sessions_per_account_max = 2;
    setup.config.maildrop.takeover_after = Duration::ZERO;
    setup.config.maildrop.lock_wait = LONG;
    let counting = Arc::new(Counting::default());
    setup.observers = vec![Arc::<Counting>::clone(&counting)];
    let daemon = setup.start();
    let mut first = daemon.logged_in("aiko", "secret");
    let mut second = begin_login(&daemon);
    // The second one has its seat once it is refused to a third.
    std::thread::sleep(Duration::from_millis(300));
    let before = Instant::now();
    let reply = refused(&daemon);
    assert!(before.elapsed() < LONG / 2, "it was made to wait");
    // So that fetchmail tries again rather than take it for a wrong password.
    assert!(reply.contains("wait"), "{reply}");
    assert_eq!(daemon.pop3d.statistics().too_many, 1);
    // Nobody learns of it without the password, and nobody else is touched.
    let mut stranger = daemon.greeted();
    stranger.ask("USER aiko", "+OK");
    stranger.ask("PASS wrong", "-ERR [AUTH]");
    daemon.logged_in("bea", "secret");
    assert_eq!(counting.told().len(), 2, "{:?}", counting.told());
    first.ask("QUIT", "+OK");
    second.expect("+OK");
    second.ask("QUIT", "+OK");
    daemon.logged_in("aiko", "secret");
}

#[test]
fn an_account_may_have_an_agreement_of_its_own() {
    let mut setup = Setup::aiko(&[b"x\n"]);
    setup.agree(AccountPolicy { sessions_max: Some(1), ..AccountPolicy::default() });
    setup.config.maildrop.takeover_after = Duration::ZERO;
    let daemon = setup.start();
    let mut first = daemon.logged_in("aiko", "secret");
    begin_login(&daemon).expect("-ERR [IN-USE] The account has too many sessions");
    first.ask("QUIT", "+OK");
    daemon.logged_in("aiko", "secret");
}

#[test]
fn a_dead_session_does_not_use_up_the_only_seat() {
    let mut setup = Setup::aiko(&[b"x\n"]);
    setup.config.maildrop.sessions_per_account_max = 1;
    setup.config.maildrop.takeover_after = Duration::from_millis(300);
    let daemon = setup.start();
    let mut dead = daemon.logged_in("aiko", "secret");
    std::thread::sleep(Duration::from_millis(350));
    let mut client = daemon.logged_in("aiko", "secret");
    dead.expect_closed();
    client.ask("STAT", "+OK 1 3");
    client.ask("QUIT", "+OK");
    daemon.logged_in("aiko", "secret");
}

#[test]
fn seats_come_back_however_a_login_ends() {
    let mut setup = Setup::aiko(&[b"x\n"]);
    let broken = setup.path().join("file");
    std::fs::write(&broken, "not a directory").unwrap();
    setup.account_at("broken", "secret", broken);
    setup.config.maildrop.sessions_per_account_max = 1;
    setup.config.maildrop.takeover_after = Duration::ZERO;
    let daemon = setup.start();
    for _ in 0..5 {
        let mut client = daemon.greeted();
        client.ask("USER broken", "+OK");
        client.ask("PASS secret", "-ERR [SYS/TEMP]");
    }
    for _ in 0..20 {
        drop(begin_login(&daemon));
        eventually("gone", || daemon.pop3d.gate().counts().sessions == 0);
    }
    daemon.logged_in("aiko", "secret");
    assert_eq!(daemon.pop3d.statistics().too_many, 0);
}

/// A thousand logins of one account at once: no more than it may are at work, the others are
/// answered, and afterwards everything is free.
#[test]
fn a_storm_of_one_account_harms_nobody_else() {
    const CLIENTS: usize = 300;
    let mut setup = Setup::aiko(&[b"x\n"]);
    setup.account("bea", "secret");
    setup.config.maildrop.takeover_after = Duration::ZERO;
    let daemon = setup.start();
    let mut holder = daemon.logged_in("aiko", "secret");
    let mut storm: Vec<_> = (0..CLIENTS).map(|_| begin_login(&daemon)).collect();
    let before = Instant::now();
    daemon.logged_in("bea", "secret");
    assert!(before.elapsed() < LONG / 2);
    for client in &mut storm {
        client.expect("-ERR [IN-USE] ");
    }
    let statistics = daemon.pop3d.statistics();
    assert_eq!(statistics.too_many + statistics.in_use, CLIENTS as u64);
    assert!(statistics.too_many >= CLIENTS as u64 / 2, "{statistics:?}");
    holder.ask("QUIT", "+OK");
    daemon.logged_in("aiko", "secret");
}
