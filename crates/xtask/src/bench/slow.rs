//! Customers behind thin lines, and what they cost the next one who logs in.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;

use super::load::{LoadArgs, Report, Turn};
use super::peers::dovecot::{Origin, Pop3};
use super::peers::must_be_root;
use super::pop3::{ask, log_in_over, login_to};
use super::target::{Demo, POP3, Target, Tls};
use super::wire::Connection;
use super::{BenchError, print_json};

/// How to measure it.
pub(super) const FLOW: &str = "\
  lastpost demo --dir /var/tmp/demo --accounts 204 &
  (wait until it has written /var/tmp/demo/demo.json)
  cargo run --release -p xtask -- bench pop3-slow --demo /var/tmp/demo --pid $! --dovecot

The demo needs one account more than there are slow customers. Each of these is given a message of
16 MB, which is removed at the end.";

/// Arguments of `pop3-slow`.
#[derive(Debug, Args)]
pub struct SlowArgs {
    /// A directory made by `lastpost demo --dir`, whose daemons are running now.
    #[arg(long)]
    demo: PathBuf,
    /// Process of our daemon.
    #[arg(long)]
    pid: u32,
    /// Customers that fetch slowly.
    #[arg(short = 'n', long, default_value_t = 200)]
    customers: usize,
    /// Octets that each of them takes in a second.
    #[arg(long, default_value_t = 1024)]
    rate: usize,
    /// Seconds for which the next customer logs in, time and again, in each of the two phases.
    #[arg(long, default_value_t = 10)]
    duration: u64,
    /// Measure Dovecot 2.3 too, on copies of the demo's mail; as root.
    #[arg(long)]
    dovecot: bool,
    /// User id that Dovecot reads the copied mail as.
    #[arg(long, default_value_t = 65534)]
    uid: u32,
}

/// Octets of the message that nobody comes to the end of.
const MESSAGE: usize = 16 << 20;
/// A name that sorts behind all others.
const NAME: &str = "4000000000.M1P1.lastpost-bench";
/// What waits unread at a slow customer.
const ROOM: u32 = 4096;
/// Until the buffers between a server and its slow customers are full.
const FILLING: Duration = Duration::from_secs(5);

/// A server under measurement.
struct Side {
    name: &'static str,
    target: Target,
    pid: u32,
    /// Maildirs of the slow customers.
    maildirs: Vec<PathBuf>,
    owner: Option<u32>,
}

#[derive(Debug, Serialize)]
struct SlowReport {
    what: String,
    tls: bool,
    customers: usize,
    octets_taken: u64,
    idle: Report,
    loaded: Report,
    /// p99 of a session beside the slow ones, by that without them.
    p99_ratio: f64,
}

pub(super) async fn run(args: &SlowArgs) -> Result<bool, BenchError> {
    let demo = Demo::read(&args.demo)?;
    if demo.accounts.len() <= args.customers {
        return Err(BenchError::Usage(format!(
            "the demo needs {} accounts (--accounts)",
            args.customers + 1
        )));
    }
    let dovecot = match args.dovecot {
        true => {
            must_be_root()?;
            let origin = Origin { demo: args.demo.clone(), uid: args.uid, plain: true };
            Some(Pop3::start(&origin, &demo).await?)
        }
        false => None,
    };
    let slow = demo.accounts.iter().take(args.customers);
    let mut good = true;
    for tls in [Tls::None, Tls::Implicit] {
        let ours = demo.target(&POP3, tls)?;
        let mut sides = vec![Side {
            name: "ours",
            target: ours.clone(),
            pid: args.pid,
            maildirs: slow.clone().map(|account| account.maildir.clone()).collect(),
            owner: None,
        }];
        if let Some(dovecot) = &dovecot {
            let address = if tls == Tls::None { dovecot.pop3 } else { dovecot.pop3s };
            let maildir = |login: &str| dovecot.maildir(login);
            sides.push(Side {
                name: "dovecot",
                target: ours.at(address),
                pid: dovecot.daemon.pid(),
                maildirs: slow.clone().map(|account| maildir(&account.account.login)).collect(),
                owner: Some(args.uid),
            });
        }
        for side in &sides {
            let mail = Mail::put(side)?;
            let report = measure(args, side).await?;
            drop(mail);
            eprintln!("{}\n{}", report.idle, report.loaded);
            eprintln!("== {} {tls:?}: p99 {:.2} x of idle", side.name, report.p99_ratio);
            good &= report.idle.errors == 0 && report.loaded.errors == 0;
            print_json(&report);
        }
    }
    Ok(good)
}

