//! Limits, broken peers, and those who mean harm.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod kit;

use std::time::{Duration, Instant};

use kit::{Client, LEGACY, Plan, SUBMISSION, start, start_plan};
use spool::Size;

const TEXT: &str = "From: anna@example.net\r\n\r\nHi\r\n";

#[tokio::test]
async fn no_sequence_but_the_true_one_ends_a_message() {
    let daemon = start(LEGACY).await;
    let mut client = daemon.anna().await;
    let evil = "MAIL FROM:<anna@example.net>\r\nRCPT TO:<x@example.org>\r\nDATA\r\n\
                From: anna@example.net\r\n\r\nsmuggled";
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\n\n.\n\n"] {
        let text = format!("{TEXT}one{end}{evil}");
        let reply = client.submit("anna@example.net", &["x@example.org"], text).await;
        assert!(reply.starts_with("250 2.0.0"), "{end:?}: {reply}");
    }
    for end in ["\r.\r", "\r\n.\r", "\r.\r\n", "\r\n.\r\r\n", "\r\r\n.\r\r\n"] {
        let text = format!("{TEXT}one{end}{evil}");
        let reply = client.submit("anna@example.net", &["x@example.org"], text).await;
        assert!(reply.starts_with("550 5.5.2"), "{end:?}: {reply}");
    }
    let queued = daemon.queued().await;
    assert_eq!(queued.len(), 4);
    for message in queued {
        let text = message.text();
        assert!(text.ends_with("smuggled\r\n"));
        let lines = text.replace("\r\n", "");
        assert!(!lines.contains(['\r', '\n']), "{text:?}");
    }
}

#[tokio::test]
async fn a_listener_may_refuse_lone_line_feeds() {
    let daemon = start(&format!("{LEGACY}lone_lf = \"reject\"")).await;
    let mut client = daemon.anna().await;
    let text = format!("{TEXT}one\ntwo");
    let reply = client.submit("anna@example.net", &["x@example.org"], text).await;
    assert!(reply.starts_with("550 5.5.2"), "{reply}");
    assert!(daemon.queued().await.is_empty());
}

