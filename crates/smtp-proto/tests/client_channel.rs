//! The channel against a next hop that answers at random: what the client reports must be what
//! the next hop did, and the next hop must never see a command out of order.

#![allow(clippy::unwrap_used, reason = "a test's helpers may fail by panic")]

mod client_kit;

use std::collections::VecDeque;

use address::{Host, Mailbox, ReversePath};
use client_kit::NextHop;
use envelope::Coding;
use proptest::prelude::*;
use smtp_proto::client::{
    Body, Channel, Event, Message, Opening, Plan, Protocol, Recipient, ReplyReader, Step, TlsUse,
    Unfinished, Unsendable,
};

fn open(ehlo: &[u8]) -> Channel {
    let hello = Host::parse("relay.example").unwrap();
    let opening = Opening::new(Plan {
        protocol: Protocol::Smtp,
        hello,
        tls: TlsUse::Never,
        credentials: None,
    });
    let mut reader = ReplyReader::new();
    reader.feed(b"220 hi\r\n");
    let Ok(Step::Send(opening, _)) = opening.receive(reader.next_reply().unwrap().unwrap()) else {
        panic!("no EHLO");
    };
    reader.feed(ehlo);
    match opening.receive(reader.next_reply().unwrap().unwrap()) {
        Ok(Step::Ready(channel)) => channel,
        other => panic!("not ready: {other:?}"),
    }
}

fn feed(channel: &mut Channel, mut body: Body, text: &[u8], out: &mut Vec<u8>) {
    for chunk in text.chunks(5) {
        body.write(chunk, out);
        channel.pass_on(&mut body, out);
    }
    channel.end_body(body, out);
}

/// Every third message claims to be large.
fn sizes(index: usize) -> u64 {
    if index % 3 == 2 { 1_000_000 } else { 0 }
}

/// Sends each of `messages` (recipients and text); returns the recipients that the client
/// reports as delivered, message by message.
fn send_all(
    channel: &mut Channel,
    hop: &mut NextHop,
    messages: &[(Vec<Mailbox>, Vec<u8>)],
) -> Vec<Vec<String>> {
    let sender = ReversePath::parse("<aiko@example.org>").unwrap();
    let mut reader = ReplyReader::new();
    let (mut begun, mut bodies) = (0, 0);
    let mut delivered = Vec::new();
    let mut out = Vec::new();
    let mut trace = VecDeque::new();
    while delivered.len() < messages.len() {
        if channel.may_begin() && begun < messages.len() {
            // What it claims decides between one go and chunks.
            let octets = messages[begun].1.len() as u64 + sizes(begun);
            let message = Message::new(&sender, octets);
            let body = channel.begin(&message, to(&messages[begun].0), &mut out).unwrap();
            trace.push_back(begun);
            if let Some(body) = body {
                bodies += 1;
                feed(channel, body, &messages[begun].1, &mut out);
            }
            begun += 1;
            continue;
        }
        assert!(!channel.extensions().pipelining || out.len() < 70_000, "unbounded output");
        hop.take(&std::mem::take(&mut out));
        let replies = std::mem::take(&mut hop.replies);
        assert!(!replies.is_empty(), "both wait for the other");
        for octet in replies.chunks(7) {
            reader.feed(octet);
            while let Some(reply) = reader.next_reply().unwrap() {
                match channel.receive(reply, &mut out).unwrap() {
                    Event::Pending => {}
                    Event::SendBody(body) => {
                        let index = *trace.back().unwrap();
                        bodies += 1;
                        feed(channel, body, &messages[index].1, &mut out);
                    }
                    Event::Finished(outcome) => {
                        let index = trace.pop_front().unwrap();
                        let recipients = messages[index].0.iter().enumerate();
                        let yes = recipients.filter(|(i, _)| outcome.result(*i).unwrap().is_ok());
                        delivered.push(yes.map(|(_, mailbox)| mailbox.to_string()).collect());
                    }
                    Event::Closed => panic!("nobody said QUIT"),
                }
            }
        }
    }
    assert!(channel.is_idle() && bodies <= messages.len());
    delivered
}

fn to(mailboxes: &[Mailbox]) -> impl Iterator<Item = Recipient<'_>> {
    mailboxes.iter().map(Recipient::from)
}

fn mailboxes(count: usize) -> Vec<Mailbox> {
    (0..count).map(|i| Mailbox::parse(&format!("r{i}@example.net")).unwrap()).collect()
}

const PIPELINED: &[u8] = b"250-hi\r\n250 PIPELINING\r\n";
const CHUNKED: &[u8] = b"250-hi\r\n250 CHUNKING\r\n";
const BOTH: &[u8] = b"250-hi\r\n250-CHUNKING\r\n250 PIPELINING\r\n";

proptest! {
    #[test]
    fn reports_what_happened(
        ehlo in prop::sample::select(vec![PIPELINED, CHUNKED, BOTH, b"250 hi\r\n"]),
        dice in prop::collection::vec(any::<u8>(), 0..120),
        sizes in prop::collection::vec((1_usize..5, "([.]{0,2}[a-c]{0,3}\r\n){0,4}"), 1..12),
    ) {
        let mut channel = open(ehlo);
        let mut hop = NextHop::new(dice);
        let messages: Vec<_> =
            sizes.into_iter().map(|(n, text)| (mailboxes(n), text.into_bytes())).collect();
        let delivered = send_all(&mut channel, &mut hop, &messages);
        let mut accepted = hop.accepted.into_iter();
        for (reported, (_, text)) in delivered.iter().zip(&messages) {
            if !reported.is_empty() {
                prop_assert_eq!(accepted.next(), Some((reported.clone(), text.clone())));
            }
        }
        prop_assert_eq!(accepted.next(), None);
    }
}

