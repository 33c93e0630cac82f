//! A server that dies, hangs, is set up anew, or is none.

use std::io::{Read, Write};
use std::time::Duration;

use crate::kit::{Host, Server, eventually, listener};

async fn both_know(one: &Host, two: &Host, client: &str) {
    let before = two.heard();
    one.fail(client, 3).await;
    eventually("the other hears", || two.heard() > before).await;
}

#[tokio::test]
async fn a_server_that_dies_leaves_each_alone_until_it_is_back() {
    let Some(mut server) = Server::start(&[]) else { return };
    let (one, two) = (Host::new(None, Some(&server.url)), Host::new(None, Some(&server.url)));
    both_know(&one, &two, "192.0.2.1").await;
    server.kill();
    eventually("it is missed", || !one.connected() && !two.connected()).await;
    one.fail("192.0.2.2", 12).await;
    assert_eq!(one.blocks(), ["192.0.2.2/32"], "alone it goes on");
    server.restart();
    eventually("it is found again", || one.connected() && two.connected()).await;
    both_know(&one, &two, "192.0.2.3").await;
    both_know(&two, &one, "192.0.2.4").await;
}

#[tokio::test]
async fn a_server_that_hangs_holds_nobody_up() {
    let Some(server) = Server::start(&[]) else { return };
    let (one, two) = (Host::new(None, Some(&server.url)), Host::new(None, Some(&server.url)));
    both_know(&one, &two, "192.0.2.1").await;
    server.signal("-STOP");
    for n in 0..50 {
        let client = format!("198.51.100.{n}");
        let attempt = one.fail(&client, 1);
        let answered = tokio::time::timeout(Duration::from_millis(500), attempt).await;
        assert!(answered.is_ok(), "an attempt waited for the server");
    }
    eventually("it is missed", || !one.connected()).await;
    server.signal("-CONT");
    eventually("it is found again", || one.connected() && two.connected()).await;
    both_know(&one, &two, "192.0.2.3").await;
}

#[tokio::test]
async fn what_others_write_into_the_streams_does_no_harm() {
    let Some(server) = Server::start(&[]) else { return };
    let host = Host::new(None, Some(&server.url));
    eventually("the server answers", || host.connected()).await;
    let huge = vec![0; 1 << 20];
    for (field, value) in
        [(&b"e"[..], &b"x"[..]), (b"e", &[0; 66]), (b"other", b"1"), (b"e", &huge), (b"", b"")]
    {
        for stream in ["lastpost:auth:failures", "lastpost:auth:blocks"] {
            server.ask(&[b"XADD", stream.as_bytes(), b"*", field, value]).unwrap();
        }
    }
    eventually("all is counted", || host.publisher.statistics().malformed == 10).await;
    assert!(host.connected() && host.heard() == 0);
    // A key of another kind stands in the way: the host is alone until it is gone.
    server.ask(&[b"DEL", b"lastpost:auth:failures"]).unwrap();
    server.ask(&[b"SET", b"lastpost:auth:failures", b"nonsense"]).unwrap();
    eventually("it is missed", || !host.connected()).await;
    server.ask(&[b"DEL", b"lastpost:auth:failures"]).unwrap();
    eventually("it is found again", || host.connected()).await;
}

/// Whatever listens there, logins go on.
#[tokio::test]
async fn what_is_no_server_is_none() {
    for nonsense in ["", "HTTP/1.1 400 Bad Request\r\n\r\n", "+OK\r\n+OK\r\n$-5\r\n", "*99999\r\n"]
    {
        let (listener, url) = listener();
        let answering = std::thread::spawn(move || {
            // The connection of the one that listens, and of the one that tells.
            for _ in 0..2 {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(nonsense.as_bytes());
            }
        });
        let host = Host::new(None, Some(&url));
        host.fail("192.0.2.1", 12).await;
        assert_eq!(host.blocks(), ["192.0.2.1/32"]);
        eventually("it fails", || host.publisher.statistics().failures > 0).await;
        assert!(!host.connected());
        drop(host);
        answering.join().unwrap();
    }
}
