//! A maildrop that another session has: waiting for it, and taking it from a client that is
//! idle.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use maildrop::{Maildrop, OpenOptions};

use crate::counting::Counting;
use crate::kit::{Client, Daemon, LONG, Setup, eventually, names};

const MESSAGES: [&[u8]; 2] = [b"1\n", b"22\n"];
/// Longer than any test takes.
const NEVER_HERE: Duration = Duration::from_secs(24 * 60 * 60);

/// Two messages, and sessions that can be taken over after this time.
fn setup(takeover_after: Duration, lock_wait: Duration) -> Setup {
    let mut setup = Setup::aiko(&MESSAGES);
    setup.config.maildrop.takeover_after = takeover_after;
    setup.config.maildrop.lock_wait = lock_wait;
    setup.config.maildrop.sessions_per_account_max = 1000;
    setup
}

const MS: Duration = Duration::from_millis(1);

/// Tries to log in; the reply to `PASS`.
fn attempt(daemon: &Daemon, login: &str) -> (Client, String) {
    let mut client = daemon.greeted();
    client.ask(&format!("USER {login}"), "+OK");
    let reply = client.ask("PASS secret", "");
    (client, reply)
}

#[test]
fn an_idle_session_is_ended_like_by_an_autologout() {
    let mut setup = setup(MS * 300, MS * 10);
    let counting = Arc::new(Counting::default());
    setup.observers = vec![Arc::<Counting>::clone(&counting)];
    let maildir = setup.path().join("aiko");
    let daemon = setup.start();
    let mut first = daemon.logged_in("aiko", "secret");
    first.ask("DELE 1", "+OK");
    std::thread::sleep(MS * 350);
    let mut second = daemon.logged_in("aiko", "secret");
    // Nothing is said to the first one, and nothing of what it deleted is gone.
    first.expect_closed();
    second.ask("STAT", "+OK 2 7");
    assert_eq!(names(&maildir).len(), 2);
    let statistics = daemon.pop3d.statistics();
    assert_eq!((statistics.taken_over, statistics.removed, statistics.in_use), (1, 0, 0));
    assert_eq!(counting.told().len(), 2);
    second.ask("DELE 1", "+OK");
    second.ask("QUIT", "+OK");
    assert_eq!(names(&maildir), ["002.m"]);
}

#[test]
fn under_tls_too() {
    let daemon = setup(MS * 300, MS * 10).start();
    let mut first = daemon.connect_tls();
    first.expect("+OK");
    first.log_in("aiko", "secret");
    std::thread::sleep(MS * 350);
    let mut second = daemon.connect_tls();
    second.expect("+OK");
    second.log_in("aiko", "secret");
    first.expect_closed();
    second.ask("STAT", "+OK 2 7");
}

#[test]
fn a_session_that_is_in_use_is_left_alone_and_the_reply_says_so_to_fetchmail() {
    let daemon = setup(NEVER_HERE, MS * 300).start();
    let mut first = daemon.logged_in("aiko", "secret");
    let before = Instant::now();
    let (mut second, reply) = attempt(&daemon, "aiko");
    assert!(before.elapsed() >= MS * 300, "it did not wait");
    assert!(reply.starts_with("-ERR [IN-USE] "), "{reply}");
    assert!(reply.contains("lock") && reply.contains("wait"), "{reply}");
    first.ask("STAT", "+OK 2 7");
    // The connection goes on, and can try again.
    first.ask("QUIT", "+OK");
    second.log_in("aiko", "secret");
    assert_eq!(daemon.pop3d.statistics().taken_over, 0);
}

#[test]
fn zero_never_takes_over() {
    let daemon = setup(Duration::ZERO, MS * 100).start();
    let mut first = daemon.logged_in("aiko", "secret");
    std::thread::sleep(MS * 100);
    assert!(attempt(&daemon, "aiko").1.starts_with("-ERR [IN-USE] "));
    first.ask("STAT", "+OK 2 7");
}

#[test]
fn no_wait_and_no_takeover_is_an_answer_at_once() {
    let daemon = setup(Duration::ZERO, Duration::ZERO).start();
    let _first = daemon.logged_in("aiko", "secret");
    for _ in 0..20 {
        assert!(attempt(&daemon, "aiko").1.starts_with("-ERR [IN-USE] "));
    }
    assert_eq!(daemon.pop3d.statistics().in_use, 20);
}

