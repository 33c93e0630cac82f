//! What is left after a crash.

use std::fs;

use limits::Verdict;

use crate::kit::{HOUR, House, mailbox, sender};

#[tokio::test]
async fn counters_and_friends_survive_a_restart() {
    let house =
        House::new("account.messages_per_hour = 10\naccount.first_time_recipients_per_day = 1");
    let anna = sender("anna@a.example");
    assert_eq!(house.sent(&anna, 7).await, 7);
    house.limits.save().unwrap();
    let again = house.restarted();
    assert_eq!(again.count(&anna, "messages_per_hour"), 7);
    assert_eq!(again.sent(&anna, 10).await, 3, "the friend is known, and three places are left");
    let stranger = [mailbox("stranger@b.example")];
    house.clock.advance(2 * HOUR);
    assert!(matches!(again.send(&anna, &stranger).await, Verdict::Hold { .. }));
}

#[tokio::test]
async fn a_suspension_needs_no_snapshot() {
    let house = House::new("account.messages_per_hour = { most = 1, action = \"suspend\" }");
    let anna = sender("anna@a.example");
    assert_eq!(house.sent(&anna, 5).await, 1);
    // Nothing was saved: the process died here.
    let again = house.restarted();
    assert!(matches!(again.mail(&anna).await, Verdict::Suspend { .. }));
    assert!(!house.path().join("counters").exists());
}

#[tokio::test]
async fn damaged_counters_begin_anew_and_mail_flows() {
    let house = House::new("account.messages_per_hour = 5");
    let anna = sender("anna@a.example");
    house.sent(&anna, 5).await;
    house.limits.suspend(&sender("bert@a.example").account, "x", house.now()).await.unwrap();
    house.limits.save().unwrap();
    let file = house.path().join("counters");
    let whole = fs::read(&file).unwrap();
    for damage in [Vec::new(), whole[..whole.len() / 2].to_vec(), vec![0xff; 5000]] {
        fs::write(&file, damage).unwrap();
        let again = house.restarted();
        assert_eq!(again.sent(&anna, 10).await, 5);
        assert_eq!(again.limits.suspended_accounts().len(), 1, "suspensions lie elsewhere");
    }
}

#[tokio::test]
async fn a_half_written_snapshot_is_not_looked_at() {
    let house = House::new("account.messages_per_hour = 5");
    let anna = sender("anna@a.example");
    house.sent(&anna, 2).await;
    house.limits.save().unwrap();
    fs::write(house.path().join("counters.new"), b"LPLIMIT1 and then the power went").unwrap();
    let again = house.restarted();
    assert_eq!(again.count(&anna, "messages_per_hour"), 2);
    again.limits.save().unwrap();
    assert!(!house.path().join("counters.new").exists());
}

#[tokio::test(start_paused = true)]
async fn the_counters_are_written_each_minute_and_at_the_end() {
    let house = House::new("");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let keeping = tokio::spawn(house.limits.clone().keep(async move {
        let _ = stopped.await;
    }));
    let file = house.path().join("counters");
    house.sent(&sender("anna@a.example"), 1).await;
    while !file.exists() {
        // Time is paused: a sleep lets the next minute come.
        tokio::time::sleep(std::time::Duration::from_secs(61)).await;
    }
    assert_eq!(house.restarted().count(&sender("anna@a.example"), "messages_per_hour"), 1);
    house.sent(&sender("anna@a.example"), 1).await;
    stop.send(()).unwrap();
    keeping.await.unwrap();
    assert_eq!(house.restarted().count(&sender("anna@a.example"), "messages_per_hour"), 2);
}

#[test]
fn a_directory_that_cannot_be_made_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    let clock = auth::ManualClock::new("2026-11-24T12:00:00Z".parse().unwrap());
    let config = limits::LimitsConfig::default();
    let error = limits::Limits::open(&config, &file, std::sync::Arc::new(clock)).unwrap_err();
    assert!(error.to_string().contains("file: "), "{error}");
}