#[tokio::test]
async fn commands_behind_starttls_are_not_carried_into_tls() {
    let daemon = start(SUBMISSION).await;
    let mut client = daemon.client("submission").await;
    client.reply().await;
    client.say("EHLO client").await;
    client.send("STARTTLS\r\nEHLO injected\r\nMAIL FROM:<anna@example.net>\r\n").await;
    assert!(client.reply().await.starts_with("554 5.5.1"));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn sizes_are_bounded_and_the_session_survives() {
    let config = format!("message_size_max = \"64KiB\"\n{LEGACY}");
    let daemon = start(&config).await;
    let mut client = daemon.anna().await;
    client.expect("MAIL FROM:<anna@example.net> SIZE=65537", "552 5.3.4").await;
    let large = TEXT.to_owned() + &("x".repeat(998) + "\r\n").repeat(66);
    let reply = client.submit("anna@example.net", &["x@example.org"], large).await;
    assert!(reply.starts_with("552 5.3.4"), "{reply}");
    let reply = client.submit("anna@example.net", &["x@example.org"], TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    assert_eq!(daemon.queued().await.len(), 1);
}

#[tokio::test]
async fn a_header_section_is_bounded() {
    let daemon = start(LEGACY).await;
    let mut client = daemon.anna().await;
    let header = format!("X-Filler: {}\r\n", "x".repeat(900)).repeat(300);
    let text = format!("{header}From: anna@example.net\r\n\r\nHi\r\n");
    let reply = client.submit("anna@example.net", &["x@example.org"], text).await;
    assert!(reply.starts_with("552 5.3.4"), "{reply}");
    // One that never ends is not kept in memory either.
    let reply = client.submit("anna@example.net", &["x@example.org"], header.repeat(10)).await;
    assert!(reply.starts_with("552 5.3.4"), "{reply}");
    let text = format!("From: anna@example.net\r\n\r\n{header}");
    let reply = client.submit("anna@example.net", &["x@example.org"], &text).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    assert!(daemon.queued().await[0].text().ends_with(&text[28..]));
}

#[tokio::test]
async fn a_large_message_comes_through_to_the_octet() {
    let daemon = start(LEGACY).await;
    let mut client = daemon.anna().await;
    let body: String = (0..60_000).map(|n| format!("{n} .\r\n.{n}\r\n")).collect();
    let text = format!("From: anna@example.net\r\n\r\n{body}");
    let stuffed = text.replace("\r\n.", "\r\n..");
    client.begin("anna@example.net", &["x@example.org"]).await;
    for piece in stuffed.as_bytes().chunks(10_007) {
        client.send(piece).await;
    }
    assert!(client.say(".").await.starts_with("250 2.0.0"));
    let stored = daemon.queued().await[0].text();
    assert!(stored.ends_with(&format!("\r\n\r\n{body}")));
}

#[tokio::test]
async fn a_full_spool_puts_mail_off_and_loses_none() {
    let spool = Box::new(|config: &mut spool::SpoolConfig| {
        config.free_space_min = Size(u64::MAX / 2);
    });
    let daemon = start_plan(Plan { spool, ..Plan::new(LEGACY) }).await;
    let mut client = daemon.anna().await;
    client.expect("MAIL FROM:<anna@example.net>", "250 2.1.0").await;
    client.expect("RCPT TO:<x@example.org>", "250 2.1.5").await;
    client.expect("DATA", "452 4.3.1").await;
    client.expect("NOOP", "250 2.0.0").await;
    assert!(daemon.queued().await.is_empty());
}

#[tokio::test]
async fn the_silent_and_the_slow_are_cut_off() {
    let config = format!("command_timeout = \"1s\"\ndata_timeout = \"1s\"\n{LEGACY}");
    let daemon = start(&config).await;

    let mut silent = daemon.legacy().await;
    assert!(silent.reply().await.starts_with("421 4.4.2"));
    assert!(silent.is_closed().await);

    // An octet now and then does not stretch the time for a command.
    let mut slow = daemon.legacy().await;
    let begin = Instant::now();
    for octet in b"NOOP and some more words" {
        slow.try_send(&[*octet]).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(slow.reply().await.starts_with("421 4.4.2"));
    assert!(begin.elapsed() < Duration::from_secs(10));

    // Nor that for a message.
    let mut trickle = daemon.anna().await;
    trickle.begin("anna@example.net", &["x@example.org"]).await;
    for _ in 0..25 {
        trickle.try_send(b"x").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(trickle.reply().await.starts_with("421 4.4.2"));
    assert!(trickle.is_closed().await);
    assert!(daemon.queued().await.is_empty());
}

#[tokio::test]
async fn a_steady_sender_may_take_longer_than_the_window() {
    let config = format!("command_timeout = \"1s\"\ndata_timeout = \"1s\"\n{LEGACY}");
    let daemon = start(&config).await;
    let mut client = daemon.anna().await;
    client.begin("anna@example.net", &["x@example.org"]).await;
    client.send(TEXT).await;
    for _ in 0..15 {
        client.send("x".repeat(198) + "\r\n").await;
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    assert!(client.say(".").await.starts_with("250 2.0.0"));
}

#[tokio::test]
async fn a_daemon_that_stops_finishes_the_message_it_is_in() {
    let daemon = start(LEGACY).await;
    let mut idle = daemon.legacy().await;
    let mut busy = daemon.anna().await;
    busy.begin("anna@example.net", &["x@example.org"]).await;
    busy.send(TEXT).await;
    daemon.trigger.request();
    assert!(idle.reply().await.starts_with("421 4.3.2"));
    assert!(idle.is_closed().await);
    assert!(busy.say(".").await.starts_with("250 2.0.0"));
    assert!(busy.reply().await.starts_with("421 4.3.2"));
    assert!(busy.is_closed().await);
    assert_eq!(daemon.queued().await.len(), 1);
    assert_eq!(daemon.trigger.drain(Duration::from_secs(5)).await, 0);
}

#[tokio::test]
async fn sessions_from_one_place_are_bounded() {
    let config = format!("sessions_per_ip_max = 2\n{LEGACY}");
    let daemon = start(&config).await;
    let _one = daemon.legacy().await;
    let _two = daemon.legacy().await;
    let mut three = daemon.client("legacy").await;
    assert_eq!(three.reply().await, "421 4.3.2 Too many sessions, try again later");
    assert!(three.is_closed().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_at_once_do_not_harm_the_one_who_behaves() {
    let daemon = start(&format!("sessions_per_ip_max = 1000\n{LEGACY}")).await;
    let address = daemon.addresses["legacy"];
    let mut noise = Vec::new();
    for number in 0..500_u32 {
        noise.push(tokio::spawn(async move {
            let mut client = Client::connect(address).await;
            client.reply().await;
            let octets: Vec<u8> = match number % 5 {
                0 => (0..20_000_u32).map(|n| (n.wrapping_mul(number + 7) >> 3) as u8).collect(),
                1 => b"A".repeat(100_000),
                2 => b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
                3 => b"\x16\x03\x01\x02\x00\x01".to_vec(),
                _ => b"NOOP\n".repeat(1000),
            };
            client.try_send(&octets).await;
            client
        }));
    }
    let mut client = daemon.anna().await;
    for _ in 0..20 {
        let reply = client.submit("anna@example.net", &["x@example.org"], TEXT).await;
        assert!(reply.starts_with("250 2.0.0"), "{reply}");
    }
    for task in noise {
        drop(task.await.unwrap());
    }
    assert_eq!(daemon.queued().await.len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sessions_send_at_once_and_nothing_is_mixed_up() {
    let daemon = start(&format!("sessions_per_ip_max = 1000\n{LEGACY}")).await;
    daemon.steered.say(kit::Says::AllowAnna { recipients_max: None });
    let mut senders = Vec::new();
    for session in 0..32 {
        let mut client = daemon.legacy().await;
        senders.push(tokio::spawn(async move {
            for number in 0..10 {
                let name = format!("{session}-{number}");
                let text = format!("From: anna@example.net\r\nX-Name: {name}\r\n\r\n{name}\r\n");
                let to = format!("{name}@example.org");
                let reply = client.submit("anna@example.net", &[&to], text).await;
                assert!(reply.starts_with("250 2.0.0"), "{reply}");
            }
        }));
    }
    for sender in senders {
        sender.await.unwrap();
    }
    let queued = daemon.queued().await;
    assert_eq!(queued.len(), 320);
    for message in queued {
        let name = message.recipients()[0].strip_suffix("@example.org").unwrap().to_owned();
        let text = message.text();
        assert!(text.contains(&format!("\r\nX-Name: {name}\r\n")), "{text}");
        assert!(text.ends_with(&format!("\r\n\r\n{name}\r\n")), "{text}");
    }
    assert_eq!(daemon.steered.settlements(320).await.len(), 320);
}
