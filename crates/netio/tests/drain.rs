//! Stopping: sessions asked to end, waited for, cut off.
#![allow(clippy::unwrap_used, reason = "a test's helpers may fail by panic")]

mod kit;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kit::*;
use netio::{Connection, Drain, Gate, Limits, Listener};
use tokio::net::TcpStream;

const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn drain_ends_sessions_that_listen_to_it() {
    let (trigger, drain) = Drain::new();
    let gate = Gate::new(Limits::default());
    let setup = Setup::default();
    let listener = Listener::bind(&setup.listen).unwrap();
    let address = listener.local_addr();
    let seen = drain.clone();
    let serving =
        tokio::spawn(listener.serve(setup.options(&gate), drain, move |mut connection| {
            let drain = seen.clone();
            async move {
                let mut buffer = Vec::new();
                connection.write_all(b"+OK\r\n", LONG).await.unwrap();
                tokio::select! {
                    _ = connection.read(&mut buffer, LONG) => {}
                    () = drain.requested() => {
                        connection.write_all(b"-ERR bye\r\n", LONG).await.unwrap();
                    }
                }
                connection.close().await;
            }
        }));
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = connect(address).await;
        line(&mut client).await;
        clients.push(client);
    }
    assert_eq!(trigger.sessions(), 20);
    let start = Instant::now();
    assert_eq!(trigger.drain(LONG).await, 0);
    assert!(start.elapsed() < LONG / 2);
    within(serving).await.unwrap().unwrap();
    for client in &mut clients {
        assert_eq!(rest(client).await, b"-ERR bye\r\n");
    }
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
}

#[tokio::test]
async fn drain_cuts_off_at_its_deadline() {
    let dropped = Arc::new(AtomicUsize::new(0));
    struct Count(Arc<AtomicUsize>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let counter = Arc::clone(&dropped);
    let daemon = Setup::default().start(move |mut connection: Connection| {
        let count = Count(Arc::clone(&counter));
        async move {
            let _count = count;
            connection.write_all(b"+OK\r\n", LONG).await.unwrap();
            std::future::pending::<()>().await;
        }
    });
    let mut client = connect(daemon.address).await;
    line(&mut client).await;
    let start = Instant::now();
    assert_eq!(daemon.trigger.drain(SHORT).await, 1);
    assert!(start.elapsed() >= SHORT && start.elapsed() < LONG / 2);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    assert_eq!(rest(&mut client).await, b"");
    assert_eq!(daemon.gate.counts().sessions, 0);
}
