//! Which mail goes where, and that nobody waits for another's destination.

use std::time::Duration;

use relay::config::{Deliver, HopProtocol};
use spool::RecipientState;

use crate::kit::{House, NextHop, Options, Reaction, eventually};

const TEXT: &[u8] = b"Subject: hi\r\n\r\nhi\r\n";

/// Who got mail, over all messages of a hop.
fn recipients(hop: &NextHop) -> Vec<String> {
    let mut all: Vec<_> = hop.messages().into_iter().flat_map(|m| m.recipients).collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn each_recipient_of_a_message_goes_his_own_way() {
    let [one, two, rest] = [
        NextHop::start(Options::default()).await,
        NextHop::start(Options::default()).await,
        NextHop::start(Options::default()).await,
    ];
    let mut house = House::new(&rest.address);
    house.name_hop("one", &one.address);
    house.name_hop("two", &two.address);
    house.route(&["one.example"], &[&["one"]]);
    house.route(&["*.two.example", "two.example"], &[&["two"]]);
    let running = house.run();
    let to = [
        "a@one.example",
        "b@two.example",
        "c@sub.two.example",
        "d@else.example",
        "e@one.example",
        "ben@example.org",
    ];
    house.submit("aiko@example.org", &to, TEXT).await;
    house.emptied().await;
    running.stop().await;
    assert_eq!(recipients(&one), ["a@one.example", "e@one.example"]);
    assert_eq!(recipients(&two), ["b@two.example", "c@sub.two.example"]);
    assert_eq!(recipients(&rest), ["d@else.example"]);
    assert_eq!((one.count(), two.count(), rest.count()), (1, 1, 1));
    assert_eq!(house.mail_of("ben").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_destination_delays_neither_its_message_nor_others() {
    let hanging = NextHop::scripted(|seen| match seen.command {
        "." => Reaction::Hang,
        _ => Reaction::Polite,
    })
    .await;
    let good = NextHop::start(Options::default()).await;
    let mut house = House::new(&good.address);
    house.name_hop("hanging", &hanging.address);
    house.route(&["hanging.example"], &[&["hanging"]]);
    let running = house.run();
    for _ in 0..50 {
        let to = ["x@hanging.example", "y@good.example", "ben@example.org"];
        house.submit("aiko@example.org", &to, TEXT).await;
    }
    eventually("the others have it", || good.count() == 50).await;
    eventually("the neighbour has it", || house.mail_of("ben").len() == 50).await;
    house.submit("aiko@example.org", &["z@good.example"], TEXT).await;
    eventually("and what comes later", || good.count() == 51).await;
    // What became of them is on record although their message is still under way.
    let mut states = Vec::new();
    for _ in 0..1000 {
        let state = |entry: &spool::QueueEntry| -> Vec<_> {
            entry.recipients.iter().map(|recipient| recipient.state).collect()
        };
        states = house.queue().await.iter().map(state).collect();
        let recorded = |states: &Vec<_>| states[1..] == [RecipientState::Done; 2];
        if states.iter().all(recorded) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let expected = [RecipientState::Pending, RecipientState::Done, RecipientState::Done];
    assert_eq!(states, vec![expected.to_vec(); 50]);

    // So a crash does not send it twice.
    running.kill().await;
    let address = hanging.stop().await;
    let hanging = NextHop::start_on(&address, Options::default()).await;
    let house = house.reopen_spool().await;
    let running = house.run();
    house.emptied().await;
    running.stop().await;
    assert_eq!((hanging.count(), good.count(), house.mail_of("ben").len()), (50, 51, 50));
}

#[tokio::test(flavor = "multi_thread")]
async fn suspicious_customers_have_a_hop_of_their_own() {
    let scan = NextHop::start(Options::default()).await;
    let plain = NextHop::start(Options::default()).await;
    let mut house = House::new(&plain.address);
    house.name_hop("scan", &scan.address);
    let route = house.route(&["*"], &[&["scan"]]);
    route.accounts = vec!["ben@example.org".to_owned()];
    let route = house.route(&["*"], &[&["scan"]]);
    route.sender_domains = vec!["elsewhere.example".to_owned()];
    let running = house.run();
    house.submit("aiko@example.org", &["1@remote.example"], TEXT).await;
    house.submit("ben@example.org", &["2@remote.example"], TEXT).await;
    house.submit("aiko@elsewhere.example", &["3@remote.example"], TEXT).await;
    house.submit("<>", &["4@remote.example"], TEXT).await;
    house.emptied().await;
    running.stop().await;
    assert_eq!(recipients(&scan), ["2@remote.example", "3@remote.example"]);
    assert_eq!(recipients(&plain), ["1@remote.example", "4@remote.example"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_and_discarded() {
    let hop = NextHop::start(Options::default()).await;
    let mut house = House::new(&hop.address);
    let route = house.route(&["closed.example"], &[]);
    (route.deliver, route.text) = (Deliver::Refuse, Some("that service has ended".to_owned()));
    house.route(&["void.example"], &[]).deliver = Deliver::Discard;
    let running = house.run();
    let to = ["a@closed.example", "b@void.example", "c@remote.example"];
    house.submit("ben@example.org", &to, TEXT).await;
    house.emptied().await;
    running.stop().await;
    assert_eq!(recipients(&hop), ["c@remote.example"]);
    let reports = house.mail_of("ben");
    assert_eq!(reports.len(), 1);
    assert!(reports[0].contains("that service has ended") && reports[0].contains("5.7.1"));
    assert!(!reports[0].contains("void.example"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_at_all() {
    let hop = NextHop::start(Options::default()).await;
    let mut house = House::new("unused");
    house.config.next_hop = None;
    house.name_hop("one", &hop.address);
    house.route(&["one.example"], &[&["one"]]);
    let running = house.run();
    let to = ["a@one.example", "b@else.example"];
    house.submit("ben@example.org", &to, TEXT).await;
    eventually("one is delivered", || hop.count() == 1).await;
    house.settled(&running).await;
    let reply = house.queue().await[0].recipients[1].last_reply.clone().unwrap();
    assert_eq!(&*reply, "4.3.5 no route is configured for this address");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_domain_that_is_named_goes_to_its_hop() {
    let dovecot = NextHop::start(Options::default()).await;
    let mut house = House::new("unused");
    house.config.local_domains.push("elsewhere.example".to_owned());
    house.name_hop("dovecot", &dovecot.address);
    house.route(&["*"], &[&["dovecot"]]);
    house.route(&["elsewhere.example"], &[&["dovecot"]]);
    let running = house.run();
    let to = ["aiko@elsewhere.example", "nobody@elsewhere.example", "ben@example.org"];
    house.submit("ben@example.org", &to, TEXT).await;
    house.emptied().await;
    running.stop().await;
    assert_eq!(recipients(&dovecot), ["aiko@elsewhere.example"]);
    let mail = house.mail_of("ben");
    assert_eq!(mail.len(), 2, "his copy, and the report about nobody");
    assert!(mail.iter().any(|mail| mail.contains("nobody@elsewhere.example")));
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_change_under_way() {
    let old = NextHop::scripted(|seen| match seen.command {
        "." if seen.times > 1 => Reaction::Hang,
        _ => Reaction::Polite,
    })
    .await;
    let new = NextHop::start(Options::default()).await;
    let mut house = House::new(&old.address);
    house.config.connections_max = 1;
    let running = house.run();
    for _ in 0..30 {
        house.submit("aiko@example.org", &["x@remote.example"], TEXT).await;
    }
    eventually("one hangs", || old.heard(".") == 2).await;

    house.name_hop("broken", "unused");
    house.route(&["*"], &[&["broken"]]);
    let mut settings = house.settings();
    settings.hops[0].key = "hop[0]".into();
    house.config.route.clear();
    house.config.hop.clear();
    house.hop().address = new.address.clone();
    running.router.reload(&house.settings()).unwrap();
    // What the old one has begun is its own; it may be two messages.
    eventually("the rest has gone the new way", || new.count() >= 27).await;
    running.kill().await;
    let house = house.reopen_spool().await;
    let running = house.run();
    house.emptied().await;
    running.stop().await;
    // The one that hung had been sent whole: nobody knows whether it was taken.
    assert_eq!(new.count() + 1, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_change_while_a_hop_is_down() {
    let gone = NextHop::start(Options::default()).await.stop().await;
    let new = NextHop::start(Options::default()).await;
    let mut house = House::new(&gone);
    let running = house.run();
    for _ in 0..100 {
        house.submit("aiko@example.org", &["x@remote.example"], TEXT).await;
    }
    house.settled(&running).await;
    house.hop().address = new.address.clone();
    running.router.reload(&house.settings()).unwrap();
    // Those that found out wait for their time; the others were in line, and are called.
    let tried = running.stats.deferred.get() as usize;
    eventually("they have gone the new way", || new.count() == 100 - tried).await;
    house.clock.advance(Duration::from_secs(70));
    house.emptied().await;
    running.stop().await;
    assert_eq!(new.count(), 100);
}

#[tokio::test]
async fn a_socket_that_is_not_there_is_a_hop_that_is_down() {
    let mut house = House::new("unused");
    let path = format!("unix:{}/no-such-socket", house.directory.path().display());
    house.name_hop("lmtp", &path).protocol = HopProtocol::Lmtp;
    house.config.hop[0].tls = relay::config::TlsPolicy::default();
    house.route(&["remote.example"], &[&["lmtp"]]);
    let running = house.run();
    house.submit("aiko@example.org", &["x@remote.example"], TEXT).await;
    house.settled(&running).await;
    let reply = house.queue().await[0].recipients[0].last_reply.clone().unwrap();
    assert!(reply.starts_with("4.4.1 "), "{reply}");
    running.stop().await;
}
