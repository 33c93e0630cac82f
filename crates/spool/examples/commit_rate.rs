//! Durable messages per second: the spool beside a bare group-committed log on the same disk.
//!
//! `cargo run --release -p spool --example commit_rate -- [--seconds N] [--directory DIR]
//! [--octets N] [--tasks N]`
//!
//! The bare log is the least that can be done: one thread appends whatever waits to a
//! zero-filled file, flushes once and acknowledges; no envelope, no index, no checksum, and
//! when the file is full it begins again at the front. The spool is measured twice: with
//! nobody who delivers, so that it fills new segments all the time, and with somebody who
//! claims, reads and settles whatever is due, whose work is on the same two cores.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use address::{AccountKey, Mailbox, ReversePath};
use auth::{
    Account, Attempt, Chain, Channel, Clock, Login, Permit, Service, SmtpAuth, StoredHash,
    SystemClock, authorize,
};
use bytes::Bytes;
use spool::{Envelope, Outcome, Recipient, Spool, SpoolConfig};
use tokio::sync::{mpsc, oneshot};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Octets of the bare log's file, after which it begins again at the front.
const LOG: u64 = 64 * 1024 * 1024;

struct Options {
    seconds: u64,
    directory: PathBuf,
    octets: Vec<usize>,
    tasks: Vec<usize>,
}

fn options() -> Result<Options, Failure> {
    let mut options = Options {
        seconds: 3,
        directory: std::env::temp_dir(),
        octets: vec![4 * 1024, 50 * 1024],
        tasks: vec![1, 8, 64, 256],
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or(format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--seconds" => options.seconds = value.parse()?,
            "--directory" => options.directory = value.into(),
            "--octets" => options.octets = vec![value.parse()?],
            "--tasks" => options.tasks = vec![value.parse()?],
            _ => return Err(format!("unknown option {argument}").into()),
        }
    }
    Ok(options)
}

fn main() -> Result<(), Failure> {
    let options = options()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    println!("octets  tasks  bare log/s   intake/s  ratio  records/flush  and delivered/s");
    for octets in options.octets.clone() {
        for tasks in options.tasks.clone() {
            let directory = options.directory.join(format!("commit-rate-{}", std::process::id()));
            let measured = runtime.block_on(measure(&options, &directory, octets, tasks));
            std::fs::remove_dir_all(&directory)?;
            let Measured { bare, intake, batch, both, delivered } = measured?;
            println!(
                "{octets:6} {tasks:6} {bare:11.0} {intake:10.0}  {:5.2} {batch:14.1}  \
                 {both:.0} in, {delivered:.0} out",
                intake / bare
            );
        }
    }
    Ok(())
}

/// Rates per second.
struct Measured {
    bare: f64,
    intake: f64,
    /// Records per flush.
    batch: f64,
    /// Intake while mail is delivered, and deliveries.
    both: f64,
    delivered: f64,
}

async fn measure(
    options: &Options,
    directory: &Path,
    octets: usize,
    tasks: usize,
) -> Result<Measured, Failure> {
    std::fs::create_dir_all(directory)?;
    let text = Bytes::from(vec![b'x'; octets]);
    let time = Duration::from_secs(options.seconds);
    let log = BareLog::start(&directory.join("bare.log"))?;
    let appended = text.clone();
    let bare = run(tasks, time, move || {
        let (log, text) = (log.clone(), appended.clone());
        async move { log.append(text).await }
    })
    .await?;
    let permit = Arc::new(permit().await?);
    let (spool, _) = Spool::open(&SpoolConfig::at(directory.join("a")), clock())?;
    let intake = run(tasks, time, sender(&spool, &permit, &text)).await?;
    let stats = spool.stats();
    spool.close().await;
    std::fs::remove_dir_all(directory.join("a"))?;
    let (spool, _) = Spool::open(&SpoolConfig::at(directory.join("b")), clock())?;
    let relay = tokio::spawn(deliver(spool.clone(), Instant::now() + time));
    let both = run(tasks, time, sender(&spool, &permit, &text)).await?;
    let delivered = relay.await?? as f64 / time.as_secs_f64();
    spool.close().await;
    let batch = stats.records as f64 / stats.batches.max(1) as f64;
    Ok(Measured { bare, intake, batch, both, delivered })
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

/// Sends one message each time it is called.
fn sender(
    spool: &Spool,
    permit: &Arc<Permit>,
    text: &Bytes,
) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>
+ Clone
+ Send
+ 'static {
    let (spool, permit, text) = (spool.clone(), Arc::clone(permit), text.clone());
    move || {
        let (spool, permit, text) = (spool.clone(), Arc::clone(&permit), text.clone());
        Box::pin(async move {
            let mut draft = spool.draft_sized(text.len() as u64)?;
            draft.write(&text).await?;
            spool.intake(&permit, envelope()?, draft).await?;
            Ok(())
        })
    }
}

