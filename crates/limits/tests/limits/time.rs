//! Windows and clocks.

use std::sync::Arc;
use std::time::Duration;

use auth::ManualClock;
use limits::Verdict;

use crate::kit::{HOUR, House, is_deferred, sender};

#[tokio::test]
async fn the_time_that_is_told_is_true() {
    let house = House::new("account.messages_per_hour = 10");
    house.clock.advance(Duration::from_secs(50 * 60));
    let anna = sender("anna@a.example");
    assert_eq!(house.sent(&anna, 20).await, 10);
    let Verdict::Defer { text, .. } = house.mail(&anna).await else { panic!() };
    let minutes: u64 = text
        .split("try again in ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{text}"));
    assert!((10..=20).contains(&minutes), "{text}");
    house.clock.advance(Duration::from_secs((minutes - 3) * 60));
    assert!(is_deferred(&house.mail(&anna).await));
    house.clock.advance(Duration::from_secs(3 * 60));
    assert_eq!(house.mail(&anna).await, Verdict::Pass);
}

#[tokio::test]
async fn nothing_is_given_away_at_the_full_hour() {
    let house = House::new("account.messages_per_hour = 100");
    let anna = sender("anna@a.example");
    house.clock.advance(HOUR - Duration::from_secs(30));
    assert_eq!(house.sent(&anna, 1000).await, 100);
    house.clock.advance(Duration::from_secs(60));
    assert_eq!(house.sent(&anna, 1000).await, 0, "half a minute of the hour has slid out");
    house.clock.advance(HOUR / 2);
    assert_eq!(house.sent(&anna, 1000).await, 50, "and half an hour");
}

#[tokio::test]
async fn steps_of_the_clock_do_nothing() {
    let house = House::new("account.messages_per_hour = 5");
    let anna = sender("anna@a.example");
    assert_eq!(house.sent(&anna, 10).await, 5);
    for wall in ["1970-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "2026-11-24T12:00:00Z"] {
        house.clock.step_wall(wall.parse().unwrap());
        assert!(is_deferred(&house.mail(&anna).await), "{wall}");
    }
}

#[tokio::test]
async fn a_clock_set_back_between_two_runs_opens_no_gate() {
    let house = House::new("account.messages_per_hour = 5");
    let anna = sender("anna@a.example");
    assert_eq!(house.sent(&anna, 10).await, 5);
    house.limits.save().unwrap();
    let earlier = ManualClock::new("2020-01-01T00:00:00Z".parse().unwrap());
    let again = house.restarted_with(Arc::new(earlier));
    assert!(is_deferred(&again.mail(&anna).await));
    again.clock.advance(2 * HOUR);
    assert_eq!(again.sent(&anna, 10).await, 5, "and none stays shut");
}
