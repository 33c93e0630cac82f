//! The form in which a message reaches a next hop: chunks, conversion, addresses, limits, LMTP.

use std::time::Duration;

use envelope::Coding;
use relay::config::{HopConfig, HopProtocol, Hops, RouteConfig, Timeouts};

use crate::kit::{House, NextHop, Options, Reaction, Seen};

const TEXT: &[u8] = b"Subject: hi\r\n\r\n.hi\r\n";
const TO: [&str; 1] = ["x@remote.example"];
const CHUNKING: [&str; 3] = ["PIPELINING", "CHUNKING", "8BITMIME"];

fn chunking(script: impl Fn(&Seen<'_>) -> Reaction + Send + Sync + 'static) -> Options {
    let extensions = CHUNKING.to_vec();
    Options { extensions, script: Box::new(script), ..Options::default() }
}

/// More than one chunk, and more than the buffers of both sides hold.
fn large() -> Vec<u8> {
    b"0123456789abcdef\r\n".repeat(200_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn small_and_large_texts_go_in_chunks() {
    let hop = NextHop::start(chunking(|_| Reaction::Polite)).await;
    let mut house = House::new(&hop.address);
    house.config.connections_max = 1;
    for _ in 0..20 {
        house.submit("aiko@example.org", &TO, TEXT).await;
    }
    house.submit("aiko@example.org", &TO, &large()).await;
    house.submit("aiko@example.org", &TO, b"").await;
    let running = house.run();
    house.emptied().await;
    running.stop().await;
    assert_eq!((hop.count(), hop.heard("DATA"), hop.heard("354")), (22, 0, 0));
    assert_eq!(hop.messages().iter().filter(|m| m.text == TEXT).count(), 20);
    assert_eq!(hop.messages().iter().filter(|m| m.text == large()).count(), 1);
    assert_eq!(hop.messages().iter().filter(|m| m.text.is_empty()).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_envelope_gets_no_large_text() {
    let hop = NextHop::start(chunking(|seen| match seen.command.starts_with("RCPT") {
        true => Reaction::Say("550 5.1.1 no such user"),
        false => Reaction::Polite,
    }))
    .await;
    let house = House::new(&hop.address);
    let running = house.run();
    house.submit("ben@example.org", &TO, &large()).await;
    house.emptied().await;
    // The same with a small text: it goes for nothing, and is no judgement.
    house.submit("ben@example.org", &TO, TEXT).await;
    house.emptied().await;
    running.stop().await;
    assert_eq!((hop.count(), hop.heard("BDAT LAST"), hop.heard("BDAT out")), (0, 0, 1));
    let mail = house.mail_of("ben");
    assert!(mail.len() == 2 && mail.iter().all(|m| m.contains("\r\nStatus: 5.1.1\r\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hop_that_lied_about_its_size() {
    let script = |seen: &Seen<'_>| match (seen.command, seen.times) {
        ("BDAT", 2) => Reaction::Say("552 5.3.4 too large after all"),
        (".", 1) => Reaction::Say("552 5.3.4 too large after all"),
        _ => Reaction::Polite,
    };
    for extensions in [CHUNKING.to_vec(), vec!["PIPELINING", "SIZE 99999999"]] {
        let options = Options { extensions, script: Box::new(script), ..Options::default() };
        let hop = NextHop::start(options).await;
        let house = House::new(&hop.address);
        let running = house.run();
        house.submit("ben@example.org", &TO, &large()).await;
        house.emptied().await;
        house.submit("ben@example.org", &TO, TEXT).await;
        house.emptied().await;
        running.stop().await;
        assert_eq!(hop.count(), 1, "the connection is good for the next");
        assert!(house.mail_of("ben")[0].contains("\r\nStatus: 5.3.4\r\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hangs_and_breaks_within_the_chunks() {
    for (phase, breaks) in [("BDAT", true), ("BDAT", false), ("BDAT LAST", true)] {
        let hop = NextHop::start(chunking(move |seen| {
            match (seen.command == phase && seen.connection == 1, breaks) {
                (true, true) => Reaction::Close,
                (true, false) => Reaction::Hang,
                _ => Reaction::Polite,
            }
        }))
        .await;
        let mut house = House::new(&hop.address);
        let limit = Duration::from_millis(500);
        house.timeouts = Timeouts { data: limit, block: limit, ..Timeouts::default() };
        let running = house.run();
        house.submit("ben@example.org", &TO, &large()).await;
        house.settled(&running).await;
        assert_eq!(running.stats.ambiguous.get(), u64::from(phase == "BDAT LAST"), "{phase}");
        running.stop().await;
        house.timeouts = Timeouts::default();
        let running = house.run();
        house.clock.advance(Duration::from_secs(70));
        house.emptied().await;
        running.stop().await;
        let copies = if phase == "BDAT LAST" { 2 } else { 1 };
        assert_eq!(hop.count(), copies, "{phase} {breaks}");
        assert!(hop.messages().iter().all(|m| m.text == large()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_goes_where_it_is_taken_and_is_converted_elsewhere() {
    let text = b"MIME-Version: 1.0\r\nContent-Type: application/x\r\n\
        Content-Transfer-Encoding: binary\r\n\r\n\0a\rb\nc\xff";
    for (extensions, expected) in [
        (vec!["CHUNKING", "BINARYMIME", "8BITMIME"], &text[..]),
        (vec!["CHUNKING", "8BITMIME"], b"base64\r\n\r\nAGENYgpj/w==\r\n"),
        (vec!["PIPELINING"], b"base64\r\n\r\nAGENYgpj/w==\r\n"),
    ] {
        let hop = NextHop::start(Options { extensions, ..Options::default() }).await;
        let house = House::new(&hop.address);
        let running = house.run();
        house.submit_as("ben@example.org", &TO, text, |e| e.coding = Coding::Binary).await;
        house.emptied().await;
        let converted = running.stats.converted.get();
        running.stop().await;
        let message = hop.messages().remove(0);
        assert!(message.text.ends_with(expected), "{:?}", String::from_utf8_lossy(&message.text));
        assert_eq!(converted, u64::from(expected != text));
        assert_eq!(message.mail.contains("BODY=BINARYMIME"), expected == text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_conversion_is_the_same_every_time_and_its_size_is_announced() {
    let hop = NextHop::start(Options {
        extensions: vec!["PIPELINING", "SIZE"],
        script: Box::new(|seen| match (seen.command, seen.times) {
            (".", 1) => Reaction::Say("451 4.3.0 again"),
            _ => Reaction::Polite,
        }),
        ..Options::default()
    })
    .await;
    let house = House::new(&hop.address);
    let running = house.run();
    let line = "Grüße aus München, und dazu noch ein paar Wörter.\r\n";
    let text = format!("Subject: x\r\n\r\n{}", line.repeat(20_000));
    let eight_bit = |e: &mut spool::Envelope| e.coding = Coding::EightBit;
    house.submit_as("ben@example.org", &TO, text.as_bytes(), eight_bit).await;
    house.settled(&running).await;
    house.clock.advance(Duration::from_secs(70));
    house.emptied().await;
    running.stop().await;
    let message = hop.messages().remove(0);
    assert_eq!(hop.heard(&message.mail), 2, "the same envelope twice");
    assert_eq!(message.mail, format!("MAIL FROM:<ben@example.org> SIZE={}", message.text.len()));
    assert!(message.text.is_ascii());
    let parsed = mail_parser::MessageParser::new().parse(&message.text).unwrap();
    assert_eq!(parsed.body_text(0).unwrap().matches("M\u{fc}nchen").count(), 20_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_comes_back_rather_than_broken() {
    let hop = NextHop::start(Options { extensions: vec![], ..Options::default() }).await;
    let house = House::new(&hop.address);
    let running = house.run();
    let text = "MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n\
                --s\r\nContent-Type: text/plain\r\n\r\né\r\n--s\r\n\r\nxyz\r\n--s--\r\n";
    house.submit_as("ben@example.org", &TO, text.as_bytes(), |e| e.coding = Coding::EightBit).await;
    house.emptied().await;
    running.stop().await;
    assert_eq!(hop.count(), 0);
    let report = &house.mail_of("ben")[0];
    assert!(report.contains("\r\nStatus: 5.6.3\r\n") && report.contains("signature"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_outside_ascii_has_another_spelling_a_local_part_has_not() {
    let hop =
        NextHop::start(Options { extensions: vec!["PIPELINING"], ..Options::default() }).await;
    let house = House::new(&hop.address);
    let running = house.run();
    let to = ["x@bücher.example", "jörg@remote.example", "y@remote.example"];
    house.submit_as("ben@example.org", &to, TEXT, |e| e.smtputf8 = true).await;
    house.emptied().await;
    running.stop().await;
    let message = hop.messages().remove(0);
    assert_eq!(message.recipients, ["x@xn--bcher-kva.example", "y@remote.example"]);
    assert!(!message.mail.contains("SMTPUTF8"));
    let mail = house.mail_of("ben");
    assert_eq!(mail.len(), 1);
    assert!(mail[0].contains("\r\nStatus: 5.6.7\r\n"));
    assert!(mail[0].contains("Final-Recipient: utf-8; j\\x{F6}rg@remote.example\r\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hops_own_limits_are_kept() {
    let extensions = vec!["PIPELINING", "LIMITS MAILMAX=3 RCPTMAX=4 RCPTDOMAINMAX=2"];
    let hop = NextHop::start(Options { extensions, ..Options::default() }).await;
    let mut house = House::new(&hop.address);
    house.config.connections_max = 1;
    let running = house.run();
    let addresses: Vec<_> = (0..12).map(|n| format!("x{n}@r{}.example.net", n / 3)).collect();
    let recipients: Vec<_> = addresses.iter().map(String::as_str).collect();
    house.submit("ben@example.org", &recipients, TEXT).await;
    house.emptied().await;
    for _ in 0..4 {
        house.submit("ben@example.org", &TO, TEXT).await;
    }
    house.emptied().await;
    running.stop().await;
    let messages = hop.messages();
    assert!(messages.iter().all(|m| m.recipients.len() <= 4));
    let mut all: Vec<_> = messages.iter().flat_map(|m| m.recipients.clone()).collect();
    all.retain(|address| address != TO[0]);
    assert_eq!(all.len(), 12, "nobody twice, nobody forgotten");
    for connection in 1..=hop.connections() {
        assert!(messages.iter().filter(|m| m.connection == connection).count() <= 3);
    }
    for message in &messages {
        let domains = message.recipients.iter().map(|address| address.split_once('@').unwrap().1);
        let domains: std::collections::HashSet<_> = domains.collect();
        assert!(domains.len() <= 2, "{domains:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lmtp_answers_for_each_recipient() {
    let hop = NextHop::scripted(|seen| match (seen.command, seen.times) {
        (". full@store.example", 1) => Reaction::Say("452 4.2.2 full"),
        (". gone@store.example", _) => Reaction::Say("550 5.1.1 gone"),
        (command, _) if command.starts_with("EHLO") => Reaction::Say("500 LMTP here"),
        _ => Reaction::Polite,
    })
    .await;
    let mut house = House::new("unused:25");
    let (name, address) = ("store".to_owned(), hop.address.clone());
    let protocol = HopProtocol::Lmtp;
    house.config.hop.push(HopConfig { name, address, protocol, ..HopConfig::default() });
    house.config.route.push(RouteConfig {
        domains: vec!["store.example".to_owned()],
        hops: Hops(vec![vec!["store".to_owned()]]),
        ..RouteConfig::default()
    });
    let running = house.run();
    let to = ["good@store.example", "full@store.example", "gone@store.example"];
    house.submit("ben@example.org", &to, TEXT).await;
    house.settled(&running).await;
    house.clock.advance(Duration::from_secs(70));
    house.emptied().await;
    running.stop().await;
    let recipients: Vec<_> = hop.messages().into_iter().map(|m| m.recipients).collect();
    assert_eq!(recipients, [["good@store.example"], ["full@store.example"]]);
    assert_eq!(house.mail_of("ben").len(), 1);
    assert_eq!((hop.heard("LHLO") > 0, hop.heard("EHLO")), (true, 0));
}
