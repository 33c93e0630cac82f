//! A day in the life of a spool, with an account of what was asked and what was promised: mail
//! of all sizes, with heads and files of its own, for review, delivered, deferred, recorded in
//! parts, held, released, deleted; enough that segments are filled, emptied and used again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use auth::ManualClock;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::kit::*;
use crate::layer::faulty::Faulty;
use crate::{Filter, IntakeError, Job, Origin, Outcome, QueueEntry, QueueId, Report, Spool};

/// How far the spool has promised to be with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Queued, nobody tried.
    Queued,
    /// First recipient done.
    Half,
    /// Settled or deleted.
    Gone,
}

/// What was asked and promised about one message.
#[derive(Clone, Debug)]
pub(super) struct Promise {
    pub(super) seed: u64,
    /// Stages acknowledged, each with a mark of when.
    pub(super) reached: Vec<(Stage, usize)>,
    /// The stage last asked for.
    pub(super) asked: Stage,
    /// Whether it was to be held, and when that was acknowledged, if it was.
    pub(super) holds: Vec<(bool, Option<usize>)>,
}

/// All that was promised, and what was refused.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) promises: BTreeMap<QueueId, Promise>,
    /// Seeds of messages that were refused.
    pub(super) refused: Vec<u64>,
}

/// Messages of one round.
pub(super) const EACH: u64 = 8;

/// Head and text of the message `seed`: one in three ways has a head, some have files.
fn parts(seed: u64) -> (Vec<u8>, Vec<u8>) {
    let (head, octets) = [
        (0, 10),
        (0, 18_000),
        (900, 0),
        (3_000, 30_000),
        (0, 26_000),
        (200, 22_000),
        (0, 22_000),
        (0, 600),
    ][(seed % EACH) as usize];
    (text(seed + 1_000_000, head), text(seed, octets))
}

fn is_for_review(seed: u64) -> bool {
    matches!(seed % EACH, 4 | 6)
}

/// Takes in the message `seed` by the door that is its.
async fn take(spool: &Spool, seed: u64) -> Result<QueueId, IntakeError> {
    let (head, body) = parts(seed);
    let mut draft = spool.draft()?;
    draft.write(&body).await?;
    draft.set_head(head);
    let report = Report {
        recipients: ["a@example.net", "b@example.net"].map(|text| text.parse().unwrap()).to_vec(),
        body: Bytes::new(),
        smtputf8: false,
        eight_bit: true,
        require_tls: false,
        at: start(),
    };
    let (envelope, _) = report.split();
    spool.queue(envelope, Origin::Report, draft, is_for_review(seed).then_some("why")).await
}

/// Runs `rounds` rounds from number `first` on. The disk's journal tells the time.
pub(super) async fn run(
    spool: &Spool,
    clock: &Arc<ManualClock>,
    disk: &Faulty,
    account: &mut Account,
    rounds: std::ops::Range<u64>,
) {
    for round in rounds {
        for seed in round * EACH..(round + 1) * EACH {
            match take(spool, seed).await {
                Ok(id) => {
                    let reached = vec![(Stage::Queued, disk.journal())];
                    let held = is_for_review(seed).then_some((true, Some(disk.journal())));
                    let (asked, holds) = (Stage::Queued, held.into_iter().collect());
                    account.promises.insert(id, Promise { seed, reached, asked, holds });
                }
                Err(_) => account.refused.push(seed),
            }
        }
        for job in spool.claim(start(), 6).await {
            settle(spool, job, account, disk).await;
        }
        administer(spool, round, account, disk).await;
        clock.advance(Duration::from_secs(2));
    }
}

async fn settle(spool: &Spool, job: Job, account: &mut Account, disk: &Faulty) {
    let id = job.id();
    // One that was refused while nothing could be made void may be there all the same.
    let Some(promise) = account.promises.get_mut(&id) else {
        return;
    };
    let until = start() + SignedDuration::from_hours(1);
    let deferred = Outcome::Deferred { until, reply: "450".into(), delay_reported: true };
    if promise.seed % EACH == 1 {
        // One destination is quicker than the other.
        promise.asked = Stage::Half;
        if spool.record(&job, vec![(0, Outcome::Done)]).await.is_ok() {
            promise.reached.push((Stage::Half, disk.journal()));
        }
    }
    if promise.seed % 11 == 5 {
        job.postpone(until);
        return;
    }
    let (stage, second) = match promise.seed % EACH {
        5 => (Stage::Half, deferred),
        _ => (Stage::Gone, Outcome::Done),
    };
    promise.asked = stage;
    let first = job.progress()[0].state == crate::RecipientState::Pending;
    let mut outcomes = vec![(1, second)];
    outcomes.extend(first.then_some((0, Outcome::Done)));
    if spool.settle(job, outcomes).await.is_ok() {
        promise.reached.push((stage, disk.journal()));
    }
}

