//! Several hops for one mail: preference, shared load, and what happens when they fail.

use std::time::Duration;

use relay::HopState;
use relay::config::Timeouts;

use crate::kit::{House, NextHop, Options, Reaction, eventually};

const TEXT: &[u8] = b"Subject: hi\r\n\r\nhi\r\n";
const TO: [&str; 1] = ["x@remote.example"];

async fn polite() -> NextHop {
    NextHop::start(Options::default()).await
}

/// A house whose mail goes to these hops in order of preference.
fn house(groups: &[&[(&str, &str)]]) -> House {
    let mut house = House::new("unused");
    house.config.next_hop = None;
    let mut names = Vec::new();
    for group in groups {
        for (name, address) in *group {
            house.name_hop(name, address);
        }
        names.push(group.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }
    let names: Vec<&[&str]> = names.iter().map(Vec::as_slice).collect();
    house.route(&["*"], &names);
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_first_is_dead_the_second_takes_it_at_once() {
    let dead = polite().await.stop().await;
    let second = polite().await;
    let house = house(&[&[("first", &dead)], &[("second", &second.address)]]);
    let running = house.run();
    for _ in 0..100 {
        house.submit("aiko@example.org", &TO, TEXT).await;
    }
    // The clock stands still: no attempt is put off.
    house.emptied().await;
    assert_eq!(running.stats.deferred.get(), 0);
    let status = running.stats.destinations(5);
    assert_eq!((status[0].state, status[0].delivered), (HopState::Down, 0));
    assert_eq!((status[1].state, status[1].delivered), (HopState::Up, 100));
    assert!(status[0].connections_failed <= 5, "{status:?}");
    assert_eq!(status[0].in_line, 0, "nothing waits for the first");

    // It comes back, and is preferred again.
    let first = NextHop::start_on(&dead, Options::default()).await;
    house.clock.advance(Duration::from_secs(20));
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.emptied().await;
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.emptied().await;
    running.stop().await;
    assert_eq!((first.count(), second.count()), (2, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_dead_then_both_back() {
    let (a, b) = (polite().await.stop().await, polite().await.stop().await);
    let house = house(&[&[("a", &a)], &[("b", &b)]]);
    let running = house.run();
    for _ in 0..300 {
        house.submit("aiko@example.org", &TO, TEXT).await;
    }
    house.settled(&running).await;
    let tried = running.stats.deferred.get();
    assert!((1..=10).contains(&tried), "{tried} have found out for all");
    assert_eq!(house.spool.stats().queued, 300);
    let untried = house.queue().await.iter().filter(|entry| entry.attempts == 0).count();
    assert_eq!(untried as u64, 300 - tried, "the others wait without a record");

    // Still dead after the pause: a few find out again, and everybody else is left in peace.
    house.clock.advance(Duration::from_secs(17));
    house.settled(&running).await;
    let again = running.stats.deferred.get() - tried;
    assert!((1..=6).contains(&again), "{again}");

    let [a, b] = [
        NextHop::start_on(&a, Options::default()).await,
        NextHop::start_on(&b, Options::default()).await,
    ];
    house.clock.advance(Duration::from_secs(40));
    house.emptied().await;
    running.stop().await;
    assert_eq!(a.count() + b.count(), 300, "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_knows_better_has_a_hop_tried_at_once() {
    let address = polite().await.stop().await;
    let house = house(&[&[("a", &address)]]);
    let running = house.run();
    for _ in 0..100 {
        house.submit("aiko@example.org", &TO, TEXT).await;
    }
    house.settled(&running).await;
    let tried = running.stats.deferred.get();
    let hop = NextHop::start_on(&address, Options::default()).await;
    running.router.try_now();
    // The clock stands still, and those in line are called all the same.
    eventually("they are through", || hop.count() as u64 == 100 - tried).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hops_of_a_group_share_the_load() {
    let [a, b, backup] = [polite().await, polite().await, polite().await];
    let house = house(&[&[("a", &a.address), ("b", &b.address)], &[("backup", &backup.address)]]);
    let running = house.run();
    for _ in 0..200 {
        house.submit("aiko@example.org", &TO, TEXT).await;
    }
    house.emptied().await;
    running.stop().await;
    assert_eq!(a.count() + b.count(), 200);
    assert!(a.count() > 40 && b.count() > 40, "{} and {}", a.count(), b.count());
    assert_eq!(backup.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_a_group_dies_under_way() {
    let [a, b] = [polite().await, polite().await];
    let house = house(&[&[("a", &a.address), ("b", &b.address)]]);
    let running = house.run();
    for number in 0..100 {
        house.submit("aiko@example.org", &TO, TEXT).await;
        if number == 50 {
            eventually("both are at work", || a.count() > 0 && b.count() > 0).await;
        }
    }
    house.emptied().await;
    let before = b.count();
    a.stop().await;
    for _ in 0..50 {
        house.submit("aiko@example.org", &TO, TEXT).await;
    }
    house.emptied().await;
    assert_eq!(running.stats.deferred.get(), 0);
    running.stop().await;
    assert_eq!(b.count(), before + 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_greets_is_not_waited_for() {
    let silent = NextHop::scripted(|_| Reaction::Hang).await;
    let second = polite().await;
    let mut house = house(&[&[("silent", &silent.address)], &[("second", &second.address)]]);
    house.timeouts = Timeouts { failover: Duration::from_millis(300), ..Timeouts::default() };
    let running = house.run();
    for _ in 0..20 {
        house.submit("aiko@example.org", &TO, TEXT).await;
    }
    house.emptied().await;
    assert_eq!(running.stats.deferred.get(), 0);
    let reason = running.stats.destinations(1)[0].reason.clone().unwrap();
    assert_eq!(reason, "no greeting in time; another hop is tried");
    running.stop().await;
    assert_eq!(second.count(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_turns_us_away_at_the_door() {
    for words in ["421 4.3.2 maintenance", "554 5.7.1 not you", "hello?"] {
        let closed = NextHop::scripted(move |_| Reaction::SayAndClose(words)).await;
        let second = polite().await;
        let house = house(&[&[("closed", &closed.address)], &[("second", &second.address)]]);
        let running = house.run();
        for _ in 0..10 {
            house.submit("aiko@example.org", &TO, TEXT).await;
        }
        house.emptied().await;
        assert_eq!((running.stats.deferred.get(), running.stats.failed.get()), (0, 0), "{words}");
        running.stop().await;
        assert_eq!(second.count(), 10, "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hop_says_of_a_recipient_is_no_reason_to_ask_another() {
    let first = NextHop::scripted(|seen| match seen.command {
        "RCPT TO:<gone@remote.example>" => Reaction::Say("550 5.1.1 no"),
        "RCPT TO:<busy@remote.example>" => Reaction::Say("450 4.2.1 busy"),
        _ => Reaction::Polite,
    })
    .await;
    let second = polite().await;
    let house = house(&[&[("first", &first.address)], &[("second", &second.address)]]);
    let running = house.run();
    let to = ["gone@remote.example", "busy@remote.example", "good@remote.example"];
    house.submit("ben@example.org", &to, TEXT).await;
    house.settled(&running).await;
    let status = running.stats.destinations(1)[0].clone();
    assert_eq!((status.delivered, status.deferred, status.failed), (1, 1, 1));
    running.stop().await;
    assert_eq!((first.count(), second.connections()), (1, 0));
}
