//! POP3 sessions (RFC 1939) as load.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::load::{Job, LoadArgs, Report, Session, Tally, Turn, drive};
use super::target::{POP3, Target, TargetArgs, Tls};
use super::wire::Connection;
use super::{BenchError, print_json, process};

/// Arguments of `pop3-login`.
#[derive(Debug, Args)]
pub struct LoginArgs {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    load: LoadArgs,
}

/// Arguments of `pop3-fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    load: LoadArgs,
    /// How many RETR are sent before the first answer is awaited.
    #[arg(long, default_value_t = 1)]
    pipeline: usize,
}

/// Arguments of `pop3-idle`.
#[derive(Debug, Args)]
pub struct IdleArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Sessions that are logged in and stay.
    #[arg(short = 'n', long, default_value_t = 1000)]
    sessions: usize,
    /// Sessions that log in at a time.
    #[arg(short, long, default_value_t = 32)]
    connections: usize,
    /// Seconds that all of them stay before memory is looked at.
    #[arg(long, default_value_t = 5)]
    hold: u64,
    /// A server's process, whose memory is looked at together with its descendants'.
    #[arg(long, required = true)]
    pid: Vec<u32>,
}

pub(super) async fn login(args: &LoginArgs) -> Result<Report, BenchError> {
    login_to(args.target.resolve(&POP3)?, &args.load, "pop3-login").await
}

pub(super) async fn login_to(
    target: Target,
    load: &LoadArgs,
    what: &str,
) -> Result<Report, BenchError> {
    Ok(drive(what, load, Arc::new(Login { target })).await)
}

pub(super) async fn fetch(args: &FetchArgs) -> Result<Report, BenchError> {
    let target = args.target.resolve(&POP3)?;
    fetch_from(target, args.pipeline, &args.load, "pop3-fetch").await
}

pub(super) async fn fetch_from(
    target: Target,
    pipeline: usize,
    load: &LoadArgs,
    what: &str,
) -> Result<Report, BenchError> {
    let job = Fetch { target, pipeline: pipeline.max(1) };
    Ok(drive(what, load, Arc::new(job)).await)
}

struct Login {
    target: Target,
}

impl Job for Login {
    fn session<'a>(&'a self, turn: Turn, tally: &'a mut Tally) -> Session<'a> {
        Box::pin(async move {
            let began = Instant::now();
            let mut connection = log_in(&self.target, turn).await?;
            ask(&mut connection, "STAT", "").await?;
            quit(&mut connection).await?;
            tally.done(began, 0);
            Ok(())
        })
    }
}

struct Fetch {
    target: Target,
    pipeline: usize,
}

impl Job for Fetch {
    fn session<'a>(&'a self, turn: Turn, tally: &'a mut Tally) -> Session<'a> {
        Box::pin(async move {
            let mut connection = log_in(&self.target, turn).await?;
            ask(&mut connection, "LIST", "").await?;
            let sizes = sizes(&connection.listing().await?)?;
            for batch in sizes.chunks(self.pipeline) {
                let began = Instant::now();
                let commands: String =
                    batch.iter().map(|(number, _)| format!("RETR {number}\r\n")).collect();
                connection.send(commands.as_bytes()).await?;
                for (number, announced) in batch {
                    positive("RETR", connection.line().await?)?;
                    let body = connection.body().await?;
                    if body.octets != *announced {
                        return Err(BenchError::Wrong(format!(
                            "message {number}: LIST said {announced} octets, RETR sent {}",
                            body.octets
                        )));
                    }
                    tally.done(began, body.octets);
                }
            }
            quit(&mut connection).await
        })
    }
}

/// Numbers and sizes of a LIST.
fn sizes(listing: &[String]) -> Result<Vec<(u64, u64)>, BenchError> {
    listing
        .iter()
        .map(|line| {
            let (number, octets) = line.split_once(' ')?;
            Some((number.parse().ok()?, octets.parse().ok()?))
        })
        .collect::<Option<_>>()
        .ok_or_else(|| BenchError::Wrong("a LIST that is none".into()))
}

pub(super) async fn log_in(target: &Target, turn: Turn) -> Result<Connection, BenchError> {
    log_in_over(Connection::open(target.addr).await?, target, turn).await
}

/// As [`log_in`], on a connection that is there already.
pub(super) async fn log_in_over(
    mut connection: Connection,
    target: &Target,
    turn: Turn,
) -> Result<Connection, BenchError> {
    if target.tls == Tls::Implicit {
        connection = connection.start_tls().await?;
    }
    positive("greeting", connection.line().await?)?;
    if target.tls == Tls::Starttls {
        ask(&mut connection, "STLS", "").await?;
        connection = connection.start_tls().await?;
    }
    let account = target.account(turn);
    ask(&mut connection, "USER", &account.login).await?;
    ask(&mut connection, "PASS", &account.password).await?;
    Ok(connection)
}

pub(super) async fn quit(connection: &mut Connection) -> Result<(), BenchError> {
    ask(connection, "QUIT", "").await.map(|_| ())
}

pub(super) async fn ask(
    connection: &mut Connection,
    command: &'static str,
    argument: &str,
) -> Result<String, BenchError> {
    let space = if argument.is_empty() { "" } else { " " };
    connection.send(format!("{command}{space}{argument}\r\n").as_bytes()).await?;
    positive(command, connection.line().await?)
}

