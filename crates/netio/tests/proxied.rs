//! Connections that come through a proxy: believed, unsure, and impostors.
#![allow(clippy::unwrap_used, reason = "a test's helpers may fail by panic")]

mod kit;

use std::time::{Duration, Instant};

use kit::*;
use netio::{Limits, TlsMode};
use tokio::net::TcpStream;

const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn setup(trusted: &'static str) -> Setup {
    let mut setup = Setup { trusted: vec![trusted], ..Setup::default() };
    setup.listen.proxy_protocol = true;
    setup
}

fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [V2, &[command, family], &length, block].concat()
}

fn headers() -> Vec<(Vec<u8>, &'static str)> {
    let v4 = [192, 0, 2, 1, 10, 0, 0, 1, 0xde, 0xad, 0, 110];
    let source: std::net::Ipv6Addr = "2001:db8::7".parse().unwrap();
    let mapped: std::net::Ipv6Addr = "::ffff:192.0.2.9".parse().unwrap();
    let v6 = |source: std::net::Ipv6Addr| {
        [&source.octets()[..], &[0; 16], &[0x30, 0x39], &[0, 110]].concat()
    };
    vec![
        (b"PROXY TCP4 192.0.2.1 10.0.0.1 57005 110\r\n".to_vec(), "192.0.2.1:57005 true"),
        (b"PROXY TCP6 2001:db8::7 ::1 12345 110\r\n".to_vec(), "[2001:db8::7]:12345 true"),
        (b"PROXY TCP6 ::ffff:192.0.2.9 ::1 12345 110\r\n".to_vec(), "192.0.2.9:12345 true"),
        (v2(0x21, 0x11, &v4), "192.0.2.1:57005 true"),
        (v2(0x21, 0x21, &v6(source)), "[2001:db8::7]:12345 true"),
        (v2(0x21, 0x21, &v6(mapped)), "192.0.2.9:12345 true"),
        // With an unknown extension of two octets, and one of 600.
        (v2(0x21, 0x11, &[&v4[..], &[0xe0, 0, 2, 1, 2]].concat()), "192.0.2.1:57005 true"),
        (v2(0x21, 0x11, &[&v4[..], &[0xe0, 2, 88], &[9; 600]].concat()), "192.0.2.1:57005 true"),
        // The proxy speaks for itself, or does not say for whom.
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1 false"),
        (
            b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n".to_vec(),
            "127.0.0.1 false",
        ),
        (v2(0x20, 0x00, b""), "127.0.0.1 false"),
        (v2(0x20, 0x11, b""), "127.0.0.1 false"),
        (v2(0x20, 0x11, &v4), "127.0.0.1 false"),
        (v2(0x21, 0x00, b""), "127.0.0.1 false"),
        (v2(0x21, 0x31, &[0; 216]), "127.0.0.1 false"),
        (v2(0x21, 0x12, &v4), "127.0.0.1 false"),
    ]
}

