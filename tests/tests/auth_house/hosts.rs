//! Two hosts that share failures through a Valkey or Redis server.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lastpost_tests::{House, Plan, eventually};
use serde_json::json;

use crate::kit::{PATIENCE, edit, figure, house, pop3_from};

const ATTACKER: &str = "203.0.113.7";

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `None`, said aloud, if no server is installed.
fn server(directory: &Path) -> Option<Server> {
    let socket = directory.join("socket");
    let start = |program: &str| {
        Command::new(program)
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(directory)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()
    };
    let Some(child) = start("valkey-server").or_else(|| start("redis-server")) else {
        let required = std::env::var_os("LASTPOST_REQUIRE_CLIENTS").is_some();
        assert!(!required, "neither valkey-server nor redis-server is installed");
        eprintln!("skipped: neither valkey-server nor redis-server is installed");
        return None;
    };
    let server = Server(child);
    let begun = Instant::now();
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {
        assert!(begun.elapsed() < PATIENCE, "the server does not come up");
        std::thread::sleep(Duration::from_millis(5));
    }
    Some(server)
}

/// A host that shares through the server in `directory`, with a key that all have.
fn host(directory: &Path) -> House {
    let plan = Plan {
        proxied: true,
        pop3: "cleartext_networks = [\"0.0.0.0/0\"]\n",
        submission: "cleartext_auth_networks = [\"0.0.0.0/0\"]\n",
        ..Plan::default()
    };
    let house = house(plan, "[accounts]\npasswd_file = \"users\"\n", "", |house| {
        let tables = format!(
            "[auth.attack]\nfailures_max = 8\n[auth.share]\nurl = \"unix://{0}/socket\"\n\
             key_file = \"{0}/share.key\"\n",
            directory.display()
        );
        edit(house, |text| text + &tables);
    });
    eventually(PATIENCE, "the server", || figure(&house, "connected to the server") == 1);
    house
}

/// The replies to a login from `address` at both daemons of a house.
fn replies(house: &House, address: &str, login: &str, password: &str) -> [String; 2] {
    let address = address.parse().unwrap();
    let fetched = pop3_from(house, address, login, password);
    let mut talk = house.client("legacy", address);
    talk.expect("EHLO customer.example", "250");
    [fetched, talk.auth_plain(login, password)]
}

fn are(replies: &[String; 2], begins: [&str; 2]) -> bool {
    replies.iter().zip(begins).all(|(reply, begin)| reply.starts_with(begin))
}

fn is_welcome(house: &House, address: &str) -> bool {
    are(&replies(house, address, "aiko@open.example", "aiko's password"), ["+OK", "235"])
}

/// Waits by one wrong password over and over, which counts once and makes nobody known there.
fn wait_for_block(what: &str, houses: &[&House]) {
    let blocked = ["-ERR [SYS/TEMP]", "454 4.7.0"];
    eventually(PATIENCE, what, || {
        let probe = |house| replies(house, ATTACKER, "bert@open.example", "probe");
        houses.iter().all(|house| are(&probe(house), blocked))
    });
    for house in houses {
        let replies = replies(house, ATTACKER, "aiko@open.example", "aiko's password");
        assert!(are(&replies, blocked), "{replies:?}");
    }
}

#[test]
fn a_block_of_one_host_holds_at_the_other_until_it_is_lifted() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_server) = server(directory.path()) else { return };
    let (one, two) = (host(directory.path()), host(directory.path()));
    for number in 0..12 {
        let nobody = format!("nobody{number}@open.example");
        pop3_from(&one, ATTACKER.parse().unwrap(), &nobody, "guess");
    }
    wait_for_block("the block at both hosts", &[&one, &two]);
    assert!(is_welcome(&two, "198.51.100.9"), "somebody else");
    // A third one that begins knows it as well.
    let three = host(directory.path());
    wait_for_block("the block at a new host", &[&three]);
    // `lastpost auth unblock` at the host that only heard of it.
    let order = json!({ "network": format!("{ATTACKER}/32") }).to_string();
    let done = two.control().post("/auth/unblock", &order).unwrap();
    assert!(done.contains("203.0.113.7/32"), "{done}");
    eventually(PATIENCE, "the end of the block at all of them", || {
        [&one, &two, &three].iter().all(|house| is_welcome(house, ATTACKER))
    });
}
