//! Conversations with milters: good ones, strict ones, broken ones.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod kit;

use bytes::Bytes;
use filter::{Answer, Changes, Outcome, Refusal, Selection};
use kit::{BEN, HEADER, Milter, SENDER, body, client, message, milters, options, reply};

/// What a milter that is at fault answers to a command.
type Faulty = fn(&kit::Packet) -> Option<Vec<kit::Packet>>;

const IMPATIENT: &str = "connect_timeout = \"200ms\"\ncommand_timeout = \"200ms\"\n\
                         message_timeout = \"1s\"\n";

async fn whole(selection: &Selection, body: &Vec<Bytes>) -> Outcome {
    let recipients = ["ben@example.org".to_owned()];
    let mut conversation = selection.begin(client());
    match conversation.mail(&SENDER).await {
        Answer::Pass => {}
        Answer::Refuse(refusal) => return Outcome::Refuse(refusal),
    }
    match conversation.recipient(&BEN).await {
        Answer::Pass => {}
        Answer::Refuse(refusal) => return Outcome::Refuse(refusal),
    }
    conversation.message(&message(body, &recipients)).await
}

fn refusal(outcome: Outcome) -> Refusal {
    match outcome {
        Outcome::Refuse(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_milter_sees_the_whole_transaction() {
    let milter = Milter::start(0, |_| None).await;
    let (filters, selection) = milters(&[milter.port], "");
    assert_eq!(whole(&selection, &body()).await, Outcome::Accept(Changes::default()));
    assert_eq!(milter.letters().trim_end_matches('Q'), "OCHMRTLLLNBBE");
    assert_eq!(milter.text(b'C'), "[192.0.2.7]\u{0}4\u{12}g192.0.2.7\u{0}");
    assert_eq!(milter.text(b'H'), "anna-pc\0");
    assert_eq!(milter.text(b'M'), "<anna@example.net>\0SIZE=1000\0");
    assert_eq!(milter.text(b'R'), "<ben@example.org>\0");
    assert_eq!(milter.data(b'L')[1], b"Subject\0one\n two\0");
    assert_eq!(milter.text(b'B'), "Hello\r\nBen\r\n");
    let macros = milter.text(b'D');
    for wanted in ["{auth_authen}\0anna@example.net\0", "i\0token\0", "{tls_version}\0TLSv1.3\0"] {
        assert!(macros.contains(wanted), "{macros:?}");
    }
    assert_eq!(filters.statistics().passed, 1);
}

#[tokio::test]
async fn what_a_milter_does_without_is_not_sent() {
    // No HELO, no body; no answers to header fields and the end of them; blanks are kept.
    let quiet = 0x2 | 0x10 | 0x80 | 0x4_0000 | 0x10_0000;
    let milter = Milter::start(quiet, |packet| match packet.0 {
        b'L' | b'N' => Some(vec![]),
        _ => None,
    })
    .await;
    let (_, selection) = milters(&[milter.port], IMPATIENT);
    assert_eq!(whole(&selection, &body()).await, Outcome::Accept(Changes::default()));
    assert_eq!(milter.letters().trim_end_matches('Q'), "OCMRTLLLNE");
    assert_eq!(milter.data(b'L')[0], b"From\0 anna@example.net\0");
}

#[tokio::test]
async fn changes_reach_the_message_and_the_next_milter() {
    let first = Milter::start(0, |packet| match packet.0 {
        b'E' => Some(vec![
            reply(b'h', b"X-Spam\0no\0"),
            reply(b'm', b"\0\0\0\x01Subject\0changed\0"),
            reply(b'i', b"\0\0\0\0Top\0first\0"),
            reply(b'p', b""),
            reply(b'b', b"New "),
            reply(b'b', b"body\r\n"),
            reply(b'+', b"<copy@example.net>\0"),
            reply(b'-', b"<ben@example.org>\0"),
            reply(b'e', b"<bounces@example.net>\0"),
            reply(b'a', b""),
        ]),
        _ => None,
    })
    .await;
    let second = Milter::start(0, |_| None).await;
    let (filters, selection) = milters(&[first.port, second.port], "");
    let Outcome::Accept(changes) = whole(&selection, &body()).await else { panic!() };
    let header = String::from_utf8(changes.header.unwrap()).unwrap();
    let expected = "Top: first\r\nFrom: anna@example.net\r\nSubject: changed\r\n\
                    To: ben@example.org\r\nX-Spam: no\r\n";
    assert_eq!(header, expected);
    assert_eq!(changes.body.unwrap().concat(), b"New body\r\n");
    assert_eq!(changes.sender.unwrap(), "bounces@example.net");
    assert_eq!(
        (changes.added, changes.removed),
        (vec!["copy@example.net".to_owned()], vec!["ben@example.org".to_owned()],)
    );
    assert_eq!(second.text(b'B'), "New body\r\n");
    assert_eq!(second.data(b'L').len(), 5);
    assert_eq!(filters.statistics().changed, 1);
}

#[tokio::test]
async fn one_that_may_not_change_anything_changes_nothing() {
    let milter = Milter::start(0, |packet| match packet.0 {
        b'E' => Some(vec![
            reply(b'b', b"x"),
            reply(b'-', b"<ben@example.org>\0"),
            reply(b'q', b"looks odd\0"),
            reply(b'c', b""),
        ]),
        _ => None,
    })
    .await;
    let (filters, selection) = milters(&[milter.port], "may_change = false");
    let held = Outcome::Hold { reason: "looks odd".to_owned(), changes: Changes::default() };
    assert_eq!(whole(&selection, &body()).await, held);
    assert_eq!(filters.statistics().held, 1);
}

#[tokio::test]
async fn refusals_come_at_each_step() {
    for (at, answer, code, text) in [
        (b'C', reply(b'r', b""), 550, "The message was refused by a filter"),
        (b'H', reply(b't', b""), 451, "The message cannot be taken now, try again later"),
        (b'M', reply(b'y', b"550 5.7.9 not you\0"), 550, "not you"),
        (b'R', reply(b'y', b"450 4.2.1 busy\0"), 450, "busy"),
        (b'T', reply(b'r', b""), 550, "The message was refused by a filter"),
        (b'L', reply(b'y', b"554 5.6.0 bad field\0"), 554, "bad field"),
        (b'N', reply(b'r', b""), 550, "The message was refused by a filter"),
        (b'B', reply(b'y', b"550-5.7.1 a virus:\r\n550 5.7.1 Eicar\0"), 550, "a virus:\nEicar"),
        (b'E', reply(b'y', b"551 5.7.1 no\0"), 551, "no"),
    ] {
        let milter =
            Milter::start(0, move |packet| (packet.0 == at).then(|| vec![answer.clone()])).await;
        let (filters, selection) = milters(&[milter.port], "");
        let refusal = refusal(whole(&selection, &body()).await);
        assert_eq!((refusal.code, refusal.text.as_str()), (code, text), "{}", char::from(at));
        assert!(!refusal.is_failure && refusal.filter == "m0");
        assert_eq!(filters.statistics().refused, 1);
    }
}

#[tokio::test]
async fn a_refused_recipient_leaves_the_others() {
    let milter = Milter::start(0, |packet| {
        (packet.0 == b'R' && packet.1.starts_with(b"<eve")).then(|| vec![reply(b'r', b"")])
    })
    .await;
    let (_, selection) = milters(&[milter.port], "");
    let mut conversation = selection.begin(client());
    assert_eq!(conversation.mail(&SENDER).await, Answer::Pass);
    let eve = filter::Recipient { path: "eve@example.org", before: 0 };
    assert!(matches!(conversation.recipient(&eve).await, Answer::Refuse(_)));
    assert_eq!(conversation.recipient(&BEN).await, Answer::Pass);
    let recipients = ["ben@example.org".to_owned()];
    let outcome = conversation.message(&message(&body(), &recipients)).await;
    assert_eq!(outcome, Outcome::Accept(Changes::default()));
}

#[tokio::test]
async fn one_that_has_seen_enough_is_asked_no_more() {
    let milter =
        Milter::start(0, |packet| (packet.0 == b'R').then(|| vec![reply(b'a', b"")])).await;
    let (_, selection) = milters(&[milter.port], "");
    assert_eq!(whole(&selection, &body()).await, Outcome::Accept(Changes::default()));
    assert_eq!(milter.letters().trim_end_matches('Q'), "OCHMR");

    let skipping =
        Milter::start(0x400, |packet| (packet.0 == b'B').then(|| vec![reply(b's', b"")]));
    let skipping = skipping.await;
    let (_, selection) = milters(&[skipping.port], "");
    assert_eq!(whole(&selection, &body()).await, Outcome::Accept(Changes::default()));
    assert_eq!(skipping.text(b'B'), "Hello\r\n");
}

#[tokio::test]
async fn a_discard_is_kept_until_the_end() {
    for at in *b"MRE" {
        let milter =
            Milter::start(0, move |packet| (packet.0 == at).then(|| vec![reply(b'd', b"")])).await;
        let (filters, selection) = milters(&[milter.port], "");
        let dropped = Outcome::Discard { filter: "m0".to_owned() };
        assert_eq!(whole(&selection, &body()).await, dropped, "{}", char::from(at));
        assert_eq!(filters.statistics().discarded, 1);
    }
}

#[tokio::test]
async fn a_large_body_goes_in_pieces() {
    let milter = Milter::start(0x8_0000, |packet| (packet.0 == b'B').then(Vec::new)).await;
    let (_, selection) = milters(&[milter.port], "");
    let line = b"0123456789012345678901234567890123456789012345678901234567890123456789\r\n";
    let large: Vec<Bytes> = (0..5).map(|_| Bytes::from(line.repeat(20_000))).collect();
    assert_eq!(whole(&selection, &large).await, Outcome::Accept(Changes::default()));
    let pieces = milter.data(b'B');
    assert!(pieces.iter().all(|piece| piece.len() <= 65_535));
    assert_eq!(pieces.concat(), large.concat());
}

#[tokio::test]
async fn one_that_fails_decides_nothing() {
    let broken: Vec<(&str, Faulty)> = vec![
        ("closes at once", |packet| (packet.0 == b'O').then(|| vec![reply(0, b"")])),
        ("closes in the body", |packet| (packet.0 == b'B').then(|| vec![reply(0, b"")])),
        ("hangs at RCPT", |packet| (packet.0 == b'R').then(Vec::new)),
        ("hangs at the end", |packet| (packet.0 == b'E').then(Vec::new)),
        ("talks nonsense", |packet| (packet.0 == b'M').then(|| vec![reply(b'?', b"")])),
        ("changes too early", |packet| (packet.0 == b'M').then(|| vec![reply(b'h', b"A\0b\0")])),
        ("wants too much", |packet| (packet.0 == b'O').then(|| vec![options(0x1000_0000)])),
        ("has no end", |packet| (packet.0 == b'E').then(|| vec![reply(b'p', b""); 10_001])),
        ("smuggles a field", |packet| {
            (packet.0 == b'E').then(|| vec![reply(b'h', b"A b\0c\0"), reply(b'c', b"")])
        }),
        ("gives up", |packet| (packet.0 == b'C').then(|| vec![reply(b'f', b"")])),
    ];
    for (what, script) in broken {
        let milter = Milter::start(0, script).await;
        let (filters, strict) = milters(&[milter.port], IMPATIENT);
        let refused = refusal(whole(&strict, &body()).await);
        assert_eq!((refused.code, refused.enhanced.as_str()), (451, "4.7.1"), "{what}");
        assert!(refused.is_failure, "{what}");
        assert_eq!(filters.statistics().failures, 1, "{what}");
        let mild = IMPATIENT.to_owned() + "on_failure = \"accept\"";
        let (_, mild) = milters(&[milter.port], &mild);
        let accepted = matches!(whole(&mild, &body()).await, Outcome::Accept(_));
        assert!(accepted, "{what}");
    }
}

#[tokio::test]
async fn one_that_is_away_or_busy_decides_nothing_either() {
    let away = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = away.local_addr().unwrap().port();
    drop(away);
    let (_, selection) = milters(&[port], IMPATIENT);
    assert!(refusal(whole(&selection, &body()).await).is_failure);

    let milter = Milter::start(0, |_| None).await;
    let (_, selection) = milters(&[milter.port], &(IMPATIENT.to_owned() + "connections_max = 1"));
    let mut first = selection.begin(client());
    assert_eq!(first.mail(&SENDER).await, Answer::Pass);
    assert!(refusal(whole(&selection, &body()).await).is_failure);
    drop(first);
    assert_eq!(whole(&selection, &body()).await, Outcome::Accept(Changes::default()));
}

#[tokio::test]
async fn many_transactions_at_once() {
    let milter = Milter::start(0, |_| None).await;
    let (filters, selection) = milters(&[milter.port], "connections_max = 8");
    let all: Vec<_> = (0..50)
        .map(|_| {
            let selection = selection.clone();
            tokio::spawn(async move { whole(&selection, &body()).await })
        })
        .collect();
    for one in all {
        assert_eq!(one.await.unwrap(), Outcome::Accept(Changes::default()));
    }
    assert_eq!(filters.statistics().passed, 50);
}

#[test]
fn the_header_of_these_tests_is_one() {
    assert!(HEADER.ends_with(b"\r\n"));
}
