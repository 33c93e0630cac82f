//! Others beside ours: the same accounts, hashes and mail, measured in turns on one machine.
//!
//! POP3 is compared with Dovecot 2.3, submission with Postfix 3.6 or later, whose logins Dovecot
//! checks. They must be installed, and this program must run as root, because both change their
//! users. Each gets a directory of its own, ports of its own and the settings that suit the
//! measurement best; what the machine has configured for them is neither read nor touched.
//!
//! Dovecot checks a hash of a passwd-file anew at each login, while we remember for a while that
//! a password was right. That is another policy and not only faster code, so `--plain` gives
//! Dovecot plain passwords and leaves hashing out of its side, in both comparisons.
//!
//! [`FLOW`] shows both parts with one demo.

mod daemon;
pub(super) mod dovecot;
mod pop3;
mod postfix;
mod submission;
mod turns;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use self::dovecot::Origin;
use super::BenchError;
use super::target::Demo;

/// How to measure both parts with one demo.
pub(super) const FLOW: &str = "\
Dovecot 2.3 and Postfix 3.6 or later must be installed; root starts them, on ports and in folders
of their own. Both parts with one demo, which delivers to the next hop that is started here:

  lastpost demo --dir /var/tmp/demo --accounts 100 --next-hop 127.0.0.1:2525 &
  (wait until it has written /var/tmp/demo/demo.json)
  cargo run --release -p xtask -- bench peers --demo /var/tmp/demo --pid $! --sink 127.0.0.1:2525

Submission is measured with 1 and 64 sessions in clear and 8 under TLS, each of which logs in and
submits ten messages of 4 KiB. A run ends when the last message is at the next hop; CPU time is
that of all processes of a side until then, the ended ones and Postfix's login server included.
Without --plain most of that server's time goes into hashes, which ours remembers for a while.";

/// Arguments of `peers`.
#[derive(Debug, Args)]
pub struct PeersArgs {
    /// A directory made by `lastpost demo --dir`, whose daemons are running now.
    #[arg(long)]
    demo: PathBuf,
    /// Process of our daemon.
    #[arg(long)]
    pid: u32,
    /// Compare submission too: start a next hop here, which takes the mail of both sides. The
    /// demo must have been started with `--next-hop` of the same address.
    #[arg(long, value_name = "HOST:PORT")]
    sink: Option<SocketAddr>,
    /// Leave out POP3.
    #[arg(long, requires = "sink")]
    skip_pop3: bool,
    /// Pairs of runs; the result is the median of their ratios. One more is run first and left
    /// out.
    #[arg(long, default_value_t = 3)]
    pairs: usize,
    /// Seconds of a run.
    #[arg(long, default_value_t = 5)]
    duration: u64,
    /// POP3 sessions at a time.
    #[arg(short, long, default_value_t = 16)]
    connections: u64,
    /// Give Dovecot plain passwords instead of the same hashes.
    #[arg(long)]
    plain: bool,
    /// User id that Dovecot reads the copied mail as.
    #[arg(long, default_value_t = 65534)]
    uid: u32,
}

pub(super) async fn run(args: &PeersArgs) -> Result<bool, BenchError> {
    must_be_root()?;
    until_stopped(compare(args)).await
}

pub(super) fn must_be_root() -> Result<(), BenchError> {
    if rustix::process::getuid().is_root() {
        return Ok(());
    }
    Err(BenchError::Usage("the peers must be started by root".into()))
}

/// Whoever ends this program early leaves no daemons behind: they end with their values.
pub(super) async fn until_stopped(
    work: impl Future<Output = Result<bool, BenchError>>,
) -> Result<bool, BenchError> {
    tokio::select! {
        done = work => done,
        stopped = stopped() => stopped,
    }
}

impl PeersArgs {
    fn origin(&self) -> Origin {
        Origin { demo: self.demo.clone(), uid: self.uid, plain: self.plain }
    }
}

async fn compare(args: &PeersArgs) -> Result<bool, BenchError> {
    let demo = Demo::read(&args.demo)?;
    let mut good = true;
    if !args.skip_pop3 {
        good &= pop3::compare(args, &demo).await?;
    }
    if let Some(sink) = args.sink {
        good &= submission::compare(args, &demo, sink).await?;
    }
    Ok(good)
}

async fn stopped() -> Result<bool, BenchError> {
    let listening = BenchError::io("waiting for signals");
    let mut terminated = signal(SignalKind::terminate()).map_err(listening)?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
    Err(BenchError::Usage("stopped before the end".into()))
}
