//! A large maildrop at login: nothing known of it, unchanged, and with one message more; beside
//! one bare pass over its directory.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::load::Turn;
use super::maildir::Maildir;
use super::peers::dovecot::{Origin, Pop3};
use super::peers::must_be_root;
use super::pop3::{ask, log_in, quit};
use super::target::{Demo, POP3, Target, Tls};
use super::{BenchError, print_json};

/// How to measure it.
pub(super) const FLOW: &str = "\
  lastpost demo --dir /var/tmp/demo --accounts 4 &
  (wait until it has written /var/tmp/demo/demo.json)
  cargo run --release -p xtask -- bench pop3-cold --demo /var/tmp/demo --dovecot

The mail of the demo's last account is replaced. A session is login, STAT, LIST, UIDL and QUIT. In
the rows `unknown` the server's own index is removed before each; with --drop-caches the system has
to read directories and files from the disk too.";

/// Arguments of `pop3-cold`.
#[derive(Debug, Args)]
pub struct ColdArgs {
    /// A directory made by `lastpost demo --dir`, whose daemons are running now.
    #[arg(long)]
    demo: PathBuf,
    /// Messages in the box.
    #[arg(short = 'n', long, default_value_t = 100_000)]
    messages: usize,
    /// Octets of a message as stored.
    #[arg(long, default_value_t = 2048)]
    size: usize,
    /// Sessions of each kind; the result is the median. One more is run first and left out.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Before each `unknown` session have the system forget what it has read; as root.
    #[arg(long)]
    drop_caches: bool,
    /// Measure Dovecot 2.3 too, on a box of its own; as root.
    #[arg(long)]
    dovecot: bool,
    /// User id that Dovecot reads its mail as.
    #[arg(long, default_value_t = 65534)]
    uid: u32,
}

/// Directories that have just changed cannot be told from those that are still changing.
const SETTLING: Duration = Duration::from_secs(4);
/// Everything that the kernel has read.
const DROP_CACHES: &str = "/proc/sys/vm/drop_caches";

/// A server under measurement.
struct Side {
    name: &'static str,
    target: Target,
    maildir: Maildir,
    learnt: Learnt,
}

/// Where a server keeps what it has learnt of the box.
enum Learnt {
    /// In files of the Maildir that are called so.
    Beside(&'static str),
    /// In folders of their own.
    Apart(Vec<PathBuf>),
}

/// What is done before each session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Forget,
    Nothing,
    Deliver,
}

#[derive(Debug, Serialize)]
struct ColdReport {
    what: &'static str,
    messages: usize,
    caches_dropped: bool,
    /// Milliseconds, medians.
    readdir_ms: f64,
    ours_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dovecot_ms: Option<f64>,
    ours_by_readdir: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ours_by_dovecot: Option<f64>,
}

pub(super) async fn run(args: &ColdArgs) -> Result<bool, BenchError> {
    let demo = Demo::read(&args.demo)?;
    if args.drop_caches || args.dovecot {
        must_be_root()?;
    }
    let dovecot = match args.dovecot {
        true => {
            let origin = Origin { demo: args.demo.clone(), uid: args.uid, plain: true };
            Some(Pop3::start(&origin, &demo).await?)
        }
        false => None,
    };
    let last = demo.accounts.len() - 1;
    let account = &demo.accounts[last];
    let target = demo.target(&POP3, Tls::None)?.only(last);
    let mut sides = Vec::new();
    if let Some(dovecot) = &dovecot {
        let login = &account.account.login;
        sides.push(Side {
            name: "dovecot",
            target: target.at(dovecot.pop3),
            maildir: Maildir::new(dovecot.maildir(login), Some(args.uid)),
            learnt: Learnt::Apart(dovecot.learnt(login)),
        });
    }
    sides.push(Side {
        name: "ours",
        target,
        maildir: Maildir::new(account.maildir.clone(), None),
        learnt: Learnt::Beside("lastpost-"),
    });
    for with_sizes in [true, false] {
        for side in &mut sides {
            eprintln!("{}: writing {} messages", side.name, args.messages);
            side.maildir.fill(args.messages, args.size, with_sizes)?;
        }
        tokio::time::sleep(SETTLING).await;
        let kinds: &[(&str, Before)] = if with_sizes {
            &[
                ("unknown, sizes in the names", Before::Forget),
                ("unchanged", Before::Nothing),
                ("one message more", Before::Deliver),
            ]
        } else {
            &[("unknown, no sizes in the names", Before::Forget)]
        };
        for &(what, before) in kinds {
            let report = measure(args, &mut sides, what, before).await?;
            eprintln!("{report}");
            print_json(&report);
        }
    }
    for side in &sides {
        side.maildir.empty()?;
    }
    Ok(true)
}

