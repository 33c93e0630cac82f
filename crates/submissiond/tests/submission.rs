//! What a customer's mail program meets on the ports for submission.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod kit;

use kit::{ANNAS_PASSWORD, LEGACY, SUBMISSION, start};
use spool::Origin;

const MESSAGE: &str = "From: Anna <anna@example.net>\r\nTo: x@example.org\r\n\
                       Bcc: y@example.org\r\nSubject: dots\r\n\r\n.\u{e9}\r\n..\r\nend";

#[tokio::test]
async fn a_message_goes_from_starttls_to_the_disk() {
    let daemon = start(SUBMISSION).await;
    let mut client = daemon.client("submission").await;
    client.reply().await;
    assert!(client.say("EHLO [192.0.2.7]").await.contains("250-STARTTLS"));
    client.expect("STARTTLS", "220 2.0.0").await;
    client.start_tls(&daemon.certificate).await;
    let hello = client.say("EHLO [192.0.2.7]").await;
    assert!(hello.contains("250-AUTH PLAIN LOGIN\n") && !hello.contains("STARTTLS"), "{hello}");
    client.expect(ANNAS_PASSWORD, "235 2.7.0").await;
    client.begin("anna@example.net", &["x@example.org", "y@example.org", "X@example.org"]).await;
    client.send(MESSAGE.replace("\r\n.", "\r\n..")).await;
    let reply = client.say("\r\n.").await;
    assert!(reply.starts_with("250 2.0.0 Accepted, queued as "), "{reply}");
    client.expect("QUIT", "221 2.0.0").await;
    assert!(client.is_closed().await);

    let queued = daemon.queued().await;
    assert_eq!(queued.len(), 1);
    let message = &queued[0];
    assert_eq!(message.envelope.sender.to_string(), "<anna@example.net>");
    assert_eq!(message.recipients(), ["x@example.org", "y@example.org"]);
    assert_eq!(message.envelope.coding, envelope::Coding::EightBit);
    let Origin::Submitted { account, authority, client } = &message.origin else { panic!() };
    assert_eq!((account.as_str(), &**authority), ("anna@example.net", "smtp-auth"));
    assert!(client.is_loopback());
    let text = message.text();
    let received = "Received: from [192.0.2.7] ([127.0.0.1])\r\n\tby mail.example.net with ESMTPSA";
    assert!(text.starts_with(received), "{text}");
    assert!(text.contains("\r\nDate: ") && text.contains(" +0000\r\n"), "{text}");
    assert!(text.contains("\r\nMessage-ID: <") && text.contains("@mail.example.net>\r\n"));
    assert!(!text.contains("Bcc"));
    assert!(text.ends_with("\r\n\r\n.\u{e9}\r\n..\r\nend\r\n"), "{text}");
}

#[tokio::test]
async fn implicit_tls_and_several_messages_in_one_session() {
    let daemon = start(SUBMISSION).await;
    let mut client = daemon.client("submissions").await;
    client.start_tls(&daemon.certificate).await;
    client.reply().await;
    client.say("EHLO client").await;
    client.expect("AUTH LOGIN YW5uYUBleGFtcGxlLm5ldA==", "334 UGFzc3dvcmQ6").await;
    client.expect("c2VjcmV0", "235 2.7.0").await;
    for number in 0..3 {
        let text = format!("From: meier@example.net\r\nSubject: {number}\r\n\r\n{number}\r\n");
        let reply = client.submit("meier@example.net", &["x@example.org"], text).await;
        assert!(reply.starts_with("250 2.0.0"), "{reply}");
    }
    let queued = daemon.queued().await;
    assert_eq!(queued.len(), 3);
    for (number, message) in queued.iter().enumerate() {
        assert!(message.text().contains(&format!("\r\nSubject: {number}\r\n")));
        assert_eq!(message.envelope.coding, envelope::Coding::SevenBit);
    }
    assert_eq!(daemon.observer.statistics().messages_accepted, 3);
}

#[tokio::test]
async fn nobody_sends_without_authentication() {
    let daemon = start(SUBMISSION).await;
    let mut client = daemon.client("submission").await;
    client.reply().await;
    client.say("EHLO client").await;
    // From loopback a password may come in clear, so that AUTH is offered.
    client.expect("MAIL FROM:<anna@example.net>", "530 5.7.0 Authentication required").await;
    client.expect("MAIL FROM:<>", "530 5.7.0").await;
    client.expect("RCPT TO:<x@example.org>", "503 5.5.1").await;
    client.expect("DATA", "503 5.5.1").await;
    assert!(daemon.queued().await.is_empty());
    assert_eq!(daemon.observer.statistics().senders_refused, 2);
}