#[test]
fn who_waits_is_woken_when_the_lock_is_released() {
    let daemon = setup(NEVER_HERE, LONG).start();
    // By QUIT, by hanging up, by a message that broke off.
    for way in 0..2 {
        let mut first = daemon.logged_in("aiko", "secret");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let (client, reply) = attempt(&daemon, "aiko");
                assert!(reply.starts_with("+OK"), "{reply}");
                drop(client);
                Instant::now()
            });
            std::thread::sleep(MS * 200);
            if way == 0 {
                first.ask("QUIT", "+OK");
            }
            drop(first);
            let released = Instant::now();
            let waited = waiting.join().unwrap().saturating_duration_since(released);
            assert!(waited < LONG / 2, "way {way}: {waited:?}");
        });
        eventually("all gone", || daemon.pop3d.gate().counts().sessions == 0);
    }
    assert_eq!(daemon.pop3d.statistics().in_use, 0);
}

#[test]
fn a_session_becomes_idle_while_somebody_waits() {
    let daemon = setup(MS * 700, LONG).start();
    let mut first = daemon.logged_in("aiko", "secret");
    let begun = Instant::now();
    let (mut second, reply) = attempt(&daemon, "aiko");
    assert!(reply.starts_with("+OK"), "{reply}");
    assert!(begun.elapsed() < LONG / 2, "{:?}", begun.elapsed());
    first.expect_closed();
    second.ask("STAT", "+OK 2 7");
}

#[test]
fn octets_that_are_no_command_do_not_keep_a_session() {
    let daemon = setup(MS * 600, LONG).start();
    let mut first = daemon.logged_in("aiko", "secret");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..200 {
                if std::io::Write::write_all(&mut first.socket, b"N").is_err() {
                    break;
                }
                std::thread::sleep(MS * 20);
            }
        });
        let begun = Instant::now();
        let (_second, reply) = attempt(&daemon, "aiko");
        assert!(reply.starts_with("+OK"), "{reply}");
        assert!(begun.elapsed() < LONG / 2);
    });
}

/// A message of more than any buffer on the way takes.
fn large() -> Vec<u8> {
    b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n".repeat(400_000)
}

#[test]
fn a_client_that_never_reads_is_taken_over() {
    let mut setup = Setup::aiko(&[&large()]);
    setup.config.maildrop.takeover_after = MS * 500;
    setup.config.maildrop.lock_wait = LONG;
    setup.config.write_timeout = NEVER_HERE;
    setup.config.io_threads = 1;
    let maildir = setup.path().join("aiko");
    let daemon = setup.start();
    let mut deaf = daemon.logged_in("aiko", "secret");
    deaf.send("DELE 1\r\nRSET\r\nRETR 1\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n");
    let (mut second, reply) = attempt(&daemon, "aiko");
    assert!(reply.starts_with("+OK"), "{reply}");
    let got = deaf.rest();
    assert!(!got.ends_with(b"\r\n.\r\n"), "it looks whole");
    second.ask("STAT", "+OK 1 ");
    assert_eq!(names(&maildir), ["001.m"]);
    assert_eq!(daemon.pop3d.statistics().taken_over, 1);
}

#[test]
fn a_client_that_reads_slowly_is_not() {
    let mut setup = Setup::aiko(&[&large()]);
    setup.config.maildrop.takeover_after = Duration::from_secs(8);
    setup.config.maildrop.lock_wait = MS * 50;
    let daemon = setup.start();
    let mut slow = daemon.logged_in("aiko", "secret");
    slow.send("RETR 1\r\n");
    let mut octets = 0;
    for _ in 0..10 {
        octets += slow.some(200_000).len();
        std::thread::sleep(MS * 30);
        let (_second, reply) = attempt(&daemon, "aiko");
        assert!(reply.starts_with("-ERR [IN-USE] "), "{reply}");
    }
    assert!(octets < large().len());
    while !slow.some(1).ends_with(b"\r\n.\r\n") {}
    slow.ask("QUIT", "+OK");
}

#[test]
fn many_contend_for_an_idle_session_and_one_at_a_time_gets_it() {
    const CLIENTS: usize = 12;
    let mut setup = setup(Duration::from_secs(4), LONG);
    let counting = Arc::new(Counting::default());
    setup.observers = vec![Arc::<Counting>::clone(&counting)];
    let daemon = setup.start();
    let mut dead = daemon.logged_in("aiko", "secret");
    std::thread::sleep(Duration::from_secs(4));
    let inside = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let (mut client, reply) = attempt(&daemon, "aiko");
                assert!(reply.starts_with("+OK"), "{reply}");
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two have it");
                client.ask("STAT", "+OK 2 7");
                inside.fetch_sub(1, Ordering::SeqCst);
                client.ask("QUIT", "+OK");
            });
        }
    });
    dead.expect_closed();
    let statistics = daemon.pop3d.statistics();
    assert_eq!((statistics.taken_over, statistics.logins), (1, CLIENTS as u64 + 1));
    assert_eq!(counting.told().len(), CLIENTS + 1);
}

