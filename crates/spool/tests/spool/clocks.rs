//! Clocks that are set: the schedule follows, IDs go on.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use spool::{Outcome, Spool};

use crate::kit::*;

async fn defer(spool: &Spool, at: jiff::Timestamp, until: jiff::Timestamp) {
    let job = claim_one(spool, at).await;
    let deferred = Outcome::Deferred { until, reply: "450".into(), delay_reported: false };
    spool.settle(job, vec![(0, deferred)]).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_set_back_takes_the_schedule_along() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let year = SignedDuration::from_hours(24 * 365);
    // The clock runs a year ahead while a message is deferred and another is delayed.
    clock.step_wall(start() + year);
    put(&spool, &permit, &["a@example.net"], 1, 10).await;
    defer(&spool, start() + year, start() + year + SignedDuration::from_mins(10)).await;
    let mut delayed = envelope(&["b@example.net"]);
    delayed.wishes.hold_until = Some(start() + year + SignedDuration::from_mins(20));
    spool.intake(&permit, delayed, spool.draft().unwrap()).await.unwrap();
    // Whoever watches the clock must have seen it so.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    clock.step_wall(start());
    let limit = Instant::now() + Duration::from_secs(20);
    while spool.next_due().unwrap() > start() + SignedDuration::from_mins(11) {
        assert!(Instant::now() < limit, "due {}", spool.next_due().unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let soon = start() + SignedDuration::from_mins(11);
    let job = claim_one(&spool, soon).await;
    assert_eq!(job.remaining().len(), 1, "the recipient's own time does not keep it");
    spool.settle(job, vec![(0, Outcome::Done)]).await.unwrap();
    let release = start() + year + SignedDuration::from_mins(20);
    assert_eq!(spool.next_due(), Some(release), "a sender's time of day stays");
}

#[tokio::test]
async fn a_start_does_not_believe_in_attempts_a_year_away() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    put(&spool, &permit, &["a@example.net"], 1, 10).await;
    defer(&spool, start(), start() + SignedDuration::from_hours(24 * 365)).await;
    spool.close().await;
    let spool = open(&config(directory.path()), &clock);
    let tomorrow = start() + SignedDuration::from_hours(24);
    assert_eq!(spool.next_due(), Some(tomorrow));
    assert_eq!(claim_one(&spool, tomorrow).await.remaining().len(), 1);
}

#[tokio::test]
async fn a_step_forwards_costs_an_attempt_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    put(&spool, &permit, &["a@example.net"], 1, 10).await;
    defer(&spool, start(), start() + SignedDuration::from_hours(3)).await;
    clock.step_wall(start() + SignedDuration::from_hours(24 * 365));
    tokio::time::timeout(Duration::from_secs(20), spool.due()).await.unwrap();
    let now = start() + SignedDuration::from_hours(24 * 365);
    assert_eq!(claim_one(&spool, now).await.remaining()[0].attempts, 1);
}

#[tokio::test]
async fn ids_rise_whatever_the_clock_does_within_a_life_and_across_lives() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let mut seen = BTreeSet::new();
    for hours in [0, 5, -5, 24 * 400, -24 * 400, 0] {
        let spool = open(&config(directory.path()), &clock);
        for step in [0, -3, 3] {
            clock.step_wall(start() + SignedDuration::from_hours(hours + step));
            let id = put(&spool, &permit, &["a@example.net"], 1, 10).await;
            assert!(seen.last().is_none_or(|last| *last < id) && seen.insert(id));
        }
        spool.close().await;
    }
}
