//! Retention that is broken off, started again, reconfigured, or has the wrong time.

use std::time::Duration;

use auth::{Clock, RetentionDays};

use super::house::{DAY, House, LOOK, ONE_DAY};
use crate::kit::names;

/// A house whose run takes a minute, stopped in the middle of it; how many messages are gone.
async fn broken_off(kill: bool) -> (House, u64) {
    let mut house = House::new("never", "30d");
    house.crowd(1200);
    house.seen().await;
    let running = house.start();
    house.clock.advance(ONE_DAY);
    while running.pop3d.statistics().expired < 105 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let pop3d = running.pop3d.clone();
    if kill {
        running.job.abort();
        assert!(running.job.await.unwrap_err().is_cancelled());
    } else {
        running.stop().await;
    }
    let counted = pop3d.statistics();
    assert_eq!(counted.expiry_runs, 0);
    assert!(counted.expired < 110, "it has ended at once");
    (house, counted.expired)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_drained_goes_on_where_it_was() {
    let (house, gone) = broken_off(false).await;
    // This one has had its turn: it comes again in the next run and not before.
    let first = house.maildir("user0000");
    house.old(&first, 31 * DAY);
    let running = house.start();
    running.runs(1).await;
    assert_eq!(running.pop3d.statistics().expired, 120 - gone);
    assert_eq!(names(&first).len(), 1);
    house.clock.advance(ONE_DAY);
    running.runs(2).await;
    assert!(names(&first).is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_killed_goes_on_near_where_it_was() {
    let (house, gone) = broken_off(true).await;
    let first = house.maildir("user0000");
    house.old(&first, 31 * DAY);
    let running = house.start();
    running.runs(1).await;
    // What was under way when it was killed was done all the same.
    let left = 120 - gone;
    assert!((left - 1..=left).contains(&running.pop3d.statistics().expired));
    assert_eq!(names(&first).len(), 1, "the first thousand are not gone through again");
    for number in (10..1200).step_by(10) {
        assert!(names(&house.maildir(&format!("user{number:04}"))).is_empty(), "{number}");
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_neither_repeats_a_run_nor_puts_it_off() {
    let mut house = House::new("never", "30d");
    let maildir = house.plain("aiko");
    house.seen().await;
    house.clock.advance(ONE_DAY);
    let running = house.start();
    running.runs(1).await;
    running.stop().await;
    house.old(&maildir, 31 * DAY);
    // Restarted every six hours, it is at work once a day all the same.
    for hours in [0, 6, 12, 18] {
        let running = house.start();
        tokio::time::sleep(LOOK * 3).await;
        assert_eq!(running.pop3d.statistics().expiry_runs, 0, "after {hours} hours");
        running.stop().await;
        house.clock.advance(Duration::from_secs(6 * 60 * 60));
    }
    assert_eq!(names(&maildir).len(), 1);
    let running = house.start();
    running.runs(1).await;
    assert!(names(&maildir).is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_shorter_period_waits_until_it_could_have_been_looked_at() {
    let mut house = House::new("never", "365d");
    let maildir = house.plain("aiko");
    house.old(&maildir, 31 * DAY);
    house.seen().await;
    house.config.after_arrival = RetentionDays::Days(30);
    house.clock.advance(ONE_DAY);
    let running = house.start();
    tokio::time::sleep(LOOK * 3).await;
    assert_eq!((names(&maildir).len(), running.pop3d.statistics().expiry_runs), (1, 0));
    house.clock.advance(ONE_DAY);
    running.runs(1).await;
    assert!(names(&maildir).is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_costs_no_mail() {
    let mut house = House::new("never", "30d");
    let maildir = house.plain("aiko");
    house.old(&maildir, DAY);
    house.seen().await;
    house.clock.advance(ONE_DAY);
    let running = house.start();
    running.runs(1).await;
    // Ten years on, between two looks: an hour of that clock is believed, not more.
    let right = house.clock.now().wall;
    house.clock.step_wall(right.checked_add(ONE_DAY * 3650).unwrap());
    for _ in 0..10 {
        tokio::time::sleep(LOOK).await;
        house.clock.advance(Duration::from_secs(60 * 60));
    }
    assert_eq!(names(&maildir).len(), 1);
    // And long before the last run: it waits, and says so once.
    house.clock.step_wall(right.checked_sub(ONE_DAY * 400).unwrap());
    tokio::time::sleep(LOOK * 5).await;
    assert_eq!((names(&maildir).len(), running.pop3d.statistics().expiry_runs), (1, 1));
    // Put right, it is at work again within a period.
    house.clock.step_wall(right);
    tokio::time::sleep(LOOK).await;
    house.clock.advance(ONE_DAY);
    tokio::time::sleep(LOOK).await;
    house.clock.advance(ONE_DAY);
    running.runs(2).await;
    assert_eq!(names(&maildir).len(), 1, "which is not yet thirty days old");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_memory_that_is_lost_or_broken_costs_a_period_and_no_mail() {
    let mut house = House::new("never", "30d");
    let maildir = house.plain("aiko");
    house.old(&maildir, 31 * DAY);
    for broken in [None, Some("")] {
        house.seen().await;
        house.clock.advance(ONE_DAY);
        match broken {
            None => std::fs::remove_file(house.state()).unwrap(),
            Some(text) => std::fs::write(house.state(), text).unwrap(),
        }
        let running = house.start();
        tokio::time::sleep(LOOK * 2).await;
        assert_eq!(names(&maildir).len(), 1);
        running.stop().await;
    }
    house.clock.advance(ONE_DAY);
    let running = house.start();
    running.runs(1).await;
    assert!(names(&maildir).is_empty());
    running.stop().await;
}
