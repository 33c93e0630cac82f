//! Who is asked, when, and who is told how it ended.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod kit;

use auth::{AuthConfig, Refusal, Settlement};
use kit::{
    ANNAS_PASSWORD, LEGACY, Plan, RECEIVING, Says, WRONG_PASSWORD, account, authenticator, start,
    start_plan,
};
use spool::Origin;

const TEXT: &str = "From: anna@example.net\r\n\r\nHi\r\n";

fn refusal() -> Refusal {
    Refusal {
        code: 550,
        enhanced: "5.7.1",
        text: "Sending without password ended on 1 March\nSee https://help.example.net".into(),
        reason: "closed",
    }
}

#[tokio::test]
async fn a_refusal_reaches_the_customer_to_the_letter() {
    let daemon = start(LEGACY).await;
    daemon.steered.say(Says::Refuse(refusal()));
    let mut client = daemon.legacy().await;
    let reply = client.say("MAIL FROM:<anna@example.net>").await;
    let expected = "550-5.7.1 Sending without password ended on 1 March\n\
                    550 5.7.1 See https://help.example.net";
    assert_eq!(reply, expected);
    // What changes is seen by the next command, in the same session.
    daemon.steered.say(Says::AllowAnna { recipients_max: None });
    client.expect("MAIL FROM:<anna@example.net>", "250 2.1.0").await;
    client.expect("RSET", "250 2.0.0").await;
    daemon.steered.say(Says::Abstain);
    client.expect("MAIL FROM:<anna@example.net>", "530 5.7.0").await;
    assert_eq!(daemon.steered.asked(), 3);
}

#[tokio::test]
async fn who_authenticated_never_uses_another_authority() {
    let daemon = start(LEGACY).await;
    daemon.steered.say(Says::AllowAnna { recipients_max: None });
    let mut client = daemon.anna().await;
    client.expect("MAIL FROM:<ben@example.net>", "550 5.7.1").await;
    client.expect("MAIL FROM:<anna@example.net>", "250 2.1.0").await;
    client.expect("EHLO again", "250-").await;
    client.expect("MAIL FROM:<ben@example.net>", "550 5.7.1").await;
    assert_eq!(daemon.steered.asked(), 0);
}

#[tokio::test]
async fn who_failed_to_authenticate_does_not_fall_back() {
    let daemon = start(LEGACY).await;
    daemon.steered.say(Says::AllowAnna { recipients_max: None });
    let mut client = daemon.legacy().await;
    client.expect(WRONG_PASSWORD, "535 5.7.8").await;
    client.expect("MAIL FROM:<anna@example.net>", "530 5.7.0").await;
    client.expect("EHLO again", "250-").await;
    client.expect("HELO again", "250 ").await;
    client.expect("MAIL FROM:<anna@example.net>", "530 5.7.0").await;
    assert_eq!(daemon.steered.asked(), 0);
    client.expect("EHLO again", "250-").await;
    client.expect(ANNAS_PASSWORD, "235 2.7.0").await;
    client.expect("MAIL FROM:<anna@example.net>", "250 2.1.0").await;
    assert_eq!(daemon.observer.statistics().logins_denied, 1);
}