#[tokio::test]
async fn passwords_need_tls_off_the_networks_named() {
    let config = format!("cleartext_auth_networks = []\n{SUBMISSION}");
    let daemon = start(&config).await;
    let mut client = daemon.client("submission").await;
    client.reply().await;
    assert!(!client.say("EHLO client").await.contains("AUTH"));
    client.expect(ANNAS_PASSWORD, "538 5.7.11").await;
    client.expect("STARTTLS", "220 2.0.0").await;
    client.start_tls(&daemon.certificate).await;
    client.say("EHLO client").await;
    client.expect(ANNAS_PASSWORD, "235 2.7.0").await;
}

#[tokio::test]
async fn envelope_and_header_must_be_the_accounts_own() {
    let daemon = start(LEGACY).await;
    let mut client = daemon.anna().await;
    client.expect("MAIL FROM:<ben@example.net>", "550 5.7.1").await;
    let forged = "From: Boss <boss@example.net>\r\n\r\nHi\r\n";
    let reply = client.submit("anna@example.net", &["x@example.org"], forged).await;
    assert!(reply.starts_with("550 5.7.1") && reply.contains("<boss@example.net>"), "{reply}");
    // The refusal has ended the transaction.
    client.expect("DATA", "503 5.5.1").await;
    let none = "Subject: nobody\r\n\r\nHi\r\n";
    let reply = client.submit("anna@example.net", &["x@example.org"], none).await;
    assert!(reply.starts_with("554 5.6.0"), "{reply}");
    // The null sender is not refused by itself; the header still is looked at.
    let reply = client.submit("", &["x@example.org"], forged).await;
    assert!(reply.starts_with("550 5.7.1"), "{reply}");
    let own = "From: anna@example.net\r\n\r\nHi\r\n";
    let reply = client.submit("", &["x@example.org"], own).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    assert_eq!(daemon.queued().await.len(), 1);
    assert_eq!(daemon.observer.statistics().messages_refused, 3);
}

#[tokio::test]
async fn local_recipients_are_checked_and_postmaster_is_somebody() {
    let daemon = start(LEGACY).await;
    let mut client = daemon.anna().await;
    client.expect("MAIL FROM:<anna@example.net>", "250 2.1.0").await;
    client.expect("RCPT TO:<typo@example.net>", "550 5.1.1").await;
    for recipient in ["BEN@example.net", "postmaster", "Postmaster@example.net"] {
        client.expect(&format!("RCPT TO:<{recipient}>"), "250 2.1.5").await;
    }
    client.expect("DATA", "354 ").await;
    let reply = client.say("From: anna@example.net\r\n\r\nHi\r\n.").await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let recipients = daemon.queued().await[0].recipients();
    assert_eq!(recipients, ["BEN@example.net", "postmaster@mail.example.net"]);
}

#[tokio::test]
async fn every_port_adds_what_is_missing() {
    let daemon = start(LEGACY).await;
    daemon.steered.say(kit::Says::AllowAnna { recipients_max: None });
    let mut client = daemon.client("legacy").await;
    client.reply().await;
    client.expect("HELO old-printer", "250 mail.example.net").await;
    let text = "From: anna@example.net\r\n\r\nscan\r\n";
    let reply = client.submit("anna@example.net", &["x@example.org"], text).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let text = daemon.queued().await[0].text();
    assert!(text.starts_with(
        "Received: from old-printer ([127.0.0.1])\r\n\tby mail.example.net with SMTP id "
    ));
    assert!(text.contains("\r\nDate: ") && text.contains("\r\nMessage-ID: <"), "{text}");
}

#[tokio::test]
async fn requests_for_another_service_end_in_the_handshake() {
    let daemon = start(SUBMISSION).await;
    for (protocols, taken) in [
        (&[][..], true),
        (&["smtp"], true),
        (&["h2", "submission"], true),
        (&["h2", "http/1.1"], false),
        (&["imap"], false),
    ] {
        let mut client = daemon.client("submissions").await;
        let agreed = client.try_tls(&daemon.certificate, protocols).await.is_ok();
        assert_eq!(agreed, taken, "{protocols:?}");
        if taken {
            assert!(client.reply().await.starts_with("220 "), "{protocols:?}");
        }
        let mut client = daemon.client("submission").await;
        client.reply().await;
        client.say("EHLO client").await;
        client.expect("STARTTLS", "220 2.0.0").await;
        let agreed = client.try_tls(&daemon.certificate, protocols).await.is_ok();
        assert_eq!(agreed, taken, "{protocols:?} after STARTTLS");
    }
}
