//! Who is told what, and who is not.

use relay::config::Language;

use crate::kit::{House, NextHop, Reaction, Seen};

const TEXT: &[u8] = b"From: ben@example.org\r\nSubject: hi\r\n\r\nhi\r\n";

fn refuse(seen: &Seen<'_>) -> Reaction {
    match seen.command.starts_with("RCPT") {
        true => Reaction::Say("550 5.1.1 no such user"),
        false => Reaction::Polite,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sender_is_told_with_the_header_of_his_message() {
    let hop = NextHop::scripted(refuse).await;
    let house = House::new(&hop.address);
    let running = house.run();
    let id = house.submit("ben@example.org", &["x@remote.example"], TEXT).await;
    house.emptied().await;
    assert_eq!(running.stats.reports.get(), 1);
    assert_eq!(running.stats.unreported.get(), 0);
    running.stop().await;
    let report = &house.mail_of("ben")[0];
    assert!(report.starts_with("Return-Path: <>\r\nDelivered-To: ben@example.org\r\n"));
    assert!(report.contains("\r\nAuto-Submitted: auto-replied\r\n"));
    assert!(report.contains("Content-Type: multipart/report; report-type=delivery-status;"));
    assert!(report.contains("Reporting-MTA: dns; mail.example.org\r\n"));
    assert!(report.contains("Arrival-Date: Tue, 24 Nov 2026 09:00:00 +0000\r\n"));
    assert!(report.contains("From: ben@example.org\r\nSubject: hi\r\n\r\n--"));
    assert!(report.contains(&format!("queue ID {id}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_report_about_mail_without_a_sender() {
    let hop = NextHop::scripted(refuse).await;
    let house = House::new(&hop.address);
    let running = house.run();
    house.submit("<>", &["x@remote.example", "y@remote.example"], TEXT).await;
    house.emptied().await;
    assert_eq!(running.stats.reports.get(), 0);
    assert_eq!(running.stats.unreported.get(), 2);
    running.stop().await;
    assert!(house.mail_of("ben").is_empty() && house.mail_of("aiko").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_report_about_a_report() {
    // The sender's own address is elsewhere, and does not exist there.
    let hop = NextHop::scripted(refuse).await;
    let house = House::new(&hop.address);
    let running = house.run();
    house.submit("aiko@elsewhere.example", &["x@remote.example"], TEXT).await;
    house.emptied().await;
    assert_eq!(running.stats.failed.get(), 2, "the message, and then the report");
    assert_eq!(running.stats.reports.get(), 1);
    assert_eq!(running.stats.unreported.get(), 1);
    running.stop().await;
    assert_eq!(hop.heard("MAIL FROM:<>"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_report_for_all_recipients_of_an_attempt() {
    let hop = NextHop::scripted(refuse).await;
    let house = House::new(&hop.address);
    let running = house.run();
    house.submit("ben@example.org", &["x@remote.example", "y@remote.example"], TEXT).await;
    house.emptied().await;
    running.stop().await;
    let mail = house.mail_of("ben");
    assert_eq!(mail.len(), 1);
    assert_eq!(mail[0].matches("\r\nFinal-Recipient: ").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_language_of_the_customer() {
    let hop = NextHop::scripted(refuse).await;
    let mut house = House::new(&hop.address);
    house.config.report_language = Language::Japanese;
    let running = house.run();
    house.submit("愛子@example.org", &["x@remote.example"], TEXT).await;
    house.emptied().await;
    running.stop().await;
    let report = &house.mail_of("aiko")[0];
    assert!(report.contains("To: <愛子@example.org>\r\n"));
    assert!(report.contains("Subject: =?UTF-8?B?"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_report_for_ten_thousand_recipients_in_many_transactions() {
    let hop = NextHop::scripted(refuse).await;
    let mut house = House::new(&hop.address);
    house.config.recipients_max = 500;
    let addresses: Vec<_> = (0..10_000).map(|n| format!("x{n}@remote.example")).collect();
    let recipients: Vec<_> = addresses.iter().map(String::as_str).collect();
    house.submit("ben@example.org", &recipients, TEXT).await;
    let running = house.run();
    house.emptied().await;
    assert_eq!((running.stats.failed.get(), running.stats.reports.get()), (10_000, 1));
    running.stop().await;
    assert_eq!(hop.heard("MAIL"), 20);
    let mail = house.mail_of("ben");
    assert_eq!(mail[0].matches("\r\nFinal-Recipient: ").count(), 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_report_for_here_and_elsewhere() {
    let hop = NextHop::scripted(refuse).await;
    let house = House::new(&hop.address);
    let to = ["x@remote.example", "nobody@example.org", "aiko@example.org"];
    house.submit("ben@example.org", &to, TEXT).await;
    let running = house.run();
    house.emptied().await;
    running.stop().await;
    let mail = house.mail_of("ben");
    assert_eq!((mail.len(), house.mail_of("aiko").len()), (1, 1));
    assert_eq!(mail[0].matches("\r\nFinal-Recipient: ").count(), 2);
}