/// At each moment of a QUIT, somebody else wants the maildrop: either it is done and answered,
/// or nothing has happened.
#[test]
fn an_update_is_done_whole_or_not_at_all() {
    let mut setup = setup(MS, LONG);
    setup.config.sessions_max = 100_000;
    let maildir = setup.path().join("aiko");
    let daemon = setup.start();
    let (mut done, mut ended) = (0, 0);
    for round in 0..300_u64 {
        for left in names(&maildir) {
            std::fs::remove_file(maildir.join("new").join(left)).unwrap();
        }
        // Other names each time: what was there before is known, and older.
        let both = ["a", "b"].map(|name| format!("{round:03}.{name}"));
        for name in &both {
            std::fs::write(maildir.join("new").join(name), b"1\n").unwrap();
        }
        let mut first = daemon.logged_in("aiko", "secret");
        first.send("DELE 1\r\n");
        // May be taken over at any moment from here on.
        let deleted = first.line();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| {
                std::thread::sleep(Duration::from_micros(round % 10 * 150));
                let (mut second, reply) = attempt(&daemon, "aiko");
                assert!(reply.starts_with("+OK"), "{reply}");
                second.send("STAT\r\n");
                second.line()
            });
            std::thread::sleep(MS);
            let _ = std::io::Write::write_all(&mut first.socket, b"QUIT\r\n");
            let answer = deleted.and_then(|_| first.line());
            let seen = second.join().unwrap();
            match answer {
                Some(answer) => {
                    assert!(answer.starts_with(b"+OK"), "{answer:?}");
                    assert_eq!(names(&maildir), both[1..]);
                    done += 1;
                }
                None => {
                    assert_eq!(names(&maildir), both);
                    ended += 1;
                }
            }
            // And the second one saw all of it, if it was not ended itself by then.
            let left = names(&maildir).len();
            let expected = format!("+OK {left} {}", left * 3).into_bytes();
            assert!(seen.is_none_or(|seen| seen == expected));
        });
        eventually("all gone", || daemon.pop3d.gate().counts().sessions == 0);
    }
    println!("{done} updates done, {ended} sessions ended before theirs");
    assert_eq!(daemon.pop3d.statistics().removed, done);
    assert_eq!(done + ended, 300);
}

#[test]
fn another_account_with_the_same_maildir_waits_and_takes_nothing() {
    let mut setup = setup(MS, MS * 300);
    let maildir = setup.path().join("aiko");
    setup.account_at("shared", "secret", maildir);
    let daemon = setup.start();
    let mut first = daemon.logged_in("aiko", "secret");
    std::thread::sleep(MS * 50);
    assert!(attempt(&daemon, "shared").1.starts_with("-ERR [IN-USE] "));
    first.ask("STAT", "+OK 2 7");
    first.ask("QUIT", "+OK");
    daemon.logged_in("shared", "secret");
}

#[test]
fn a_wrong_password_takes_nothing() {
    let daemon = setup(MS, LONG).start();
    let mut first = daemon.logged_in("aiko", "secret");
    std::thread::sleep(MS * 50);
    let mut second = daemon.greeted();
    second.ask("USER aiko", "+OK");
    second.ask("PASS wrong", "-ERR [AUTH]");
    second.ask("USER AIKO", "+OK");
    second.ask("PASS ", "-ERR [AUTH]");
    first.ask("STAT", "+OK 2 7");
}

#[test]
fn the_lock_of_another_program_is_looked_at_again_and_again() {
    let setup = setup(MS, LONG);
    let maildir = setup.path().join("aiko");
    let daemon = setup.start();
    let elsewhere = Maildrop::open(&maildir, &OpenOptions::default()).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| attempt(&daemon, "aiko").1);
        std::thread::sleep(MS * 300);
        drop(elsewhere);
        let reply = waiting.join().unwrap();
        assert!(reply.starts_with("+OK"), "{reply}");
    });
}

#[test]
fn who_leaves_while_it_waits_leaves_nothing_behind() {
    let daemon = setup(NEVER_HERE, MS * 200).start();
    let mut first = daemon.logged_in("aiko", "secret");
    for _ in 0..20 {
        let mut second = daemon.greeted();
        second.send("USER aiko\r\nPASS secret\r\n");
        drop(second);
    }
    eventually("the waiting ones are gone", || daemon.pop3d.gate().counts().sessions == 1);
    first.ask("QUIT", "+OK");
    daemon.logged_in("aiko", "secret");
}