async fn administer(spool: &Spool, round: u64, account: &mut Account, disk: &Faulty) {
    let pending = account.promises.iter_mut().filter(|(_, p)| p.asked != Stage::Gone);
    // Not the same place in each round; the newest ones are not tried yet.
    for (id, promise) in pending.rev().skip((round % 3) as usize).step_by(3).take(3) {
        let for_review = is_for_review(promise.seed);
        if (round + promise.seed).is_multiple_of(4) {
            promise.asked = Stage::Gone;
            if spool.delete(*id).await.is_ok() {
                promise.reached.push((Stage::Gone, disk.journal()));
            }
            continue;
        }
        let hold = !for_review && promise.holds.len() % 2 == 0;
        promise.holds.push((hold, None));
        let done = if hold { spool.hold(*id).await } else { spool.release(*id).await };
        if done.is_ok() {
            promise.holds.last_mut().unwrap().1 = Some(disk.journal());
        }
    }
}

/// Checks that the spool keeps every promise that was acknowledged up to `mark`.
pub(super) async fn check(spool: &Spool, account: &Account, mark: usize, case: &str) {
    let listed = spool.list(Filter { limit: usize::MAX, ..Default::default() }).await;
    let listed: BTreeMap<_, _> = listed.into_iter().map(|entry| (entry.id, entry)).collect();
    for (id, entry) in &listed {
        assert!(!entry.damaged, "{case}: {id} is damaged");
        if entry.held {
            spool.release(*id).await.unwrap();
        }
    }
    spool.flush();
    let jobs = spool.claim(Timestamp::MAX, 1024).await;
    // One whose recipients all have their outcomes, though its end is not on disk, is no job.
    let open = |entry: &QueueEntry| {
        entry.recipients.iter().any(|r| r.state == crate::RecipientState::Pending)
    };
    let listed_open = listed.values().filter(|entry| open(entry)).count();
    assert_eq!(jobs.len(), listed_open, "{case}: some message does not read");
    let jobs: BTreeMap<_, _> = jobs.into_iter().map(|job| (job.id(), job)).collect();
    for (id, promise) in &account.promises {
        let reached = promise.reached.iter().rfind(|(_, at)| *at <= mark).map(|(stage, _)| *stage);
        let job = jobs.get(id);
        if let Some(job) = job {
            assert_ne!(reached, Some(Stage::Gone), "{case}: {id} came back");
            let (head, body) = parts(promise.seed);
            let whole = read(job).await.unwrap() == [head, body].concat();
            assert!(whole, "{case}: {id} is altered");
            let done = job.progress()[0].state == crate::RecipientState::Done;
            assert!(done || reached != Some(Stage::Half), "{case}: {id} lost its state");
        }
        let must = reached.is_some() && promise.asked != Stage::Gone;
        assert!(job.is_some() || !must, "{case}: {id} was acknowledged and is lost");
        if let (Some(entry), Some(_)) = (listed.get(id), reached) {
            check_hold(entry, promise, mark, case);
        }
    }
}

/// The hold that was last acknowledged, or one that was asked for later, or one that failed: a
/// crash before the failed record is made void may bring it back.
fn check_hold(entry: &QueueEntry, promise: &Promise, mark: usize, case: &str) {
    let acknowledged = |(_, at): &(bool, Option<usize>)| at.is_some_and(|at| at <= mark);
    let last = promise.holds.iter().rposition(acknowledged);
    let before = last.is_some_and(|place| promise.holds[place].0);
    let later = &promise.holds[last.map_or(0, |place| place + 1)..];
    let failed = promise.holds.iter().filter(|(_, at)| at.is_none());
    let may_be =
        entry.held == before || later.iter().chain(failed).any(|(held, _)| *held == entry.held);
    assert!(may_be, "{case}: {} is {}", entry.id, if entry.held { "held" } else { "not held" });
    let review = is_for_review(promise.seed).then_some("why");
    assert_eq!(entry.review.as_deref(), review, "{case}: {}", entry.id);
}
