//! Wrong logins by the thousand: many addresses, many connections, as many attempts in each as a
//! connection may have, and all of them sent before the first answer.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::customer::login;
use crate::wire::{Service, header};

pub(crate) const PER_SECOND: u64 = 10_000;
const ADDRESSES: u64 = 1000;
/// As many as may fail in one connection.
const PIPELINED: u64 = 3;
/// Where the connections come from, so that there are ports enough.
const PROXIES: u64 = 200;
/// The attackers' names: half of them exist.
pub(crate) const NAMES: u64 = 40_000;

#[derive(Default)]
pub(crate) struct Tally {
    /// Attempts sent.
    pub(crate) offered: AtomicU64,
    /// Told that they are wrong.
    pub(crate) answered: AtomicU64,
    /// Told to try again later.
    pub(crate) put_off: AtomicU64,
    /// Connections that were not greeted as clients are, or ended before all was answered.
    pub(crate) cut_off: AtomicU64,
    /// Connections that are open.
    pub(crate) open: AtomicU64,
    pub(crate) open_most: AtomicU64,
}

/// One that goes on until it is dropped.
pub(crate) struct Attack {
    pub(crate) tally: Arc<Tally>,
    over: Arc<AtomicBool>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Attack {
    pub(crate) fn begin(service: Service, to: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let (tally, over) = (Arc::new(Tally::default()), Arc::new(AtomicBool::new(false)));
        runtime.spawn(go_on(service, to, Arc::clone(&tally), Arc::clone(&over)));
        Self { tally, over, runtime: Some(runtime) }
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }
}

/// Begins connections evenly over the time.
async fn go_on(service: Service, to: SocketAddr, tally: Arc<Tally>, over: Arc<AtomicBool>) {
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(2));
    let mut number = 0;
    while !over.load(Ordering::Relaxed) {
        ticks.tick().await;
        let due = (begun.elapsed().as_secs_f64() * (PER_SECOND / PIPELINED + 1) as f64) as u64;
        while number < due {
            let tally = Arc::clone(&tally);
            tokio::spawn(async move {
                tally
                    .open_most
                    .fetch_max(tally.open.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                if connection(service, to, number, &tally).await.is_none() {
                    tally.cut_off.fetch_add(1, Ordering::Relaxed);
                }
                tally.open.fetch_sub(1, Ordering::Relaxed);
            });
            number += 1;
        }
    }
}

/// One connection, which stays until all of its attempts are answered.
async fn connection(service: Service, to: SocketAddr, number: u64, tally: &Tally) -> Option<()> {
    let mut stream = connect(to, number).await?;
    let client = Ipv4Addr::from(0xc633_0007 + (number % ADDRESSES) as u32 * 256);
    let mut text = header(client);
    text.extend_from_slice(service.introduction().as_bytes());
    for attempt in number * PIPELINED..(number + 1) * PIPELINED {
        let name = login((attempt * 7919 % NAMES) as usize);
        text.extend(service.attempt(&name, &format!("guess{attempt}")).into_bytes());
    }
    stream.write_all(&text).await.ok()?;
    tally.offered.fetch_add(PIPELINED, Ordering::Relaxed);
    listen(service, stream, tally).await
}

async fn connect(to: SocketAddr, number: u64) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().ok()?;
    let from = Ipv4Addr::new(127, 66, 0, 1 + (number % PROXIES) as u8);
    socket.bind(SocketAddr::from((from, 0))).ok()?;
    let stream = socket.connect(to).await.ok()?;
    // No port stays behind in TIME_WAIT.
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).ok()?;
    Some(stream)
}

async fn listen(service: Service, mut stream: TcpStream, tally: &Tally) -> Option<()> {
    let (mut pending, mut answers) = (Vec::new(), 0);
    let mut block = [0; 1024];
    while answers < PIPELINED {
        let read = stream.read(&mut block).await.ok().filter(|read| *read > 0)?;
        pending.extend_from_slice(&block[..read]);
        while let Some(end) = pending.iter().position(|octet| *octet == b'\n') {
            let line = String::from_utf8_lossy(&pending[..end]).into_owned();
            pending.drain(..=end);
            let counter = match &line {
                line if service.says_wrong(line) => &tally.answered,
                line if service.says_later(line) => &tally.put_off,
                _ => continue,
            };
            counter.fetch_add(1, Ordering::Relaxed);
            answers += 1;
        }
    }
    Some(())
}
