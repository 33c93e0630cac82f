//! Retention as a job of the daemon: when it runs, whom it leaves alone, and what it remembers.
//! Tokio's time is paused and passes when everybody waits; the wall clock is moved by hand.

mod house;
mod interrupted;

use std::path::Path;
use std::time::Duration;

use auth::{AccountPolicy, RetentionDays};
use maildrop::{Maildrop, OpenOptions, would_expire};
use pop3d::{promise, promise_to_all};

use crate::kit::names;
use house::{DAY, House, LOOK, ONE_DAY};

#[tokio::test(start_paused = true)]
async fn messages_go_when_their_days_are_over_and_not_a_second_before() {
    let mut house = House::new("never", "30d");
    let maildir = house.plain("aiko");
    let over = house.old(&maildir, 30 * DAY);
    let on_the_day = house.old(&maildir, 29 * DAY);
    let a_second_short = house.old(&maildir, 29 * DAY - 1);
    let policy = AccountPolicy::default();
    assert_eq!(promise(&house.config, &policy), RetentionDays::Days(30), "what EXPIRE says");
    let running = house.start();
    tokio::time::sleep(LOOK * 10).await;
    assert_eq!(names(&maildir).len(), 3, "there was no time yet for a dry run");
    house.clock.advance(ONE_DAY - Duration::from_secs(62));
    tokio::time::sleep(LOOK * 10).await;
    assert_eq!(names(&maildir).len(), 3, "{over} is over, and the period is not");

    // What a dry run shows for the time of the run is what the run does.
    house.clock.advance(Duration::from_secs(62));
    let retention = house.config.of(&policy);
    let options = OpenOptions::default();
    let foreseen = would_expire(&maildir, &retention, house.now(), &options).unwrap();
    assert_eq!((foreseen.messages, foreseen.expired, foreseen.octets), (3, 2, 8));
    running.runs(1).await;
    assert_eq!(names(&maildir), [a_second_short], "{on_the_day} has had its thirty days");
    assert_eq!(running.pop3d.statistics().expired, 2);
    tokio::time::sleep(LOOK * 10).await;
    assert_eq!(running.pop3d.statistics().expiry_runs, 1);
    house.clock.advance(ONE_DAY);
    running.runs(2).await;
    assert!(names(&maildir).is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_goes_and_what_was_not_stays() {
    let mut house = House::new("7d", "never");
    let maildir = house.plain("aiko");
    let fetched = house.old(&maildir, 100 * DAY);
    let unread = house.old(&maildir, 99 * DAY);
    house.seen().await;
    let running = house.start();
    let session = Maildrop::open(&maildir, &OpenOptions::default()).unwrap();
    assert!(session.update(&[], &[0], house.now()).is_complete());
    drop(session);
    for day in 1..=6 {
        house.clock.advance(ONE_DAY);
        running.runs(day).await;
        assert_eq!(names(&maildir), [fetched.as_str(), unread.as_str()], "day {day}");
    }
    house.clock.advance(ONE_DAY);
    running.runs(7).await;
    assert_eq!(names(&maildir), [unread]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn accounts_have_their_own_agreement() {
    let mut house = House::new("never", "30d");
    let own = |days: &str| AccountPolicy {
        expire_after_arrival: Some(RetentionDays::parse(days).unwrap()),
        ..AccountPolicy::default()
    };
    let keeps = house.account("keeps", own("never"), false);
    let short = house.account("short", own("2d"), false);
    let usual = house.plain("usual");
    let locked = house.account("locked", AccountPolicy::default(), true);
    for maildir in [&keeps, &short, &usual, &locked] {
        house.old(maildir, 100 * DAY);
        house.old(maildir, 10 * DAY);
        std::fs::write(maildir.join("tmp/1.left"), "behind").unwrap();
    }
    house.seen().await;
    let running = house.start();
    let spread = house.table().policies();
    let promised = promise_to_all(&house.config, &spread);
    assert_eq!(promised, (RetentionDays::Days(2), true), "the least, and that it varies");
    house.clock.advance(ONE_DAY * 2);
    running.runs(1).await;
    let left: Vec<usize> =
        [&keeps, &short, &usual, &locked].iter().map(|maildir| names(maildir).len()).collect();
    assert_eq!(left, [2, 0, 1, 2], "who cannot log in loses nothing meanwhile");
    let in_tmp = |maildir: &Path| std::fs::read_dir(maildir.join("tmp")).unwrap().count();
    assert_eq!((in_tmp(&short), in_tmp(&usual), in_tmp(&locked)), (0, 0, 1));
    let counted = running.pop3d.statistics();
    assert_eq!((counted.expired, counted.tmp_removed, counted.expiry_in_use), (3, 2, 0));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_policy_nothing_happens_at_all() {
    let mut house = House::new("never", "never");
    let maildir = house.plain("aiko");
    house.old(&maildir, 9000 * DAY);
    let running = house.start();
    for _ in 0..5 {
        house.clock.advance(ONE_DAY);
        tokio::time::sleep(LOOK).await;
    }
    assert_eq!((names(&maildir).len(), running.pop3d.statistics().expiry_runs), (1, 0));
    assert!(!house.state().exists() && !maildir.join("lastpost.lock").exists());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_maildrop_in_use_is_tried_again_in_the_same_run_and_the_next() {
    let mut house = House::new("never", "30d");
    let (freed, held) = (house.plain("freed"), house.plain("held"));
    for number in 0..40 {
        house.plain(&format!("other{number}"));
    }
    house.old(&freed, 31 * DAY);
    house.old(&held, 31 * DAY);
    house.seen().await;
    let lock = |maildir: &Path| Maildrop::open(maildir, &OpenOptions::default()).unwrap();
    let (first, second) = (lock(&freed), lock(&held));
    let running = house.start();
    house.clock.advance(ONE_DAY);
    // The run is past both of them and not at its end: 42 accounts take two seconds.
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(running.pop3d.statistics().expiry_runs, 0);
    drop(first);
    running.runs(1).await;
    assert_eq!((names(&freed).len(), names(&held).len()), (0, 1));
    assert_eq!(running.pop3d.statistics().expiry_in_use, 1);
    assert_eq!(second.len(), 1, "the session sees what it saw");
    drop(second);
    house.clock.advance(ONE_DAY);
    running.runs(2).await;
    assert!(names(&held).is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn thousands_of_accounts_take_their_time() {
    let mut house = House::new("never", "30d");
    house.config.accounts_per_second = 50;
    house.crowd(3000);
    house.seen().await;
    let running = house.start();
    house.clock.advance(ONE_DAY);
    let begun = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(90)).await;
    let half_way = running.pop3d.statistics().expired;
    assert!((50..=155).contains(&half_way), "{half_way} in half a minute");
    running.runs(1).await;
    assert_eq!(running.pop3d.statistics().expired, 300);
    assert!(begun.elapsed() >= Duration::from_secs(60 + 60), "{:?}", begun.elapsed());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_account_that_fails_holds_up_no_other() {
    let mut house = House::new("never", "30d");
    let broken = house.plain("broken");
    house.accounts.push(("nowhere".to_owned(), AccountPolicy::default(), false));
    let fine = house.plain("fine");
    house.old(&fine, 31 * DAY);
    std::fs::remove_dir_all(broken.join("cur")).unwrap();
    std::fs::write(broken.join("cur"), "a file").unwrap();
    house.seen().await;
    let running = house.start();
    house.clock.advance(ONE_DAY);
    running.runs(1).await;
    assert!(names(&fine).is_empty());
    assert!(!house.maildir("nowhere").exists(), "nothing is made");
    running.stop().await;
}
