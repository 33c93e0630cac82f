//! Mail goes out: claims, outcomes, retries, drops, the wait for what is due.

use std::time::Duration;

use jiff::SignedDuration;
use spool::{Outcome, Remaining};

use crate::kit::*;

#[tokio::test]
async fn each_recipient_has_its_own_fate_across_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let mut spool = open(&config(directory.path()), &clock);
    let recipients = ["a@one.example", "b@two.example", "c@three.example", "d@four.example"];
    let id = put(&spool, &permit, &recipients, 7, 30_000).await;
    let job = claim_one(&spool, start()).await;
    let (soon, later) =
        (start() + SignedDuration::from_mins(5), start() + SignedDuration::from_mins(9));
    let outcomes = vec![
        (0, Outcome::Done),
        (
            1,
            Outcome::Deferred {
                until: later,
                reply: "450 4.2.0 greylisted".into(),
                delay_reported: false,
            },
        ),
        (2, Outcome::Failed { reply: "550 5.1.1 no such user".into() }),
        (
            3,
            Outcome::Deferred {
                until: soon,
                reply: "450 4.2.0 greylisted".into(),
                delay_reported: false,
            },
        ),
    ];
    spool.settle(job, outcomes).await.unwrap();
    for restart in [false, true] {
        if restart {
            spool.close().await;
            spool = open(&config(directory.path()), &clock);
        }
        assert_eq!(spool.next_due(), Some(soon));
        assert!(spool.claim(soon - SignedDuration::from_millis(1), 10).await.is_empty());
        let job = claim_one(&spool, soon).await;
        assert_eq!(job.id(), id);
        assert_eq!(job.envelope().recipients.len(), 4);
        let reply = Some("450 4.2.0 greylisted".into());
        assert_eq!(
            job.remaining(),
            [Remaining { index: 3, attempts: 1, last_reply: reply, delay_reported: false }]
        );
        assert_eq!(read(&job).await, text(7, 30_000));
    }
    let job = claim_one(&spool, soon).await;
    spool.settle(job, vec![(3, Outcome::Done), (0, Outcome::Done)]).await.unwrap();
    assert!(spool.claim(soon, 10).await.is_empty());
    let job = claim_one(&spool, later).await;
    assert_eq!(job.remaining().iter().map(|r| r.index).collect::<Vec<_>>(), [1]);
    spool.settle(job, vec![(1, Outcome::Failed { reply: "expired".into() })]).await.unwrap();
    assert_eq!(spool.stats().queued, 0);
    spool.close().await;
    assert_eq!(open(&config(directory.path()), &clock).stats().queued, 0);
}

#[tokio::test]
async fn a_dropped_job_is_due_again_at_once_and_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let id = put(&spool, &permit, &["bob@example.net"], 1, 100).await;
    let job = claim_one(&spool, start()).await;
    assert_eq!(spool.stats().in_delivery, 1);
    assert!(spool.claim(start(), 10).await.is_empty(), "claimed twice");
    assert_eq!(spool.next_due(), None);
    drop(job);
    assert_eq!(spool.stats().in_delivery, 0);
    let job = claim_one(&spool, start()).await;
    assert_eq!((job.id(), job.remaining()[0].attempts), (id, 0));
}

#[tokio::test]
async fn a_recipient_without_an_outcome_stays_due() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    put(&spool, &permit, &["a@example.net", "b@example.net"], 1, 100).await;
    let job = claim_one(&spool, start()).await;
    spool.settle(job, vec![(1, Outcome::Done), (9, Outcome::Done)]).await.unwrap();
    let job = claim_one(&spool, start()).await;
    let expected = [Remaining { index: 0, attempts: 0, last_reply: None, delay_reported: false }];
    assert_eq!(job.remaining(), expected);
}

