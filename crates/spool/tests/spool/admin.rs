//! The administrator's side: listing, holding, hurrying, deleting.

use jiff::SignedDuration;
use spool::{AdminError, Filter, Outcome, QueueId, RecipientState, ShapeBy, ShapeQuery, States};

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

#[tokio::test]
async fn filters_name_senders_accounts_reasons_and_ages() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let sent = put(&spool, &permit, &["a@one.example"], 1, 10).await;
    let foreign = spool.inbound(inbound(), spool.draft().unwrap()).await.unwrap();
    let draft = spool.draft().unwrap();
    let envelope = envelope(&["a@two.example"]);
    let reason = "Five TIMES as many recipients";
    let review = spool.intake_for_review(&permit, envelope, draft, reason).await.unwrap();
    let quarantined =
        spool.inbound_for_review(inbound(), spool.draft().unwrap(), "virus").await.unwrap();
    let find = async |filter: Filter| {
        let found = spool.list(filter.clone()).await;
        let offline_too = found.iter().map(|entry| entry.id).collect::<Vec<_>>();
        (offline_too, filter)
    };
    let none = Filter::default;
    let alice = || Some("alice@example.org".to_owned());
    let cases = [
        (Filter { account: alice(), ..none() }, vec![sent, review]),
        (Filter { account: Some("bob".into()), ..none() }, vec![]),
        (Filter { sender_domain: Some("example.org".into()), ..none() }, vec![sent, review]),
        (
            Filter { sender_domain: Some("elsewhere.example".into()), ..none() },
            vec![foreign, quarantined],
        ),
        (Filter { reason: Some("times AS".into()), ..none() }, vec![review]),
        (Filter { reason: Some(String::new()), ..none() }, vec![review, quarantined]),
        (Filter { held: Some(true), account: alice(), ..none() }, vec![review]),
        (Filter { held: Some(false), ..none() }, vec![sent, foreign]),
        (
            Filter { received_before: Some(start() + SignedDuration::from_secs(1)), ..none() },
            vec![sent, foreign, review, quarantined],
        ),
    ];
    let mut filters = Vec::new();
    for (filter, expected) in cases {
        let (found, filter) = find(filter).await;
        assert_eq!(found, expected, "{filter:?}");
        filters.push((filter, expected));
    }
    spool.close().await;
    for (filter, expected) in filters {
        let found = spool::read::list(directory.path(), &filter).unwrap();
        assert_eq!(found.iter().map(|entry| entry.id).collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn the_shape_counts_recipients_by_domain_age_and_state() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let put_at = async |minutes: i64, recipients: &[&str]| {
        let mut envelope = envelope(recipients);
        envelope.received_at = start() - SignedDuration::from_mins(minutes);
        spool.intake(&permit, envelope, spool.draft().unwrap()).await.unwrap()
    };
    for minutes in [0, 4, 5, 1279, 1280, 100_000] {
        put_at(minutes, &["a@Big.example", "b@big.example", "c@small.example"]).await;
    }
    for n in 0..30 {
        put_at(30, &[&format!("x@d{n}.example")]).await;
    }
    let held = put_at(0, &["a@held.example"]).await;
    spool.hold(held).await.unwrap();
    let shape = spool.shape(ShapeQuery { domains_max: 2, ..ShapeQuery::default() }).await;
    assert_eq!((shape.messages, shape.unreadable), (37, 0));
    let names: Vec<_> = shape.rows.iter().map(|row| (row.domain.as_str(), row.total)).collect();
    assert_eq!(names, [("big.example", 12), ("small.example", 6)]);
    assert_eq!(shape.rows[0].by_age, [4, 2, 0, 0, 0, 0, 0, 0, 2, 4]);
    assert_eq!((shape.rest_domains, shape.rest.total), (31, 31));
    assert_eq!(shape.rest.by_age[3], 30);
    assert_eq!(shape.total.total, 12 + 6 + 31);
    let only = |states| ShapeQuery { states, ..ShapeQuery::default() };
    let of_held = spool.shape(only(States { held: true, ..States::NONE })).await;
    assert_eq!((of_held.messages, of_held.rows[0].domain.as_str()), (1, "held.example"));
    let jobs = spool.claim(start(), 3).await;
    let active = only(States { active: true, ..States::NONE });
    assert_eq!(spool.shape(active).await.messages, 3);
    for job in jobs {
        let until = start() + SignedDuration::from_mins(5);
        let deferred = Outcome::Deferred { until, reply: "4".into(), delay_reported: false };
        let mut outcomes = vec![(0, deferred)];
        outcomes.extend((1..job.remaining().len()).map(|index| (index, Outcome::Done)));
        spool.settle(job, outcomes).await.unwrap();
    }
    let deferred = spool.shape(only(States { deferred: true, ..States::NONE })).await;
    assert_eq!((deferred.messages, deferred.total.total), (3, 3), "who has it counts no more");
    let by = ShapeQuery { by: ShapeBy::Senders, ..ShapeQuery::default() };
    let senders = spool.shape(by).await;
    assert_eq!((senders.rows.len(), senders.rows[0].total), (1, 37));
    let online = spool.shape(ShapeQuery::default()).await;
    spool.close().await;
    let query = ShapeQuery::default();
    assert_eq!(spool::read::shape(directory.path(), query, start()).unwrap(), online);
}

#[tokio::test]
async fn the_text_of_a_message_is_read_while_it_waits_is_held_or_is_delivered() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let whole = async |id| {
        let mut reader = spool.text(id).await.unwrap();
        let mut text = Vec::new();
        while let Some(block) = reader.next().await.unwrap() {
            text.extend_from_slice(&block);
        }
        text
    };
    for octets in [0, 10, 30_000, 200_000] {
        let id = put(&spool, &permit, &["a@example.net"], 3, octets).await;
        assert!(whole(id).await == text(3, octets));
        spool.hold(id).await.unwrap();
        assert!(whole(id).await == text(3, octets));
        spool.release(id).await.unwrap();
        let job = claim_one(&spool, start()).await;
        assert!(whole(id).await == text(3, octets));
        deliver(&spool, job).await;
        assert_eq!(spool.text(id).await.map(|_| ()), Err(AdminError::NotFound(id)));
    }
}
