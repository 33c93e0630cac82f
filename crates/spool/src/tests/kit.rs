//! What these tests share: a scenario with an account of what was promised.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use address::Mailbox;
use auth::{Clock, ManualClock};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use crate::layer::Layer;
use crate::{IntakeError, Job, Outcome, QueueId, Report, Size, Spool, SpoolConfig};

pub(super) fn config(directory: &Path) -> SpoolConfig {
    SpoolConfig {
        segment_size: Size::mib(1),
        inline_max: Size::kib(200),
        free_space_min: Size(0),
        free_inodes_min: 0,
        ..SpoolConfig::at(directory)
    }
}

pub(super) fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub(super) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(start()))
}

pub(super) fn open(
    directory: &Path,
    clock: &Arc<ManualClock>,
    layer: &Arc<dyn Layer>,
) -> Result<(Spool, crate::RecoveryReport), crate::SpoolError> {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    Spool::open_on(&config(directory), clock, Arc::clone(layer))
}

/// Octets that depend on `seed` alone, no two blocks alike.
pub(super) fn text(seed: u64, octets: usize) -> Vec<u8> {
    let mut random = Random(seed);
    let block: Vec<u8> = (0..512).flat_map(|_| random.next().to_le_bytes()).collect();
    let mut text = Vec::with_capacity(octets + block.len());
    while text.len() < octets {
        let number = text.len() as u64 ^ seed;
        text.extend_from_slice(&number.to_le_bytes());
        text.extend_from_slice(&block);
    }
    text.truncate(octets);
    text
}

/// Numbers that depend on the seed alone (splitmix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Queues a message for two recipients.
pub(super) async fn put(spool: &Spool, seed: u64, octets: usize) -> Result<QueueId, IntakeError> {
    let recipients = ["a@example.net", "b@example.net"].map(|text| Mailbox::parse(text).unwrap());
    let report = Report {
        recipients: recipients.to_vec(),
        body: Bytes::from(text(seed, octets)),
        smtputf8: false,
        eight_bit: true,
        at: start(),
    };
    spool.notify(report).await
}

pub(super) async fn read(job: &Job) -> std::io::Result<Vec<u8>> {
    let mut body = job.body().await?;
    let mut text = Vec::new();
    while let Some(block) = body.next().await? {
        text.extend_from_slice(&block);
    }
    Ok(text)
}

/// How far the spool has promised to be with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Queued, nobody tried.
    Queued,
    /// First recipient done, second deferred.
    Half,
    /// Settled or deleted.
    Gone,
}

/// What was promised about one message.
#[derive(Clone, Debug)]
pub(super) struct Promise {
    pub(super) seed: u64,
    pub(super) octets: usize,
    /// Stages acknowledged, each with a mark of when.
    pub(super) reached: Vec<(Stage, usize)>,
    /// The stage last asked for.
    pub(super) asked: Stage,
    pub(super) held: Option<(bool, usize)>,
    pub(super) hold_asked: bool,
}

/// All that was promised, and what was refused.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) promises: BTreeMap<QueueId, Promise>,
    /// Seeds of messages that were refused.
    pub(super) refused: Vec<u64>,
}

/// Twenty rounds of mail of all sizes, delivered, deferred, held, deleted; enough that
/// segments are filled, emptied and removed. `mark` is read after each acknowledgement.
pub(super) async fn scenario(
    spool: &Spool,
    clock: &ManualClock,
    rounds: u64,
    mark: &(dyn Fn() -> usize + Sync),
) -> Account {
    let mut account = Account::default();
    for round in 0..rounds {
        for n in 0..6 {
            let seed = round * 10 + n;
            let octets = [10, 150_000, 0, 210_000, 180_000, 5_000][n as usize];
            match put(spool, seed, octets).await {
                Ok(id) => {
                    let reached = vec![(Stage::Queued, mark())];
                    let (asked, held, hold_asked) = (Stage::Queued, None, false);
                    let promise = Promise { seed, octets, reached, asked, held, hold_asked };
                    assert!(account.promises.insert(id, promise).is_none(), "an ID repeats");
                }
                Err(_) => account.refused.push(seed),
            }
        }
        // A backlog now and then, for the administrator.
        let most = if matches!(round % 5, 1 | 3) { 4 } else { 8 };
        for job in spool.claim(start(), most).await {
            settle(spool, job, &mut account, mark).await;
        }
        administer(spool, round, &mut account, mark).await;
        clock.advance(Duration::from_secs(2));
    }
    account
}

