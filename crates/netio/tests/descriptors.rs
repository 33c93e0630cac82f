//! When descriptors run out: the listener waits and goes on. In a process of its own, for the
//! limit is the process's.
#![allow(clippy::unwrap_used, reason = "a test's helpers may fail by panic")]

mod kit;

use std::time::Duration;

use kit::*;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpSocket;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_without_descriptors_recovers() {
    let daemon = Setup::default().echo();
    let mut served = connect(daemon.address).await;
    line(&mut served).await;
    // The clients have their sockets before the limit falls, so that only the daemon goes short.
    let sockets: Vec<_> = (0..20).map(|_| TcpSocket::new_v4().unwrap()).collect();
    let before = getrlimit(Resource::Nofile);
    // No new descriptor can be lower than one that is in use.
    setrlimit(Resource::Nofile, Rlimit { current: Some(1), maximum: before.maximum }).unwrap();
    let mut clients = Vec::new();
    for socket in sockets {
        clients.push(within(socket.connect(daemon.address)).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(daemon.gate.counts().accepted, 1, "nobody could be accepted");
    // Who is in is served all the same.
    send(&mut served, b"NOOP\r\n").await;
    assert_eq!(line(&mut served).await, "NOOP\r\n");
    setrlimit(Resource::Nofile, before).unwrap();
    for client in &mut clients {
        assert!(line(client).await.ends_with(" true clear\r\n"));
    }
}
