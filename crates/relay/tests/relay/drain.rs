//! Stopping: what has begun is ended, what has not goes back.

use std::time::Duration;

use crate::kit::{House, NextHop, Options, Reaction, eventually};

const TEXT: &[u8] = b"Subject: hi\r\n\r\nhi\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_has_begun_is_ended_and_the_rest_goes_back() {
    let hop = NextHop::scripted(|seen| match seen.command {
        "." => Reaction::Late(Duration::from_millis(300)),
        _ => Reaction::Polite,
    })
    .await;
    let mut house = House::new(&hop.address);
    house.config.connections_max = 2;
    for _ in 0..20 {
        house.submit("aiko@example.org", &["x@remote.example"], TEXT).await;
    }
    let running = house.run();
    eventually("two are under way", || hop.heard("DATA") >= 2).await;
    running.stop().await;
    assert_eq!(house.spool.stats().in_delivery, 0);
    let left = house.spool.stats().queued as usize;
    assert_eq!(left + hop.count(), 20, "none lost, none twice");
    assert!((2..=6).contains(&hop.count()), "{}", hop.count());
    assert_eq!(hop.heard("QUIT"), 2);

    let running = house.run();
    house.emptied().await;
    running.stop().await;
    assert_eq!(hop.count(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_once_when_there_is_nothing_to_do() {
    let hop = NextHop::start(Options::default()).await;
    let house = House::new(&hop.address);
    let running = house.run();
    house.submit("aiko@example.org", &["x@remote.example"], TEXT).await;
    house.emptied().await;
    let start = std::time::Instant::now();
    running.stop().await;
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(hop.heard("QUIT"), 1);
}
