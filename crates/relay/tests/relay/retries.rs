//! Refusals for the time being and for good, and the patience between.

use std::time::Duration;

use relay::config::Period;
use spool::RecipientState;

use crate::kit::{House, NextHop, Options, Reaction};

const TEXT: &[u8] = b"Subject: hi\r\n\r\nhi\r\n";

fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_recipient_has_his_own_fate() {
    let hop = NextHop::scripted(|seen| match seen.command {
        "RCPT TO:<busy@remote.example>" if seen.times < 3 => Reaction::Say("450 4.2.1 busy"),
        "RCPT TO:<gone@remote.example>" => Reaction::Say("550 5.1.1 no such user"),
        _ => Reaction::Polite,
    })
    .await;
    let house = House::new(&hop.address);
    let running = house.run();
    let to = ["good@remote.example", "busy@remote.example", "gone@remote.example"];
    let id = house.submit("ben@example.org", &to, TEXT).await;
    house.settled(&running).await;

    let queue = house.queue().await;
    assert_eq!(queue.len(), 1);
    assert_eq!(queue[0].id, id);
    let states: Vec<_> = queue[0].recipients.iter().map(|r| r.state).collect();
    assert_eq!(states, [RecipientState::Done, RecipientState::Pending, RecipientState::Failed]);
    assert_eq!(queue[0].recipients[1].last_reply.as_deref(), Some("4.2.1 450 4.2.1 busy"));
    let report = &house.mail_of("ben")[0];
    assert!(report.contains("Final-Recipient: rfc822; gone@remote.example\r\n"));
    assert!(report.contains("Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"));
    assert!(!report.contains("good@remote.example") && !report.contains("busy@remote.example"));

    // One minute and at most a tenth more, then five.
    house.clock.advance(Duration::from_secs(55));
    house.settled(&running).await;
    assert_eq!(hop.heard("RCPT TO:<busy"), 1);
    house.clock.advance(Duration::from_secs(11));
    house.settled(&running).await;
    assert_eq!(hop.heard("RCPT TO:<busy"), 2);
    house.clock.advance(minutes(4));
    house.settled(&running).await;
    assert_eq!(hop.heard("RCPT TO:<busy"), 2);
    house.clock.advance(Duration::from_secs(91));
    house.emptied().await;
    running.stop().await;

    let recipients: Vec<_> = hop.messages().into_iter().map(|m| m.recipients).collect();
    assert_eq!(recipients, [["good@remote.example"], ["busy@remote.example"]]);
    assert_eq!(house.mail_of("ben").len(), 1, "one report, for one recipient");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_mail_data_and_text() {
    let hop = NextHop::scripted(|seen| match (seen.command, seen.times) {
        ("MAIL FROM:<aiko@example.org> SIZE=19", 1) => Reaction::Say("451 4.3.0 not now"),
        // The first came behind the refused MAIL.
        ("DATA", 2) => Reaction::Say("451 4.3.1 disk full"),
        (".", 1) => Reaction::Say("451 4.7.1 greylisted"),
        (".", 2) => Reaction::Say("554 5.7.1 spam"),
        _ => Reaction::Polite,
    })
    .await;
    let house = House::new(&hop.address);
    let running = house.run();
    house.submit("aiko@example.org", &["x@remote.example"], TEXT).await;
    for (wait, last) in [(2, "not now"), (6, "disk full"), (17, "greylisted")] {
        house.settled(&running).await;
        let queue = house.queue().await;
        let reply = queue[0].recipients[0].last_reply.clone().unwrap();
        assert!(reply.contains(last), "{reply}");
        house.clock.advance(minutes(wait));
    }
    house.emptied().await;
    assert_eq!(running.stats.deferred.get(), 3);
    assert_eq!(running.stats.failed.get(), 1);
    running.stop().await;
    assert_eq!(hop.count(), 0);
    assert!(house.mail_of("aiko")[0].contains("Status: 5.7.1\r\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_refused_and_the_body_wanted_all_the_same() {
    let hop = NextHop::scripted(|seen| match seen.command.split(':').next().unwrap() {
        "RCPT TO" => Reaction::Say("550 5.1.1 no"),
        "DATA" => Reaction::Say("354 give it to me"),
        "." => Reaction::Say("554 5.5.0 no recipients"),
        _ => Reaction::Polite,
    })
    .await;
    let mut house = House::new(&hop.address);
    house.config.connections_max = 1;
    let running = house.run();
    for _ in 0..3 {
        house.submit("ben@example.org", &["x@remote.example", "y@remote.example"], TEXT).await;
    }
    house.emptied().await;
    running.stop().await;
    assert_eq!(hop.count(), 0);
    assert_eq!(house.mail_of("ben").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn expiry_is_reported_with_the_last_reply() {
    let hop = NextHop::scripted(|seen| match seen.command.split(':').next().unwrap() {
        "RCPT TO" => Reaction::Say("450 4.2.2 mailbox full"),
        _ => Reaction::Polite,
    })
    .await;
    let mut house = House::new(&hop.address);
    house.config.expire_after = Period::from_secs(3600);
    house.config.retry = vec![Period::from_secs(600)];
    let running = house.run();
    house.submit("ben@example.org", &["x@remote.example"], TEXT).await;
    for _ in 0..6 {
        house.settled(&running).await;
        house.clock.advance(minutes(11));
    }
    house.emptied().await;
    assert_eq!(running.stats.expired.get(), 1);
    assert_eq!(running.stats.deferred.get(), 6);
    running.stop().await;
    let report = &house.mail_of("ben")[0];
    assert!(report.contains("Status: 4.4.7\r\n"));
    assert!(report.contains("Diagnostic-Code: smtp; 450 4.2.2 mailbox full\r\n"));
    assert!(report.contains("Action: failed\r\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hop_that_does_not_know_us_loses_no_mail() {
    let hop = NextHop::start(Options { login: Some(("relay", "pw")), ..Options::default() }).await;
    let house = House::new(&hop.address);
    let running = house.run();
    house.submit("ben@example.org", &["x@remote.example"], TEXT).await;
    house.settled(&running).await;
    let queue = house.queue().await;
    assert!(queue[0].recipients[0].last_reply.as_deref().unwrap().contains("530 5.7.0"));
    running.stop().await;
    assert!(house.mail_of("ben").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_next_hop_mail_waits() {
    let mut house = House::new("unused");
    house.config.next_hop = None;
    let running = house.run();
    house.submit("ben@example.org", &["x@remote.example"], TEXT).await;
    house.settled(&running).await;
    let queue = house.queue().await;
    let reply = queue[0].recipients[0].last_reply.clone().unwrap();
    assert_eq!(&*reply, "4.3.5 no next hop is configured");
    running.stop().await;
}
