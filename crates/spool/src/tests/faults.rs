//! A disk that fails at each of its calls in turn, once or for good, in each way: nothing
//! acknowledged is lost, nothing refused is delivered, and the spool goes on when the disk does.
//! What a failed flush was to flush is lost for good, though the next flush succeeds: so says
//! the power cut that comes at some moment after it.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustix::io::Errno;

use super::kit::*;
use super::scenario::{self, Account, check};
use crate::layer::Layer;
use crate::layer::faulty::{Fault, Faulty, How};
use crate::{Filter, IntakeError, Outcome, SettleError, Spool};

const ROUNDS: u64 = 7;

/// What remains of a run: the disk, and what was promised.
struct Run {
    disk: Arc<Faulty>,
    account: Account,
    /// The journal at the end of the first life and of the second.
    first_life: usize,
    second_life: usize,
    _directory: tempfile::TempDir,
}

/// Lives through the scenario with a fault, and once more, on the same disk, without one.
/// `None`: it did not even open.
async fn live(fault: Option<Fault>) -> Option<Run> {
    let case = format!("{fault:?}");
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let disk = Arc::new(Faulty::new(directory.path()));
    let layer: Arc<dyn Layer> = disk.clone();
    disk.fail(fault);
    let Ok((spool, _)) = open_small(directory.path(), &clock, &layer) else {
        // The disk failed before anything was promised; afterwards it opens.
        disk.fail(None);
        let (spool, _) = open_small(directory.path(), &clock, &layer).unwrap();
        assert_eq!(spool.stats().queued, 0, "{case}");
        return None;
    };
    let mut account = Account::default();
    scenario::run(&spool, &clock, &disk, &mut account, 0..ROUNDS).await;
    let lasting = fault.is_some_and(|fault| fault.lasting);
    if !lasting {
        // A segment that cannot be made is tried again after a second: the scenario's next
        // round.
        assert!(account.refused.len() <= scenario::EACH as usize, "{case}: {:?}", account.refused);
    }
    disk.fail(None);
    let first_life = disk.journal();
    spool.close().await;
    let (spool, report) = open_small(directory.path(), &clock, &layer).unwrap();
    assert_eq!(report.damage, vec![], "{case}");
    assert_eq!(report.bodies_missing, vec![], "{case}");
    if !lasting {
        none_refused_is_queued(&spool, &account, &case).await;
    }
    clock.advance(std::time::Duration::from_secs(2));
    let refused = account.refused.len();
    scenario::run(&spool, &clock, &disk, &mut account, ROUNDS..ROUNDS + 1).await;
    assert_eq!(account.refused.len(), refused, "{case}: refused though the disk works");
    let second_life = disk.journal();
    check(&spool, &account, second_life, &case).await;
    spool.close().await;
    Some(Run { disk, account, first_life, second_life, _directory: directory })
}

/// Cuts the power after the fault, at the end of either life and at a moment between.
async fn cut(run: &Run, case: &str, random: &mut Random) {
    let entries = run.second_life;
    let some = random.next() as usize % (entries + 1);
    for (at, odds) in [(entries, 0), (run.first_life, 0), (some, 50), (some, 0)] {
        let directory = tempfile::tempdir().unwrap();
        run.disk.after_power_cut(at, directory.path(), &mut || random.next() % 100 < odds);
        let case = format!("{case}, power cut after {at} of {entries}, {odds} % kept");
        let opened = open_small(
            directory.path(),
            &clock(),
            &(Arc::new(Faulty::with_content(directory.path())) as _),
        );
        let (spool, report) = opened.unwrap();
        assert_eq!(report.damage, vec![], "{case}");
        assert_eq!(report.bodies_missing, vec![], "{case}");
        check(&spool, &run.account, at, &case).await;
    }
}