async fn settle(spool: &Spool, job: Job, account: &mut Account, mark: &(dyn Fn() -> usize + Sync)) {
    let id = job.id();
    let promise = account.promises.get_mut(&id).unwrap();
    let until = start() + SignedDuration::from_hours(1);
    let (stage, second) = if promise.seed % 10 == 5 {
        (Stage::Half, Outcome::Deferred { until, reply: "450".into() })
    } else {
        (Stage::Gone, Outcome::Done)
    };
    promise.asked = stage;
    if spool.settle(job, vec![(0, Outcome::Done), (1, second)]).await.is_ok() {
        promise.reached.push((stage, mark()));
    }
}

async fn administer(
    spool: &Spool,
    round: u64,
    account: &mut Account,
    mark: &(dyn Fn() -> usize + Sync),
) {
    let Some((id, promise)) = account.promises.iter_mut().rev().nth(2) else {
        return;
    };
    if promise.asked == Stage::Gone {
        return;
    }
    if round % 5 == 3 {
        promise.asked = Stage::Gone;
        if spool.delete(*id).await.is_ok() {
            promise.reached.push((Stage::Gone, mark()));
        }
    } else if round % 5 == 1 {
        promise.hold_asked = true;
        if spool.hold(*id).await.is_ok() {
            promise.held = Some((true, mark()));
        }
    }
}

/// Checks that the spool keeps every promise that was acknowledged up to `mark`.
pub(super) async fn check(spool: &Spool, account: &Account, mark: usize, case: &str) {
    let listed = spool.list(crate::Filter { limit: usize::MAX, ..Default::default() }).await;
    let listed: BTreeMap<_, _> = listed.into_iter().map(|entry| (entry.id, entry)).collect();
    for (id, entry) in &listed {
        assert!(!entry.damaged, "{case}: {id} is damaged");
        if entry.held {
            spool.release(*id).await.unwrap();
        }
    }
    spool.flush();
    let jobs = spool.claim(Timestamp::MAX, 1024).await;
    assert_eq!(jobs.len(), listed.len(), "{case}: some message does not read");
    let jobs: BTreeMap<_, _> = jobs.into_iter().map(|job| (job.id(), job)).collect();
    for (id, promise) in &account.promises {
        let reached = promise.reached.iter().rfind(|(_, at)| *at <= mark).map(|(stage, _)| *stage);
        let job = jobs.get(id);
        if let Some(job) = job {
            assert_ne!(reached, Some(Stage::Gone), "{case}: {id} came back");
            let whole = read(job).await.unwrap() == text(promise.seed, promise.octets);
            assert!(whole, "{case}: {id} is altered");
            let done = job.remaining().len() == 1;
            assert!(done || reached != Some(Stage::Half), "{case}: {id} lost its state");
        }
        let must = reached.is_some() && promise.asked != Stage::Gone;
        assert!(job.is_some() || !must, "{case}: {id} was acknowledged and is lost");
        if let (Some((held, at)), Some(entry)) = (promise.held, listed.get(id))
            && at <= mark
        {
            assert_eq!(entry.held, held, "{case}: {id}");
        }
        if let Some(entry) = listed.get(id) {
            assert!(!entry.held || promise.hold_asked, "{case}: {id} is held by nobody");
        }
    }
    drop(jobs);
}
