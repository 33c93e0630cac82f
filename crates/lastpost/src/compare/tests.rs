//! Tests of the judgement, and of a comparison with servers that misbehave.

use std::sync::atomic::{AtomicUsize, Ordering};

use netio::{TlsClient, Trust};
use pop3_proto::client::DropListing;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use zeroize::Zeroizing;

use super::session::Message;
use super::*;

fn listing(messages: &[(&str, u64)]) -> Listing {
    let octets = messages.iter().map(|&(_, octets)| octets).sum();
    let message = |&(id, octets): &(&str, u64)| Message {
        octets,
        id: (!id.is_empty()).then(|| id.as_bytes().into()),
    };
    Listing {
        stat: DropListing { messages: messages.len() as u64, octets },
        messages: messages.iter().map(message).collect(),
    }
}

fn said(old: &[(&str, u64)], new: &[(&str, u64)]) -> Vec<String> {
    judge(&listing(old), &listing(new)).iter().map(ToString::to_string).collect()
}

#[test]
fn equal_listings_say_nothing() {
    let messages = [("a", 1), ("b", 2), ("c", 3)];
    assert!(said(&messages, &messages).is_empty());
    assert!(said(&[], &[]).is_empty());
}

#[test]
fn what_a_customer_would_notice() {
    let old = [("a", 1), ("b", 2), ("c", 3), ("d", 4)];
    assert_eq!(
        said(&old, &[("a", 1), ("x", 2), ("c", 3), ("y", 4)]),
        [
            "2 messages would be downloaded again (from message 2 on, id x)",
            "2 messages are not on the new server under their ids (from message 2 of the old one \
             on, id b)",
        ]
    );
    assert_eq!(
        said(&old, &[("a", 1), ("c", 3), ("b", 2), ("d", 4)]),
        ["order differs from message 2 on"]
    );
    assert_eq!(
        said(&old, &[("a", 1), ("b", 20), ("c", 3), ("d", 40)]),
        ["sizes differ for 2 messages (from message 2 on: 2 before, 20 now)"]
    );
    assert_eq!(
        said(&old, &[("a", 1), ("a", 2), ("c", 3), ("d", 4)]),
        [
            "new server: 1 messages have the id of another (from message 2 on)",
            "1 messages are not on the new server under their ids (from message 2 of the old one \
             on, id b)",
        ]
    );
    // A message that came in between is no change of order.
    assert_eq!(
        said(&[("a", 1), ("c", 3)], &[("a", 1), ("b", 2), ("c", 3)]),
        ["1 messages would be downloaded again (from message 2 on, id b)"]
    );
}

#[test]
fn servers_without_ids_are_compared_by_number() {
    let said = said(&[("", 1), ("", 2)], &[("a", 1), ("b", 3), ("c", 3)]);
    assert_eq!(
        said,
        [
            "old server: no UIDL; compared by number",
            "2 messages before, 3 now",
            "sizes differ for 1 messages (from message 2 on: 2 before, 3 now)",
        ]
    );
}

#[test]
fn samples_are_spread_from_first_to_last() {
    let old = listing(&[("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 1)]);
    let new = listing(&[("x", 1), ("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 1)]);
    assert_eq!(sample(&old, &new, 3), [(1, 2), (3, 4), (5, 6)]);
    assert_eq!(sample(&old, &new, 1), [(1, 2)]);
    assert_eq!(sample(&old, &new, 100).len(), 5);
    assert!(sample(&old, &new, 0).is_empty());
    assert!(sample(&listing(&[]), &new, 3).is_empty());
}

type Answers = &'static [(&'static str, &'static str)];

async fn answer_all(stream: TcpStream, answers: Answers) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let answer = |word: &str| {
        let found = answers.iter().find(|(command, _)| *command == word);
        found.map_or("-ERR what?\r\n", |&(_, answer)| answer)
    };
    let mut answered = answer("greeting");
    while write.write_all(answered.as_bytes()).await.is_ok() {
        let Ok(Some(line)) = lines.next_line().await else { return };
        assert!(!line.starts_with("DELE"), "nothing may be deleted");
        answered = answer(line.split(' ').next().unwrap_or_default());
    }
}

/// A server that answers commands by their first word out of `answers`; others with -ERR.
async fn server(answers: Answers) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_all(stream, answers));
        }
    });
    port
}

