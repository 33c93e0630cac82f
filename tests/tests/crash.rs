//! `kill -9` under load: what was acknowledged arrives, and arrives whole.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use lastpost::demo::sink::{Received, Sink};
use lastpost_tests::{Site, Talk, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_lastpost-under-test");
/// How often the daemon is killed, unless `LASTPOST_CRASH_ROUNDS` says otherwise.
const ROUNDS: u64 = 8;
const SENDERS: u64 = 6;
const ANY: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What the next hop has, by the number in the subject: the lives of the daemon in which it
/// came.
#[derive(Default)]
struct Arrived {
    lives: Mutex<HashMap<String, Vec<u64>>>,
    corrupt: Mutex<Vec<String>>,
    copies: AtomicU64,
    life: AtomicU64,
}

impl Arrived {
    fn take(&self, message: &Received) {
        let text = String::from_utf8_lossy(&message.content);
        let id = text
            .lines()
            .find_map(|line| line.strip_prefix("Subject: crash "))
            .unwrap_or_default()
            .trim()
            .to_owned();
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        if body != self::body(&id) {
            self.corrupt.lock().unwrap().push(id.clone());
        }
        let life = self.life.load(Ordering::SeqCst);
        self.lives.lock().unwrap().entry(id).or_default().push(life);
        // Last: whoever waits for the number to stand still has it all.
        self.copies.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until all has come that a daemon had sent before it was killed.
    fn settle(&self) {
        let mut before = u64::MAX;
        loop {
            let now = self.copies.load(Ordering::SeqCst);
            if now == before {
                return;
            }
            before = now;
            std::thread::sleep(Duration::from_millis(40));
        }
    }

    /// Copies beyond the first, by what had come between: only a daemon's death may have. A
    /// message that comes twice in one life was settled wrongly.
    fn repeated(&self) -> u64 {
        let lives = self.lives.lock().unwrap();
        let mut repeated = 0;
        for (id, lives) in lives.iter() {
            let distinct: HashSet<_> = lives.iter().collect();
            assert_eq!(distinct.len(), lives.len(), "{id} came twice from one daemon: {lives:?}");
            repeated += lives.len() as u64 - 1;
        }
        repeated
    }
}

/// A body that its number determines, from a few octets to some hundred thousand, so that
/// both ways into the spool are used.
fn body(id: &str) -> String {
    let seed: u64 = id.bytes().fold(7, |hash, octet| hash.wrapping_mul(31) + u64::from(octet));
    let lines = match seed % 16 {
        0 => 6000,
        1..=4 => 200,
        _ => 20,
    };
    (0..lines)
        .map(|line| format!("{id} line {line} {:016x}\r\n", seed.wrapping_mul(line + 1)))
        .collect()
}

struct Load {
    submission: SocketAddr,
    credentials: String,
    sender: String,
    stop: AtomicBool,
    acknowledged: Mutex<HashSet<String>>,
}

impl Load {
    /// Sends until it is told to stop or the daemon dies.
    fn run(&self, name: &str) {
        let mut number = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let Ok(mut talk) = Talk::try_connect_from(self.submission, ANY) else { return };
            if self.session(&mut talk, name, &mut number).is_none() {
                return;
            }
        }
    }

    /// `None` when the connection broke, which here it may at any point.
    fn session(&self, talk: &mut Talk, name: &str, number: &mut u64) -> Option<()> {
        let ask = |talk: &mut Talk, line: &str| -> Option<String> {
            if !line.is_empty() {
                talk.try_send_raw(format!("{line}\r\n").as_bytes()).ok()?;
            }
            loop {
                let reply = talk.try_line().ok()??;
                if reply.as_bytes().get(3) != Some(&b'-') {
                    return Some(reply);
                }
            }
        };
        ask(talk, "")?;
        ask(talk, "EHLO load.example")?;
        let reply = ask(talk, &format!("AUTH PLAIN {}", self.credentials))?;
        assert!(reply.starts_with("235"), "{reply}");
        for _ in 0..20 {
            *number += 1;
            let id = format!("{name}-{number}");
            for line in [
                format!("MAIL FROM:<{}>", self.sender),
                "RCPT TO:<friend@elsewhere.example>".to_owned(),
                "DATA".to_owned(),
            ] {
                let reply = ask(talk, &line)?;
                assert!(reply.starts_with('2') || reply.starts_with('3'), "{line}: {reply}");
            }
            let message =
                format!("From: <{}>\r\nSubject: crash {id}\r\n\r\n{}.", self.sender, body(&id));
            let reply = ask(talk, &message)?;
            assert!(reply.starts_with("250"), "{reply}");
            self.acknowledged.lock().unwrap().insert(id);
        }
        ask(talk, "QUIT").map(|_| ())
    }
}

#[test]
fn nothing_acknowledged_is_lost_or_altered_in_a_few_kills() {
    let rounds = std::env::var("LASTPOST_CRASH_ROUNDS");
    kill_again_and_again(rounds.map_or(ROUNDS, |text| text.parse().unwrap()));
}

#[test]
#[ignore = "heavy: minutes of load; run in release by .ci/run"]
fn nothing_acknowledged_is_lost_or_altered_in_two_hundred_kills() {
    kill_again_and_again(200);
}

fn kill_again_and_again(rounds: u64) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let arrived = Arc::new(Arrived::default());
    let taker = Arc::clone(&arrived);
    let sink = runtime
        .block_on(Sink::bind_with(
            SocketAddr::from(([127, 0, 0, 1], 0)),
            Arc::new(move |message| taker.take(&message)),
        ))
        .unwrap();
    let site = Site::new(sink.address(), 3);
    let ports = site.installation().ports();
    let account = site.installation().accounts()[0].clone();
    let plain = format!("\0{}\0{}", account.login, account.password);
    let load = Arc::new(Load {
        submission: site.at(ports.submission),
        credentials: base64::engine::general_purpose::STANDARD.encode(plain),
        sender: account.addresses[0].clone(),
        stop: AtomicBool::new(false),
        acknowledged: Mutex::default(),
    });

    for round in 0..rounds {
        arrived.life.store(round, Ordering::SeqCst);
        let daemon = site.start(Path::new(PROGRAM), "lastpost", &[ports.submission]);
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let load = Arc::clone(&load);
                std::thread::spawn(move || load.run(&format!("r{round}s{sender}")))
            })
            .collect();
        // Another moment in each round, from the first messages to the busy middle.
        std::thread::sleep(Duration::from_millis(150 + (round * 67) % 450));
        daemon.kill_9();
        for sender in senders {
            sender.join().unwrap();
        }
        arrived.settle();
    }

    let acknowledged = load.acknowledged.lock().unwrap().clone();
    assert!(acknowledged.len() > 20 * rounds as usize, "too little load: {}", acknowledged.len());
    arrived.life.store(rounds, Ordering::SeqCst);
    let _daemon = site.start(Path::new(PROGRAM), "lastpost", &[ports.submission]);
    eventually(Duration::from_secs(120), "all acknowledged messages at the next hop", || {
        let lives = arrived.lives.lock().unwrap();
        acknowledged.iter().all(|id| lives.contains_key(id))
    });
    assert_eq!(*arrived.corrupt.lock().unwrap(), Vec::<String>::new());
    let distinct = arrived.lives.lock().unwrap().len();
    println!(
        "{rounds} kills: {} acknowledged, {distinct} arrived, none altered; {} copies more than \
         one, each after a kill that had cut off the first one's reply or record",
        acknowledged.len(),
        arrived.repeated(),
    );
    runtime.block_on(sink.stop());
}
