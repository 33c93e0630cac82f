//! A server that answers as it should, and servers that do not.

use tokio::io::DuplexStream;

use super::super::ber::{ENUMERATED, INTEGER, OCTETS, SEQUENCE, SET, Writer};
use super::super::message::Scope;
use super::*;

const FILTER: &[u8] = b"\x87\x01a";

fn search<'a>(names: &'a [String]) -> Search<'a> {
    Search {
        base: "dc=x",
        scope: Scope::Sub,
        size_limit: 2,
        time_limit: 2,
        filter: FILTER,
        attributes: names,
        page: None,
    }
}

fn result(id: u32, tag: u8, code: u32) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.put_all(SEQUENCE, |w| {
        w.put_number(INTEGER, id);
        w.put_all(tag, |w| {
            w.put_number(ENUMERATED, code);
            w.put(OCTETS, b"");
            w.put(OCTETS, b"because");
        });
    });
    writer.finish().to_vec()
}

fn entry(id: u32, dn: &str, value: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.put_all(SEQUENCE, |w| {
        w.put_number(INTEGER, id);
        w.put_all(0x64, |w| {
            w.put(OCTETS, dn.as_bytes());
            w.put_all(SEQUENCE, |w| {
                w.put_all(SEQUENCE, |w| {
                    w.put(OCTETS, b"mail");
                    w.put_all(SET, |w| w.put(OCTETS, value));
                });
            });
        });
    });
    writer.finish().to_vec()
}

/// A connection to a server that sends `answer` as soon as it is asked and then closes.
fn against(answer: Vec<u8>) -> Connection {
    let (near, mut far): (DuplexStream, DuplexStream) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        let mut asked = [0; 1024];
        assert!(far.read(&mut asked).await.unwrap() > 0);
        // Who does not read to the end gets no more.
        let _ = far.write_all(&answer).await;
    });
    Connection::over(Box::new(near), 0)
}

#[tokio::test]
async fn a_search_brings_entries_and_an_outcome() {
    let mut answer = entry(1, "uid=a,dc=x", b"a@x");
    answer.extend(b"\x30\x05\x02\x01\x01\x73\x00");
    answer.extend(entry(1, "uid=b,dc=x", b"b@x"));
    answer.extend(result(1, 0x65, 4));
    let found = against(answer).search(&search(&[]), 2).await.unwrap();
    let names: Vec<&str> = found.entries.iter().map(|entry| entry.dn.as_str()).collect();
    assert_eq!(names, ["uid=a,dc=x", "uid=b,dc=x"]);
    assert_eq!(found.outcome.code, Outcome::SIZE_LIMIT_EXCEEDED);
}

#[tokio::test]
async fn a_bind_brings_an_outcome() {
    let outcome = against(result(1, 0x61, 49)).bind("dc=x", b"pw").await.unwrap();
    assert_eq!((outcome.code, outcome.diagnostic.as_str()), (49, "because"));
}

#[tokio::test]
async fn hostile_answers_end_the_connection() {
    let huge = b"\x30\x84\x7f\xff\xff\xff".to_vec();
    let wide = entry(1, "dc=x", &vec![b'x'; MESSAGE_MAX]);
    let many: Vec<u8> = (0..3).flat_map(|n| entry(1, &format!("uid={n}"), b"v")).collect();
    let nested = [b"\x30\x84\x00\x0f\xff\xff".repeat(1000), vec![0; 1 << 20]].concat();
    for (answer, problem) in [
        (Vec::new(), "closed the connection"),
        (entry(1, "dc=x", b"v")[..9].to_vec(), "closed the connection"),
        (entry(1, "dc=x", b"v"), "closed the connection"),
        (b"HTTP/1.1 200 OK\r\n\r\n".repeat(9), "nonsense"),
        (b"\x30\x80\x02\x01\x01\x00\x00".to_vec(), "nonsense"),
        (b"\x30\x00".to_vec(), "nonsense"),
        (result(2, 0x65, 0), "an answer to request 2"),
        (result(1, 0x61, 0), "no answer to a search"),
        (result(0, 0x78, 52), "closed the connection"),
        (nested, "nonsense"),
        (huge, "more than 1048576"),
        (wide, "more than 1048576"),
        (many, "more than 2"),
    ] {
        let error = against(answer).search(&search(&[]), 2).await.unwrap_err();
        assert!(error.to_string().contains(problem), "{error}, not {problem}");
    }
    let error = against(result(1, 0x65, 0)).bind("dc=x", b"pw").await.unwrap_err();
    assert!(error.to_string().contains("no answer to a bind"), "{error}");
}

#[tokio::test]
async fn an_answer_has_an_end() {
    let (near, mut far) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        let answer = entry(1, "dc=x", &vec![b'x'; 900_000]);
        while far.write_all(&answer).await.is_ok() {}
    });
    let mut connection = Connection::over(Box::new(near), 0);
    let error = connection.search(&search(&[]), usize::MAX).await.unwrap_err();
    assert!(matches!(error, Problem::TooMuch { limit: ANSWER_MAX }), "{error}");
    assert!(error.is_of_request());
}

#[tokio::test]
async fn tls_begins_only_when_the_server_agreed_and_said_nothing_else() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = Server::parse(&format!("ldap://127.0.0.1:{port}"), true).unwrap();
    let tls = TlsClient::new(&netio::Trust::Anybody, &[]).unwrap();
    let injected = [result(1, 0x78, 0), result(2, 0x61, 0)].concat();
    for (answer, problem) in [
        (result(1, 0x78, 2), "StartTLS: result 2 (protocolError): because"),
        (injected, "octets before TLS"),
        (result(1, 0x61, 0), "no answer to StartTLS"),
        (Vec::new(), "closed the connection"),
    ] {
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 256];
            let length = stream.read(&mut asked).await.unwrap();
            stream.write_all(&answer).await.unwrap();
            assert_eq!(asked[..length], *message::start_tls(1), "and no password before TLS");
        };
        let (opened, ()) = tokio::join!(Connection::open(&server, 0, &tls), serve);
        let error = opened.err().unwrap().to_string();
        assert!(error.contains(problem), "{error}, not {problem}");
    }
}
