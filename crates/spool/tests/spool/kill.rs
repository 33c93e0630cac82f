//! SIGKILL under load: what had been acknowledged is there and whole, what had been settled
//! does not come back.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use jiff::SignedDuration;
use spool::{Outcome, QueueId, Spool};

use crate::kit::*;

/// Set in the process that is to be killed: where its spool is.
const CHILD: &str = "SPOOL_KILL_TEST_DIRECTORY";
/// How often the process is killed, unless `SPOOL_KILL_ROUNDS` says otherwise.
const ROUNDS: u64 = 8;

fn size(seed: u64) -> usize {
    match seed % 10 {
        0 => 70_000 + (seed % 100_000) as usize,
        1..=3 => 0,
        _ => (seed % 9_000) as usize,
    }
}

/// Tells the parent; a line is written whole or not at all.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Takes and delivers mail until it is killed.
fn child(directory: &Path) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let (spool, report) =
            Spool::open(&config(directory), Arc::new(auth::SystemClock::new())).unwrap();
        assert_eq!(report.damage, vec![]);
        let permit = Arc::new(permit().await);
        for task in 0..24_u64 {
            let (spool, permit) = (spool.clone(), Arc::clone(&permit));
            tokio::spawn(async move {
                let mut seed = u64::from(std::process::id()) << 32 | task << 24;
                loop {
                    seed += 1;
                    let id =
                        put(&spool, &permit, &["a@x.example", "b@x.example"], seed, size(seed));
                    say(&format!("STORED {} {seed}", id.await));
                }
            });
        }
        loop {
            let now = auth::Clock::now(&auth::SystemClock::new()).wall;
            for job in spool.claim(now, 8).await {
                let (id, number) = (job.id(), job.id().as_u64());
                let until = now + SignedDuration::from_hours(if number % 2 == 0 { 1 } else { -1 });
                let defer =
                    Outcome::Deferred { until, reply: "450 again".into(), delay_reported: false };
                match number % 5 {
                    0 => {
                        spool.settle(job, vec![(0, Outcome::Done), (1, defer)]).await.unwrap();
                        say(&format!("HALF {id}"));
                    }
                    1 => drop(job),
                    _ => {
                        say(&format!("BEGIN {id}"));
                        deliver(&spool, job).await;
                        say(&format!("DONE {id}"));
                    }
                }
            }
        }
    });
}

#[derive(Default)]
struct Account {
    stored: BTreeMap<QueueId, u64>,
    begun: BTreeSet<QueueId>,
    done: BTreeSet<QueueId>,
    half: BTreeSet<QueueId>,
}

impl Account {
    fn note(&mut self, line: &str) {
        let mut words = line.split(' ');
        let (Some(word), Some(Ok(id))) = (words.next(), words.next().map(str::parse)) else {
            return;
        };
        match word {
            "STORED" => {
                self.stored.insert(id, words.next().unwrap().parse().unwrap());
            }
            "BEGIN" => {
                self.begun.insert(id);
            }
            "DONE" => {
                self.done.insert(id);
            }
            "HALF" => {
                self.half.insert(id);
            }
            _ => {}
        }
    }
}

fn run_and_kill(directory: &Path, round: u64, account: &mut Account) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::nothing_acknowledged_is_lost_when_the_process_is_killed"])
        .arg("--nocapture")
        .env(CHILD, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let (lines, said) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        out.lines().map_while(Result::ok).for_each(|line| lines.send(line).unwrap());
    });
    // However slow the machine is, it gets under way; then it dies at an odd moment.
    let mut stored = 0;
    while stored < 200 {
        let line = said.recv_timeout(Duration::from_secs(60)).unwrap();
        stored += usize::from(line.starts_with("STORED"));
        account.note(&line);
    }
    std::thread::sleep(Duration::from_millis(37 * (round % 11)));
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    for line in said {
        account.note(&line);
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    if let Some(directory) = std::env::var_os(CHILD) {
        child(Path::new(&directory));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut account = Account::default();
    let rounds = std::env::var("SPOOL_KILL_ROUNDS").map_or(ROUNDS, |text| text.parse().unwrap());
    for round in 0..rounds {
        run_and_kill(directory.path(), round, &mut account);
        runtime.block_on(check(directory.path(), &account));
    }
    assert!(!account.done.is_empty() && !account.half.is_empty());
}

async fn check(directory: &Path, account: &Account) {
    let clock = Arc::new(auth::SystemClock::new());
    let (spool, report) = Spool::open(&config(directory), clock).unwrap();
    assert_eq!(report.damage, vec![]);
    assert_eq!(report.bodies_missing, vec![]);
    spool.flush();
    let mut queued = BTreeSet::new();
    let mut kept = Vec::new();
    loop {
        let jobs = spool.claim(jiff::Timestamp::MAX, 500).await;
        if jobs.is_empty() {
            break;
        }
        for job in jobs {
            let id = job.id();
            if let Some(seed) = account.stored.get(&id) {
                assert!(read(&job).await == text(*seed, size(*seed)), "{id} is altered");
            }
            assert!(!account.done.contains(&id), "{id} was settled and came back");
            if account.half.contains(&id) {
                assert_eq!(job.remaining().iter().map(|r| r.index).collect::<Vec<_>>(), [1]);
            }
            queued.insert(id);
            kept.push(job);
        }
    }
    for id in account.stored.keys().filter(|id| !account.begun.contains(id)) {
        assert!(queued.contains(id), "{id} was acknowledged and is lost");
    }
    drop(kept);
    spool.close().await;
}
