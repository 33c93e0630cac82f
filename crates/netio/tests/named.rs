//! Connections whose client is named later, by a proxy that speaks the daemon's protocol; and
//! how long a client keeps its session waiting.
#![allow(clippy::unwrap_used, reason = "a test's helpers may fail by panic")]

mod kit;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kit::*;
use netio::{Connection, Idleness, Limits};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Reads lines: an address becomes the client's, `nobody` says that it is not told.
async fn obey(mut connection: Connection) {
    loop {
        let mut buffer = Vec::new();
        if connection.read(&mut buffer, LONG).await.unwrap_or(0) == 0 {
            return;
        }
        let named = String::from_utf8(buffer).unwrap();
        let outcome = connection.name_client(named.trim_end().parse::<SocketAddr>().ok());
        let (peer, genuine) = (connection.peer(), connection.genuine_address());
        let reply = format!("{} {peer} {genuine}\r\n", outcome.is_ok());
        connection.write_all(reply.as_bytes(), LONG).await.unwrap();
    }
}

async fn name(proxy: &mut TcpStream, client: &str) -> String {
    send(proxy, format!("{client}\r\n").as_bytes()).await;
    line(proxy).await.trim_end().to_owned()
}

#[tokio::test]
async fn the_client_that_is_named_is_counted_instead_of_the_proxy() {
    let limits = Limits {
        sessions_per_ip_max: 1,
        per_ip_exempt: vec!["127.0.0.1/32".parse().unwrap()],
        ..Limits::default()
    };
    let daemon = Setup { limits, ..Setup::default() }.start(obey);
    let mut first = connect(daemon.address).await;
    assert_eq!(name(&mut first, "nobody").await, "true 127.0.0.1 false");
    assert_eq!(name(&mut first, "192.0.2.7:4000").await, "true 192.0.2.7 true");
    let mut second = connect(daemon.address).await;
    // In another spelling, the same place.
    assert_eq!(name(&mut second, "[::ffff:192.0.2.7]:4001").await, "false 127.0.0.1 true");
    assert_eq!(daemon.gate.counts().refused_per_ip, 1);
    assert_eq!(name(&mut second, "192.0.2.8:4001").await, "true 192.0.2.8 true");
    // Nobody is left where the first one was.
    assert_eq!(name(&mut first, "[2001:db8::1]:4000").await, "true 2001:db8::1 true");
    assert_eq!(name(&mut second, "192.0.2.7:4001").await, "true 192.0.2.7 true");
    assert_eq!(daemon.gate.counts().accepted, 2);
    drop((first, second));
    eventually("no seat is taken", || daemon.gate.counts().sessions == 0).await;
    let mut third = connect(daemon.address).await;
    assert_eq!(name(&mut third, "192.0.2.7:1").await, "true 192.0.2.7 true");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_idle() {
    let idleness = Arc::new(Idleness::new());
    let seen = Arc::clone(&idleness);
    let daemon = Setup::default().start(move |mut connection| {
        let idleness = Arc::clone(&seen);
        async move {
            connection.note_idleness(idleness);
            connection.write_all(&vec![b'x'; 64 << 20], LONG).await.unwrap();
            connection.close().await;
        }
    });
    let mut client = connect(daemon.address).await;
    let wait = Duration::from_millis(300);
    eventually("it waits for the client", || idleness.lasts(Instant::now()) > wait).await;
    assert_eq!(rest(&mut client).await.len(), 64 << 20);
    assert_eq!(idleness.lasts(Instant::now()), Duration::ZERO);
}
