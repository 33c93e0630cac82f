//! Delivery to a next hop that works, in all its variety.

use std::time::Duration;

use relay::config::Period;

use crate::kit::{House, NextHop, Options, Reaction, eventually};

const TEXT: &[u8] = b"From: aiko@example.org\r\nSubject: hi\r\n\r\n.dot\r\n..two\r\n.\r\nend\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_queued_arrives() {
    let hop = NextHop::start(Options::default()).await;
    let house = House::new(&hop.address);
    let running = house.run();
    house.submit("aiko@example.org", &["x@remote.example", "y@remote.example"], TEXT).await;
    house.emptied().await;
    running.stop().await;

    let messages = hop.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].mail, format!("MAIL FROM:<aiko@example.org> SIZE={}", TEXT.len()));
    assert_eq!(messages[0].recipients, ["x@remote.example", "y@remote.example"]);
    assert_eq!(messages[0].text, TEXT);
    assert_eq!(hop.heard("EHLO mail.example.org"), 1);
    assert_eq!(hop.heard("QUIT"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_looked_up_and_its_addresses_tried() {
    // On most machines this name has an address on which nobody listens, too.
    let hop = NextHop::start(Options::default()).await;
    let port = hop.address.rsplit(':').next().unwrap();
    let house = House::new(&format!("localhost:{port}"));
    let running = house.run();
    house.submit("aiko@example.org", &["x@remote.example"], TEXT).await;
    house.emptied().await;
    running.stop().await;
    assert_eq!(hop.count(), 1);

    let house = House::new("no-such-host.invalid:25");
    let running = house.run();
    house.submit("aiko@example.org", &["x@remote.example"], TEXT).await;
    house.settled(&running).await;
    let reply = house.queue().await[0].recipients[0].last_reply.clone().unwrap();
    assert!(reply.starts_with("4.4.3 "), "{reply}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_extensions() {
    let extensions = Vec::new();
    let hop = NextHop::start(Options { extensions, ..Options::default() }).await;
    let house = House::new(&hop.address);
    let running = house.run();
    for number in 0..5 {
        let to = format!("x{number}@remote.example");
        house.submit("aiko@example.org", &[&to, "y@remote.example"], TEXT).await;
    }
    house.emptied().await;
    running.stop().await;
    assert_eq!(hop.count(), 5);
    assert!(hop.messages().iter().all(|m| m.mail == "MAIL FROM:<aiko@example.org>"));
    assert!(hop.messages().iter().all(|m| m.text == TEXT && m.recipients.len() == 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn helo_only() {
    let hop = NextHop::scripted(|seen| match seen.command.split(' ').next() {
        Some("EHLO") => Reaction::Say("502 what?"),
        _ => Reaction::Polite,
    })
    .await;
    let house = House::new(&hop.address);
    let running = house.run();
    house.submit("<>", &["x@remote.example"], TEXT).await;
    house.emptied().await;
    running.stop().await;
    assert_eq!(hop.messages()[0].mail, "MAIL FROM:<>");
    assert_eq!(hop.heard("HELO mail.example.org"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_and_empty_messages() {
    let hop = NextHop::start(Options::default()).await;
    let house = House::new(&hop.address);
    let running = house.run();
    let line = [b".".as_slice(), &[b'x'; 76], b"\r\n"].concat();
    let large = line.repeat(3 * 1024 * 1024 / line.len());
    house.submit("aiko@example.org", &["x@remote.example"], &large).await;
    house.emptied().await;
    house.submit("aiko@example.org", &["x@remote.example"], b"").await;
    house.submit("aiko@example.org", &["x@remote.example"], b".\r\n").await;
    house.emptied().await;
    running.stop().await;
    let mut texts: Vec<_> = hop.messages().into_iter().map(|m| m.text).collect();
    texts.sort_by_key(Vec::len);
    assert_eq!(texts.len(), 3);
    assert!(texts[0].is_empty());
    assert_eq!(texts[1], b".\r\n");
    assert!(texts[2] == large, "the large message was changed on its way");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_carries_many() {
    let hop = NextHop::start(Options::default()).await;
    let mut house = House::new(&hop.address);
    house.config.connections_max = 1;
    for number in 0..50 {
        house.submit("aiko@example.org", &[&format!("x{number}@remote.example")], TEXT).await;
    }
    let running = house.run();
    house.emptied().await;
    assert_eq!(running.stats.relayed.get(), 50);
    running.stop().await;
    assert_eq!((hop.count(), hop.connections()), (50, 1));
    assert_eq!(hop.heard("RSET"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_used_as_often_as_allowed() {
    let hop = NextHop::start(Options::default()).await;
    let mut house = House::new(&hop.address);
    house.config.connections_max = 1;
    house.config.messages_per_connection = 10;
    for _ in 0..50 {
        house.submit("aiko@example.org", &["x@remote.example"], TEXT).await;
    }
    let running = house.run();
    house.emptied().await;
    running.stop().await;
    assert_eq!((hop.count(), hop.connections(), hop.heard("QUIT")), (50, 5, 5));
    for connection in 1..=5 {
        let carried = hop.messages().iter().filter(|m| m.connection == connection).count();
        assert_eq!(carried, 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_hop_gets_more_connections_but_not_too_many() {
    let slow = |seen: &crate::kit::Seen<'_>| match seen.command {
        "." => Reaction::Late(Duration::from_millis(20)),
        _ => Reaction::Polite,
    };
    let hop = NextHop::scripted(slow).await;
    let mut house = House::new(&hop.address);
    house.config.connections_max = 4;
    for _ in 0..80 {
        house.submit("aiko@example.org", &["x@remote.example"], TEXT).await;
    }
    let running = house.run();
    house.emptied().await;
    running.stop().await;
    assert_eq!((hop.count(), hop.connections_at_once()), (80, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_are_closed_in_order() {
    let hop = NextHop::start(Options::default()).await;
    let mut house = House::new(&hop.address);
    house.config.connection_idle = Period::from_secs(0);
    let running = house.run();
    house.submit("aiko@example.org", &["x@remote.example"], TEXT).await;
    house.emptied().await;
    eventually("QUIT", || hop.heard("QUIT") == 1).await;
    house.submit("aiko@example.org", &["x@remote.example"], TEXT).await;
    house.emptied().await;
    eventually("QUIT", || hop.heard("QUIT") == 2).await;
    assert_eq!(running.stats.connections.get(), 2);
    eventually("closed", || running.stats.connections_open.get() == 0).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_recipients_go_out_in_several_transactions() {
    let hop = NextHop::start(Options::default()).await;
    let mut house = House::new(&hop.address);
    house.config.recipients_max = 10;
    let mut addresses: Vec<_> = (0..35).map(|n| format!("x{n}@remote.example")).collect();
    let recipients: Vec<_> = addresses.iter().map(String::as_str).collect();
    let running = house.run();
    house.submit("aiko@example.org", &recipients, TEXT).await;
    house.emptied().await;
    running.stop().await;
    // At the same time, over as many connections: in any order.
    let mut sizes: Vec<_> = hop.messages().iter().map(|m| m.recipients.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [5, 10, 10, 10]);
    let mut all: Vec<_> = hop.messages().into_iter().flat_map(|m| m.recipients).collect();
    all.sort_unstable();
    addresses.sort_unstable();
    assert_eq!(all, addresses);
}

#[tokio::test(flavor = "multi_thread")]
async fn crowded_out_recipients_follow_at_once() {
    let hop = NextHop::scripted(|seen| {
        let late = ["x2", "x3", "x4"].iter().any(|name| seen.command.contains(name));
        match seen.command.starts_with("RCPT") && late && seen.times == 1 {
            true => Reaction::Say("452 4.5.3 too many recipients"),
            false => Reaction::Polite,
        }
    })
    .await;
    let house = House::new(&hop.address);
    let running = house.run();
    let addresses: Vec<_> = (0..5).map(|n| format!("x{n}@remote.example")).collect();
    let recipients: Vec<_> = addresses.iter().map(String::as_str).collect();
    house.submit("aiko@example.org", &recipients, TEXT).await;
    // The clock stands still: nothing but an attempt at once can empty the queue.
    house.emptied().await;
    running.stop().await;
    let sizes: Vec<_> = hop.messages().iter().map(|m| m.recipients.len()).collect();
    assert_eq!(sizes, [2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_hop_cannot_take_comes_back() {
    let extensions = vec!["PIPELINING", "SIZE 1000"];
    let hop = NextHop::start(Options { extensions, ..Options::default() }).await;
    let house = House::new(&hop.address);
    let running = house.run();
    let eight_bit = "Subject: hi\r\n\r\nnaïve\r\n".as_bytes();
    let utf8 = "Subject: naïve\r\n\r\nhi\r\n".as_bytes();
    let to = ["x@remote.example"];
    house.submit_flagged("ben@example.org", &to, b"hi\r\n", false, false).await;
    house.submit_flagged("ben@example.org", &to, eight_bit, true, false).await;
    house.submit_flagged("ben@example.org", &to, utf8, true, true).await;
    house.submit_flagged("ben@example.org", &to, &[b'x'; 1001], false, false).await;
    // Some declare everything they send.
    house.submit_flagged("ben@example.org", &to, b"Subject: x\r\n\r\nx\r\n", true, true).await;
    house.emptied().await;
    running.stop().await;
    assert_eq!(hop.count(), 3);
    let mut statuses: Vec<_> = house.mail_of("ben").iter().map(|m| status(m)).collect();
    statuses.sort();
    assert_eq!(statuses, ["5.3.4", "5.6.7"]);
    assert_eq!(hop.heard("MAIL"), 3, "nothing of the others was sent");
    assert!(hop.messages().iter().all(|m| m.text.is_ascii()));
}

fn status(report: &str) -> String {
    report.split("\r\nStatus: ").nth(1).unwrap().split("\r\n").next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn utf8_goes_where_it_is_taken() {
    let extensions = vec!["PIPELINING", "8BITMIME", "SMTPUTF8"];
    let hop = NextHop::start(Options { extensions, ..Options::default() }).await;
    let house = House::new(&hop.address);
    let running = house.run();
    let text = "Subject: naïve\r\n\r\nhi\r\n".as_bytes();
    house.submit_flagged("愛子@example.org", &["бен@remote.example"], text, true, true).await;
    house.emptied().await;
    running.stop().await;
    assert_eq!(hop.messages()[0].mail, "MAIL FROM:<愛子@example.org> BODY=8BITMIME SMTPUTF8");
    assert_eq!(hop.messages()[0].recipients, ["бен@remote.example"]);
    assert_eq!(hop.messages()[0].text, text);
}
