//! TLS: upgrades, handshakes that fail, sessions resumed, large messages.
#![allow(clippy::unwrap_used, reason = "a test's helpers may fail by panic")]

mod kit;

use std::io::IoSlice;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kit::*;
use netio::{Connection, Limits, NetError, Tls, TlsMode};
use rustls::HandshakeKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn implicit_tls_in_both_versions() {
    let (_directory, pair, tls) = loaded(&[HOST]);
    let infos = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&infos);
    let daemon = Setup::tls(TlsMode::Implicit, &tls).start(move |connection: Connection| {
        seen.lock().unwrap().push(connection.tls_info().cloned());
        assert!(connection.is_tls());
        echo(connection)
    });
    for (version, name) in
        [(&rustls::version::TLS13, "TLSv1.3"), (&rustls::version::TLS12, "TLSv1.2")]
    {
        let config = client_with(&[&pair.der], &[], &[version]);
        let stream = connect(daemon.address).await;
        let mut client = handshake(stream, config, HOST).await.unwrap();
        assert!(line(&mut client).await.ends_with(&format!(" true {name}\r\n")));
        send(&mut client, b"STAT\r\n").await;
        assert_eq!(line(&mut client).await, "STAT\r\n");
        let info = infos.lock().unwrap().pop().unwrap().unwrap();
        assert_eq!(info.sni.as_deref(), Some(HOST));
        assert!(info.cipher.contains("AES") || info.cipher.contains("CHACHA"), "{info:?}");
        assert!(info.cipher.starts_with("TLS_"), "the registered name: {info:?}");
    }
}

/// Answers `STLS` with an upgrade and records every line it takes for a command.
async fn upgrading(mut connection: Connection, tls: Tls, commands: Arc<Mutex<Vec<String>>>) {
    let mut buffer = Vec::new();
    loop {
        let count = connection.read(&mut buffer, LONG).await.unwrap_or(0);
        if count == 0 {
            return connection.close().await;
        }
        while let Some(end) = buffer.iter().position(|&octet| octet == b'\n') {
            let command: Vec<u8> = buffer.drain(..=end).collect();
            let command = String::from_utf8(command).unwrap();
            commands.lock().unwrap().push(command.trim_end().to_owned());
            connection.write_all(b"+OK\r\n", LONG).await.unwrap();
            if command == "STLS\r\n" && connection.start_tls(&tls, &mut buffer, LONG).await.is_err()
            {
                return connection.close().await;
            }
        }
    }
}

fn start_upgrading(tls: &Tls) -> (Daemon, Arc<Mutex<Vec<String>>>) {
    let commands = Arc::new(Mutex::new(Vec::new()));
    let (log, server) = (Arc::clone(&commands), tls.clone());
    let daemon = Setup::tls(TlsMode::Starttls, tls)
        .start(move |connection| upgrading(connection, server.clone(), Arc::clone(&log)));
    (daemon, commands)
}

#[tokio::test]
async fn what_was_sent_in_clear_behind_stls_is_dropped() {
    let (_directory, pair, tls) = loaded(&[HOST]);
    let (daemon, commands) = start_upgrading(&tls);
    let mut stream = connect(daemon.address).await;
    send(&mut stream, b"STLS\r\nUSER mallory\r\nPASS x\r\nDEL").await;
    assert_eq!(line(&mut stream).await, "+OK\r\n");
    let mut client = handshake(stream, client(&[&pair.der], &[]), HOST).await.unwrap();
    send(&mut client, b"CAPA\r\n").await;
    assert_eq!(line(&mut client).await, "+OK\r\n");
    assert_eq!(*commands.lock().unwrap(), ["STLS", "CAPA"]);
    // TLS within TLS is refused, and the session goes on.
    send(&mut client, b"STLS\r\n").await;
    assert_eq!(line(&mut client).await, "+OK\r\n");
    assert_eq!(rest(&mut client).await, b"");
}

#[tokio::test]
async fn what_arrives_in_clear_after_the_reply_breaks_the_handshake() {
    let (_directory, pair, tls) = loaded(&[HOST]);
    let (daemon, commands) = start_upgrading(&tls);
    let mut stream = connect(daemon.address).await;
    send(&mut stream, b"STLS\r\n").await;
    assert_eq!(line(&mut stream).await, "+OK\r\n");
    send(&mut stream, b"USER mallory\r\n").await;
    assert!(handshake(stream, client(&[&pair.der], &[]), HOST).await.is_err());
    assert_eq!(*commands.lock().unwrap(), ["STLS"]);
}