fn positive(command: &'static str, reply: String) -> Result<String, BenchError> {
    if reply.starts_with("+OK") { Ok(reply) } else { Err(BenchError::Refused { command, reply }) }
}

/// What idle sessions cost.
#[derive(Debug, Serialize)]
struct IdleReport {
    what: &'static str,
    sessions: usize,
    errors: usize,
    before: process::Memory,
    during: process::Memory,
    octets_per_session: u64,
    /// CPU seconds used while all of them stayed.
    server_cpu_seconds: f64,
}

pub(super) async fn idle(args: &IdleArgs) -> Result<bool, BenchError> {
    let target = Arc::new(args.target.resolve(&POP3)?);
    // One login first, so that what every server loads only once is there before.
    quit(&mut log_in(&target, Turn::first()).await?).await?;
    let before = process::memory(&args.pid);
    let permits = Arc::new(tokio::sync::Semaphore::new(args.connections.max(1)));
    let workers = args.sessions as u64;
    let sessions: Vec<_> = (0..workers)
        .map(|worker| {
            let turn = Turn { number: worker, worker, workers, round: 0 };
            let (target, permits) = (Arc::clone(&target), Arc::clone(&permits));
            tokio::spawn(async move {
                let _permit = permits.acquire_owned().await;
                let mut connection = log_in(&target, turn).await?;
                connection.rest();
                Ok::<_, BenchError>(connection)
            })
        })
        .collect();
    let (mut held, mut errors) = (Vec::new(), Vec::new());
    for session in sessions {
        match session.await {
            Ok(Ok(connection)) => held.push(connection),
            Ok(Err(error)) => errors.push(error.to_string()),
            Err(error) => errors.push(error.to_string()),
        }
    }
    let cpu = process::cpu_seconds(&args.pid);
    tokio::time::sleep(Duration::from_secs(args.hold)).await;
    let during = process::memory(&args.pid);
    let report = IdleReport {
        what: "pop3-idle",
        sessions: held.len(),
        errors: errors.len(),
        before,
        during,
        octets_per_session: during.pss.saturating_sub(before.pss) / held.len().max(1) as u64,
        server_cpu_seconds: process::cpu_seconds(&args.pid) - cpu,
    };
    eprintln!(
        "pop3-idle: {} sessions, {} octets each (PSS)",
        report.sessions, report.octets_per_session
    );
    if let Some(first) = errors.first() {
        eprintln!("  {} errors, the first: {first}", errors.len());
    }
    print_json(&report);
    Ok(errors.is_empty())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::super::target::Account;
    use super::*;

    const MAIL: &str = "Subject: x\r\n\r\n..dot\r\n";

    /// A POP3 server of two messages, which says that each has `announced` octets.
    async fn server(announced: u64) -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(session(Connection::over(stream), announced));
            }
        });
        let account = |login: &str| Account {
            login: login.into(),
            password: "p q".into(),
            addresses: Vec::new(),
        };
        Target::new(addr, Tls::None, vec![account("a"), account("b")])
    }

    async fn session(mut connection: Connection, announced: u64) -> Result<(), BenchError> {
        connection.send(b"+OK\r\n").await?;
        loop {
            let line = connection.line().await?;
            let reply = match line.as_str() {
                "USER a" | "USER b" | "PASS p q" | "STAT" => "+OK\r\n".to_owned(),
                "LIST" => format!("+OK\r\n1 {announced}\r\n2 {announced}\r\n.\r\n"),
                "RETR 1" | "RETR 2" => format!("+OK\r\n{MAIL}.\r\n"),
                "QUIT" => return connection.send(b"+OK\r\n").await,
                _ => "-ERR\r\n".to_owned(),
            };
            connection.send(reply.as_bytes()).await?;
        }
    }

    fn load() -> LoadArgs {
        LoadArgs {
            connections: 2,
            duration: 1,
            sessions: Some(6),
            pid: Vec::new(),
            session_timeout: 10,
        }
    }

    #[tokio::test]
    async fn sessions_log_in_and_fetch() {
        let octets = MAIL.len() as u64 - 1;
        let report = login_to(server(octets).await, &load(), "x").await.unwrap();
        assert_eq!((report.operations, report.errors), (6, 0), "{report}");
        for pipeline in [1, 2, 9] {
            let target = server(octets).await;
            let report = fetch_from(target, pipeline, &load(), "x").await.unwrap();
            assert_eq!((report.operations, report.errors), (12, 0), "{report}");
        }
    }

    #[tokio::test]
    async fn a_size_that_is_not_sent_is_an_error() {
        let report = fetch_from(server(7).await, 1, &load(), "x").await.unwrap();
        assert_eq!(report.errors, 6);
        let (text, _) = report.error_kinds.first_key_value().unwrap();
        assert_eq!(text, "message 1: LIST said 7 octets, RETR sent 20");
    }

    #[test]
    fn a_listing_is_read() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(sizes(&lines("1 120\n3 7")).unwrap(), [(1, 120), (3, 7)]);
        assert!(sizes(&[]).unwrap().is_empty());
        assert!(sizes(&lines("1")).is_err());
        assert!(sizes(&lines("1 x")).is_err());
    }
}
