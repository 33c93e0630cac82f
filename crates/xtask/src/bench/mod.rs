//! The project's load client: real sessions over sockets, measured from the client's side, with
//! the CPU time of the server's processes beside it.
//!
//! Rates depend on what else the machine does, so compare only what ran interleaved; client and
//! server share the cores. A run with errors is no result, and the exit status says so.

mod cold;
mod error;
mod load;
mod maildir;
mod peers;
mod pop3;
mod process;
mod sink;
mod slow;
mod submit;
mod target;
pub mod tls;
mod wire;

use clap::Subcommand;

pub use error::BenchError;
pub use process::raise_file_limit;

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Whole POP3 sessions: connect, log in, STAT, QUIT.
    Pop3Login(pop3::LoginArgs),
    /// Fetch all mail of each account by POP3, checking octets against LIST; removes nothing.
    Pop3Fetch(pop3::FetchArgs),
    /// Log in and stay: what does an idle POP3 session cost?
    Pop3Idle(pop3::IdleArgs),
    /// Two hundred customers who read 1 KiB a second: what do they cost the next one's login?
    #[command(after_help = slow::FLOW)]
    Pop3Slow(slow::SlowArgs),
    /// A large maildrop: nothing known of it, unchanged, and with one message more.
    #[command(after_help = cold::FLOW)]
    Pop3Cold(cold::ColdArgs),
    /// Submit messages with SMTP AUTH, several in a session.
    Submit(submit::SubmitArgs),
    /// A next hop that accepts everything and counts it.
    Sink(sink::SinkArgs),
    /// Start Dovecot on copies of a demo's accounts, and Postfix too with --sink, and measure
    /// them and ours in turns.
    #[command(after_help = peers::FLOW)]
    Peers(peers::PeersArgs),
}

/// Runs a measurement and prints its result: JSON on standard output, a line for the eye on
/// standard error. `false`: there were errors.
///
/// # Errors
/// [`BenchError`] if nothing could be measured.
pub fn run(command: Command) -> Result<bool, BenchError> {
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(BenchError::io("starting the runtime"))?;
    runtime.block_on(async {
        match command {
            Command::Pop3Login(args) => Ok(print(&pop3::login(&args).await?)),
            Command::Pop3Fetch(args) => Ok(print(&pop3::fetch(&args).await?)),
            Command::Pop3Idle(args) => pop3::idle(&args).await,
            Command::Pop3Slow(args) => peers::until_stopped(slow::run(&args)).await,
            Command::Pop3Cold(args) => peers::until_stopped(cold::run(&args)).await,
            Command::Submit(args) => Ok(print(&submit::submit(&args).await?)),
            Command::Sink(args) => sink::run(&args).await.map(|()| true),
            Command::Peers(args) => peers::run(&args).await,
        }
    })
}

fn print(report: &load::Report) -> bool {
    eprintln!("{report}");
    print_json(report);
    report.errors == 0
}

fn print_json(value: &impl serde::Serialize) {
    match serde_json::to_string(value) {
        Ok(json) => println!("{json}"),
        Err(error) => eprintln!("the result cannot be written as JSON: {error}"),
    }
}
