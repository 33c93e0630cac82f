//! Hosts that share through a real server.

use std::time::Duration;

use auth::{Clock, Denied};

use crate::kit::{Host, Server, eventually, key};

async fn connected(hosts: &[&Host]) {
    for host in hosts {
        eventually("the server answers", || host.connected()).await;
    }
}

#[tokio::test]
async fn what_one_host_sees_all_know() {
    let Some(server) = Server::start(&[]) else { return };
    let hosts: Vec<_> = (0..3).map(|_| Host::new(None, Some(&server.url))).collect();
    connected(&hosts.iter().collect::<Vec<_>>()).await;
    hosts[0].fail("2001:db8:7:1::1", 4).await;
    hosts[1].fail("2001:db8:7:1::2", 4).await;
    eventually("the third hears of both", || hosts[2].heard() >= 8).await;
    hosts[2].fail("2001:db8:7:1::3", 2).await;
    assert_eq!(hosts[2].blocks(), ["2001:db8:7:1::/64"]);
    for host in &hosts[..2] {
        eventually("the block is known", || host.blocks() == ["2001:db8:7:1::/64"]).await;
        let answer = host.login("bob@example.net", "right", "2001:db8:7:1::9").await;
        assert_eq!(answer, Err(Denied::Busy));
    }
    // One event, and each heard it once: nothing goes round in circles.
    let heard: u64 = hosts.iter().map(Host::heard).sum();
    let told: u64 = hosts.iter().map(|host| host.publisher.statistics().told_hosts).sum();
    eventually("each is heard by both others", || {
        hosts.iter().map(Host::heard).sum::<u64>() == 2 * told
    })
    .await;
    assert!(heard <= 2 * told && told == 11, "ten failures and a block: {told}");
}

#[tokio::test]
async fn a_host_that_begins_knows_what_the_others_know() {
    let Some(server) = Server::start(&[]) else { return };
    let first = Host::new(None, Some(&server.url));
    connected(&[&first]).await;
    first.fail("192.0.2.1", 12).await;
    first.fail("198.51.100.1", 5).await;
    first.login("bob@example.net", "right", "203.0.113.1").await.unwrap();
    eventually("all is told", || first.publisher.statistics().told_hosts >= 17).await;
    drop(first);
    let second = Host::new(None, Some(&server.url));
    eventually("the block is known", || second.blocks() == ["192.0.2.1/32"]).await;
    eventually("and the failures", || second.heard() >= 17).await;
    second.fail("198.51.100.1", 6).await;
    assert_eq!(second.blocks().len(), 2, "five and six are more than ten");
    let count = second.auth.attack_events(10).len();
    assert_eq!(count, 2);
}

#[tokio::test]
async fn an_entry_that_is_old_counts_as_old() {
    let Some(server) = Server::start(&[]) else { return };
    let first = Host::new(None, Some(&server.url));
    connected(&[&first]).await;
    first.fail("192.0.2.1", 12).await;
    let stored = || match server.ask(&[b"XRANGE", b"lastpost:auth:blocks", b"-", b"+"]) {
        Ok(redis::Value::Array(entries)) => entries,
        other => panic!("{other:?}"),
    };
    eventually("the block is told", || !stored().is_empty()).await;
    let [redis::Value::Array(entry)] = &stored()[..] else { panic!("one entry") };
    let [redis::Value::BulkString(id), redis::Value::Array(fields)] = &entry[..] else {
        panic!("{entry:?}")
    };
    let redis::Value::BulkString(frame) = &fields[1] else { panic!("{fields:?}") };
    // The same entry, as if it had been written nine minutes ago, then eleven.
    let id: u64 = std::str::from_utf8(id).unwrap().split('-').next().unwrap().parse().unwrap();
    for (minutes, blocked) in [(9, true), (11, false)] {
        server.ask(&[b"DEL", b"lastpost:auth:blocks"]).unwrap();
        let id = format!("{}-0", id - minutes * 60_000);
        server.ask(&[b"XADD", b"lastpost:auth:blocks", id.as_bytes(), b"e", frame]).unwrap();
        let other = Host::new(None, Some(&server.url));
        eventually("it has read", || other.heard() >= 11).await;
        assert_eq!(!other.blocks().is_empty(), blocked, "{minutes} minutes");
        if let Some(block) = other.auth.blocks(other.clock.now()).first() {
            let left = block.until.duration_since(other.clock.now().wall);
            let left = Duration::try_from(left).unwrap();
            assert!((1..=60).contains(&left.as_secs()), "{left:?}");
        }
    }
}

#[tokio::test]
async fn names_are_not_on_the_server() {
    let Some(server) = Server::start(&[]) else { return };
    let host = Host::new(None, Some(&server.url));
    connected(&[&host]).await;
    host.login("bob@example.net", "right", "192.0.2.1").await.unwrap();
    host.fail("192.0.2.1", 3).await;
    eventually("all is told", || host.publisher.statistics().told_hosts >= 4).await;
    let all = format!("{:?}", server.ask(&[b"XRANGE", b"lastpost:auth:failures", b"-", b"+"]));
    for secret in ["ann", "bob", "example", "guess", "right"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

#[tokio::test]
async fn who_has_another_key_is_not_believed() {
    let Some(server) = Server::start(&[]) else { return };
    let host = Host::new(None, Some(&server.url));
    let stranger = Host::with(None, Some((&server.url, None)), &key(1));
    connected(&[&host, &stranger]).await;
    stranger.fail("192.0.2.1", 12).await;
    eventually("it is seen", || host.publisher.statistics().malformed >= 11).await;
    assert_eq!((host.heard(), host.blocks().len()), (0, 0));
}

#[tokio::test]
async fn a_server_with_a_password_wants_it() {
    let Some(server) = Server::start(&["--requirepass", "s3cret"]) else { return };
    let right = Host::with(None, Some((&server.url, Some("s3cret"))), &key(9));
    connected(&[&right]).await;
    let wrong = Host::with(None, Some((&server.url, Some("guess"))), &key(9));
    eventually("it is refused", || wrong.publisher.statistics().failures > 0).await;
    assert!(!wrong.connected());
    assert_eq!(wrong.login("ann@example.net", "right", "192.0.2.1").await, Ok(()));
}
