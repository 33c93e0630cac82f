//! Delivery into Maildirs.

use std::time::Duration;

use crate::kit::{House, NextHop, Options};

const TEXT: &[u8] = b"From: aiko@example.org\r\nSubject: hi\r\n\r\n.dot\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn into_the_maildir_with_a_trace() {
    let hop = NextHop::start(Options::default()).await;
    let house = House::new(&hop.address);
    let running = house.run();
    house.submit("aiko@example.org", &["Charles@Example.ORG"], TEXT).await;
    house.emptied().await;
    assert_eq!(running.stats.delivered.get(), 1);
    running.stop().await;
    let expected = "Return-Path: <aiko@example.org>\r\nDelivered-To: Charles@example.org\r\n";
    let expected = format!("{expected}{}", String::from_utf8_lossy(TEXT));
    assert_eq!(house.mail_of("carl"), [expected]);
    assert_eq!(hop.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_messages() {
    let house = House::new("unused:25");
    let running = house.run();
    let large = b"0123456789abcdef\r\n".repeat(200_000);
    house.submit("aiko@example.org", &["ben@example.org"], &large).await;
    house.emptied().await;
    running.stop().await;
    let mail = &house.mail_of("ben")[0];
    assert!(mail.ends_with(&String::from_utf8_lossy(&large).into_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn here_and_elsewhere_in_one_message() {
    let hop = NextHop::start(Options::default()).await;
    let house = House::new(&hop.address);
    let running = house.run();
    // A right to send as an address elsewhere is no mailbox here.
    let to = [
        "x@remote.example",
        "ben@example.org",
        "nobody@example.org",
        "aiko@elsewhere.example",
        "aiko@example.org",
    ];
    house.submit("aiko@example.org", &to, TEXT).await;
    house.emptied().await;
    running.stop().await;
    assert_eq!(hop.count(), 1);
    assert_eq!(hop.messages()[0].recipients, ["x@remote.example", "aiko@elsewhere.example"]);
    assert_eq!(house.mail_of("ben").len(), 1);
    let mail = house.mail_of("aiko");
    assert_eq!(mail.len(), 2, "the message and a report");
    let report = mail.iter().find(|m| m.contains("multipart/report")).unwrap();
    assert!(report.contains("Final-Recipient: rfc822; nobody@example.org\r\n"));
    assert!(report.contains("Status: 5.1.1\r\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maildir_that_cannot_be_used_now() {
    let house = House::new("unused:25");
    let running = house.run();
    std::fs::write(house.maildir("carl"), b"a file, not a Maildir").unwrap();
    house.submit("aiko@example.org", &["carl@example.org"], TEXT).await;
    house.settled(&running).await;
    let queue = house.queue().await;
    let reply = queue[0].recipients[0].last_reply.clone().unwrap();
    assert!(reply.starts_with("4.2.0 "), "{reply}");
    std::fs::remove_file(house.maildir("carl")).unwrap();
    house.clock.advance(Duration::from_secs(70));
    house.emptied().await;
    running.stop().await;
    assert_eq!(house.mail_of("carl").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_maildir_has_its_mail_wait() {
    let mut house = House::new("unused:25");
    // Room for one message with its two lines of trace, and not for two.
    house.limit("ben", 200);
    let running = house.run();
    for _ in 0..2 {
        house.submit("aiko@example.org", &["ben@example.org", "carl@example.org"], TEXT).await;
        house.settled(&running).await;
    }
    assert_eq!((house.mail_of("ben").len(), house.mail_of("carl").len()), (1, 2));
    let queue = house.queue().await;
    let reply = queue[0].recipients[0].last_reply.clone().unwrap();
    assert_eq!(&*reply, "4.2.2 the mailbox is full");
    // The customer fetches his mail.
    let maildrop = maildrop::Maildrop::open(&house.maildir("ben"), &Default::default()).unwrap();
    assert!(maildrop.update(&[0], &[], 1).is_complete());
    drop(maildrop);
    house.clock.advance(Duration::from_secs(70));
    house.emptied().await;
    running.stop().await;
    assert_eq!(house.mail_of("ben").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_fits_comes_back_at_once() {
    let mut house = House::new("unused:25");
    house.limit("ben", 200);
    let running = house.run();
    let large = b"0123456789abcdef\r\n".repeat(20);
    house.submit("aiko@example.org", &["ben@example.org"], &large).await;
    house.emptied().await;
    running.stop().await;
    assert!(house.mail_of("ben").is_empty());
    let report = &house.mail_of("aiko")[0];
    assert!(report.contains("Status: 5.2.2\r\n"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tardy_hop_does_not_hold_up_the_house() {
    let hop = NextHop::scripted(|_| crate::kit::Reaction::Hang).await;
    let house = House::new(&hop.address);
    let running = house.run();
    for _ in 0..300 {
        house.submit("aiko@example.org", &["x@remote.example"], TEXT).await;
    }
    house.submit("aiko@example.org", &["ben@example.org"], TEXT).await;
    crate::kit::eventually("delivered", || house.mail_of("ben").len() == 1).await;
    running.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_for_the_hop_does_not_hold_up_the_house() {
    let hop = NextHop::scripted(|_| crate::kit::Reaction::Hang).await;
    let house = House::new(&hop.address);
    let to = ["x@remote.example"];
    for _ in 0..1500 {
        house.submit("aiko@example.org", &to, TEXT).await;
    }
    house.submit("aiko@example.org", &["ben@example.org"], TEXT).await;
    let running = house.run();
    crate::kit::eventually("delivered", || house.mail_of("ben").len() == 1).await;
    assert_eq!(running.stats.deferred.get(), 0, "no attempt, no record of one");
    running.kill().await;
    crate::kit::eventually("all is put back", || house.spool.stats().in_delivery == 0).await;
    assert_eq!(house.spool.stats().queued, 1500);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_each_whole() {
    let house = House::new("unused:25");
    let running = house.run();
    for number in 0..100 {
        let text = format!("Subject: {number}\r\n\r\n{number}\r\n");
        house.submit("aiko@example.org", &["ben@example.org"], text.as_bytes()).await;
    }
    house.emptied().await;
    running.stop().await;
    let mut numbers: Vec<u32> = house
        .mail_of("ben")
        .iter()
        .map(|mail| mail.rsplit("\r\n").nth(1).unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
}