/// Sends two messages, cuts the connection after `octets` of replies, and returns how many
/// were reported as finished, what is unfinished, and how many the next hop took.
fn cut_after(ehlo: &[u8], octets: usize, dice: Vec<u8>) -> (usize, Vec<Unfinished>, usize) {
    let mut channel = open(ehlo);
    let mut hop = NextHop::new(dice);
    let mut reader = ReplyReader::new();
    let sender = ReversePath::Null;
    let message = Message::new(&sender, 4);
    let (mut begun, mut finished, mut left) = (0, 0, octets);
    let mut out = Vec::new();
    while finished < 2 {
        if begun < 2 && channel.may_begin() {
            let body = channel.begin(&message, to(&mailboxes(2)), &mut out).unwrap();
            begun += 1;
            if let Some(body) = body {
                feed(&mut channel, body, b"hi\r\n", &mut out);
            }
        }
        hop.take(&std::mem::take(&mut out));
        let replies = std::mem::take(&mut hop.replies);
        reader.feed(&replies[..replies.len().min(left)]);
        while let Some(reply) = reader.next_reply().unwrap() {
            match channel.receive(reply, &mut out).unwrap() {
                Event::SendBody(body) => feed(&mut channel, body, b"hi\r\n", &mut out),
                Event::Finished(_) => finished += 1,
                Event::Pending | Event::Closed => {}
            }
        }
        if replies.len() > left {
            break;
        }
        left -= replies.len();
    }
    let unfinished = channel.into_unfinished();
    assert_eq!(finished + unfinished.len(), begun);
    (finished, unfinished, hop.accepted.len())
}

proptest! {
    #[test]
    fn a_cut_connection_never_hides_a_message(
        ehlo in prop::sample::select(vec![PIPELINED, BOTH]),
        octets in 0_usize..300,
        dice in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let (finished, unfinished, accepted) = cut_after(ehlo, octets, dice);
        let unsure = unfinished.iter().filter(|gone| gone.body_sent()).count();
        prop_assert!(accepted <= finished + unsure, "taken, and not even suspected");
        prop_assert!(unfinished.len() <= 2 && (unsure <= 1 || ehlo == BOTH));
    }
}

#[test]
fn ten_thousand_recipients_go_out_in_groups() {
    let mut channel = open(PIPELINED);
    let mut hop = NextHop::new(Vec::new());
    let sender = ReversePath::Null;
    let message = Message::new(&sender, 3);
    let mut out = Vec::new();
    channel.begin(&message, to(&mailboxes(10_000)), &mut out).unwrap();
    assert!(out.len() < 9_000, "{} octets in one group", out.len());
    hop.take(&out);
    assert!(hop.replies.len() < 9_000);

    let mut channel = open(PIPELINED);
    let mut hop = NextHop::new(Vec::new());
    let messages = [(mailboxes(10_000), b"hi\r\n".to_vec())];
    let delivered = send_all(&mut channel, &mut hop, &messages);
    assert_eq!(delivered[0].len(), 10_000);
    assert_eq!(hop.accepted[0].0.len(), 10_000);
}

#[test]
fn a_body_cut_short_cannot_be_ended() {
    let mut channel = open(PIPELINED);
    let mut reader = ReplyReader::new();
    let sender = ReversePath::Null;
    let message = Message::new(&sender, 3);
    let mut out = Vec::new();
    channel.begin(&message, to(&mailboxes(1)), &mut out).unwrap();
    reader.feed(b"250 ok\r\n250 ok\r\n354 go\r\n");
    out.clear();
    let mut body = None;
    while let Some(reply) = reader.next_reply().unwrap() {
        if let Event::SendBody(permission) = channel.receive(reply, &mut out).unwrap() {
            body = Some(permission);
        }
    }
    let mut body = body.unwrap();
    body.write(b"half", &mut out);
    drop(body);
    assert_eq!(out, b"half");
    assert!(!channel.may_begin() && !channel.is_idle());
    channel.quit(&mut out);
    assert_eq!(out, b"half", "QUIT would be taken for text");
    let unfinished = channel.into_unfinished();
    assert_eq!(unfinished.len(), 1);
    assert!(!unfinished[0].body_sent());
}

#[test]
fn unsendable_leaves_the_channel_as_it_was() {
    let mut channel = open(b"250-hi\r\n250 PIPELINING\r\n");
    let sender = ReversePath::Null;
    let mut out = Vec::new();
    let message = Message { coding: Coding::EightBit, ..Message::new(&sender, 3) };
    let error = channel.begin(&message, to(&mailboxes(1)), &mut out).unwrap_err();
    assert_eq!(error, Unsendable::EightBit);
    assert!(out.is_empty() && channel.may_begin() && channel.is_idle());
    let message = Message { coding: Coding::SevenBit, smtputf8: true, ..message };
    let error = channel.begin(&message, to(&mailboxes(1)), &mut out).unwrap_err();
    assert_eq!(error, Unsendable::Utf8);
    assert!(channel.is_idle());
}