/// The sides in turns, each beginning every other round.
async fn measure(
    args: &ColdArgs,
    sides: &mut [Side],
    what: &'static str,
    before: Before,
) -> Result<ColdReport, BenchError> {
    let drop_caches = args.drop_caches && before == Before::Forget;
    let mut readdir = Vec::new();
    let mut times: Vec<(&str, Vec<f64>)> =
        sides.iter().map(|side| (side.name, Vec::new())).collect();
    for round in 0..=args.rounds.max(1) {
        let order: Vec<usize> = match round % 2 {
            0 => (0..sides.len()).collect(),
            _ => (0..sides.len()).rev().collect(),
        };
        if drop_caches {
            forget_caches()?;
        }
        let pass = sides.last().map_or(Ok(Duration::ZERO), |ours| ours.maildir.pass())?;
        if round > 0 {
            readdir.push(milliseconds(pass));
        }
        for at in order {
            let (Some(side), Some((_, times))) = (sides.get_mut(at), times.get_mut(at)) else {
                continue;
            };
            match before {
                Before::Forget => side.forget()?,
                Before::Nothing => {}
                Before::Deliver => side.maildir.deliver(args.size)?,
            }
            if drop_caches {
                forget_caches()?;
            }
            let took = side.session().await?;
            if round > 0 {
                times.push(milliseconds(took));
            }
        }
    }
    let of = |name: &str| {
        let side = times.iter().find(|(side, _)| *side == name);
        side.and_then(|(_, times)| median(times.clone()))
    };
    let (readdir, ours) = (median(readdir).unwrap_or(0.0), of("ours").unwrap_or(0.0));
    let dovecot = of("dovecot");
    Ok(ColdReport {
        what,
        messages: args.messages,
        caches_dropped: drop_caches,
        readdir_ms: readdir,
        ours_ms: ours,
        dovecot_ms: dovecot,
        ours_by_readdir: ours / readdir.max(f64::EPSILON),
        ours_by_dovecot: dovecot.map(|dovecot| ours / dovecot.max(f64::EPSILON)),
    })
}

impl Side {
    /// A whole session; all that is in the box must be in both lists.
    async fn session(&self) -> Result<Duration, BenchError> {
        let began = Instant::now();
        let mut connection = log_in(&self.target, Turn::first()).await?;
        ask(&mut connection, "STAT", "").await?;
        for command in ["LIST", "UIDL"] {
            ask(&mut connection, command, "").await?;
            let lines = connection.body().await?.lines;
            if lines != self.maildir.messages() as u64 {
                return Err(BenchError::Wrong(format!(
                    "{}: {command} of {lines} messages, where there are {}",
                    self.name,
                    self.maildir.messages()
                )));
            }
        }
        quit(&mut connection).await?;
        Ok(began.elapsed())
    }

    /// Removes what the server has learnt of the box.
    fn forget(&self) -> Result<(), BenchError> {
        match &self.learnt {
            Learnt::Beside(prefix) => self.maildir.remove_beside(prefix),
            Learnt::Apart(folders) => {
                folders.iter().try_for_each(|folder| match fs::remove_dir_all(folder) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                    other => other.map_err(|error| BenchError::File {
                        path: folder.clone(),
                        why: error.to_string(),
                    }),
                })
            }
        }
    }
}

fn forget_caches() -> Result<(), BenchError> {
    rustix::fs::sync();
    fs::write(DROP_CACHES, "3\n")
        .map_err(|error| BenchError::File { path: DROP_CACHES.into(), why: error.to_string() })
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

impl std::fmt::Display for ColdReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "== {} messages, {}{}: ours {:.1} ms, {:.2} x of one readdir pass ({:.1} ms)",
            self.messages,
            self.what,
            if self.caches_dropped { ", from the disk" } else { "" },
            self.ours_ms,
            self.ours_by_readdir,
            self.readdir_ms
        )?;
        match (self.dovecot_ms, self.ours_by_dovecot) {
            (Some(ms), Some(ratio)) => write!(f, ", {ratio:.3} of dovecot's {ms:.1} ms"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_found() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn a_report_reads_well() {
        let report = ColdReport {
            what: "unchanged",
            messages: 7,
            caches_dropped: false,
            readdir_ms: 2.0,
            ours_ms: 1.0,
            dovecot_ms: Some(10.0),
            ours_by_readdir: 0.5,
            ours_by_dovecot: Some(0.1),
        };
        let line = "== 7 messages, unchanged: ours 1.0 ms, 0.50 x of one readdir pass (2.0 ms), \
                    0.100 of dovecot's 10.0 ms";
        assert_eq!(report.to_string(), line);
    }
}