/// Delivers to nobody until `end`; says how many.
async fn deliver(spool: Spool, end: Instant) -> Result<u64, Failure> {
    let mut delivered = 0;
    while Instant::now() < end {
        let _ = tokio::time::timeout(Duration::from_millis(10), spool.due()).await;
        let mut settling = tokio::task::JoinSet::new();
        for job in spool.claim(clock().now().wall, 128).await {
            let spool = spool.clone();
            settling.spawn(async move {
                let mut body = job.body().await?;
                while body.next().await?.is_some() {}
                spool.settle(job, vec![(0, Outcome::Done)]).await?;
                Ok::<(), Failure>(())
            });
        }
        while let Some(settled) = settling.join_next().await {
            settled??;
            delivered += 1;
        }
    }
    Ok(delivered)
}

/// Runs `one` over and over in `tasks` tasks; says how often per second it was done.
async fn run<F, R>(tasks: usize, time: Duration, one: F) -> Result<f64, Failure>
where
    F: Fn() -> R + Clone + Send + 'static,
    R: Future<Output = Result<(), Failure>> + Send,
{
    let done = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..tasks {
        let (one, done) = (one.clone(), Arc::clone(&done));
        running.spawn(async move {
            while start.elapsed() < time {
                one().await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<(), Failure>(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64())
}

/// What waits for the bare log: a text, and who is told.
type Entry = (Bytes, oneshot::Sender<()>);

#[derive(Clone)]
struct BareLog(mpsc::Sender<Entry>);

impl BareLog {
    fn start(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        let zeros = vec![0; 1024 * 1024];
        for at in (0..LOG).step_by(zeros.len()) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        let (sender, receiver) = mpsc::channel(1024);
        std::thread::spawn(move || {
            if let Err(error) = append_all(&file, receiver) {
                eprintln!("the bare log failed: {error}");
            }
        });
        Ok(Self(sender))
    }

    async fn append(&self, text: Bytes) -> Result<(), Failure> {
        let (ack, acknowledged) = oneshot::channel();
        self.0.send((text, ack)).await?;
        Ok(acknowledged.await?)
    }
}

fn append_all(file: &File, mut receiver: mpsc::Receiver<Entry>) -> io::Result<()> {
    let mut batch: Vec<Entry> = Vec::new();
    let mut at = 0;
    while receiver.blocking_recv_many(&mut batch, 512) > 0 {
        let octets: usize = batch.iter().map(|(text, _)| text.len()).sum();
        if at + octets as u64 > LOG {
            at = 0;
        }
        let slices: Vec<_> = batch.iter().map(|(text, _)| IoSlice::new(text)).collect();
        let mut written = rustix::io::pwritev(file, &slices, at)?;
        for (text, _) in &batch {
            // A short write is possible in principle; what is left goes one by one.
            let now = written.min(text.len());
            written -= now;
            if now < text.len() {
                file.write_all_at(&text[now..], at + now as u64)?;
            }
            at += text.len() as u64;
        }
        file.sync_data()?;
        for (_, ack) in batch.drain(..) {
            let _ = ack.send(());
        }
    }
    Ok(())
}

fn envelope() -> Result<Envelope, Failure> {
    Ok(Envelope {
        sender: ReversePath::Mailbox(Mailbox::parse("alice@example.org")?),
        recipients: vec![Recipient::new(Mailbox::parse("bob@example.net")?)],
        smtputf8: false,
        coding: envelope::Coding::SevenBit,
        wishes: spool::Wishes::default(),
        received_at: SystemClock::new().now().wall,
    })
}

async fn permit() -> Result<Permit, Failure> {
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let address = Mailbox::parse("alice@example.org")?;
    let account = Account::new(
        AccountKey::parse("alice@example.org", None)?,
        vec![address.clone()],
        StoredHash::parse("{PLAIN}not used")?,
        PathBuf::new(),
        false,
    );
    let at = SystemClock::new().now();
    let channel = Channel { service: Service::Submission, tls: true, genuine_address: true };
    let login = Login { account: Arc::new(account), client, channel, at, acting: None };
    let sender = ReversePath::Mailbox(address);
    let attempt = Attempt {
        client,
        genuine_address: true,
        login: Some(&login),
        failed_auth: false,
        sender: &sender,
        helo: "localhost",
        extended: true,
        tls: true,
        listener: "submission",
        at,
    };
    let chain = Chain::new(vec![Arc::new(SmtpAuth)], Vec::new());
    authorize(&chain, &attempt).await.map_err(|refusal| refusal.text.into())
}
