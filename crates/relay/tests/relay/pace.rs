//! How fast, for whom, and over how many connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use relay::config::Rate;

use crate::kit::{House, NextHop, Reaction, eventually};

const TEXT: &[u8] = b"Subject: hi\r\n\r\nhi\r\n";
const TO: [&str; 1] = ["x@remote.example"];

/// A hop that takes its time for each message.
async fn slow(milliseconds: u64) -> NextHop {
    NextHop::scripted(move |seen| match seen.command {
        "." => Reaction::Late(Duration::from_millis(milliseconds)),
        _ => Reaction::Polite,
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_sender_does_not_starve_a_neighbour() {
    let hop = slow(10).await;
    let mut house = House::new(&hop.address);
    house.config.connections_max = 1;
    // More than there is room for in memory.
    for _ in 0..1500 {
        house.submit("aiko@example.org", &TO, TEXT).await;
    }
    let running = house.run();
    eventually("the bulk is under way", || hop.count() >= 5).await;
    let before = hop.count();
    house.submit("ben@example.org", &["single@remote.example"], TEXT).await;
    eventually("the single mail has arrived", || hop.heard("RCPT TO:<single@") == 1).await;
    let place = hop.messages().iter().position(|m| m.mail.contains("<ben@"));
    let place = place.unwrap_or_else(|| hop.count());
    assert!(place < before + 100, "after {} others of 1500", place - before);
    let status = running.stats.destinations(1)[0].clone();
    assert!(status.queued <= 1000, "{status:?}");
    assert!(status.in_line + status.queued > 1200, "the rest waits in the spool: {status:?}");
    running.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_the_spool_is_called_in_order() {
    let hop = slow(0).await;
    let mut house = House::new(&hop.address);
    house.config.connections_max = 2;
    for number in 0..1800 {
        let text = format!("Subject: {number}\r\n\r\nhi\r\n");
        house.submit("aiko@example.org", &TO, text.as_bytes()).await;
    }
    let running = house.run();
    // The clock stands still: whoever is not called does not come.
    house.emptied().await;
    running.stop().await;
    let messages = hop.messages();
    assert_eq!(messages.len(), 1800);
    assert_eq!(running_order(&messages.iter().map(|m| m.text.clone()).collect::<Vec<_>>()), 0);
}

/// How many messages came more than two thirds of all before or behind their turn.
fn running_order(texts: &[Vec<u8>]) -> usize {
    let number = |text: &Vec<u8>| -> usize {
        let text = String::from_utf8_lossy(text);
        text.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let distance = |(place, text)| number(text).abs_diff(place);
    texts.iter().enumerate().map(distance).filter(|&d| d > texts.len() * 2 / 3).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_the_rate_allows() {
    let hop = slow(0).await;
    let mut house = House::new("unused");
    house.name_hop("paced", &hop.address).rate = Some(Rate::parse("5/s").unwrap());
    house.route(&["*"], &[&["paced"]]);
    for _ in 0..20 {
        house.submit("aiko@example.org", &TO, TEXT).await;
    }
    let running = house.run();
    eventually("those of one second", || hop.count() == 5).await;
    // The clock stands still, and so does the mail.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(hop.count(), 5);
    house.clock.advance(Duration::from_secs(1));
    eventually("those of the next", || hop.count() == 10).await;
    house.clock.advance(Duration::from_millis(200));
    eventually("one more", || hop.count() == 11).await;
    // A rest saves up no more than a second's.
    house.clock.advance(Duration::from_secs(3600));
    eventually("those of a second", || hop.count() == 16).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(hop.count(), 16);
    running.stop().await;
    assert_eq!(house.spool.stats().queued, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_connections_as_the_hop_bears() {
    // It lets three in at a time, and is curt with others.
    let inside = Arc::new(AtomicUsize::new(0));
    let guard = Arc::clone(&inside);
    let hop = NextHop::scripted(move |seen| match seen.command {
        "connect" if guard.fetch_add(1, Ordering::SeqCst) >= 3 => {
            guard.fetch_sub(1, Ordering::SeqCst);
            Reaction::SayAndClose("421 4.7.0 too many connections from you")
        }
        "QUIT" => {
            guard.fetch_sub(1, Ordering::SeqCst);
            Reaction::Polite
        }
        "." => Reaction::Late(Duration::from_millis(3)),
        _ => Reaction::Polite,
    })
    .await;
    let mut house = House::new(&hop.address);
    house.config.connections_max = 50;
    for _ in 0..300 {
        house.submit("aiko@example.org", &TO, TEXT).await;
    }
    let running = house.run();
    eventually("it has taken some", || hop.count() > 20).await;
    let allowed = running.stats.destinations(1)[0].connections_allowed;
    house.emptied().await;
    assert_eq!(running.stats.deferred.get(), 0, "no message suffers from that");
    let failed = running.stats.connections_failed.get();
    assert!(failed <= 20, "{failed} connections too many for 300 messages");
    assert!((1..=8).contains(&allowed), "{allowed}");
    running.stop().await;
    assert_eq!(hop.count(), 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_grow_with_success() {
    let hop = slow(20).await;
    let mut house = House::new(&hop.address);
    house.config.connections_max = 12;
    for _ in 0..200 {
        house.submit("aiko@example.org", &TO, TEXT).await;
    }
    let running = house.run();
    house.emptied().await;
    let allowed = running.stats.destinations(1)[0].connections_allowed;
    running.stop().await;
    assert_eq!(allowed, 12);
    let at_once = hop.connections_at_once();
    assert!((6..=12).contains(&at_once), "{at_once}");
}