#[tokio::test]
async fn the_longest_due_comes_first_and_no_more_than_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let mut ids = Vec::new();
    for seed in 0..5 {
        ids.push(put(&spool, &permit, &["bob@example.net"], seed, 10).await);
    }
    for (minutes, job) in [9, 3, 7, 1, 5].into_iter().zip(spool.claim(start(), 5).await) {
        let until = start() + SignedDuration::from_mins(minutes);
        let reply = "451 later".into();
        spool
            .settle(job, vec![(0, Outcome::Deferred { until, reply, delay_reported: false })])
            .await
            .unwrap();
    }
    let jobs = spool.claim(start() + SignedDuration::from_mins(60), 3).await;
    let order: Vec<_> = jobs.iter().map(|job| job.id()).collect();
    assert_eq!(order, [ids[3], ids[1], ids[4]]);
    let jobs = spool.claim(start() + SignedDuration::from_mins(8), 3).await;
    assert_eq!(jobs.iter().map(|job| job.id()).collect::<Vec<_>>(), [ids[2]]);
}

#[tokio::test]
async fn due_wakes_for_new_mail_for_time_and_for_a_dropped_job() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let soon = Duration::from_millis(300);
    assert!(tokio::time::timeout(soon, spool.due()).await.is_err(), "nothing is queued");
    let waiter = tokio::spawn({
        let spool = spool.clone();
        async move { spool.due().await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    put(&spool, &permit, &["bob@example.net"], 1, 10).await;
    tokio::time::timeout(soon, waiter).await.unwrap().unwrap();

    let job = claim_one(&spool, start()).await;
    assert!(tokio::time::timeout(soon, spool.due()).await.is_err(), "it is claimed");
    let (_, ()) = tokio::join!(tokio::time::timeout(soon, spool.due()), async { drop(job) });
    let job = claim_one(&spool, start()).await;

    let until = start() + SignedDuration::from_secs(90);
    spool
        .settle(
            job,
            vec![(0, Outcome::Deferred { until, reply: "x".into(), delay_reported: false })],
        )
        .await
        .unwrap();
    assert!(tokio::time::timeout(soon, spool.due()).await.is_err(), "it is not time yet");
    clock.advance(Duration::from_secs(90));
    tokio::time::timeout(Duration::from_secs(3), spool.due()).await.unwrap();
}

#[tokio::test]
async fn replies_are_kept_short_and_survive_ten_thousand_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let mut crowd = envelope(&[]);
    crowd.recipients =
        (0..spool::RECIPIENTS_MAX).map(|n| mailbox(&format!("r{n}@example.net")).into()).collect();
    spool.intake(&permit, crowd, spool.draft().unwrap()).await.unwrap();
    let job = claim_one(&spool, start()).await;
    let until = start() + SignedDuration::from_mins(5);
    let defer = |n: usize| Outcome::Deferred {
        until,
        reply: format!("{n} ü{}", "é".repeat(900)).into(),
        delay_reported: false,
    };
    spool.settle(job, (0..spool::RECIPIENTS_MAX).map(|n| (n, defer(n))).collect()).await.unwrap();
    spool.close().await;
    let spool = open(&config(directory.path()), &clock);
    let job = claim_one(&spool, until).await;
    assert_eq!(job.remaining().len(), spool::RECIPIENTS_MAX);
    assert!(job.remaining().iter().all(|r| r.attempts == 1));
    assert!(job.remaining().iter().all(|r| r.last_reply.as_ref().is_none_or(|t| t.len() <= 500)));
}

#[tokio::test]
async fn a_job_outlives_deletion_compaction_and_the_spool_itself() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let small = put(&spool, &permit, &["bob@example.net"], 1, 30_000).await;
    put(&spool, &permit, &["bob@example.net"], 2, 300_000).await;
    let mut jobs = spool.claim(start(), 2).await;
    jobs.sort_by_key(|job| job.octets());
    let large_body = jobs[1].body().await.unwrap();
    spool.delete(small).await.unwrap();
    assert_eq!(spool.stats().queued, 1);
    assert_eq!(read(&jobs[0]).await, text(1, 30_000));
    let outcome = vec![(0, Outcome::Done)];
    spool.settle(jobs.remove(0), outcome.clone()).await.unwrap();
    spool.close().await;
    let mut body = large_body;
    let mut octets = Vec::new();
    while let Some(block) = body.next().await.unwrap() {
        octets.extend_from_slice(&block);
    }
    assert_eq!(octets, text(2, 300_000));
    drop(jobs);
    assert_eq!(open(&config(directory.path()), &clock).stats().queued, 1);
}
