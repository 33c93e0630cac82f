//! What happens to sessions when the daemon stops.

use std::time::{Duration, Instant};

use crate::kit::{Setup, names};

#[test]
fn stopping_lets_a_session_finish_and_sends_the_others_home() {
    let setup = Setup::aiko(&[b"1\n", b"2\n"]);
    let maildir = setup.path().join("aiko");
    let daemon = setup.start();
    let mut idle = daemon.greeted();
    let mut busy = daemon.logged_in("aiko", "secret");
    busy.ask("DELE 1", "+OK");
    daemon.trigger.request();
    idle.expect_closed();
    busy.ask("RETR 2", "+OK");
    assert_eq!(busy.listing(), [b"2"]);
    busy.ask("QUIT", "+OK");
    busy.expect_closed();
    assert_eq!(names(&maildir), ["002.m"]);
    assert!(std::net::TcpStream::connect(daemon.address()).is_err());
}

#[test]
fn stopping_waits_for_nobody_who_is_silent() {
    let setup = Setup::aiko(&[b"1\n"]);
    let maildir = setup.path().join("aiko");
    let daemon = setup.start();
    let mut silent = daemon.logged_in("aiko", "secret");
    silent.ask("DELE 1", "+OK");
    let begun = Instant::now();
    let cut_off = daemon.runtime.block_on(daemon.trigger.drain(Duration::from_secs(20)));
    assert_eq!(cut_off, 0);
    assert!(begun.elapsed() < Duration::from_secs(15));
    silent.expect_closed();
    assert_eq!(names(&maildir), ["001.m"]);
}
