//! Connections in clear: limits, deadlines, panics.
#![allow(clippy::unwrap_used, reason = "a test's helpers may fail by panic")]

mod kit;

use std::io::IoSlice;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use kit::*;
use netio::{Connection, Drain, Gate, Limits, Listener, NetError, ServeError, TlsMode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_session_knows_its_client() {
    let daemon = Setup::default().echo();
    let mut client = connect_from("127.0.0.9", daemon.address).await;
    let own = client.local_addr().unwrap();
    assert_eq!(line(&mut client).await, format!("{own} true clear\r\n"));
    send(&mut client, b"hello\r\n").await;
    assert_eq!(line(&mut client).await, "hello\r\n");
}

#[tokio::test]
async fn a_wildcard_listener_knows_which_address_was_meant() {
    let mut setup = Setup::default();
    setup.listen.address = "0.0.0.0:0".parse().unwrap();
    let (tell, mut told) = mpsc::unbounded_channel();
    let daemon = setup.start(move |connection| {
        tell.send(connection.local_addr()).unwrap();
        connection.close()
    });
    let meant = SocketAddr::from(([127, 0, 0, 7], daemon.address.port()));
    let _client = connect(meant).await;
    assert_eq!(within(told.recv()).await, Some(meant));
}

#[tokio::test]
async fn sessions_of_one_address_are_limited_and_counted_back() {
    let limits = Limits { sessions_per_ip_max: 2, ..Limits::default() };
    let daemon = Setup { limits, ..Setup::default() }.echo();
    let mut first = connect_from("127.0.0.2", daemon.address).await;
    let mut second = connect_from("127.0.0.2", daemon.address).await;
    line(&mut first).await;
    line(&mut second).await;
    let mut third = connect_from("127.0.0.2", daemon.address).await;
    assert_eq!(rest(&mut third).await, BUSY);
    let mut other = connect_from("127.0.0.3", daemon.address).await;
    assert!(line(&mut other).await.contains("127.0.0.3"));
    drop(first);
    eventually("a seat is free", || daemon.gate.counts().sessions == 2).await;
    let mut again = connect_from("127.0.0.2", daemon.address).await;
    assert!(line(&mut again).await.contains("127.0.0.2"));
    assert_eq!(daemon.gate.counts().refused_per_ip, 1);
}

#[tokio::test]
async fn one_gate_counts_several_listeners() {
    let setup = Setup::default();
    let gate = Gate::new(Limits { sessions_max: 2, ..Limits::default() });
    let (_trigger, drain) = Drain::new();
    let mut addresses = Vec::new();
    for _ in 0..2 {
        let listener = Listener::bind(&setup.listen).unwrap();
        addresses.push(listener.local_addr());
        tokio::spawn(listener.serve(setup.options(&gate), drain.clone(), echo));
    }
    let mut held = Vec::new();
    for address in &addresses {
        let mut client = connect(*address).await;
        assert!(line(&mut client).await.ends_with("clear\r\n"));
        held.push(client);
    }
    for address in addresses {
        assert_eq!(rest(&mut connect(address).await).await, BUSY);
    }
    assert_eq!(gate.counts().refused_full, 2);
}

#[tokio::test]
async fn a_listener_says_what_it_lacks() {
    let mut setup = Setup::default();
    setup.listen.tls = TlsMode::Starttls;
    let gate = Gate::new(Limits::default());
    let listener = Listener::bind(&setup.listen).unwrap();
    let (_trigger, drain) = Drain::new();
    let error = listener.serve(setup.options(&gate), drain, echo).await.unwrap_err();
    assert!(matches!(error, ServeError::NoCertificate { .. }), "{error}");
    setup.listen.tls = TlsMode::None;
    setup.listen.proxy_protocol = true;
    let error = setup.options(&gate).check(&setup.listen).unwrap_err();
    assert!(error.to_string().contains("trusted_proxies"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_ends_its_own_session_alone() {
    let daemon = Setup::default().start(|mut connection: Connection| async move {
        let mut buffer = Vec::new();
        connection.read(&mut buffer, LONG).await.unwrap();
        assert_ne!(buffer, b"panic", "as the client wished");
        connection.write_all(b"fine", LONG).await.unwrap();
    });
    let mut bystander = connect(daemon.address).await;
    for _ in 0..3 {
        let mut client = connect(daemon.address).await;
        send(&mut client, b"panic").await;
        assert_eq!(rest(&mut client).await, b"");
    }
    send(&mut bystander, b"hello").await;
    assert_eq!(rest(&mut bystander).await, b"fine");
    eventually("all seats are free", || daemon.gate.counts().sessions == 0).await;
    assert_eq!(daemon.trigger.drain(LONG).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_clients_at_once() {
    let daemon = Setup::default().echo();
    let clients: Vec<_> = (0..500)
        .map(|number| {
            let address = daemon.address;
            tokio::spawn(async move {
                let mut client = connect(address).await;
                line(&mut client).await;
                for round in 0..5 {
                    let text = format!("client {number} round {round}\r\n");
                    send(&mut client, text.as_bytes()).await;
                    assert_eq!(line(&mut client).await, text);
                }
                client
            })
        })
        .collect();
    let mut held = Vec::new();
    for client in clients {
        held.push(within(client).await.unwrap());
    }
    assert_eq!(daemon.gate.counts().sessions, 500);
    drop(held);
    eventually("all have gone", || daemon.gate.counts().sessions == 0).await;
    assert_eq!(daemon.gate.counts().accepted, 500);
}

/// One connection on each side, without a listener.
async fn pair() -> (Connection, TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = connect(listener.local_addr().unwrap()).await;
    let (server, _) = listener.accept().await.unwrap();
    (Connection::new(server).unwrap(), client)
}

#[tokio::test]
async fn a_client_that_closed_its_side_still_gets_the_answer() {
    let (mut server, mut client) = pair().await;
    send(&mut client, b"QUIT\r\n").await;
    client.shutdown().await.unwrap();
    let mut buffer = Vec::new();
    assert_eq!(server.read(&mut buffer, LONG).await.unwrap(), 6);
    assert_eq!(server.read(&mut buffer, LONG).await.unwrap(), 0);
    assert_eq!(buffer, b"QUIT\r\n");
    server.write_all(b"+OK\r\n", LONG).await.unwrap();
    server.close().await;
    assert_eq!(rest(&mut client).await, b"+OK\r\n");
}

#[tokio::test]
async fn a_silent_client_times_out_and_a_trickling_one_too() {
    let (mut server, mut client) = pair().await;
    let mut buffer = Vec::new();
    let start = Instant::now();
    let error = server.read(&mut buffer, SHORT).await.unwrap_err();
    assert!(matches!(error, NetError::TimedOut));
    assert!(start.elapsed() >= SHORT && start.elapsed() < LONG);
    let trickle = tokio::spawn(async move {
        while client.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let deadline = tokio::time::Instant::now() + SHORT;
    let error = loop {
        if let Err(error) = server.read_by(&mut buffer, deadline).await {
            break error;
        }
    };
    assert!(matches!(error, NetError::TimedOut) && !buffer.is_empty());
    assert!(start.elapsed() < LONG / 2);
    trickle.abort();
}

#[tokio::test]
async fn a_short_read_takes_little_memory_and_a_long_one_goes_straight_in() {
    let (mut server, mut client) = pair().await;
    send(&mut client, b"NOOP\r\n").await;
    let mut buffer = Vec::new();
    server.read(&mut buffer, LONG).await.unwrap();
    assert!(buffer.capacity() <= 64, "{}", buffer.capacity());
    let mut large = Vec::with_capacity(64 * 1024);
    let place = large.as_ptr();
    let data = vec![7; 64 * 1024];
    let (sent, ()) = tokio::join!(client.write_all(&data), async {
        while large.len() < data.len() {
            server.read(&mut large, LONG).await.unwrap();
        }
    });
    sent.unwrap();
    assert!(large == data && large.as_ptr() == place);
}

#[tokio::test]
async fn a_dropped_read_loses_nothing() {
    let (mut server, mut client) = pair().await;
    let mut buffer = Vec::new();
    for _ in 0..50 {
        tokio::select! {
            biased;
            _ = server.read(&mut buffer, LONG) => {}
            () = tokio::time::sleep(Duration::from_micros(500)) => {}
        }
        client.write_all(b"abc").await.unwrap();
    }
    client.shutdown().await.unwrap();
    while server.read(&mut buffer, LONG).await.unwrap() > 0 {}
    assert_eq!(buffer, b"abc".repeat(50));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let (mut server, _client) = pair().await;
    let mail = vec![b'm'; 64 << 20];
    let start = Instant::now();
    let error = server.write_all(&mail, Duration::from_secs(1)).await.unwrap_err();
    assert!(matches!(error, NetError::TimedOut), "{error}");
    assert!(start.elapsed() < LONG / 2);
}

#[tokio::test]
async fn a_slow_client_is_waited_for_as_long_as_it_reads() {
    let limits = Limits::default();
    let (tell, mut told) = mpsc::unbounded_channel();
    let daemon = Setup { limits, ..Setup::default() }.start(move |mut connection| {
        let tell = tell.clone();
        async move {
            let mail = vec![b'm'; 8 << 20];
            // The window is far shorter than the whole transfer.
            let outcome = connection.write_all(&mail, Duration::from_secs(1)).await;
            tell.send(outcome.is_ok()).unwrap();
        }
    });
    let mut client = connect(daemon.address).await;
    let start = Instant::now();
    let mut block = vec![0; 128 * 1024];
    let mut total = 0;
    while total < 8 << 20 {
        let count = client.read(&mut block).await.unwrap();
        assert_ne!(count, 0, "given up after {total}");
        total += count;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert_eq!(within(told.recv()).await, Some(true));
    assert!(start.elapsed() > Duration::from_millis(1500), "{:?}", start.elapsed());
}

#[tokio::test]
async fn parts_are_sent_in_order_whatever_their_size() {
    let (mut server, mut client) = pair().await;
    let large = vec![b'L'; 3 << 20];
    let parts: Vec<&[u8]> = vec![b"", b"one ", b"", &large, b" two", b""];
    let want = parts.concat();
    let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let (sent, got) = tokio::join!(
        async {
            let outcome = server.write_vectored_all(&mut slices, LONG).await;
            server.close().await;
            outcome
        },
        rest(&mut client)
    );
    sent.unwrap();
    assert!(got == want);
    let (mut server, _client) = pair().await;
    server.write_vectored_all(&mut [IoSlice::new(b"")], LONG).await.unwrap();
    server.write_vectored_all(&mut [], LONG).await.unwrap();
}

#[tokio::test]
async fn the_last_reply_reaches_a_client_that_is_still_sending() {
    let (mut server, mut client) = pair().await;
    send(&mut client, &[b'x'; 20_000]).await;
    let mut buffer = Vec::new();
    server.read(&mut buffer, LONG).await.unwrap();
    server.write_all(b"552 too large\r\n", LONG).await.unwrap();
    let ((), got) = tokio::join!(server.close(), async move {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            client.write_all(&[b'x'; 10_000]).await.expect("no reset");
        }
        let mut got = Vec::new();
        within(client.read_to_end(&mut got)).await.expect("no reset");
        got
    });
    assert_eq!(got, b"552 too large\r\n");
}

#[tokio::test]
async fn a_client_that_sends_without_end_is_left() {
    let (mut server, mut client) = pair().await;
    send(&mut client, &[b'x'; 20_000]).await;
    server.read(&mut Vec::new(), LONG).await.unwrap();
    let start = Instant::now();
    let flood = tokio::spawn(async move { while client.write_all(&[b'x'; 9000]).await.is_ok() {} });
    server.close().await;
    assert!(start.elapsed() < Duration::from_secs(4));
    within(flood).await.unwrap();
}

#[tokio::test]
async fn closing_does_not_wait_for_a_client_that_stays() {
    let (server, _client) = pair().await;
    let start = Instant::now();
    server.close().await;
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn an_ipv6_listener_serves_ipv6_alone() {
    let mut setup = Setup::default();
    setup.listen.address = "[::]:0".parse().unwrap();
    let daemon = setup.echo();
    let port = daemon.address.port();
    let mut client = connect(SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, port))).await;
    let own = client.local_addr().unwrap();
    assert_eq!(line(&mut client).await, format!("{own} true clear\r\n"));
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

#[tokio::test]
async fn an_address_in_use_is_reported() {
    let daemon = Setup::default().echo();
    let mut config = Setup::default().listen;
    config.address = daemon.address;
    let error = Listener::bind(&config).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}
