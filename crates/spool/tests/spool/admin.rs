//! The administrator's side: listing, holding, hurrying, deleting.

use jiff::SignedDuration;
use spool::{AdminError, Filter, Outcome, QueueId, RecipientState};

use crate::kit::*;

#[tokio::test]
async fn the_listing_shows_what_an_administrator_asks_for() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let first = put(&spool, &permit, &["a@one.example", "b@two.example"], 1, 1234).await;
    spool.inbound(inbound(), spool.draft().unwrap()).await.unwrap();
    let job = spool.claim(start(), 1).await.remove(0);
    assert_eq!(job.id(), first);
    let until = start() + SignedDuration::from_mins(5);
    let deferred = Outcome::Deferred { until, reply: "450 busy".into(), delay_reported: false };
    spool.settle(job, vec![(0, Outcome::Done), (1, deferred)]).await.unwrap();
    let all = spool.list(Filter::default()).await;
    assert_eq!(all.len(), 2);
    let entry = &all[0];
    assert_eq!((entry.id, entry.octets, entry.attempts), (first, 1234, 1));
    assert_eq!(entry.received_at, start());
    assert_eq!(entry.sender.to_string(), "<alice@example.org>");
    assert_eq!(entry.next_attempt, Some(until));
    assert_eq!(entry.last_reply.as_deref(), Some("450 busy"));
    assert!(!entry.held && !entry.in_delivery && !entry.damaged);
    let states: Vec<_> = entry.recipients.iter().map(|r| (r.state, r.attempts)).collect();
    assert_eq!(states, [(RecipientState::Done, 1), (RecipientState::Pending, 1)]);
    let count = async |filter: Filter| spool.list(filter).await.len();
    let none = Filter::default;
    assert_eq!(count(Filter { id: Some(first), ..none() }).await, 1);
    assert_eq!(count(Filter { after: Some(first), ..none() }).await, 1);
    assert_eq!(count(Filter { id: Some(first), after: Some(first), ..none() }).await, 0);
    assert_eq!(count(Filter { domain: Some("two.example".into()), ..none() }).await, 1);
    assert_eq!(count(Filter { domain: Some("three.example".into()), ..none() }).await, 0);
    assert_eq!(count(Filter { sender: Some(entry.sender.clone()), ..none() }).await, 1);
    assert_eq!(count(Filter { received_before: Some(start()), ..none() }).await, 0);
    assert_eq!(count(Filter { limit: 1, ..none() }).await, 1);
    let jobs = spool.claim(start(), 10).await;
    assert_eq!(jobs.len(), 1);
    assert!(spool.list(Filter::default()).await[1].in_delivery);
}

#[tokio::test]
async fn paging_visits_each_message_once() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let mut ids = Vec::new();
    for seed in 0..700 {
        ids.push(put(&spool, &permit, &["bob@example.net"], seed, 10).await);
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = spool.list(Filter { after, limit: 123, ..Filter::default() }).await;
        let Some(last) = page.last() else {
            break;
        };
        after = Some(last.id);
        seen.extend(page.iter().map(|entry| entry.id));
    }
    assert_eq!(seen, ids);
}

#[tokio::test]
async fn a_held_message_is_not_tried_until_released_across_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let id = put(&spool, &permit, &["a@example.net", "b@example.net"], 1, 10).await;
    spool.hold(id).await.unwrap();
    spool.hold(id).await.unwrap();
    assert!(spool.claim(start(), 10).await.is_empty());
    assert_eq!(spool.retry(id), Ok(()));
    assert_eq!(spool.flush(), 0);
    assert!(spool.claim(start(), 10).await.is_empty(), "hurrying does not release");
    spool.close().await;
    let spool = open(&config(directory.path()), &clock);
    assert_eq!(spool.stats().held, 1);
    assert!(spool.claim(start(), 10).await.is_empty());
    spool.release(id).await.unwrap();
    assert_eq!(spool.stats().held, 0);
    let job = claim_one(&spool, start()).await;
    assert_eq!(job.remaining().len(), 2);
    // Held while it is being delivered: the delivery counts, the rest waits.
    spool.hold(id).await.unwrap();
    spool.settle(job, vec![(0, Outcome::Done)]).await.unwrap();
    assert!(spool.claim(start(), 10).await.is_empty());
    spool.close().await;
    let spool = open(&config(directory.path()), &clock);
    assert!(spool.claim(start(), 10).await.is_empty());
    spool.release(id).await.unwrap();
    let job = claim_one(&spool, start()).await;
    assert_eq!(job.remaining().iter().map(|r| r.index).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn retry_and_flush_hurry_every_pending_recipient() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let mut ids = Vec::new();
    for seed in 0..3 {
        ids.push(put(&spool, &permit, &["a@example.net", "b@example.net"], seed, 10).await);
    }
    for job in spool.claim(start(), 10).await {
        let until = |hours| start() + SignedDuration::from_hours(hours);
        let later = |hours| Outcome::Deferred {
            until: until(hours),
            reply: "4".into(),
            delay_reported: false,
        };
        spool.settle(job, vec![(0, later(1)), (1, later(2))]).await.unwrap();
    }
    spool.retry(ids[1]).unwrap();
    let job = claim_one(&spool, start()).await;
    assert_eq!((job.id(), job.remaining().len()), (ids[1], 2));
    drop(job);
    assert_eq!(spool.flush(), 2, "one is due already");
    assert_eq!(spool.flush(), 0);
    let jobs = spool.claim(start(), 10).await;
    assert_eq!(jobs.iter().map(|job| job.remaining().len()).sum::<usize>(), 6);
    // Once tried, the recipients' own times count again.
    let later = start() + SignedDuration::from_hours(3);
    for job in jobs {
        let until = |n| later + SignedDuration::from_hours(n);
        let outcome =
            |n| Outcome::Deferred { until: until(n), reply: "4".into(), delay_reported: false };
        spool.settle(job, vec![(0, outcome(0)), (1, outcome(1))]).await.unwrap();
    }
    let jobs = spool.claim(later, 10).await;
    assert_eq!(jobs.iter().map(|job| job.remaining().len()).sum::<usize>(), 3);
}

#[tokio::test]
async fn a_deleted_message_stays_deleted_and_unknown_ones_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let id = put(&spool, &permit, &["bob@example.net"], 1, 300_000).await;
    let job = claim_one(&spool, start()).await;
    spool.delete(id).await.unwrap();
    assert_eq!(spool.delete(id).await, Err(AdminError::NotFound(id)));
    assert_eq!(spool.hold(id).await, Err(AdminError::NotFound(id)));
    assert_eq!(spool.release(id).await, Err(AdminError::NotFound(id)));
    assert_eq!(spool.retry(id), Err(AdminError::NotFound(id)));
    // The delivery that was under way comes back too late to matter.
    let reply = "450".into();
    spool
        .settle(job, vec![(0, Outcome::Deferred { until: start(), reply, delay_reported: false })])
        .await
        .unwrap();
    assert_eq!(spool.stats().queued, 0);
    assert!(spool.list(Filter::default()).await.is_empty());
    let unknown = QueueId::from_u64(1);
    assert_eq!(spool.delete(unknown).await, Err(AdminError::NotFound(unknown)));
    spool.close().await;
    assert_eq!(open(&config(directory.path()), &clock).stats().queued, 0);
}
