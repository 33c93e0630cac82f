//! Submission sessions (RFC 6409) as load.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;

use super::BenchError;
use super::load::{Job, LoadArgs, Report, Session, Tally, Turn, drive};
use super::target::{Account, SUBMISSION, Target, TargetArgs, Tls};
use super::wire::Connection;

/// Arguments of `submit`.
#[derive(Debug, Args)]
pub struct SubmitArgs {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    letters: Letters,
}

/// What a session submits.
#[derive(Clone, Debug, Args)]
pub(super) struct Letters {
    /// Messages in a session.
    #[arg(short, long, default_value_t = Self::default().messages)]
    pub(super) messages: u64,
    /// Octets of a message.
    #[arg(long, default_value_t = Self::default().size)]
    pub(super) size: usize,
    /// Recipient of all messages.
    #[arg(long, default_value_t = Self::default().to)]
    pub(super) to: String,
}

impl Default for Letters {
    fn default() -> Self {
        Self { messages: 10, size: 4096, to: "sink@example.org".into() }
    }
}

pub(super) async fn submit(args: &SubmitArgs) -> Result<Report, BenchError> {
    let target = args.target.resolve(&SUBMISSION)?;
    Ok(submit_to(target, args.letters.clone(), &args.load, "submit").await)
}

pub(super) async fn submit_to(
    target: Target,
    letters: Letters,
    load: &LoadArgs,
    what: &str,
) -> Report {
    drive(what, load, Arc::new(Submit { target, letters })).await
}

struct Submit {
    target: Target,
    letters: Letters,
}

impl Job for Submit {
    fn session<'a>(&'a self, turn: Turn, tally: &'a mut Tally) -> Session<'a> {
        Box::pin(async move {
            let account = self.target.account(turn);
            let mut connection = log_in(&self.target, account).await?;
            let Letters { messages, size, to } = &self.letters;
            for number in 0..(*messages).max(1) {
                let message = message(account, to, *size, turn.number, number);
                let began = Instant::now();
                let from = account.address();
                let envelope = format!("MAIL FROM:<{from}>\r\nRCPT TO:<{to}>\r\nDATA\r\n");
                connection.send(envelope.as_bytes()).await?;
                expect(&mut connection, "MAIL", "250").await?;
                expect(&mut connection, "RCPT", "25").await?;
                expect(&mut connection, "DATA", "354").await?;
                connection.send(message.as_bytes()).await?;
                expect(&mut connection, "message", "250").await?;
                tally.done(began, message.len() as u64);
            }
            connection.send(b"QUIT\r\n").await?;
            expect(&mut connection, "QUIT", "221").await
        })
    }
}

async fn log_in(target: &Target, account: &Account) -> Result<Connection, BenchError> {
    let mut connection = Connection::open(target.addr).await?;
    if target.tls == Tls::Implicit {
        connection = connection.start_tls().await?;
    }
    expect(&mut connection, "greeting", "220").await?;
    connection.send(b"EHLO bench.example.org\r\n").await?;
    expect(&mut connection, "EHLO", "250").await?;
    if target.tls == Tls::Starttls {
        connection.send(b"STARTTLS\r\n").await?;
        expect(&mut connection, "STARTTLS", "220").await?;
        connection = connection.start_tls().await?;
        connection.send(b"EHLO bench.example.org\r\n").await?;
        expect(&mut connection, "EHLO", "250").await?;
    }
    let token = STANDARD.encode(format!("\0{}\0{}", account.login, account.password));
    connection.send(format!("AUTH PLAIN {token}\r\n").as_bytes()).await?;
    expect(&mut connection, "AUTH", "235").await?;
    Ok(connection)
}

/// Reads a reply of one or more lines (RFC 5321 section 4.2).
async fn expect(
    connection: &mut Connection,
    command: &'static str,
    code: &str,
) -> Result<(), BenchError> {
    loop {
        let reply = connection.line().await?;
        if reply.as_bytes().get(3) == Some(&b'-') {
            continue;
        }
        return if reply.starts_with(code) {
            Ok(())
        } else {
            Err(BenchError::Refused { command, reply })
        };
    }
}

/// A message of about `size` octets in wire form, with its end.
fn message(account: &Account, to: &str, size: usize, turn: u64, number: u64) -> String {
    const LINE: &str =
        "The quick brown fox jumps over the lazy dog, and once more over it, so.\r\n";
    let process = std::process::id();
    let mut text = format!(
        "From: <{from}>\r\nTo: <{to}>\r\nSubject: bench {turn}.{number}\r\n\
         Message-ID: <{process}.{turn}.{number}@bench.example.org>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=us-ascii\r\n\r\n",
        from = account.address()
    );
    while text.len() + LINE.len() <= size {
        text.push_str(LINE);
    }
    text.push_str(".\r\n");
    text
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use super::super::sink;
    use super::*;

    #[tokio::test]
    async fn what_is_submitted_arrives_in_the_sink() {
        let counts = Arc::new(sink::Counts::default());
        let anywhere = "127.0.0.1:0".parse().unwrap();
        let addr = sink::listen(anywhere, Arc::clone(&counts), Duration::ZERO).await.unwrap();
        let account =
            Account { login: "a".into(), password: "b".into(), addresses: vec!["a@x".into()] };
        let target = Target::new(addr, Tls::None, vec![account]);
        let letters = Letters { messages: 3, size: 2000, to: "b@y".into() };
        let load = LoadArgs {
            connections: 4,
            duration: 1,
            sessions: Some(8),
            pid: Vec::new(),
            session_timeout: 10,
        };
        let report = submit_to(target, letters, &load, "submit").await;
        assert_eq!((report.operations, report.errors), (24, 0), "{report}");
        assert_eq!(counts.messages.load(Ordering::Relaxed), 24);
        let each = counts.octets.load(Ordering::Relaxed) / 24;
        assert!((1900..=2000).contains(&each), "{each}");
    }

    #[test]
    fn a_message_has_about_its_size_and_one_end() {
        let account = Account { login: "a@x".into(), password: String::new(), addresses: vec![] };
        for size in [0, 500, 4096, 1_000_000] {
            let text = message(&account, "b@y", size, 1, 2);
            assert!(text.len() < size.max(400) + 3);
            assert!(text.ends_with("\r\n.\r\n") && text.matches("\r\n.").count() == 1);
            assert!(text.starts_with("From: <a@x>\r\n"));
        }
    }
}
