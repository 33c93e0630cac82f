//! Many at once: clients that vanish, administrators and deliveries on the same message.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use spool::{Outcome, QueueId};

use crate::kit::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_that_vanish_disturb_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), Arc::new(permit().await));
    let spool = open(&config(directory.path()), &clock);
    let mut tasks = Vec::new();
    for task in 0..32_u64 {
        let (spool, permit) = (spool.clone(), Arc::clone(&permit));
        tasks.push(tokio::spawn(async move {
            let mut stored: Vec<QueueId> = Vec::new();
            for n in 0..40 {
                let octets = if n % 8 == 0 { 100_000 } else { 3_000 };
                let deliver = put(&spool, &permit, &["bob@example.net"], task, octets);
                // Every third client gives up after some polls, at a different point each time.
                if n % 3 == 0 {
                    let patience = Duration::from_micros(task * 40);
                    stored.extend(tokio::time::timeout(patience, deliver).await);
                } else {
                    stored.push(deliver.await);
                }
            }
            stored
        }));
    }
    let mut stored = BTreeSet::new();
    for task in tasks {
        stored.extend(task.await.unwrap());
    }
    spool.close().await;
    let spool = open(&config(directory.path()), &clock);
    let mut queued = BTreeSet::new();
    loop {
        let jobs = spool.claim(start(), 100).await;
        if jobs.is_empty() {
            break;
        }
        for job in jobs {
            assert!(matches!(read(&job).await.len(), 3_000 | 100_000));
            queued.insert(job.id());
            deliver(&spool, job).await;
        }
    }
    assert!(queued.is_superset(&stored));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn deliveries_and_administrators_on_the_same_messages_agree_with_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let mut ids = Vec::new();
    for seed in 0..60 {
        ids.push(put(&spool, &permit, &["a@example.net", "b@example.net"], seed, 5_000).await);
    }
    let relay = tokio::spawn({
        let spool = spool.clone();
        async move {
            for round in 0..60_usize {
                for job in spool.claim(start() + SignedDuration::from_hours(1), 16).await {
                    let until = start();
                    let defer = Outcome::Deferred {
                        until,
                        reply: format!("4 {round}").into(),
                        delay_reported: false,
                    };
                    let number = job.remaining().len();
                    match round % 4 {
                        0 => drop(job),
                        1 => drop(
                            tokio::time::timeout(
                                Duration::from_micros(100),
                                spool.settle(job, vec![(0, defer)]),
                            )
                            .await,
                        ),
                        2 if number == 1 || round > 40 => deliver(&spool, job).await,
                        _ => spool.settle(job, vec![(0, Outcome::Done), (1, defer)]).await.unwrap(),
                    }
                }
            }
        }
    });
    let admin = tokio::spawn({
        let (spool, ids) = (spool.clone(), ids.clone());
        async move {
            for round in 0..20 {
                for (n, id) in ids.iter().enumerate() {
                    let _ = match (n + round) % 5 {
                        0 => spool.hold(*id).await,
                        1 => spool.release(*id).await,
                        2 => spool.retry(*id),
                        3 if round == 15 => spool.delete(*id).await,
                        _ => Ok(()),
                    };
                }
            }
        }
    });
    relay.await.unwrap();
    admin.await.unwrap();
    for id in &ids {
        let _ = spool.release(*id).await;
    }
    let listing = spool.list(spool::Filter::default()).await;
    assert_eq!(spool.stats().in_delivery, 0);
    assert_eq!(spool.stats().queued, listing.len() as u64);
    spool.close().await;
    let spool = open(&config(directory.path()), &clock);
    let after = spool.list(spool::Filter::default()).await;
    let essence = |entries: &[spool::QueueEntry]| {
        entries.iter().map(|e| (e.id, e.held, e.recipients.clone(), e.attempts)).collect::<Vec<_>>()
    };
    assert_eq!(essence(&after), essence(&listing));
}
