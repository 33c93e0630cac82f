//! How often a session asks for memory. In a program of its own, whose allocator counts.
//!
//! Counted is the thread that serves the network, where thousands of sessions meet, and apart
//! from it the opening of a maildrop, which is done on another one.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is the point")]

#[allow(dead_code, reason = "only a part of it is needed here")]
#[path = "daemon/kit.rs"]
mod kit;

use allocation_counter::measure;
use kit::{Client, Daemon, Setup};
use maildrop::{Maildrop, OpenOptions};

/// What connecting, logging in, STAT and QUIT may cost.
const POLL_MAX: u64 = 40;
/// What an opening of an unchanged maildrop may cost, however large it is.
const OPEN_MAX: u64 = 20;
/// What NOOP, LIST, UIDL and RETR of one message may cost together.
const ROUND_MAX: u64 = 3;

/// A daemon that serves from one thread, and its maildrops.
fn daemon(messages: usize) -> Daemon {
    let mut setup = Setup::new();
    let maildir = setup.account("aiko", "secret");
    for number in 0..messages {
        let name = format!("{number:06}.m,S=2,W=3");
        kit::put(&maildir, &name, b"x\n");
    }
    let large = setup.account("bea", "secret");
    kit::put(&large, "1.m", &b"line after line\n".repeat(300_000));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    setup.start_on(runtime)
}

/// Allocations of the daemon's thread while a client, elsewhere, does `talk`.
fn while_a_client(daemon: &Daemon, talk: impl FnOnce(&mut Client) + Send) -> u64 {
    let (told, done) = tokio::sync::oneshot::channel();
    let address = daemon.address();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut client = Client::new(std::net::TcpStream::connect(address).unwrap());
            client.expect("+OK ");
            talk(&mut client);
            told.send(()).unwrap();
        });
        measure(|| daemon.runtime.block_on(done).unwrap()).count_total
    })
}

fn poll(client: &mut Client) {
    client.log_in("aiko", "secret");
    client.ask("STAT", "+OK ");
    client.ask("QUIT", "+OK");
    client.expect_closed();
}

#[test]
fn a_poll_of_an_unchanged_maildrop() {
    let daemon = daemon(1000);
    // The first ones pay for tables, threads and buffers.
    for _ in 0..3 {
        while_a_client(&daemon, poll);
    }
    let polls: Vec<u64> = (0..5).map(|_| while_a_client(&daemon, poll)).collect();
    println!("a poll: {polls:?} allocations");
    assert!(polls.iter().all(|&count| count <= POLL_MAX), "{polls:?}");
}

#[test]
fn nothing_for_each_line_of_a_listing_and_nothing_for_each_octet() {
    const FEW: usize = 100;
    const MANY: usize = 10_000;
    let session = |daemon: &Daemon, commands: &'static [&'static str]| {
        while_a_client(daemon, move |client| {
            client.log_in("aiko", "secret");
            for command in commands {
                client.ask(command, "+OK");
                client.listing();
            }
            client.ask("QUIT", "+OK");
            client.expect_closed();
        })
    };
    let daemons = [FEW, MANY].map(daemon);
    for commands in [&["LIST"][..], &["UIDL"], &["LIST", "UIDL", "LIST", "UIDL"]] {
        let [few, many] = daemons.each_ref().map(|daemon| {
            session(daemon, commands);
            session(daemon, commands)
        });
        println!("{commands:?}: {few} allocations for {FEW} lines, {many} for {MANY}");
        // Some more reads and writes, each of which may set a timer.
        assert!(many <= few + 40, "{few} and {many}");
    }

    let daemon = &daemons[0];
    let retrieve = |login: &'static str, times: usize| {
        while_a_client(daemon, move |client| {
            client.log_in(login, "secret");
            for _ in 0..times {
                client.ask("RETR 1", "+OK");
                client.listing();
            }
            client.ask("QUIT", "+OK");
            client.expect_closed();
        })
    };
    retrieve("bea", 1);
    retrieve("aiko", 1);
    let [once, often, small] = [retrieve("bea", 1), retrieve("bea", 11), retrieve("aiko", 1)];
    println!("RETR of 2 octets: {small} allocations, of 5 MB: {once}, eleven times: {often}");
    assert!(once <= small + 20, "{small} and {once}");
    assert!(often <= once + 10 * ROUND_MAX, "{once} and {often}");
}

#[test]
fn commands_after_the_login() {
    let daemon = daemon(1000);
    let session = |commands: usize| {
        while_a_client(&daemon, move |client| {
            client.log_in("aiko", "secret");
            for number in 1..=commands {
                client.ask("NOOP", "+OK");
                client.ask(&format!("LIST {number}"), "+OK");
                client.ask(&format!("UIDL {number}"), "+OK");
                client.ask(&format!("RETR {number}"), "+OK");
                client.listing();
            }
            client.ask("RSET", "+OK");
        })
    };
    session(10);
    let (few, many) = (session(10), session(110));
    println!("10 of each of 4 commands: {few} allocations, 110: {many}");
    assert!(many <= few + 100 * ROUND_MAX, "{few} and {many}");
}

#[test]
fn opening_an_unchanged_maildrop() {
    let counts = [10, 10_000].map(|messages| {
        let daemon = daemon(messages);
        let path = daemon.path().join("aiko");
        // A state is taken for current when it is clearly younger than the directories.
        std::thread::sleep(std::time::Duration::from_millis(3100));
        drop(Maildrop::open(&path, &OpenOptions::default()).unwrap());
        measure(|| drop(Maildrop::open(&path, &OpenOptions::default()).unwrap())).count_total
    });
    println!("opening 10 and 10,000 unchanged messages: {counts:?} allocations");
    assert!(counts.iter().all(|&count| count <= OPEN_MAX), "{counts:?}");
}