async fn measure(args: &SlowArgs, side: &Side) -> Result<SlowReport, BenchError> {
    let next = side.target.only(args.customers);
    let load = LoadArgs {
        connections: 1,
        duration: args.duration,
        sessions: None,
        pid: vec![side.pid],
        session_timeout: 60,
    };
    // Once before, for what is remembered of a password, and for what every server starts with.
    let warm = LoadArgs { duration: args.duration.div_ceil(5), ..load.clone() };
    login_to(next.clone(), &warm, "warming up").await?;
    let idle = login_to(next.clone(), &load, &format!("{} alone", side.name)).await?;

    let taken = Arc::new(AtomicU64::new(0));
    let mut customers = JoinSet::new();
    for number in 0..args.customers {
        let target = side.target.only(number);
        let connection = Connection::open_narrow(target.addr, ROOM).await?;
        let mut connection = log_in_over(connection, &target, Turn::first()).await?;
        let stat = ask(&mut connection, "STAT", "").await?;
        let count = stat.split(' ').nth(1).unwrap_or_default().to_owned();
        ask(&mut connection, "RETR", &count).await?;
        let (rate, taken) = (args.rate, Arc::clone(&taken));
        customers.spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                match connection.sip(rate).await {
                    Ok(octets) => taken.fetch_add(octets as u64, Ordering::Relaxed),
                    Err(error) => return error,
                };
            }
        });
    }
    tokio::time::sleep(FILLING).await;
    let loaded = login_to(next, &load, &format!("{} beside the slow", side.name)).await?;
    // None of them has anything to come back for before it is told to.
    if let Some(ended) = customers.try_join_next() {
        let why = ended.map_or_else(|error| error.to_string(), |error| error.to_string());
        return Err(BenchError::Wrong(format!("a slow customer was cut off: {why}")));
    }
    Ok(SlowReport {
        what: format!("pop3-slow {}", side.name),
        tls: side.target.tls != Tls::None,
        customers: args.customers,
        octets_taken: taken.load(Ordering::Relaxed),
        p99_ratio: loaded.p99_ms / idle.p99_ms.max(f64::EPSILON),
        idle,
        loaded,
    })
}

/// The large message in each slow customer's Maildir; it goes with this value.
struct Mail(Vec<PathBuf>);

impl Mail {
    fn put(side: &Side) -> Result<Self, BenchError> {
        let mut mail = Self(Vec::new());
        for maildir in &side.maildirs {
            let file = maildir.join("cur").join(format!("{NAME}:2,"));
            // On disk only once.
            let put = match mail.0.first() {
                Some(first) => fs::hard_link(first, &file),
                None => write(&file, side.owner),
            };
            put.map_err(|error| BenchError::File { path: file.clone(), why: error.to_string() })?;
            mail.0.push(file);
        }
        Ok(mail)
    }
}

fn write(file: &Path, owner: Option<u32>) -> std::io::Result<()> {
    let line = b"a line of a large message that nobody reads to its end\n";
    let body = line.repeat(MESSAGE / line.len());
    fs::write(file, [b"From: <x@example.org>\nSubject: large\n\n".as_slice(), &body].concat())?;
    owner.map_or(Ok(()), |owner| chown(file, Some(owner), Some(owner)))
}

impl Drop for Mail {
    fn drop(&mut self) {
        for file in &self.0 {
            if let Err(error) = fs::remove_file(file) {
                eprintln!("{}: {error}", file.display());
            }
        }
    }
}
