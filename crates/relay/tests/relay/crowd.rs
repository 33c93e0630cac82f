//! Very many destinations, and very many messages for one that is dead.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mx::{Kind, Record};
use relay::config::Period;

use crate::kit::{House, NextHop, Options, Zone, eventually};

const TEXT: &[u8] = b"Subject: hi\r\n\r\nhi\r\n";

/// So many domains whose mail one host takes.
fn zone(port: u16, domains: usize) -> Zone {
    let mut zone = Zone::new(port, &[("mx.example", &["127.0.0.1"])]);
    for number in 0..domains {
        let exchange = "mx.example".to_owned();
        let record = Record::Mx { preference: 10, exchange };
        zone.put(&format!("d{number}.example"), Kind::Mx, vec![record]);
    }
    zone
}

fn port(hop: &NextHop) -> u16 {
    hop.address.rsplit(':').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_domains_are_served_and_forgotten() {
    const DOMAINS: usize = 600;
    let hop = NextHop::start(Options::default()).await;
    let mut house = House::new("unused");
    house.resolver = Some(zone(port(&hop), DOMAINS).resolver(house.directory.path(), None));
    house.config.connection_idle = Period::from_secs(0);
    house.route(&["*"], &[&["mx"]]);
    let running = house.run();
    // One message for half of them at once, and one for each of the others.
    let addresses: Vec<_> = (0..DOMAINS).map(|n| format!("x@d{n}.example")).collect();
    let half: Vec<_> = addresses[..DOMAINS / 2].iter().map(String::as_str).collect();
    house.submit("aiko@example.org", &half, TEXT).await;
    for address in &addresses[DOMAINS / 2..] {
        house.submit("aiko@example.org", &[address], TEXT).await;
    }
    house.emptied().await;
    assert_eq!(hop.count(), DOMAINS);
    assert!(running.stats.destinations(usize::MAX).len() >= 100);
    // The next look is within five seconds; the hop of the configuration stays.
    eventually("they are forgotten", || running.stats.destinations(usize::MAX).len() == 1).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn domains_without_mail_come_back_and_those_out_of_order_wait() {
    let hop = NextHop::start(Options::default()).await;
    let mut house = House::new("unused");
    let mut zone = zone(port(&hop), 2);
    let null = Record::Mx { preference: 0, exchange: String::new() };
    zone.put("null.example", Kind::Mx, vec![null]);
    house.resolver = Some(zone.resolver(house.directory.path(), None));
    house.route(&["*"], &[&["mx"]]);
    let running = house.run();
    let to = ["a@d0.example", "b@null.example", "c@nowhere.example", "d@[192.0.2.1]"];
    house.submit("ben@example.org", &to, TEXT).await;
    house.emptied().await;
    running.stop().await;
    assert_eq!(hop.count(), 1);
    let reports = house.mail_of("ben").concat();
    for (address, status) in [("b@null", "5.1.10"), ("c@nowhere", "5.1.2"), ("d@[192", "5.1.2")] {
        assert!(reports.contains(address) && reports.contains(status), "{address} {status}");
    }
    assert!(!reports.contains("a@d0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_takes_what_a_dead_exchanger_does_not() {
    let dead = NextHop::start(Options::default()).await;
    let zone = zone(port(&dead), 3);
    dead.stop().await;
    let relay = NextHop::start(Options::default()).await;
    let mut house = House::new(&relay.address);
    house.resolver = Some(zone.resolver(house.directory.path(), None));
    house.route(&["*"], &[&["mx"], &["next_hop"]]);
    let running = house.run();
    for number in 0..30 {
        let to = format!("x@d{}.example", number % 3);
        house.submit("aiko@example.org", &[&to], TEXT).await;
    }
    house.emptied().await;
    assert_eq!(running.stats.deferred.get(), 0);
    running.stop().await;
    assert_eq!(relay.count(), 30);
}

/// KiB of memory in use by this process.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Messages that 32 customers hand in within a second, over and over.
async fn taken(house: &Arc<House>, count: usize) -> f64 {
    let start = Instant::now();
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let house = Arc::clone(house);
        senders.spawn(async move {
            let text = b"Subject: hi\r\n\r\n".to_vec();
            let text = [text, b"0123456789abcdef\r\n".repeat(200)].concat();
            for _ in 0..count / 32 {
                house.submit("aiko@example.org", &["x@remote.example"], &text).await;
            }
        });
    }
    senders.join_all().await;
    count as f64 / start.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "heavy: 100,000 messages for a dead hop; for release"]
async fn a_hundred_thousand_messages_for_a_dead_hop() {
    // As many of each customer.
    const COUNT: usize = 32 * 3125;
    let address = NextHop::start(Options::default()).await.stop().await;
    let house = Arc::new(House::new(&address));
    // Without a relay: what the spool alone takes.
    let mut bare = 0.0_f64;
    for _ in 0..3 {
        bare = bare.max(taken(&house, 32 * 300).await);
    }
    let running = house.run();
    let before = memory();
    let first = taken(&house, COUNT - 3 * 32 * 300).await;
    house.settled(&running).await;
    let grown = memory() - before;
    let stats = running.stats.destinations(1)[0].clone();
    println!("bare {bare:.0}/s, while it grows {first:.0}/s, {grown} KiB more, {stats:?}");
    assert_eq!(stats.queued + stats.in_line + running.stats.deferred.get(), COUNT as u64);
    // 12 octets in line, an entry in the spool's own table, and its schedule.
    assert!(grown < 64 * 1024, "{grown} KiB for {COUNT} messages");

    let mut deferred = 0.0_f64;
    for _ in 0..3 {
        deferred = deferred.max(taken(&house, 32 * 300).await);
    }
    println!("with {COUNT} deferred: {deferred:.0}/s");
    assert!(deferred > 0.9 * bare, "{deferred:.0}/s with a dead hop, {bare:.0}/s without mail");

    // It comes back.
    let hop = NextHop::start_on(&address, Options::default()).await;
    house.clock.advance(Duration::from_secs(20));
    let start = Instant::now();
    while house.spool.stats().queued > 0 {
        assert!(start.elapsed() < Duration::from_secs(300), "{:?}", house.spool.stats());
        house.clock.advance(Duration::from_millis(100));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let drained = hop.count() as f64 / start.elapsed().as_secs_f64();
    println!("drained at {drained:.0}/s");
    Arc::into_inner(house).unwrap();
    running.stop().await;
    assert_eq!(hop.count(), COUNT + 3 * 32 * 300);
}
