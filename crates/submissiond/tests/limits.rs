//! Limits in a session: what is said at which command, and who is written to.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod kit;

use address::AccountKey;
use kit::{Checks, Daemon, LEGACY, Plan, Says, start_plan};

const TEXT: &str = "From: anna@example.net\r\n\r\nHi\r\n";

async fn limited(limits: &'static str) -> Daemon {
    let checks = Some(Checks { limits, filter: String::new() });
    start_plan(Plan { checks, ..Plan::new(LEGACY) }).await
}

/// Subjects and recipients of the notices in the queue, once there are so many.
async fn notices(daemon: &Daemon, count: u64) -> Vec<(String, String)> {
    let spool = daemon.spool.clone();
    kit::eventually(move || spool.stats().queued >= count).await;
    let queued = daemon.queued().await;
    let reports = queued.iter().filter(|message| message.envelope.sender.mailbox().is_none());
    let mut told: Vec<_> = reports
        .map(|report| {
            let text = report.text();
            let subject = text.lines().find(|line| line.starts_with("Subject: ")).unwrap();
            (report.recipients().join(","), subject.to_owned())
        })
        .collect();
    told.sort();
    told
}

#[tokio::test]
async fn customer_and_admin_find_one_notice_in_their_mailboxes() {
    let daemon = limited(
        "admin = \"abuse@example.org\"\n\
         account.messages_per_hour = { most = 1, action = \"suspend\" }",
    )
    .await;
    let mut client = daemon.anna().await;
    let reply = client.submit("anna@example.net", &["x@example.org"], TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    client.expect("MAIL FROM:<anna@example.net>", "525 5.7.13 Sending is suspended").await;
    client.expect("MAIL FROM:<anna@example.net>", "525 5.7.13").await;
    let told = notices(&daemon, 3).await;
    let expected = [
        ("abuse@example.org", "Subject: [limits] anna@example.net suspended: messages-per-hour"),
        ("anna@example.net", "Subject: Sending mail is suspended for your account"),
    ];
    assert_eq!(told, expected.map(|(to, subject)| (to.to_owned(), subject.to_owned())));
}

#[tokio::test]
async fn recipients_are_deferred_one_by_one_and_the_rest_goes_out() {
    let daemon = limited("account.recipients_per_hour = 2").await;
    let mut client = daemon.anna().await;
    client.expect("MAIL FROM:<anna@example.net>", "250 2.1.0").await;
    client.expect("RCPT TO:<a@example.org>", "250 2.1.5").await;
    client.expect("RCPT TO:<b@example.org>", "250 2.1.5").await;
    client.expect("RCPT TO:<c@example.org>", "450 4.7.1 The limit").await;
    client.expect("DATA", "354 ").await;
    client.expect(&format!("{TEXT}."), "250 2.0.0").await;
    client.expect("MAIL FROM:<anna@example.net>", "450 4.7.1 The limit of 2 recipients").await;
    assert_eq!(notices(&daemon, 2).await.len(), 1);
}

#[tokio::test]
async fn addresses_that_nobody_has_here_are_counted() {
    let daemon =
        limited("account.failed_recipients_per_hour = { most = 2, action = \"defer\" }").await;
    let mut client = daemon.anna().await;
    client.expect("MAIL FROM:<anna@example.net>", "250 2.1.0").await;
    for number in 0..3 {
        client.expect(&format!("RCPT TO:<guess{number}@example.net>"), "550 5.1.1").await;
    }
    client.expect("RSET", "250 ").await;
    client.expect("MAIL FROM:<anna@example.net>", "450 4.7.1").await;
    let mut other = daemon.legacy().await;
    other.expect("AUTH PLAIN AGJlbkBleGFtcGxlLm5ldABzZWNyZXQ=", "235 2.7.0").await;
    other.expect("MAIL FROM:<ben@example.net>", "250 2.1.0").await;
}

#[tokio::test]
async fn another_authority_is_no_way_round_a_suspension() {
    let daemon = limited("").await;
    daemon.steered.say(Says::AllowAnna { recipients_max: None });
    let mut client = daemon.legacy().await;
    let reply = client.submit("anna@example.net", &["x@example.org"], TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let anna = AccountKey::parse("anna@example.net", None).unwrap();
    let now = auth::Clock::now(&auth::SystemClock::new());
    daemon.limits.as_ref().unwrap().suspend(&anna, "by hand", now).await.unwrap();
    client.expect("MAIL FROM:<anna@example.net>", "525 5.7.13").await;
    // In the middle of a transaction too.
    let limits = daemon.limits.as_ref().unwrap();
    limits.resume(&anna, now).await.unwrap();
    client.begin("anna@example.net", &["x@example.org"]).await;
    limits.suspend(&anna, "by hand", now).await.unwrap();
    client.expect(&format!("{TEXT}."), "525 5.7.13").await;
    assert_eq!(daemon.queued().await.len(), 1);
}

#[tokio::test]
async fn two_sessions_at_the_last_place_and_one_gets_it() {
    let daemon = limited("account.messages_per_hour = 1").await;
    let (mut one, mut two) = (daemon.anna().await, daemon.anna().await);
    one.begin("anna@example.net", &["x@example.org"]).await;
    two.begin("anna@example.net", &["x@example.org"]).await;
    one.send(format!("{TEXT}.\r\n")).await;
    two.send(format!("{TEXT}.\r\n")).await;
    let mut replies = [one.reply().await, two.reply().await];
    replies.sort();
    assert!(replies[0].starts_with("250 2.0.0"), "{replies:?}");
    assert!(replies[1].starts_with("450 4.7.1"), "{replies:?}");
}