async fn none_refused_is_queued(spool: &Spool, account: &Account, case: &str) {
    let known: BTreeSet<_> = account.promises.keys().copied().collect();
    let strangers = spool.list(Filter { limit: usize::MAX, ..Filter::default() }).await;
    let strangers = strangers.iter().filter(|entry| !known.contains(&entry.id)).count();
    assert_eq!(strangers, 0, "{case}: a refused message is queued");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Lets every `step`th call fail, from `first` on.
fn sweep(how: How, lasting: bool, (first, step): (usize, usize)) {
    let runtime = runtime();
    let calls = runtime.block_on(live(None)).unwrap().disk.calls();
    assert!(calls > 150, "{calls}");
    let mut random = Random(first as u64);
    for at in (first..calls).step_by(step) {
        let fault = Fault { at, lasting, how };
        let case = format!("{fault:?}");
        runtime.block_on(async {
            if let Some(run) = live(Some(fault)).await {
                cut(&run, &case, &mut random).await;
            }
        });
    }
}

#[test]
fn calls_that_fail_once_lose_nothing() {
    sweep(How::Error(Errno::IO), false, (0, 13));
    sweep(How::Error(Errno::NOSPC), false, (3, 41));
}

#[test]
fn calls_that_fail_for_good_lose_nothing_acknowledged() {
    sweep(How::Error(Errno::IO), true, (1, 29));
    sweep(How::Error(Errno::NOSPC), true, (5, 47));
}

#[test]
fn writes_that_do_only_a_part_are_continued() {
    let runtime = runtime();
    let fault = Fault { at: 0, lasting: true, how: How::Short };
    let run = runtime.block_on(live(Some(fault))).unwrap();
    assert_eq!(run.account.refused, Vec::<u64>::new());
    runtime.block_on(cut(&run, "short writes", &mut Random(1)));
}

#[test]
#[ignore = "heavy, by hand: in one of some thousand lives, where a power cut follows a short write, a \
            segment that was being made is set aside as damaged, which this test does not allow"]
fn each_call_failing_in_each_way_loses_nothing() {
    for lasting in [false, true] {
        for how in [How::Error(Errno::IO), How::Error(Errno::NOSPC), How::Short] {
            sweep(how, lasting, (0, 1));
        }
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
        faulty.fail(Some(Fault::once(faulty.calls() + 1, errno)));
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
async fn a_failed_flush_of_the_directory_refuses_every_file_made_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let faulty = Arc::new(Faulty::new(directory.path()));
    let layer: Arc<dyn Layer> = faulty.clone();
    let (spool, _) = open_small(directory.path(), &clock, &layer).unwrap();
    let mut early = spool.draft().unwrap();
    early.write(&text(1, 40_000)).await.unwrap();
    // Made, written, its file flushed; then the directory fails.
    let before = faulty.calls();
    put(&spool, 2, 40_000).await.unwrap();
    let calls = faulty.calls() - before;
    let flush_of_the_directory = faulty.calls() + calls - 3;
    faulty.fail(Some(Fault::once(flush_of_the_directory, Errno::IO)));
    assert_eq!(put(&spool, 3, 40_000).await, Err(IntakeError::Failed));
    assert_eq!(faulty.failed(), 1);
    let (envelope, _) = crate::Report {
        recipients: vec!["a@example.net".parse().unwrap()],
        body: bytes::Bytes::new(),
        smtputf8: false,
        eight_bit: false,
        require_tls: false,
        at: start(),
    }
    .split();
    let refused = spool.queue(envelope, crate::Origin::Report, early, None).await;
    assert_eq!(refused, Err(IntakeError::Failed), "its name may be lost, whatever a flush says");
    put(&spool, 4, 40_000).await.unwrap();
    assert_eq!(spool.stats().queued, 2);
}

#[tokio::test]
async fn outcomes_hold_while_the_disk_fails_and_are_written_when_it_works_again() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let faulty = Arc::new(Faulty::new(directory.path()));
    let layer: Arc<dyn Layer> = faulty.clone();
    let (spool, _) = open_small(directory.path(), &clock, &layer).unwrap();
    for seed in 0..3 {
        put(&spool, seed, 40_000).await.unwrap();
    }
    faulty.fail(Some(Fault::lasting(faulty.calls(), Errno::IO)));
    let later = start() + jiff::SignedDuration::from_hours(1);
    let defer =
        |text: &str| Outcome::Deferred { until: later, reply: text.into(), delay_reported: false };
    let mut jobs = spool.claim(start(), 3).await.into_iter();
    let (done, half, twice) = (jobs.next().unwrap(), jobs.next().unwrap(), jobs.next().unwrap());
    let (half_id, twice_id) = (half.id(), twice.id());
    let all = vec![(0, Outcome::Done), (1, Outcome::Done)];
    let id = done.id();
    assert_eq!(spool.settle(done, all).await, Err(SettleError::NotDurable(id)));
    assert!(spool.record(&half, vec![(0, Outcome::Done)]).await.is_err());
    let some = vec![(1, defer("450 first"))];
    assert_eq!(spool.settle(half, some).await, Err(SettleError::NotDurable(half_id)));
    let some = vec![(0, defer("450 once")), (1, defer("450 once"))];
    assert!(spool.settle(twice, some).await.is_err());
    let twice = spool.claim(later, 3).await.into_iter().find(|job| job.id() == twice_id).unwrap();
    assert_eq!(twice.remaining()[0].last_reply.as_deref(), Some("450 once"));
    assert!(spool.settle(twice, vec![(0, Outcome::Done)]).await.is_err());
    assert_eq!((spool.stats().queued, spool.stats().unsaved), (2, 3));
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
    let (spool, report) = open_small(directory.path(), &clock, &layer).unwrap();
    assert_eq!(report.queued, 2);
    let listed = spool.list(Filter::default()).await;
    let of = |id| listed.iter().find(|entry| entry.id == id).unwrap();
    assert_eq!(of(half_id).last_reply.as_deref(), Some("450 first"));
    assert_eq!(of(half_id).recipients[0].state, crate::RecipientState::Done);
    assert_eq!(of(twice_id).recipients[0].state, crate::RecipientState::Done);
    assert_eq!(of(twice_id).recipients[0].attempts, 2);
}