#[tokio::test]
async fn a_connection_whose_handshake_failed_is_closed() {
    let (_directory, _pair, tls) = loaded(&[HOST]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = connect(listener.local_addr().unwrap()).await;
    let mut server = Connection::new(listener.accept().await.unwrap().0).unwrap();
    send(&mut stream, b"no TLS at all, but quite a long line of it\r\n").await;
    let error = server.start_tls(&tls, &mut Vec::new(), LONG).await.unwrap_err();
    assert!(matches!(error, NetError::Handshake(_)), "{error}");
    assert!(!server.is_tls());
    assert!(server.read(&mut Vec::new(), LONG).await.is_err());
    assert!(server.write_all(b"in clear after all", LONG).await.is_err());
    let error = server.start_tls(&tls, &mut Vec::new(), LONG).await.unwrap_err();
    assert!(matches!(error, NetError::Closed), "{error}");
    server.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_handshakes_disturb_nobody() {
    let (_directory, pair, tls) = loaded(&[HOST]);
    let limits = Limits { handshake_timeout: Duration::from_millis(400), ..Limits::default() };
    let daemon = Setup { limits, ..Setup::tls(TlsMode::Implicit, &tls) }.echo();
    let config = Arc::new(client(&[&pair.der], &[]));
    let mut steady =
        handshake(connect(daemon.address).await, Arc::clone(&config), HOST).await.unwrap();
    line(&mut steady).await;
    let start = Instant::now();
    let mut broken = Vec::new();
    let openings: [&[u8]; 6] = [
        b"",
        b"USER aiko\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"\x16\x03\x01\xff\xff",
        // SSL 3.0 and nothing newer.
        b"\x16\x03\x00\x00\x2f\x01\x00\x00\x2b\x03\x00",
        &[0; 5000],
    ];
    for opening in openings {
        let mut client = connect(daemon.address).await;
        // The daemon may be quicker in closing.
        let _ = client.write_all(opening).await;
        broken.push(client);
    }
    // One that sends an octet now and then.
    let mut trickling = connect(daemon.address).await;
    let trickle = tokio::spawn(async move {
        for octet in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(100) {
            if trickling.write_u8(octet).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    // One that goes away in the midst.
    let mut leaving = connect(daemon.address).await;
    send(&mut leaving, b"\x16\x03\x01").await;
    drop(leaving);
    for number in 0..10 {
        let text = format!("still here {number}\r\n");
        send(&mut steady, text.as_bytes()).await;
        assert_eq!(line(&mut steady).await, text);
        let stream = connect(daemon.address).await;
        let mut other = handshake(stream, Arc::clone(&config), HOST).await.unwrap();
        assert!(line(&mut other).await.ends_with("TLSv1.3\r\n"));
    }
    for mut client in broken {
        rest(&mut client).await;
    }
    within(trickle).await.unwrap();
    assert!(start.elapsed() < LONG / 2);
    eventually("only the steady one is left", || daemon.gate.counts().sessions == 1).await;
    assert_eq!(daemon.gate.counts().failed_handshakes, 8);
}

#[tokio::test]
async fn a_client_that_offers_protocols_must_offer_ours() {
    let (_directory, pair, tls) = loaded(&[HOST]);
    let daemon = Setup::tls(TlsMode::Implicit, &tls.with_alpn(&[b"pop3"]).unwrap()).echo();
    let plain = Setup::tls(TlsMode::Implicit, &tls).echo();
    let attempt = async |address, alpn: &[&[u8]]| {
        handshake(connect(address).await, client(&[&pair.der], alpn), HOST).await
    };
    let agreed = attempt(daemon.address, &[b"pop3"]).await.unwrap();
    assert_eq!(agreed.get_ref().1.alpn_protocol(), Some(&b"pop3"[..]));
    assert!(attempt(daemon.address, &[]).await.is_ok());
    // A browser that was lured to this port (the ALPACA attack).
    assert!(attempt(daemon.address, &[b"h2", b"http/1.1"]).await.is_err());
    assert!(attempt(plain.address, &[b"http/1.1"]).await.is_ok());
}

#[tokio::test]
async fn sessions_are_resumed_but_not_at_another_service() {
    let (_directory, pair, tls) = loaded(&[HOST]);
    let pop3 = Setup::tls(TlsMode::Implicit, &tls.with_alpn(&[]).unwrap()).echo();
    let submission = Setup::tls(TlsMode::Implicit, &tls.with_alpn(&[]).unwrap()).echo();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let config = Arc::new(client_with(&[&pair.der], &[], &[version]));
        let kind = async |address| {
            let stream = connect(address).await;
            let mut client = handshake(stream, Arc::clone(&config), HOST).await.unwrap();
            line(&mut client).await;
            client.get_ref().1.handshake_kind().unwrap()
        };
        assert_eq!(kind(pop3.address).await, HandshakeKind::Full);
        assert_eq!(kind(pop3.address).await, HandshakeKind::Resumed);
        assert_ne!(kind(submission.address).await, HandshakeKind::Resumed);
        assert_eq!(kind(submission.address).await, HandshakeKind::Resumed);
    }
}

#[tokio::test]
async fn a_client_that_goes_without_farewell_has_gone() {
    let (_directory, pair, tls) = loaded(&[HOST]);
    let ended = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&ended);
    let daemon = Setup::tls(TlsMode::Implicit, &tls).start(move |mut connection| {
        let seen = Arc::clone(&seen);
        async move {
            let mut buffer = Vec::new();
            let first = connection.read(&mut buffer, LONG).await;
            let second = connection.read(&mut buffer, LONG).await;
            *seen.lock().unwrap() = Some((first.unwrap(), second.unwrap()));
        }
    });
    let stream = connect(daemon.address).await;
    let mut client = handshake(stream, client(&[&pair.der], &[]), HOST).await.unwrap();
    send(&mut client, b"QUIT\r\n").await;
    let (mut tcp, _) = client.into_inner();
    tcp.shutdown().await.unwrap();
    eventually("both reads have ended", || ended.lock().unwrap().is_some()).await;
    assert_eq!(*ended.lock().unwrap(), Some((6, 0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_both_ways() {
    let (_directory, pair, tls) = loaded(&[HOST]);
    let daemon =
        Setup::tls(TlsMode::Implicit, &tls).start(|mut connection: Connection| async move {
            let mut mail = Vec::with_capacity(4096);
            // By 16 KiB through the scratch, then straight into the vector.
            while mail.len() < 5 << 20 {
                if mail.len() > 1 << 20 {
                    mail.reserve(64 * 1024);
                }
                assert_ne!(connection.read(&mut mail, LONG).await.unwrap(), 0);
            }
            let (head, tail) = mail.split_at(12_345);
            let mut parts = [IoSlice::new(head), IoSlice::new(b""), IoSlice::new(tail)];
            connection.write_vectored_all(&mut parts, LONG).await.unwrap();
            connection.write_all(&mail, LONG).await.unwrap();
            connection.close().await;
        });
    let stream = connect(daemon.address).await;
    let client = handshake(stream, client(&[&pair.der], &[]), HOST).await.unwrap();
    let mail: Vec<u8> = (0..5_u32 << 20).map(|at| (at % 251) as u8).collect();
    let (mut reader, mut writer) = tokio::io::split(client);
    let sent = mail.clone();
    let sending = tokio::spawn(async move {
        send(&mut writer, &sent).await;
        writer
    });
    let mut back = Vec::new();
    within(reader.read_to_end(&mut back)).await.expect("a proper TLS farewell");
    drop(within(sending).await.unwrap());
    assert!(back == [&mail[..], &mail].concat());
}

#[tokio::test]
async fn a_tls_client_that_does_not_read_is_given_up() {
    let (_directory, pair, tls) = loaded(&[HOST]);
    let outcome = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&outcome);
    let daemon = Setup::tls(TlsMode::Implicit, &tls).start(move |mut connection: Connection| {
        let seen = Arc::clone(&seen);
        async move {
            let mail = vec![b'm'; 64 << 20];
            let error = connection.write_all(&mail, Duration::from_secs(1)).await.unwrap_err();
            *seen.lock().unwrap() = Some(error.to_string());
            connection.close().await;
        }
    });
    let stream = connect(daemon.address).await;
    let _client = handshake(stream, client(&[&pair.der], &[]), HOST).await.unwrap();
    eventually("it is given up", || outcome.lock().unwrap().is_some()).await;
    assert!(outcome.lock().unwrap().as_ref().unwrap().contains("in time"));
    eventually("and closed", || daemon.gate.counts().sessions == 0).await;
}

#[tokio::test]
async fn a_refused_tls_client_is_told_nothing_in_clear() {
    let (_directory, _pair, tls) = loaded(&[HOST]);
    let limits = Limits { sessions_max: 0, ..Limits::default() };
    let daemon = Setup { limits, ..Setup::tls(TlsMode::Implicit, &tls) }.echo();
    assert_eq!(rest(&mut connect(daemon.address).await).await, b"");
}
