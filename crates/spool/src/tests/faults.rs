//! A disk that fails at each of its calls in turn, once or for good, with each errno: nothing
//! acknowledged is lost, nothing refused is delivered, and the spool goes on when the disk does.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustix::io::Errno;

use super::kit::*;
use crate::layer::faulty::{Fault, Faulty};
use crate::layer::{Disk, Layer};
use crate::{Filter, IntakeError, Outcome, SettleError, Spool};

const ROUNDS: u64 = 8;

/// Runs the scenario with a fault; gives the number of calls.
async fn run(fault: Option<Fault>) -> usize {
    let case = format!("{fault:?}");
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let faulty = Arc::new(Faulty::new(directory.path()));
    let layer: Arc<dyn Layer> = faulty.clone();
    faulty.fail(fault);
    let Ok((spool, _)) = open(directory.path(), &clock, &layer) else {
        // The disk failed before anything was promised; afterwards it opens.
        let (spool, _) = open(directory.path(), &clock, &(Arc::new(Disk) as _)).unwrap();
        assert_eq!(spool.stats().queued, 0, "{case}");
        return faulty.calls();
    };
    let account = scenario(&spool, &clock, ROUNDS, &|| 0).await;
    let lasting = fault.is_some_and(|fault| fault.lasting);
    if !lasting {
        // A segment that cannot be made is tried again after a second: the scenario's next
        // round, of six messages.
        assert!(account.refused.len() <= 6, "{case}: {:?}", account.refused);
        if put(&spool, 999, 10).await.is_err() {
            // The fault came only now; the next one goes through.
            clock.advance(std::time::Duration::from_secs(2));
            put(&spool, 999, 10).await.unwrap();
        }
    }
    faulty.fail(None);
    let calls = faulty.calls();
    spool.close().await;
    let (spool, report) = open(directory.path(), &clock, &(Arc::new(Disk) as _)).unwrap();
    assert_eq!(report.damage, vec![], "{case}");
    assert_eq!(report.bodies_missing, vec![], "{case}");
    if !lasting {
        none_refused_is_queued(&spool, &account, &case).await;
    }
    check(&spool, &account, 0, &case).await;
    calls
}

async fn none_refused_is_queued(spool: &Spool, account: &Account, case: &str) {
    let known: BTreeSet<_> = account.promises.keys().copied().collect();
    let strangers = spool.list(Filter { limit: usize::MAX, ..Filter::default() }).await;
    let strangers: Vec<_> = strangers.iter().filter(|entry| !known.contains(&entry.id)).collect();
    // The one message that the run itself adds at the end.
    assert_eq!(strangers.len(), 1, "{case}: a refused message is queued");
}

#[test]
fn the_scenario_without_faults_keeps_every_promise() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let calls = runtime.block_on(run(None));
    assert!(calls > 100, "{calls}");
}

#[test]
fn each_call_failing_once_loses_nothing() {
    sweep(false, Errno::IO, 1);
    sweep(false, Errno::NOSPC, 5);
}

#[test]
fn each_call_failing_for_good_loses_nothing_acknowledged() {
    sweep(true, Errno::IO, 3);
    sweep(true, Errno::NOSPC, 7);
}

fn sweep(lasting: bool, errno: Errno, step: usize) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let calls = runtime.block_on(run(None));
    for at in (0..calls).step_by(step) {
        runtime.block_on(run(Some(Fault { at, lasting, errno })));
    }
}

#[tokio::test]
async fn a_failed_flush_refuses_its_batch_and_the_next_goes_to_a_new_segment() {
    for (errno, answer) in [(Errno::IO, IntakeError::Failed), (Errno::NOSPC, IntakeError::Full)] {
        let directory = tempfile::tempdir().unwrap();
        let clock = clock();
        let faulty = Arc::new(Faulty::new(directory.path()));
        let layer: Arc<dyn Layer> = faulty.clone();
        let (spool, _) = open(directory.path(), &clock, &layer).unwrap();
        put(&spool, 1, 100).await.unwrap();
        // The next call is the write, the one behind it the flush.
        faulty.fail(Some(Fault { at: faulty.calls() + 1, lasting: false, errno }));
        assert_eq!(put(&spool, 2, 100).await, Err(answer));
        assert_eq!(faulty.failed(), 1);
        assert_eq!((spool.stats().failures, spool.stats().queued), (1, 1));
        put(&spool, 3, 100).await.unwrap();
        assert_eq!(spool.stats().queued, 2);
        drop(spool);
        // The refused record is whole in the file all the same, and must not count.
        let (spool, report) = open(directory.path(), &clock, &layer).unwrap();
        assert_eq!(report.queued, 2);
        let texts: Vec<_> = spool.claim(start(), 10).await;
        for job in texts {
            assert_ne!(read(&job).await.unwrap(), text(2, 100));
        }
    }
}

#[tokio::test]
async fn outcomes_hold_while_the_disk_fails_and_are_written_when_it_works_again() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let faulty = Arc::new(Faulty::new(directory.path()));
    let layer: Arc<dyn Layer> = faulty.clone();
    let (spool, _) = open(directory.path(), &clock, &layer).unwrap();
    for seed in 0..3 {
        put(&spool, seed, 210_000).await.unwrap();
    }
    faulty.fail(Some(Fault { at: faulty.calls(), lasting: true, errno: Errno::IO }));
    let later = start() + jiff::SignedDuration::from_hours(1);
    let defer = |text: &str| Outcome::Deferred { until: later, reply: text.into() };
    let mut jobs = spool.claim(start(), 3).await.into_iter();
    let (done, half, twice) = (jobs.next().unwrap(), jobs.next().unwrap(), jobs.next().unwrap());
    let (half_id, twice_id) = (half.id(), twice.id());
    let all = vec![(0, Outcome::Done), (1, Outcome::Done)];
    let id = done.id();
    assert_eq!(spool.settle(done, all).await, Err(SettleError::NotDurable(id)));
    let some = vec![(0, Outcome::Done), (1, defer("450 first"))];
    assert_eq!(spool.settle(half, some).await, Err(SettleError::NotDurable(half_id)));
    let some = vec![(0, defer("450 once")), (1, defer("450 once"))];
    assert!(spool.settle(twice, some).await.is_err());
    let twice = spool.claim(later, 3).await.into_iter().find(|job| job.id() == twice_id).unwrap();
    assert_eq!(twice.remaining()[0].last_reply.as_deref(), Some("450 once"));
    assert!(spool.settle(twice, vec![(0, Outcome::Done)]).await.is_err());
    assert_eq!((spool.stats().queued, spool.stats().unsaved), (2, 2));
    assert!(spool.claim(start(), 3).await.is_empty(), "delivered mail is due again");
    assert!(spool.hold(half_id).await.is_err() && spool.delete(half_id).await.is_err());

    faulty.fail(None);
    clock.advance(std::time::Duration::from_secs(5));
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while spool.stats().unsaved > 0 {
        assert!(std::time::Instant::now() < limit, "nothing was written: {:?}", spool.stats());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    drop(spool);
    let (spool, report) = open(directory.path(), &clock, &layer).unwrap();
    assert_eq!(report.queued, 2);
    let listed = spool.list(Filter::default()).await;
    let of = |id| listed.iter().find(|entry| entry.id == id).unwrap();
    assert_eq!(of(half_id).last_reply.as_deref(), Some("450 first"));
    assert_eq!(of(twice_id).recipients[0].state, crate::RecipientState::Done);
    assert_eq!(of(twice_id).recipients[0].attempts, 2);
}
