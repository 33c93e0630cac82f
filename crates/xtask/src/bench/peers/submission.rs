//! Submission: ours and Postfix's, both delivering to one next hop in this process.
//!
//! A run is over when all it brought has arrived at the next hop: no side's run is disturbed by
//! what the other one put off, and the CPU time of a message is that of its whole way through.
//! The rate and the latencies are those of acceptance, as the client sees it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::PeersArgs;
use super::dovecot::Logins;
use super::postfix::Postfix;
use super::turns::{Comparison, Side, Subject, in_turns};
use crate::bench::load::{LoadArgs, Report};
use crate::bench::sink::{self, Counts};
use crate::bench::submit::{Letters, submit_to};
use crate::bench::target::{Demo, SUBMISSION, Target, Tls};
use crate::bench::{BenchError, print_json, process};

/// Sessions at a time, and how TLS begins.
const CASES: [(u64, Tls); 3] = [(1, Tls::None), (64, Tls::None), (8, Tls::Implicit)];
/// For all that one run brought.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(120);
/// Most sessions before all runs: one for each account, so that no run has to check a password
/// that ours would remember in the next one.
const TRIALS_MAX: usize = 200;
/// For the messages of these sessions.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(5);
/// After the last message: time for the records of its delivery.
const REST: Duration = Duration::from_millis(300);

/// Each case in turns, after both sides have been tried out.
pub(super) async fn compare(
    args: &PeersArgs,
    demo: &Demo,
    sink: SocketAddr,
) -> Result<bool, BenchError> {
    let counts = Arc::new(Counts::default());
    sink::listen(sink, Arc::clone(&counts), Duration::ZERO).await?;
    let logins = Logins::start(&args.origin(), demo).await?;
    let postfix = Postfix::start(&args.demo, logins, sink).await?;
    let sides = Sides { args, demo, postfix, counts };
    for side in [Side::Ours, Side::Theirs] {
        sides.try_out(side, sink).await?;
    }
    let mut good = true;
    for (connections, tls) in CASES {
        let pairs =
            in_turns(args.pairs, async |side| sides.measure(side, connections, tls).await).await?;
        let tls = tls != Tls::None;
        let subject = Subject { what: "submit", peer: "postfix", tls, connections };
        let result = Comparison::new(subject, &pairs);
        eprintln!("{result}");
        print_json(&result);
        good &= result.errors == 0;
    }
    Ok(good)
}

struct Sides<'a> {
    args: &'a PeersArgs,
    demo: &'a Demo,
    postfix: Postfix,
    counts: Arc<Counts>,
}

impl Sides<'_> {
    fn target(&self, side: Side, tls: Tls) -> Result<Target, BenchError> {
        let ours = self.demo.target(&SUBMISSION, tls)?;
        let addr = match (side, tls) {
            (Side::Ours, _) => ours.addr,
            (Side::Theirs, Tls::Implicit) => self.postfix.submissions,
            (Side::Theirs, _) => self.postfix.submission,
        };
        Ok(ours.at(addr))
    }

    /// Submits a message as each account, one after the other.
    async fn try_out(&self, side: Side, sink: SocketAddr) -> Result<(), BenchError> {
        let name = name(side);
        let arrived = self.arrived();
        let letters = Letters { messages: 1, ..Letters::default() };
        let sessions = self.demo.accounts.len().min(TRIALS_MAX) as u64;
        let load = LoadArgs { sessions: Some(sessions), ..load(1, 0) };
        let report = submit_to(self.target(side, Tls::None)?, letters, &load, name).await;
        if let Some(error) = report.error_kinds.keys().next() {
            return Err(BenchError::Peer { name, why: error.clone() });
        }
        match self.wait_for(arrived + sessions, TRIAL_TIMEOUT).await {
            true => Ok(()),
            false => Err(BenchError::Peer {
                name,
                why: match side {
                    Side::Ours => format!(
                        "it does not deliver to {sink}: start the demo with --next-hop {sink}"
                    ),
                    Side::Theirs => format!("it does not deliver to {sink}"),
                },
            }),
        }
    }

    async fn measure(&self, side: Side, connections: u64, tls: Tls) -> Result<Report, BenchError> {
        let pids = match side {
            Side::Ours => vec![self.args.pid],
            Side::Theirs => self.postfix.pids(),
        };
        let target = self.target(side, tls)?;
        let title = format!("{} submit {tls:?}", name(side));
        let load = load(connections, self.args.duration);
        let (began, cpu, arrived) = (Instant::now(), process::cpu_seconds(&pids), self.arrived());
        let mut report = submit_to(target, Letters::default(), &load, &title).await;
        if !self.wait_for(arrived + report.operations, DELIVERY_TIMEOUT).await {
            let why = format!(
                "{} of {} messages have not arrived {} s after the last session",
                report.operations.saturating_sub(self.arrived() - arrived),
                report.operations,
                DELIVERY_TIMEOUT.as_secs()
            );
            return Err(BenchError::Peer { name: name(side), why });
        }
        report.delivered_in(began.elapsed());
        tokio::time::sleep(REST).await;
        report.server_used(process::cpu_seconds(&pids) - cpu);
        Ok(report)
    }

    fn arrived(&self) -> u64 {
        self.counts.messages.load(Ordering::Relaxed)
    }

    async fn wait_for(&self, messages: u64, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        while self.arrived() < messages {
            if Instant::now() > end {
                return false;
            }
            tokio::time::sleep(STEP).await;
        }
        true
    }
}

fn name(side: Side) -> &'static str {
    match side {
        Side::Ours => "ours",
        Side::Theirs => "postfix",
    }
}

fn load(connections: u64, duration: u64) -> LoadArgs {
    LoadArgs { connections, duration, sessions: None, pid: Vec::new(), session_timeout: 60 }
}