/// The greeting without the port, where that is the proxy's own.
async fn greeting(client: &mut TcpStream) -> String {
    let line = line(client).await;
    let port = client.local_addr().unwrap().port();
    line.replace(&format!("127.0.0.1:{port}"), "127.0.0.1").replace(" clear\r\n", "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_of_trusted_proxies_are_believed() {
    let daemon = setup("127.0.0.1/32").echo();
    for (header, want) in headers() {
        // With the first command in the same segment: it must not be lost.
        let mut client = connect(daemon.address).await;
        send(&mut client, &[&header[..], b"CAPA\r\n"].concat()).await;
        assert_eq!(greeting(&mut client).await, want, "{header:?}");
        assert_eq!(line(&mut client).await, "CAPA\r\n", "{header:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_may_come_in_pieces() {
    let daemon = setup("127.0.0.0/8").echo();
    let mut tasks = Vec::new();
    for (header, want) in headers().into_iter().filter(|(header, _)| header.len() < 80) {
        for cut in 1..header.len() {
            let (header, address) = (header.clone(), daemon.address);
            tasks.push(tokio::spawn(async move {
                let mut client = connect(address).await;
                client.set_nodelay(true).unwrap();
                send(&mut client, &header[..cut]).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
                send(&mut client, &[&header[cut..], b"NOOP\r\n"].concat()).await;
                assert_eq!(greeting(&mut client).await, want, "{header:?} at {cut}");
                assert_eq!(line(&mut client).await, "NOOP\r\n", "{header:?} at {cut}");
            }));
        }
    }
    for task in tasks {
        within(task).await.unwrap();
    }
}

#[tokio::test]
async fn who_is_not_trusted_gets_nothing() {
    let daemon = setup("10.0.0.0/8").echo();
    for opening in [&b"PROXY TCP4 192.0.2.1 10.0.0.1 1 2\r\n"[..], b"QUIT\r\n"] {
        let mut client = connect(daemon.address).await;
        // The connection may be gone before this is sent.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut client, opening).await;
        assert_eq!(rest(&mut client).await, b"");
    }
    assert_eq!(daemon.gate.counts().refused_untrusted, 2);
    assert_eq!(daemon.gate.counts().accepted, 0);
    eventually("no seat is taken", || daemon.gate.counts().sessions == 0).await;
}

#[tokio::test]
async fn a_header_where_none_is_expected_is_the_clients_word() {
    let daemon = Setup::default().echo();
    let mut client = connect(daemon.address).await;
    send(&mut client, b"PROXY TCP4 192.0.2.1 10.0.0.1 1 2\r\n").await;
    assert_eq!(greeting(&mut client).await, "127.0.0.1 true");
}

#[tokio::test]
async fn garbage_is_closed_at_once() {
    let limits = Limits { proxy_header_timeout: LONG, ..Limits::default() };
    let daemon = Setup { limits, ..setup("127.0.0.1/32") }.echo();
    let long_line = [b"PROXY UNKNOWN ", &[b'x'; 200][..]].concat();
    let long_block = [V2, &[0x21, 0x11, 0xff, 0xff]].concat();
    let cases: Vec<Vec<u8>> = vec![
        b"USER aiko\r\n".to_vec(),
        b"P\r\n".to_vec(),
        b"POST / HTTP/1.1\r\n".to_vec(),
        b"PROXY \r\n".to_vec(),
        b"PROXY\r\n".to_vec(),
        b"PROXY TCP4\r\n".to_vec(),
        b"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n".to_vec(),
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n".to_vec(),
        b"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n".to_vec(),
        b"PROXY TCP4 ::1 ::1 1 2\r\n".to_vec(),
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n".to_vec(),
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n".to_vec(),
        b"PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n".to_vec(),
        b"proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n".to_vec(),
        long_line,
        long_block,
        b"\r\nQUIT\r\n".to_vec(),
        v2(0x21, 0x11, b"short"),
        v2(0x21, 0x11, b""),
        v2(0x21, 0x21, &[0; 12]),
        v2(0x22, 0x11, &[0; 12]),
        v2(0x11, 0x11, &[0; 12]),
        v2(0x21, 0x77, &[0; 12]),
        v2(0x21, 0x31, &[0; 100]),
    ];
    let count = cases.len() as u64;
    for opening in cases {
        let start = Instant::now();
        let mut client = connect(daemon.address).await;
        send(&mut client, &opening).await;
        assert_eq!(rest(&mut client).await, b"", "{opening:?}");
        assert!(start.elapsed() < LONG / 2, "{opening:?}");
    }
    assert_eq!(daemon.gate.counts().failed_handshakes, count);
    assert_eq!(daemon.gate.counts().accepted, 0);
}

#[tokio::test]
async fn a_header_that_does_not_come_is_not_waited_for() {
    let limits = Limits { proxy_header_timeout: Duration::from_millis(150), ..Limits::default() };
    let daemon = Setup { limits, ..setup("127.0.0.1/32") }.echo();
    for opening in [&b""[..], b"PROXY TCP4 192.0", &V2[..5]] {
        let mut client = connect(daemon.address).await;
        send(&mut client, opening).await;
        let start = Instant::now();
        assert_eq!(rest(&mut client).await, b"");
        assert!(start.elapsed() < LONG / 2);
    }
    let mut gone = connect(daemon.address).await;
    send(&mut gone, b"PROXY ").await;
    drop(gone);
    eventually("no seat is taken", || daemon.gate.counts().sessions == 0).await;
}

#[tokio::test]
async fn octets_that_trickle_do_not_put_the_headers_deadline_off() {
    let limits = Limits { proxy_header_timeout: Duration::from_millis(300), ..Limits::default() };
    let daemon = Setup { limits, ..setup("127.0.0.1/32") }.echo();
    let mut client = connect(daemon.address).await;
    let start = Instant::now();
    for octet in b"PROXY TCP4 192.0.2.1 10.0.0.1 57005 110\r\n" {
        // It may be closed by now.
        if tokio::io::AsyncWriteExt::write_all(&mut client, &[*octet]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(rest(&mut client).await, b"");
    assert!(start.elapsed() < LONG / 2);
    assert_eq!(daemon.gate.counts().failed_handshakes, 1);
}

#[tokio::test]
async fn a_block_as_long_as_we_take_and_one_octet_longer() {
    let daemon = setup("127.0.0.1/32").echo();
    let v4 = [192, 0, 2, 1, 10, 0, 0, 1, 0xde, 0xad, 0, 110];
    let of_length = |total: usize| {
        let filling = total - 16 - v4.len() - 3;
        let length = u16::try_from(filling).unwrap().to_be_bytes();
        let block = [&v4[..], &[0x04], &length, &vec![0; filling]].concat();
        v2(0x21, 0x11, &block)
    };
    let mut client = connect(daemon.address).await;
    send(&mut client, &[of_length(4096), b"NOOP\r\n".to_vec()].concat()).await;
    assert_eq!(greeting(&mut client).await, "192.0.2.1:57005 true");
    assert_eq!(line(&mut client).await, "NOOP\r\n");
    let mut client = connect(daemon.address).await;
    send(&mut client, &of_length(4097)).await;
    assert_eq!(rest(&mut client).await, b"");
}

#[tokio::test]
async fn only_the_first_header_is_one() {
    let daemon = setup("127.0.0.1/32").echo();
    let mut client = connect(daemon.address).await;
    let second = "PROXY TCP4 198.51.100.1 10.0.0.1 1 2\r\n";
    send(&mut client, format!("PROXY TCP4 192.0.2.1 10.0.0.1 5 2\r\n{second}").as_bytes()).await;
    assert_eq!(greeting(&mut client).await, "192.0.2.1:5 true");
    assert_eq!(line(&mut client).await, second);
}

#[tokio::test]
async fn the_limit_counts_the_client_and_not_the_proxy() {
    let limits = Limits { sessions_per_ip_max: 1, ..Limits::default() };
    let daemon = Setup { limits, ..setup("127.0.0.1/32") }.echo();
    let header = |last: u8| format!("PROXY TCP4 192.0.2.{last} 10.0.0.1 1 2\r\n");
    let mut held = Vec::new();
    for last in 1..=5 {
        let mut client = connect(daemon.address).await;
        send(&mut client, header(last).as_bytes()).await;
        assert_eq!(line(&mut client).await, format!("192.0.2.{last}:1 true clear\r\n"));
        held.push(client);
    }
    let mut second = connect(daemon.address).await;
    send(&mut second, header(3).as_bytes()).await;
    assert_eq!(rest(&mut second).await, BUSY);
    // Health checks of the proxy are not held to it.
    for _ in 0..3 {
        let mut probe = connect(daemon.address).await;
        send(&mut probe, &v2(0x20, 0, b"")).await;
        assert_eq!(greeting(&mut probe).await, "127.0.0.1 false");
        held.push(probe);
    }
}

#[tokio::test]
async fn the_header_comes_before_tls() {
    let directory = tempfile::tempdir().unwrap();
    let pair = make_pair(directory.path(), "mail", &["mail.example.jp"]);
    let tls = netio::Tls::load(&pair.config()).unwrap();
    let mut setup = Setup { trusted: vec!["127.0.0.0/8"], ..Setup::tls(TlsMode::Implicit, &tls) };
    setup.listen.proxy_protocol = true;
    let daemon = setup.echo();
    let mut stream = connect(daemon.address).await;
    send(&mut stream, b"PROXY TCP4 192.0.2.1 10.0.0.1 5 2\r\n").await;
    let mut client = handshake(stream, client(&[&pair.der], &[]), "mail.example.jp").await.unwrap();
    assert_eq!(line(&mut client).await, "192.0.2.1:5 true TLSv1.3\r\n");
}
