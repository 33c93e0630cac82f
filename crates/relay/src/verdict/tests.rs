//! What replies mean for a recipient.

use smtp_proto::client::{
    Channel, Event, Message, Opening, Plan, Protocol, Recipient, ReplyReader, Step, TlsUse,
};

use super::*;

fn reply(text: &str) -> Reply {
    let mut reader = ReplyReader::new();
    reader.feed(format!("{text}\r\n").as_bytes());
    reader.next_reply().unwrap().unwrap().keep()
}

fn remote() -> Arc<str> {
    "next.example[192.0.2.1]:25".into()
}

fn said(text: &str, at: Stage) -> (Kind, String) {
    let verdict = Verdict::from_reply(&reply(text), at, &remote());
    (verdict.kind, verdict.status.to_string())
}

const LATER: Kind = Kind::Deferred { not_before: None };

#[test]
fn codes() {
    assert_eq!(said("250 2.0.0 ok", Stage::EndOfData), (Kind::Delivered, "2.0.0".into()));
    assert_eq!(said("250 ok", Stage::EndOfData), (Kind::Delivered, "2.0.0".into()));
    assert_eq!(said("450 4.2.1 busy", Stage::Recipient), (LATER, "4.2.1".into()));
    assert_eq!(said("451 busy", Stage::Envelope), (LATER, "4.0.0".into()));
    assert_eq!(said("550 5.1.1 who?", Stage::Recipient), (Kind::Failed, "5.1.1".into()));
    assert_eq!(said("554 no", Stage::EndOfData), (Kind::Failed, "5.0.0".into()));
    assert_eq!(said("552 5.3.4 too big", Stage::EndOfData), (Kind::Failed, "5.3.4".into()));
}

#[test]
fn our_own_fault_is_not_the_messages() {
    for text in ["530 5.7.0 authenticate first", "535 5.7.8 no", "538 5.7.11 encrypt"] {
        assert_eq!(said(text, Stage::Envelope).0, LATER, "{text}");
        assert_eq!(said(text, Stage::Recipient).0, LATER, "{text}");
        assert_eq!(said(text, Stage::EndOfData).0, Kind::Failed, "{text}");
    }
}

#[test]
fn too_many_recipients_is_never_final() {
    assert_eq!(said("552 too many", Stage::Recipient).0, LATER);
    assert_eq!(said("552 5.5.3 too many", Stage::Recipient).0, LATER);
    assert_eq!(said("552 5.2.2 mailbox full", Stage::Recipient).0, Kind::Failed);
    assert_eq!(said("552 too big", Stage::EndOfData).0, Kind::Failed);
}

/// Plays one transaction with three recipients; `replies` begin with that to MAIL.
fn outcome(replies: &str) -> Outcome {
    let hello = address::Host::parse("relay.example").unwrap();
    let opening = Opening::new(Plan {
        protocol: Protocol::Smtp,
        hello,
        tls: TlsUse::Never,
        credentials: None,
    });
    let mut reader = ReplyReader::new();
    reader.feed(b"220 hi\r\n250-hi\r\n250 PIPELINING\r\n");
    let step = opening.receive(reader.next_reply().unwrap().unwrap()).unwrap();
    let Step::Send(opening, _) = step else { panic!("no EHLO") };
    let step = opening.receive(reader.next_reply().unwrap().unwrap()).unwrap();
    let Step::Ready(mut channel) = step else { panic!("not ready") };
    play(&mut channel, reader, replies)
}

fn play(channel: &mut Channel, mut reader: ReplyReader, replies: &str) -> Outcome {
    let recipients = ["a@x.example", "b@x.example", "c@x.example"];
    let recipients = recipients.map(|text| address::Mailbox::parse(text).unwrap());
    let sender = address::ReversePath::Null;
    let message = Message::new(&sender, 1);
    let mut out = Vec::new();
    let recipients = recipients.iter().map(Recipient::from);
    assert!(channel.begin(&message, recipients, &mut out).unwrap().is_none());
    reader.feed(replies.replace(" / ", "\r\n").as_bytes());
    reader.feed(b"\r\n");
    loop {
        match channel.receive(reader.next_reply().unwrap().unwrap(), &mut out).unwrap() {
            Event::SendBody(body) => channel.end_body(body, &mut out),
            Event::Finished(outcome) => return outcome,
            Event::Pending | Event::Closed => {}
        }
    }
}

fn judged(replies: &str) -> Vec<String> {
    let outcome = outcome(replies);
    let judge = |place| {
        let verdict = judge(&outcome, place, &remote());
        let kind = match verdict.kind {
            Kind::Delivered => "yes",
            Kind::Deferred { .. } => "later",
            Kind::Failed => "no",
        };
        format!("{kind} {}", verdict.text)
    };
    (0..3).map(judge).collect()
}

#[test]
fn each_recipient_is_judged_by_what_was_said_to_him() {
    assert_eq!(
        judged("250 ok / 250 ok / 550 5.1.1 who / 450 4.2.1 busy / 354 go / 250 2.0.0 taken"),
        ["yes 250 2.0.0 taken", "no 550 5.1.1 who", "later 450 4.2.1 busy"]
    );
    assert_eq!(
        judged("250 ok / 250 ok / 250 ok / 550 who / 354 go / 451 4.3.0 later"),
        ["later 451 4.3.0 later", "later 451 4.3.0 later", "no 550 who"]
    );
    assert_eq!(
        judged("530 5.7.0 authenticate / 503 x / 503 x / 503 x / 503 x"),
        ["later 530 5.7.0 authenticate"; 3]
    );
    assert_eq!(
        judged("250 ok / 550 who / 550 who / 552 too many / 503 none"),
        ["no 550 who", "no 550 who", "later 552 too many"]
    );
}

#[test]
fn crowded_out_only_where_others_got_through() {
    let crowded = |replies: &str| {
        let outcome = outcome(replies);
        [0, 1, 2].map(|place| is_crowded_out(&outcome, place))
    };
    let some = "250 ok / 250 ok / 452 4.5.3 too many / 452 4.2.2 full / 354 go / 250 taken";
    assert_eq!(crowded(some), [false, true, false]);
    let all = "250 ok / 452 too many / 452 too many / 452 too many / 503 none";
    assert_eq!(crowded(all), [false; 3]);
    let refused = "250 ok / 250 ok / 452 too many / 250 ok / 354 go / 451 no";
    assert_eq!(crowded(refused), [false; 3]);
}