const GOOD: Answers = &[
    ("greeting", "+OK\r\n"),
    ("USER", "+OK\r\n"),
    ("PASS", "+OK\r\n"),
    ("STAT", "+OK 1 5\r\n"),
    ("LIST", "+OK\r\n1 5\r\n.\r\n"),
    ("UIDL", "+OK\r\n1 a\r\n.\r\n"),
    ("RETR", "+OK\r\n..a\r\n.\r\n"),
    ("QUIT", "+OK\r\n"),
];

async fn between(old: u16, new: u16) -> Compared {
    let trust = TlsClient::new(&Trust::Anybody, &[]).unwrap();
    let server = |port: u16| {
        let address = format!("127.0.0.1:{port}").parse().unwrap();
        Server::new(&address, Some(Security::Cleartext), trust.clone(), None).unwrap()
    };
    let plan = Plan {
        old: server(old),
        new: server(new),
        sample: 3,
        retr: false,
        patience: Duration::from_secs(20),
        connections: 2,
    };
    let account = Account { login: "a".into(), password: Zeroizing::new("p".into()) };
    let done = AtomicUsize::new(0);
    let mut results = compare(plan, vec![account], || {
        done.fetch_add(1, Ordering::Relaxed);
    })
    .await;
    assert_eq!(done.into_inner(), 1);
    results.pop().unwrap()
}

#[tokio::test]
async fn a_message_whose_size_is_wrong() {
    let good = server(GOOD).await;
    // "..a" is ".a": four octets and not five.
    let result = between(good, good).await;
    let said: Vec<_> = result.findings.iter().map(ToString::to_string).collect();
    let expected = ["old server", "new server"]
        .map(|side| format!("{side}: message 1 has 4 octets, and LIST says 5"));
    assert_eq!(said, expected);
    assert_eq!((result.sampled, result.failure), (1, None));
}

#[tokio::test]
async fn servers_that_misbehave_are_named() {
    let good = server(GOOD).await;
    for (answers, expected) in [
        (&[("greeting", "220 smtp\r\n")][..], "its greeting is no POP3: 220 smtp"),
        (&[("greeting", "-ERR [SYS/TEMP] no\r\n")], "it refuses its greeting: -ERR [SYS/TEMP] no"),
        (
            &[("greeting", "+OK\r\n"), ("USER", "+OK\r\n"), ("PASS", "-ERR [AUTH] no\r\n")],
            "it refuses the login: -ERR [AUTH] no",
        ),
        (
            &[
                ("greeting", "+OK\r\n"),
                ("USER", "+OK\r\n"),
                ("PASS", "+OK\r\n"),
                ("STAT", "+OK 2 9\r\n"),
                ("LIST", "+OK\r\n1 5\r\n3 4\r\n.\r\n"),
            ],
            "LIST: \"3 4\" is no line for message 2",
        ),
        (
            &[
                ("greeting", "+OK\r\n"),
                ("USER", "+OK\r\n"),
                ("PASS", "+OK\r\n"),
                ("STAT", "+OK 2 9\r\n"),
                ("LIST", "+OK\r\n1 5\r\n2 4\r\n.\r\n"),
                ("UIDL", "+OK\r\n1 a\r\n.\r\n"),
            ],
            "LIST has 2 messages and UIDL 1",
        ),
    ] {
        let bad = server(answers).await;
        let failure = between(good, bad).await.failure.unwrap();
        assert_eq!(failure, format!("new server: {expected}"));
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let good = server(GOOD).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let trust = TlsClient::new(&Trust::Anybody, &[]).unwrap();
    let at = |port: u16, security| {
        let address = format!("127.0.0.1:{port}").parse().unwrap();
        Server::new(&address, Some(security), trust.clone(), None).unwrap()
    };
    let port = silent.local_addr().unwrap().port();
    for security in [Security::Cleartext, Security::Implicit] {
        let plan = Plan {
            old: at(good, Security::Cleartext),
            new: at(port, security),
            sample: 1,
            retr: true,
            patience: Duration::from_millis(300),
            connections: 1,
        };
        let account = Account { login: "a".into(), password: Zeroizing::new("p".into()) };
        let results = compare(plan, vec![account], || {}).await;
        let failure = results[0].failure.as_deref().unwrap();
        assert!(failure.starts_with("new server: no"), "{failure}");
    }
}
