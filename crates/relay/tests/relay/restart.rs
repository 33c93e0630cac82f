//! What survives a restart between attempts, and in the middle of them.

use std::time::Duration;

use crate::kit::{House, NextHop, Options, Reaction, eventually};

const TEXT: &[u8] = b"Subject: hi\r\n\r\nhi\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn partial_success_is_remembered() {
    let hop = NextHop::scripted(|seen| match seen.command {
        "RCPT TO:<busy@remote.example>" if seen.times < 2 => Reaction::Say("450 4.2.1 busy"),
        "RCPT TO:<gone@remote.example>" => Reaction::Say("550 5.1.1 no"),
        _ => Reaction::Polite,
    })
    .await;
    let house = House::new(&hop.address);
    let running = house.run();
    let to = ["good@remote.example", "busy@remote.example", "gone@remote.example"];
    house.submit("ben@example.org", &to, TEXT).await;
    house.settled(&running).await;
    running.stop().await;
    let house = house.reopen_spool().await;
    let queue = house.queue().await;
    assert_eq!(queue.len(), 1);
    assert_eq!(queue[0].attempts, 1);
    let running = house.run();
    house.clock.advance(Duration::from_secs(70));
    house.emptied().await;
    running.stop().await;
    let recipients: Vec<_> = hop.messages().into_iter().map(|m| m.recipients).collect();
    assert_eq!(recipients, [["good@remote.example"], ["busy@remote.example"]]);
    assert_eq!(house.mail_of("ben").len(), 1, "one report");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_cut_off_in_the_middle_leaves_the_mail_queued() {
    let hop = NextHop::scripted(|seen| match (seen.command, seen.connection) {
        (".", 1) => Reaction::Hang,
        _ => Reaction::Polite,
    })
    .await;
    let mut house = House::new(&hop.address);
    house.config.connections_max = 1;
    for _ in 0..20 {
        house.submit("aiko@example.org", &["x@remote.example"], TEXT).await;
    }
    let running = house.run();
    eventually("the first is under way", || hop.heard(".") == 1).await;
    running.kill().await;
    let address = hop.stop().await;
    let hop = NextHop::start_on(&address, Options::default()).await;
    let house = house.reopen_spool().await;
    assert_eq!(house.queue().await.len(), 20);
    let running = house.run();
    house.clock.advance(Duration::from_secs(70));
    house.emptied().await;
    running.stop().await;
    assert_eq!(hop.count(), 20);
}
