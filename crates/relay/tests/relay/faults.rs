//! Next hops that hang, break off, lie and are not there.

use std::time::Duration;

use relay::config::{Period, Timeouts};

use crate::kit::{House, NextHop, Options, Reaction, eventually};

const TEXT: &[u8] = b"Subject: hi\r\n\r\nhi\r\n";
const TO: [&str; 1] = ["x@remote.example"];

fn short() -> Timeouts {
    let limit = Duration::from_millis(300);
    Timeouts {
        greeting: limit,
        command: limit,
        data: limit,
        block: limit,
        end_of_data: limit,
        handshake: limit,
        ..Timeouts::default()
    }
}

/// A port on which nobody listens.
async fn closed_port() -> String {
    NextHop::start(Options::default()).await.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_hop_is_not_hammered() {
    let address = closed_port().await;
    let house = House::new(&address);
    for _ in 0..200 {
        house.submit("aiko@example.org", &TO, TEXT).await;
    }
    let running = house.run();
    house.settled(&running).await;
    // Each connection that may be open finds out at most once.
    let failed = running.stats.connections_failed.get();
    assert!((1..=10).contains(&failed), "{failed}");
    // Some have been tried, and have that on record; the others wait without one.
    let tried = running.stats.deferred.get();
    assert!((1..=failed).contains(&tried), "{tried}");
    let queue = house.queue().await;
    let replies = queue.iter().filter_map(|entry| entry.recipients[0].last_reply.as_deref());
    let replies: Vec<_> = replies.collect();
    assert_eq!(replies.len() as u64, tried);
    let plain = |reply: &&&str| reply.starts_with("4.4.1 ") && reply.contains("refused");
    assert!(replies.iter().all(|reply| plain(&reply)), "{replies:?}");
    let status = &running.stats.destinations(10)[0];
    assert_eq!((status.state, status.in_line), (relay::HopState::Down, 200 - tried));
    let next = house.spool.next_due().unwrap();
    let now = auth::Clock::now(&*house.clock).wall;
    assert!(next > now && next.duration_since(now).as_secs() <= 17);

    // What comes meanwhile waits too, without another try.
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.settled(&running).await;
    assert_eq!(running.stats.connections_failed.get(), failed);

    // Now one connection tries it for all. Down again: the pause doubles. Then it is there.
    house.clock.advance(Duration::from_secs(17));
    house.settled(&running).await;
    assert_eq!(running.stats.connections_failed.get(), failed + 1);
    let hop = NextHop::start_on(&address, Options::default()).await;
    house.clock.advance(Duration::from_secs(34));
    house.emptied().await;
    running.stop().await;
    assert_eq!(hop.count(), 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hop_that_hangs_holds_nothing_up_for_ever() {
    for phase in ["connect", "EHLO", "MAIL", "RCPT", "DATA", "."] {
        let hop = NextHop::scripted(move |seen| {
            match seen.command.starts_with(phase) && seen.connection == 1 {
                true => Reaction::Hang,
                false => Reaction::Polite,
            }
        })
        .await;
        let mut house = House::new(&hop.address);
        house.timeouts = short();
        let running = house.run();
        house.submit("aiko@example.org", &TO, TEXT).await;
        house.settled(&running).await;
        let queue = house.queue().await;
        let reply = queue[0].recipients[0].last_reply.clone().unwrap();
        assert!(reply.starts_with("4.4.2 no reply in time"), "{phase}: {reply}");
        house.clock.advance(Duration::from_secs(70));
        house.emptied().await;
        assert_eq!(running.stats.ambiguous.get(), u64::from(phase == "."), "{phase}");
        running.stop().await;
        assert_eq!(hop.count(), 1, "{phase}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hop_that_reads_no_more_is_given_up() {
    let hop = NextHop::scripted(|seen| match (seen.command, seen.connection) {
        ("text", 1) => Reaction::Hang,
        _ => Reaction::Polite,
    })
    .await;
    let mut house = House::new(&hop.address);
    house.timeouts = short();
    let running = house.run();
    // More than the buffers of both sides can hold.
    let large = b"0123456789abcdef\r\n".repeat(1_200_000);
    house.submit("aiko@example.org", &TO, &large).await;
    house.settled(&running).await;
    let queue = house.queue().await;
    let reply = queue[0].recipients[0].last_reply.clone().unwrap();
    assert!(reply.contains("sending took too long"), "{reply}");
    house.timeouts = Timeouts::default();
    running.stop().await;
    let running = house.run();
    house.clock.advance(Duration::from_secs(70));
    house.emptied().await;
    running.stop().await;
    assert!(hop.messages()[0].text == large);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hop_that_breaks_off_gets_it_again() {
    for phase in ["connect", "EHLO", "MAIL", "RCPT", "DATA", "text", "."] {
        let hop = NextHop::scripted(move |seen| {
            match seen.command.starts_with(phase) && seen.connection == 1 {
                true => Reaction::Close,
                false => Reaction::Polite,
            }
        })
        .await;
        let house = House::new(&hop.address);
        let running = house.run();
        house.submit("aiko@example.org", &TO, TEXT).await;
        house.settled(&running).await;
        assert_eq!(house.queue().await.len(), 1, "{phase}");
        house.clock.advance(Duration::from_secs(70));
        house.emptied().await;
        running.stop().await;
        // Cut off after the dot, nobody knows: better twice than never.
        let copies = if phase == "." { 2 } else { 1 };
        assert_eq!(hop.count(), copies, "{phase}");
        assert!(hop.messages().iter().all(|m| m.text == TEXT));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_from_a_hop_is_an_error_not_a_crash() {
    let endless: &str = Box::leak("250-and so on\n".repeat(10_000).into_boxed_str());
    let wide: &str = Box::leak("250 wide ".repeat(1000).into_boxed_str());
    for (phase, nonsense) in [
        ("connect", "HTTP/1.1 400 Bad Request"),
        ("connect", "250"),
        ("EHLO", "250-a\n251 b"),
        ("EHLO", "354 what"),
        ("MAIL", "354 what"),
        ("RCPT", "250 ok\n250 and again"),
        ("DATA", "250 ok"),
        (".", "354 more"),
        ("EHLO", endless),
        ("MAIL", wide),
    ] {
        let hop = NextHop::scripted(move |seen| {
            match seen.command.starts_with(phase) && seen.connection == 1 {
                true => Reaction::Say(nonsense),
                false => Reaction::Polite,
            }
        })
        .await;
        let mut house = House::new(&hop.address);
        house.timeouts = short();
        let running = house.run();
        house.submit("aiko@example.org", &TO, TEXT).await;
        house.settled(&running).await;
        if house.spool.stats().queued > 0 {
            house.clock.advance(Duration::from_secs(70));
            house.emptied().await;
        }
        running.stop().await;
        assert!((1..=2).contains(&hop.count()), "{phase} {nonsense}: {}", hop.count());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_421_says_why() {
    for phase in ["connect", "EHLO", "MAIL", "RCPT", "DATA", "."] {
        let hop = NextHop::scripted(move |seen| {
            match seen.command.starts_with(phase) && seen.connection == 1 {
                true => Reaction::SayAndClose("421 4.3.2 maintenance"),
                false => Reaction::Polite,
            }
        })
        .await;
        let house = House::new(&hop.address);
        let running = house.run();
        house.submit("aiko@example.org", &TO, TEXT).await;
        house.settled(&running).await;
        let queue = house.queue().await;
        let reply = queue[0].recipients[0].last_reply.clone().unwrap();
        assert!(reply.starts_with("4.3.2 ") && reply.contains("maintenance"), "{phase}: {reply}");
        house.clock.advance(Duration::from_secs(70));
        house.emptied().await;
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_closed_while_idle_costs_no_attempt() {
    // The first message goes through; the connection is closed at the second MAIL.
    let hop = NextHop::scripted(|seen| match seen.command.starts_with("MAIL") && seen.times == 2 {
        true => Reaction::Close,
        false => Reaction::Polite,
    })
    .await;
    let mut house = House::new(&hop.address);
    house.config.connection_idle = Period::from_secs(60);
    house.config.connections_max = 1;
    let running = house.run();
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.emptied().await;
    house.submit("aiko@example.org", &TO, TEXT).await;
    // The clock stands still.
    house.emptied().await;
    assert_eq!(running.stats.deferred.get(), 0);
    running.stop().await;
    assert_eq!((hop.count(), hop.connections()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hop_that_closes_idle_connections_itself() {
    let hop = NextHop::start(Options::default()).await;
    let mut house = House::new(&hop.address);
    house.config.connection_idle = Period::from_secs(60);
    let running = house.run();
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.emptied().await;
    let address = hop.stop().await;
    eventually("the end is noticed", || running.stats.connections_open.get() == 0).await;
    let hop = NextHop::start_on(&address, Options::default()).await;
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.emptied().await;
    assert_eq!(running.stats.deferred.get(), 0);
    running.stop().await;
    assert_eq!(hop.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_poisonous_message_does_not_close_the_hop() {
    let hop = NextHop::scripted(|seen| match seen.command.starts_with("RCPT TO:<poison") {
        true => Reaction::Close,
        false => Reaction::Polite,
    })
    .await;
    let mut house = House::new(&hop.address);
    house.config.connections_max = 1;
    let running = house.run();
    house.submit("aiko@example.org", &["poison@remote.example"], TEXT).await;
    for _ in 0..20 {
        house.submit("aiko@example.org", &TO, TEXT).await;
    }
    eventually("the others are through", || hop.count() == 20).await;
    house.settled(&running).await;
    assert_eq!(house.queue().await.len(), 1);
    running.stop().await;
}
