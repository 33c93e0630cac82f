//! What counts of a message that is not taken after all.

use limits::Verdict;

use crate::kit::{HOUR, House, is_deferred, mailbox, sender};

#[tokio::test]
async fn a_message_refused_later_is_not_counted_as_sent() {
    let house = House::new("account.messages_per_hour = 2\naddress.messages_per_hour = 2");
    let anna = sender("anna@a.example");
    let to = [mailbox("x@b.example")];
    for _ in 0..50 {
        let ruling = house.rule(&anna, &to, 5000).await;
        assert_eq!(ruling.verdict, Verdict::Pass);
        drop(ruling);
    }
    assert_eq!(house.count(&anna, "messages_per_hour"), 0);
    assert_eq!(house.count(&anna, "octets_per_day"), 0);
    assert_eq!(house.sent(&anna, 10).await, 2);
}

#[tokio::test]
async fn while_it_is_undecided_its_place_is_taken() {
    let house = House::new("account.messages_per_hour = 1");
    let anna = sender("anna@a.example");
    let to = [mailbox("x@b.example")];
    let undecided = house.rule(&anna, &to, 1).await;
    assert!(is_deferred(&house.rule(&anna, &to, 1).await.verdict));
    house.clock.advance(HOUR - std::time::Duration::from_secs(1));
    drop(undecided);
    assert_eq!(house.rule(&anna, &to, 1).await.verdict, Verdict::Pass);
}

#[tokio::test]
async fn refused_messages_make_no_friends() {
    let house =
        House::new("account.first_time_recipients_per_day = { most = 3, action = \"defer\" }");
    let anna = sender("anna@a.example");
    // Each is refused later, as by a filter: they would be known, and counted nowhere.
    for number in 0..3 {
        let to = [mailbox(&format!("u{number}@b.example"))];
        drop(house.rule(&anna, &to, 1).await);
    }
    let more = [mailbox("u9@b.example")];
    assert!(is_deferred(&house.rule(&anna, &more, 1).await.verdict));
}

#[tokio::test]
async fn deferred_messages_take_no_place_and_are_shown() {
    let house = House::new("account.messages_per_hour = 4");
    let anna = sender("anna@a.example");
    assert_eq!(house.sent(&anna, 10).await, 4);
    for _ in 0..100 {
        assert!(is_deferred(&house.mail(&anna).await));
    }
    assert_eq!(house.count(&anna, "messages_per_hour"), 4);
    let figures = house.limits.figures(&anna.account, None, house.now());
    assert_eq!(figures.refused_today, 101);
}
