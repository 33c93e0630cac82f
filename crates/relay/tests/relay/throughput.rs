//! Many messages: each once, over few connections. `--nocapture` shows the rate.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use crate::kit::{House, NextHop, Options};

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_messages_each_once() {
    each_once(2000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "heavy: the rate over a longer time, for release"]
async fn sixty_thousand_messages_each_once() {
    each_once(60_000).await;
}

async fn each_once(count: usize) {
    let hop = NextHop::start(Options::default()).await;
    let house = Arc::new(House::new(&hop.address));
    let body = "0123456789abcdef\r\n".repeat(200);
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..20 {
        let (house, body) = (Arc::clone(&house), body.clone());
        senders.spawn(async move {
            for number in 0..count / 20 {
                let text = format!("Subject: {sender}-{number}\r\n\r\n{body}");
                house.submit("aiko@example.org", &["x@remote.example"], text.as_bytes()).await;
            }
        });
    }
    senders.join_all().await;
    let start = Instant::now();
    let running = house.run();
    house.emptied().await;
    let rate = count as f64 / start.elapsed().as_secs_f64();
    println!("{rate:.0} messages/s to a next hop in this process");
    running.stop().await;
    let messages = hop.messages();
    let texts: HashSet<_> = messages.iter().map(|m| m.text.clone()).collect();
    assert_eq!((messages.len(), texts.len()), (count, count));
    let at_once = hop.connections_at_once();
    assert!(at_once <= 10, "{at_once} connections");
}
