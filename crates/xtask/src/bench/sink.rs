//! A next hop that accepts everything, keeps nothing and counts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use memchr::memmem;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};

use super::wire::Connection;
use super::{BenchError, print_json};

/// Arguments of `sink`.
#[derive(Debug, Args)]
pub struct SinkArgs {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:2525")]
    listen: SocketAddr,
    /// Write the counts to this file each second, as JSON.
    #[arg(long)]
    stats: Option<PathBuf>,
    /// End after so many messages; otherwise with Ctrl-C.
    #[arg(long)]
    messages: Option<u64>,
    /// Milliseconds before each answer to a message: a slow next hop.
    #[arg(long, default_value_t = 0)]
    delay: u64,
}

#[derive(Default)]
pub(super) struct Counts {
    sessions: AtomicU64,
    pub(super) messages: AtomicU64,
    recipients: AtomicU64,
    pub(super) octets: AtomicU64,
}

#[derive(Debug, Serialize)]
struct Counted {
    sessions: u64,
    messages: u64,
    recipients: u64,
    octets: u64,
}

impl Counts {
    fn read(&self) -> Counted {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counted {
            sessions: read(&self.sessions),
            messages: read(&self.messages),
            recipients: read(&self.recipients),
            octets: read(&self.octets),
        }
    }
}

pub(super) async fn run(args: &SinkArgs) -> Result<(), BenchError> {
    let counts = Arc::new(Counts::default());
    let delay = Duration::from_millis(args.delay);
    let addr = listen(args.listen, Arc::clone(&counts), delay).await?;
    eprintln!("sink: listening on {addr}");
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut shown = 0;
    loop {
        tokio::select! {
            _ = second.tick() => {
                let now = counts.read();
                if now.messages != shown {
                    eprintln!("sink: {} messages, {} in the last second", now.messages, now.messages - shown);
                    shown = now.messages;
                }
                write_stats(args, &now)?;
                if args.messages.is_some_and(|enough| now.messages >= enough) {
                    break;
                }
            }
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    let counted = counts.read();
    write_stats(args, &counted)?;
    print_json(&counted);
    Ok(())
}

fn write_stats(args: &SinkArgs, counted: &Counted) -> Result<(), BenchError> {
    let Some(path) = &args.stats else { return Ok(()) };
    let wrong = |why: String| BenchError::File { path: path.clone(), why };
    let json = serde_json::to_vec(counted).map_err(|error| wrong(error.to_string()))?;
    // Whoever reads it must never see half of it.
    let temporary = path.with_extension("tmp");
    std::fs::write(&temporary, json)
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(|error| wrong(error.to_string()))
}

/// Listens as long as the runtime lives; where, is the answer.
pub(super) async fn listen(
    addr: SocketAddr,
    counts: Arc<Counts>,
    delay: Duration,
) -> Result<SocketAddr, BenchError> {
    let failed = || BenchError::io("the sink's listening");
    let listener = TcpListener::bind(addr).await.map_err(failed())?;
    let addr = listener.local_addr().map_err(failed())?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(serve(stream, Arc::clone(&counts), delay));
                }
                Err(error) => {
                    eprintln!("sink: accepting: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    });
    Ok(addr)
}

async fn serve(stream: TcpStream, counts: Arc<Counts>, delay: Duration) {
    counts.sessions.fetch_add(1, Ordering::Relaxed);
    // Errors are the peer's way to leave.
    let _ = stream.set_nodelay(true);
    let _ = session(Connection::over(stream), &counts, delay).await;
}

async fn session(
    mut connection: Connection,
    counts: &Counts,
    delay: Duration,
) -> Result<(), BenchError> {
    connection.send(b"220 sink.example.org ESMTP\r\n").await?;
    let mut recipients = 0;
    loop {
        let line = connection.line().await?;
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let reply: &[u8] = match verb.as_str() {
            "EHLO" => {
                b"250-sink.example.org\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n\
                        250-ENHANCEDSTATUSCODES\r\n250-AUTH PLAIN\r\n250 SIZE 104857600\r\n"
            }
            "HELO" => b"250 sink.example.org\r\n",
            "MAIL" | "RSET" | "NOOP" => {
                recipients = 0;
                b"250 2.0.0 ok\r\n"
            }
            "RCPT" => {
                recipients += 1;
                b"250 2.1.5 ok\r\n"
            }
            // Whoever comes with a password is welcome too: a relay may have to use one.
            "AUTH" => {
                if line.split(' ').count() < 3 {
                    connection.send(b"334 \r\n").await?;
                    connection.line().await?;
                }
                b"235 2.7.0 ok\r\n"
            }
            "DATA" => {
                connection.send(b"354 go on\r\n").await?;
                let octets = data(&mut connection).await?;
                if !delay.is_zero() {
                    tokio::time::sleep(delay).await;
                }
                counts.messages.fetch_add(1, Ordering::Relaxed);
                counts.recipients.fetch_add(recipients, Ordering::Relaxed);
                counts.octets.fetch_add(octets, Ordering::Relaxed);
                recipients = 0;
                b"250 2.0.0 accepted\r\n"
            }
            "QUIT" => {
                return connection.send(b"221 2.0.0 bye\r\n").await;
            }
            _ => b"500 5.5.1 unknown\r\n",
        };
        connection.send(reply).await?;
    }
}

/// Takes mail data up to its end; octets without the last line.
async fn data(connection: &mut Connection) -> Result<u64, BenchError> {
    const END: &[u8] = b"\r\n.\r\n";
    // The line end of DATA itself counts as the first one.
    let mut tail = b"\r\n".to_vec();
    let mut octets = 0_u64;
    loop {
        if connection.pending().is_empty() {
            connection.more().await?;
        }
        let chunk = connection.pending();
        let joined = [tail.as_slice(), chunk].concat();
        if let Some(found) = memmem::find(&joined, END) {
            let used = found + END.len() - tail.len();
            octets += used as u64;
            connection.take(used);
            return Ok(octets.saturating_sub(3));
        }
        octets += chunk.len() as u64;
        let keep = joined.len().min(END.len() - 1);
        tail = joined[joined.len() - keep..].to_vec();
        let all = chunk.len();
        connection.take(all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_conversation_is_counted_however_it_is_cut() {
        for cut in [1, 2, 3, 5, 1000] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            client.set_nodelay(true).unwrap();
            let (server, _) = listener.accept().await.unwrap();
            let counts = Arc::new(Counts::default());
            let served = tokio::spawn(serve(server, Arc::clone(&counts), Duration::ZERO));
            let said = b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n\
                a: b\r\n\r\n..x\r\n.y\n.\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n.\r\nQUIT\r\n";
            for piece in said.chunks(cut) {
                client.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            let mut heard = String::new();
            client.read_to_string(&mut heard).await.unwrap();
            served.await.unwrap();
            assert!(heard.ends_with("221 2.0.0 bye\r\n"), "{heard}");
            let counted = counts.read();
            assert_eq!((counted.messages, counted.recipients, counted.sessions), (2, 3, 1));
            assert_eq!(counted.octets, 19, "cut every {cut}");
        }
    }
}
