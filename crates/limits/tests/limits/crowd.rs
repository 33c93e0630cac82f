//! Two at once at the last place.

use std::sync::Arc;

use limits::{Limits, Verdict};

use crate::kit::{House, Sender, from, mailbox, sender};

async fn race(house: &House, senders: Vec<Sender>) -> usize {
    let house_now = house.now();
    let start = Arc::new(tokio::sync::Barrier::new(senders.len()));
    let mut sessions = tokio::task::JoinSet::new();
    for sender in senders {
        let (limits, start): (Limits, _) = (house.limits.clone(), start.clone());
        sessions.spawn(async move {
            start.wait().await;
            let to = [mailbox("x@b.example")];
            let ruling = limits.message(&sender.who(), &to, 100, house_now).await;
            if let Some(charge) = ruling.charge {
                charge.keep();
            }
            ruling.verdict
        });
    }
    let verdicts = sessions.join_all().await;
    verdicts.into_iter().filter(|verdict| *verdict == Verdict::Pass).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn just_so_many_get_a_place() {
    for _ in 0..20 {
        let house = House::new("account.messages_per_hour = 7");
        let senders = vec![sender("anna@a.example"); 64];
        assert_eq!(race(&house, senders).await, 7);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn neighbours_share_the_places_of_their_address() {
    for _ in 0..20 {
        let house = House::new("address.messages_per_hour = 7");
        let senders =
            (0..64).map(|number| from(&format!("u{number}@a.example"), "192.0.2.5")).collect();
        assert_eq!(race(&house, senders).await, 7);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_who_come_to_the_limit_at_once_suspend_the_account_once() {
    let house = House::new("account.messages_per_hour = { most = 5, action = \"suspend\" }");
    let mut notices = house.limits.notices().unwrap();
    assert_eq!(race(&house, vec![sender("anna@a.example"); 64]).await, 5);
    assert!(notices.try_recv().is_ok());
    assert!(notices.try_recv().is_err());
    assert_eq!(house.limits.statistics().suspended, 1);
    assert_eq!(house.restarted().limits.suspended_accounts().len(), 1);
}