#[tokio::test]
async fn guessing_passwords_ends_the_session() {
    let daemon = start(LEGACY).await;
    let mut client = daemon.legacy().await;
    for _ in 0..4 {
        client.expect(WRONG_PASSWORD, "535 5.7.8").await;
    }
    client.send(format!("{WRONG_PASSWORD}\r\n{ANNAS_PASSWORD}\r\n")).await;
    assert!(client.reply().await.starts_with("535 5.7.8"));
    assert!(client.reply().await.starts_with("421 4.7.0"));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn every_permit_is_settled_however_it_ends() {
    let daemon = start(LEGACY).await;
    let steered = &daemon.steered;
    steered.say(Says::AllowAnna { recipients_max: None });
    let mut client = daemon.legacy().await;
    let unused = |recipients| Settlement { accepted: false, recipients, octets: 0 };

    let reply = client.submit("anna@example.net", &["x@example.org", "y@example.org"], TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let settled = steered.settlements(1).await;
    assert!(settled[0].accepted && settled[0].recipients == 2);
    let stored = daemon.queued().await;
    assert_eq!(settled[0].octets, stored[0].text.len() as u64);

    client.expect("MAIL FROM:<anna@example.net>", "250 2.1.0").await;
    client.expect("RSET", "250 2.0.0").await;
    assert_eq!(steered.settlements(2).await[1], unused(0));

    client.expect("MAIL FROM:<anna@example.net>", "250 2.1.0").await;
    client.expect("EHLO again", "250-").await;
    assert_eq!(steered.settlements(3).await[2], unused(0));

    let reply = client.submit("anna@example.net", &["x@example.org"], "no header").await;
    assert!(reply.starts_with("554 5.6.0"), "{reply}");
    assert_eq!(steered.settlements(4).await[3], unused(1));

    client.begin("anna@example.net", &["x@example.org"]).await;
    client.send("From: anna@example.net\r\n\r\na lone\rCR").await;
    assert!(client.say("\r\n.").await.starts_with("550 5.5.2"));
    assert_eq!(steered.settlements(5).await[4], unused(1));

    client.begin("anna@example.net", &["x@example.org"]).await;
    client.send("From: anna@example.net\r\n\r\nhalf a mess").await;
    drop(client);
    assert_eq!(steered.settlements(6).await[5], unused(1));

    let mut client = daemon.legacy().await;
    client.expect("MAIL FROM:<anna@example.net>", "250 2.1.0").await;
    client.expect("QUIT", "221 2.0.0").await;
    assert_eq!(steered.settlements(7).await[6], unused(0));
    assert_eq!(daemon.queued().await.len(), 1);
}

#[tokio::test]
async fn a_permit_may_bound_the_recipients() {
    let daemon = start(LEGACY).await;
    daemon.steered.say(Says::AllowAnna { recipients_max: Some(2) });
    let mut client = daemon.legacy().await;
    client.expect("MAIL FROM:<anna@example.net>", "250 2.1.0").await;
    client.expect("RCPT TO:<x@example.org>", "250 2.1.5").await;
    client.expect("RCPT TO:<ben@example.net>", "250 2.1.5").await;
    client.expect("RCPT TO:<z@example.org>", "452 4.5.3").await;
    client.expect("DATA", "354 ").await;
    client.send(TEXT).await;
    assert!(client.say(".").await.starts_with("250 2.0.0"));
    assert_eq!(daemon.queued().await[0].recipients(), ["x@example.org", "ben@example.net"]);
}

#[tokio::test]
async fn mail_from_elsewhere_needs_no_permit_and_asks_for_none() {
    let daemon = start(RECEIVING).await;
    let mut client = daemon.legacy().await;
    let odd = "Subject: no From, and it stays so\r\nBcc: x\r\n\r\nHi\r\n";
    for sender in ["someone@elsewhere.example", ""] {
        let to = ["ben@example.net", "Ben@example.net", "postmaster"];
        let reply = client.submit(sender, &to, odd).await;
        assert!(reply.starts_with("250 2.0.0"), "{reply}");
    }
    assert_eq!(daemon.steered.asked(), 0);
    let queued = daemon.queued().await;
    assert_eq!(queued.len(), 2);
    for message in &queued {
        assert!(matches!(message.origin, Origin::Inbound { .. }));
        assert_eq!(message.recipients(), ["ben@example.net", "postmaster@mail.example.net"]);
        let text = message.text();
        assert!(text.starts_with("Received: from client ([127.0.0.1])"), "{text}");
        assert!(text.ends_with(&format!("\r\n{odd}")), "{text}");
    }
}

#[tokio::test]
async fn mail_from_elsewhere_is_not_relayed() {
    let daemon = start(RECEIVING).await;
    daemon.steered.say(Says::Refuse(refusal()));
    let mut client = daemon.legacy().await;
    for sender in ["someone@elsewhere.example", ""] {
        client.expect(&format!("MAIL FROM:<{sender}>"), "250 2.1.0").await;
        client.expect("RCPT TO:<x@example.org>", "550-5.7.1 Sending without password").await;
        client.expect("RCPT TO:<typo@example.net>", "550 5.1.1").await;
        client.expect("DATA", "554 5.5.1").await;
        client.expect("RCPT TO:<ben@example.net>", "250 2.1.5").await;
        client.expect("RCPT TO:<y@example.org>", "550-5.7.1 Sending without password").await;
        client.expect("DATA", "354 ").await;
        client.send("Subject: x\r\n\r\nHi\r\n").await;
        assert!(client.say(".").await.starts_with("250 2.0.0"));
    }
    // Asked once for each message, remembered for its further recipients.
    assert_eq!(daemon.steered.asked(), 2);
    for message in daemon.queued().await {
        assert_eq!(message.recipients(), ["ben@example.net"]);
        assert!(matches!(message.origin, Origin::Inbound { .. }));
    }
}

#[tokio::test]
async fn an_address_at_a_domain_of_others_is_a_right_to_send_and_no_way_in() {
    let ben = account("ben", &["ben@example.net", "ben@private.example"]);
    let authenticator = Some(authenticator(AuthConfig::default(), vec![ben]));
    let daemon = start_plan(Plan { authenticator, ..Plan::new(RECEIVING) }).await;
    daemon.steered.say(Says::Refuse(refusal()));
    let mut client = daemon.legacy().await;
    client.expect("MAIL FROM:<someone@elsewhere.example>", "250 2.1.0").await;
    client.expect("RCPT TO:<ben@private.example>", "550-5.7.1 Sending without password").await;
    client.expect("RCPT TO:<ben@example.net>", "250 2.1.5").await;
}

#[tokio::test]
async fn our_own_customers_need_their_permit_on_a_receiving_port_too() {
    let daemon = start(RECEIVING).await;
    let mut client = daemon.legacy().await;
    // A neighbour writes to ben as anna, and as somebody at our domain who does not exist.
    client.expect("MAIL FROM:<anna@example.net>", "530 5.7.0").await;
    client.expect("MAIL FROM:<chief@example.net>", "530 5.7.0").await;
    daemon.steered.say(Says::AllowAnna { recipients_max: None });
    let reply =
        client.submit("anna@example.net", &["ben@example.net", "x@example.org"], TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    client.expect(ANNAS_PASSWORD, "235 2.7.0").await;
    let reply = client.submit("anna@example.net", &["ben@example.net"], TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    for message in daemon.queued().await {
        assert!(matches!(message.origin, Origin::Submitted { .. }));
    }
}

#[tokio::test]
async fn a_permit_for_a_recipient_elsewhere_is_not_mixed_with_mail_for_us() {
    let daemon = start(RECEIVING).await;
    daemon.steered.say(Says::AllowAnna { recipients_max: None });
    let mut client = daemon.legacy().await;
    client.expect("MAIL FROM:<>", "250 2.1.0").await;
    client.expect("RCPT TO:<ben@example.net>", "250 2.1.5").await;
    client.expect("RCPT TO:<x@example.org>", "452 4.5.3").await;
    client.expect("RSET", "250 2.0.0").await;
    // The other way round it is a submission, and both may stand together.
    let reply = client.submit("", &["x@example.org", "ben@example.net"], TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    assert!(matches!(daemon.queued().await[0].origin, Origin::Submitted { .. }));
    let settled = daemon.steered.settlements(2).await;
    assert!(!settled[0].accepted && settled[1].accepted);
}
