//! Servers that do all that a server must not do.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use https::{Client, HttpsError, Request, Settings, Url};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use zeroize::Zeroizing;

fn client(change: impl FnOnce(&mut Settings)) -> Client {
    let mut settings = Settings { timeout: Duration::from_secs(60), ..Settings::default() };
    settings.connect_timeout = Duration::from_secs(60);
    change(&mut settings);
    Client::new(&settings).unwrap()
}

/// A server that reads one request and then does `act`, for each connection.
async fn server<F, A>(act: A) -> Url
where
    A: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/x", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            read_head(&mut stream).await;
            tokio::spawn(act(stream));
        }
    });
    url
}

/// Reads a request's head; None at the end.
async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

/// A server that answers with these octets and closes.
async fn answering(octets: impl Into<Vec<u8>>) -> Url {
    let octets: Arc<[u8]> = octets.into().into();
    server(move |mut stream| {
        let octets = Arc::clone(&octets);
        async move {
            let _ = stream.write_all(&octets).await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

async fn error(client: &Client, url: &Url) -> HttpsError {
    client.get(url, &[]).await.unwrap_err()
}

#[tokio::test]
async fn answers_of_every_framing() {
    let client = client(|settings| settings.answer_max = 5);
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\n\r\nhello",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ] {
        let response = client.get(&answering(answer).await, &[]).await.unwrap();
        assert_eq!((response.status(), response.body()), (200, &b"hello"[..]), "{answer}");
    }
    let empty = answering("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(client.get(&empty, &[]).await.unwrap().status(), 204);
}

#[tokio::test]
async fn redirections_are_answers() {
    let elsewhere = answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno").await;
    let answer =
        format!("HTTP/1.1 302 Found\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n");
    let url = answering(answer).await;
    let response = client(|_| {}).get(&url, &[]).await.unwrap();
    assert_eq!((response.status(), response.body()), (302, &b""[..]));
    assert!(response.field("location").unwrap().starts_with("http://"));
}

#[tokio::test]
async fn what_is_no_answer_is_refused() {
    let client = client(|settings| settings.answer_max = 100);
    let fields: String = (0..70).map(|n| format!("X-{n}: y\r\n")).collect();
    let big = "x".repeat(20_000);
    for answer in [
        String::new(),
        "SSH-2.0-OpenSSH_9\r\n\r\n".to_owned(),
        "\r\n\r\n\r\n".to_owned(),
        "HTTP/1.1 abc\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\n{fields}\r\n"),
        format!("HTTP/1.1 200 OK\r\nX: {big}\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;{big}\r\nx\r\n"),
    ] {
        let url = answering(answer.clone()).await;
        let error = error(&client, &url).await;
        assert!(matches!(error, HttpsError::Broken(_)), "{answer:?} is {error:?}");
    }
    let url = answering("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nx").await;
    assert!(matches!(error(&client, &url).await, HttpsError::Encoding));
}

#[tokio::test]
async fn bodies_end_at_the_limit() {
    let client = client(|settings| settings.answer_max = 1000);
    let stated = answering("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n").await;
    assert!(matches!(error(&client, &stated).await, HttpsError::TooLong(1000)));
    // Without end: only the limit stops it.
    for head in ["\r\n", "Transfer-Encoding: chunked\r\n\r\n"] {
        let url = server(move |mut stream| async move {
            let head = format!("HTTP/1.1 200 OK\r\n{head}");
            let mut going = stream.write_all(head.as_bytes()).await;
            while going.is_ok() {
                going = stream.write_all(b"1\r\nx\r\n").await;
            }
        });
        assert!(matches!(error(&client, &url.await).await, HttpsError::TooLong(1000)));
    }
    let url = answering(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1000))).await;
    assert_eq!(client.get(&url, &[]).await.unwrap().into_body().len(), 1000);
}

#[tokio::test]
async fn a_head_without_end_is_cut_off() {
    let url = server(|mut stream| async move {
        let mut going = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while going.is_ok() {
            going = stream.write_all(b"X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n").await;
        }
    })
    .await;
    assert!(matches!(error(&client(|_| {}), &url).await, HttpsError::Broken(_)));
    // Interim answers without end are endless answers, too: the time ends them.
    let url = server(|mut stream| async move {
        while stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let hasty = client(|settings| settings.timeout = Duration::from_millis(300));
    assert!(matches!(error(&hasty, &url).await, HttpsError::Timeout { .. }));
}

#[tokio::test]
async fn slow_and_silent_servers_cost_the_timeout_and_their_connections_are_closed() {
    let closed = Arc::new(AtomicUsize::new(0));
    let drip = Arc::clone(&closed);
    let url = server(move |mut stream| {
        let closed = Arc::clone(&drip);
        async move {
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n";
            let mut going = stream.write_all(head).await;
            while going.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
                going = stream.write_all(b"x").await;
            }
            closed.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let hasty = client(|settings| settings.timeout = Duration::from_millis(200));
    let begun = Instant::now();
    let failure = error(&hasty, &url).await;
    assert!(matches!(failure, HttpsError::Timeout { .. }), "{failure}");
    assert!(failure.to_string().contains("127.0.0.1:"), "{failure}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    let begun = Instant::now();
    while closed.load(Ordering::SeqCst) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "the connection stays open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // One that says nothing at all.
    let url = server(|stream| async move {
        tokio::time::sleep(Duration::from_secs(600)).await;
        drop(stream);
    });
    assert!(matches!(error(&hasty, &url.await).await, HttpsError::Timeout { .. }));
}

#[tokio::test]
async fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    assert!(matches!(error(&client(|_| {}), &url).await, HttpsError::Connect { .. }));
}

#[tokio::test]
async fn more_requests_than_may_wait_are_refused() {
    let url = server(|stream| async move {
        tokio::time::sleep(Duration::from_secs(600)).await;
        drop(stream);
    });
    let (url, client) = (Arc::new(url.await), client(|settings| settings.connections_max = 1));
    let mut asked: Vec<_> = (0..65)
        .map(|_| {
            let (url, client) = (Arc::clone(&url), client.clone());
            Box::pin(async move { client.get(&url, &[]).await })
        })
        .collect();
    for request in &mut asked {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(request.as_mut().poll(&mut context).is_pending());
    }
    assert!(matches!(error(&client, &url).await, HttpsError::Busy));
    drop(asked);
}

/// Answers on one connection as long as `answers` of them have not been given, then closes.
async fn keeping(answers: usize) -> (Url, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/x?y", listener.local_addr().unwrap())).unwrap();
    let (connected, asked) = (Arc::clone(&connections), Arc::clone(&requests));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            connected.fetch_add(1, Ordering::SeqCst);
            let asked = Arc::clone(&asked);
            tokio::spawn(async move {
                for _ in 0..answers {
                    let Some(head) = read_head(&mut stream).await else { return };
                    asked.fetch_add(1, Ordering::SeqCst);
                    assert!(head.contains("host: 127.0.0.1:"), "{head}");
                    if head.starts_with("POST") {
                        let mut body = [0; 3];
                        stream.read_exact(&mut body).await.unwrap();
                    }
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                    stream.write_all(answer).await.unwrap();
                }
                // The next request is read and not answered.
                if read_head(&mut stream).await.is_some() {
                    asked.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    (url, connections, requests)
}

#[tokio::test]
async fn connections_are_kept_and_one_that_died_meanwhile_is_replaced() {
    let (url, connections, requests) = keeping(3).await;
    let client = client(|_| {});
    for _ in 0..3 {
        assert_eq!(client.get(&url, &[]).await.unwrap().body(), b"ok");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    assert_eq!(client.get(&url, &[]).await.unwrap().body(), b"ok", "asked again, on a new one");
    assert_eq!(connections.load(Ordering::SeqCst), 2);
    assert_eq!(requests.load(Ordering::SeqCst), 5);
    let none = self::client(|settings| settings.idle_max = 0);
    for _ in 0..2 {
        none.get(&url, &[]).await.unwrap();
    }
    assert_eq!(connections.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_post_is_not_sent_twice_unless_it_may_be() {
    let body = || Zeroizing::new(b"{ }".to_vec());
    let (url, connections, requests) = keeping(1).await;
    let client = client(|_| {});
    client.post(&url, Request::post_json(body()), &[("X-A", b"b")]).await.unwrap();
    let second = client.post(&url, Request::post_json(body()), &[]).await;
    assert!(matches!(second.unwrap_err(), HttpsError::Broken(_)));
    assert_eq!((connections.load(Ordering::SeqCst), requests.load(Ordering::SeqCst)), (1, 2));
    let again = Request::post_json(body()).repeatable();
    client.post(&url, again.clone(), &[]).await.unwrap();
    client.post(&url, again, &[]).await.unwrap();
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}
