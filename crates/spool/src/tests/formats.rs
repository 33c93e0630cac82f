//! Payloads and frames: what is written is read, and no octets at all make a reader panic.

use std::net::IpAddr;

use address::{AccountKey, Mailbox, ReversePath};
use envelope::{ByMode, Coding, EnvelopeId, Notify, OriginalRecipient, Ret};
use proptest::prelude::*;
use serde::Deserialize;
use serde::de::IntoDeserializer;

use crate::codec::{Encoder, Malformed};
use crate::message::{self, Message, Summary, milliseconds, timestamp};
use crate::note::{Cut, Finished, Seal};
use crate::progress::{Progress, State, set_held};
use crate::record::{HEADER, Header, Kind, span};
use crate::{DeliverBy, Envelope, Origin, QueueId, Recipient, RecipientState, Size, Wishes};

fn mailboxes() -> impl Strategy<Value = Mailbox> {
    prop_oneof![
        "[a-zA-Z0-9]{1,20}@[a-z]{1,10}\\.example".prop_map(|text| text.parse().unwrap()),
        "\"[a-z @.]{1,20}\"@[a-z]{1,10}\\.example".prop_map(|text| text.parse().unwrap()),
        "[äöüß本]{1,5}@[äöü]{1,5}\\.example".prop_map(|text| text.parse().unwrap()),
        any::<[u16; 8]>().prop_map(|parts| {
            let address = std::net::Ipv6Addr::from(parts);
            format!("x@[IPv6:{address}]").parse().unwrap()
        }),
    ]
}

fn origins() -> impl Strategy<Value = Origin> {
    prop_oneof![
        Just(Origin::Report),
        any::<IpAddr>().prop_map(|client| Origin::Inbound { client }),
        ("[a-z]{1,9}(@[a-z]{1,9}\\.example)?", "[a-z-]{0,20}", any::<IpAddr>()).prop_map(
            |(account, authority, client)| Origin::Submitted {
                account: AccountKey::parse(&account, None).unwrap(),
                authority: authority.into(),
                client,
            }
        ),
    ]
}

fn codings() -> impl Strategy<Value = Coding> {
    prop_oneof![Just(Coding::SevenBit), Just(Coding::EightBit), Just(Coding::Binary)]
}

prop_compose! {
    fn recipients()(
        mailbox in mailboxes(),
        notify in proptest::sample::select(vec!["", "NEVER", "SUCCESS,DELAY", "FAILURE"]),
        original in proptest::option::of("rfc822;[a-z]{1,9}@[a-z]{1,9}"),
    ) -> Recipient {
        Recipient {
            mailbox,
            notify: Notify::parse(notify).unwrap_or_default(),
            original: original.and_then(|text| OriginalRecipient::parse(&text)),
        }
    }
}

prop_compose! {
    fn wishes()(
        ret in proptest::option::of(prop_oneof![Just(Ret::Full), Just(Ret::Headers)]),
        envid in proptest::option::of("[a-zA-Z0-9 +=]{1,20}"),
        hold in proptest::option::of(0..10_000_000_000_000_i64),
        by in proptest::option::of((0..10_000_000_000_000_i64, any::<bool>(), any::<bool>())),
        require_tls: bool, tls_optional: bool,
        submitter in proptest::option::of(mailboxes()),
    ) -> Wishes {
        let deliver_by = by.map(|(at, returns, trace)| {
            let mode = if returns { ByMode::Return } else { ByMode::Notify };
            DeliverBy { at: timestamp(at), mode, trace }
        });
        let coded = |text: String| envelope::xtext::encode(text.as_bytes());
        Wishes {
            ret,
            envid: envid.and_then(|text| EnvelopeId::parse(&coded(text))),
            hold_until: hold.map(timestamp),
            deliver_by,
            require_tls,
            tls_optional,
            submitter,
        }
    }
}

prop_compose! {
    fn messages()(
        id: u64, octets: u64, crc: u32, external: bool, smtputf8: bool, coding in codings(), wishes in wishes(),
        received in -1_000_000_000_000_i64..10_000_000_000_000,
        sender in proptest::option::of(mailboxes()),
        recipients in proptest::collection::vec(recipients(), 1..20),
        origin in origins(), reason in proptest::option::of(".{0,30}"),
    ) -> Message {
        let (id, not_before) = (QueueId::from_u64(id), wishes.hold_until.map(milliseconds));
        let review = reason.is_some();
        let summary = Summary { id, octets, received, crc, external, review, not_before };
        let envelope = Envelope {
            sender: sender.map_or(ReversePath::Null, ReversePath::Mailbox),
            recipients,
            smtputf8,
            coding,
            wishes,
            received_at: timestamp(received),
        };
        Message { summary, envelope, origin, review: reason.map(Into::into) }
    }
}

fn progress() -> impl Strategy<Value = Progress> {
    let states = [RecipientState::Pending, RecipientState::Done, RecipientState::Failed];
    let state = prop::sample::select(states.to_vec());
    let reply = proptest::option::of("(450|550) .{1,20}");
    (state, any::<u32>(), any::<i64>(), reply, any::<bool>()).prop_map(
        |(state, attempts, due, reply, delay_reported)| Progress {
            state,
            attempts,
            due,
            reply: reply.map(Into::into),
            delay_reported,
        },
    )
}

prop_compose! {
    fn states()(
        id: u64, held: bool, due: i64, recipients in proptest::collection::vec(progress(), 0..30)
    ) -> State {
        State { id: QueueId::from_u64(id), held, due, recipients }
    }
}

proptest! {
    #[test]
    fn messages_round_trip(message in messages()) {
        let Message { summary, envelope, origin, review } = &message;
        let payload = message::encode(summary, envelope, origin, review.as_deref());
        prop_assert_eq!(message::decode_summary(&payload), Ok(message.summary));
        prop_assert_eq!(message::decode(&payload), Ok(message.clone()));
        for length in 0..payload.len() {
            prop_assert!(message::decode(&payload[..length]).is_err());
        }
    }

    #[test]
    fn states_round_trip_and_held_can_be_set_in_place(mut state in states(), held: bool) {
        let mut payload = state.encode(usize::MAX);
        prop_assert_eq!(State::decode(&payload), Ok(state.clone()));
        set_held(&mut payload, held);
        state.held = held;
        prop_assert_eq!(State::decode(&payload), Ok(state.clone()));
        prop_assert_eq!(State::decode_front(&payload), Ok((state.id, held, state.due)));
        // Where there is little room, replies go and everything else stays.
        let short = State::decode(&state.encode(0)).unwrap();
        for (short, whole) in short.recipients.iter().zip(&state.recipients) {
            prop_assert_eq!(&short.reply, &None);
            prop_assert_eq!((short.state, short.attempts, short.due), (whole.state, whole.attempts, whole.due));
        }
    }

    #[test]
    fn notes_round_trip(id: u64, targets: Vec<u32>, cuts: Vec<(u32, u32)>, seal: (u32, u32, u32)) {
        let finished = Finished { id: QueueId::from_u64(id), targets };
        prop_assert_eq!(Finished::decode(&finished.encode()), Ok(finished));
        let cuts: Vec<_> = cuts.into_iter().map(|(generation, from)| Cut { generation, from }).collect();
        prop_assert_eq!(Cut::decode_all(&Cut::encode_all(&cuts)), Ok(cuts));
        let seal = Seal { generation: seal.0, batches: seal.1, tail: seal.2 };
        prop_assert_eq!(Seal::decode(&seal.encode()), Ok(seal));
    }

    #[test]
    fn any_octets_are_read_without_panic(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = message::decode(&octets);
        let _ = message::decode_summary(&octets);
        let _ = State::decode(&octets);
        let _ = Finished::decode(&octets);
        let _ = Cut::decode_all(&octets);
        let _ = Seal::decode(&octets);
        if let Some(frame) = octets.first_chunk::<HEADER>() {
            let salt = u64::from_le_bytes(*octets.first_chunk().unwrap());
            let _ = Header::parse(frame, salt);
        }
    }

    #[test]
    fn a_frame_holds_only_for_its_own_octets_and_place(
        index in 0_u16..100, more in 1_u16..100, batch in 1_u32.., body_len: u32, body_crc: u32,
        salt: u64, offset: u64, meta in proptest::collection::vec(any::<u8>(), 0..100), bit: u16,
    ) {
        let header = Header {
            kind: Kind::State, index, count: index + more, batch,
            meta_len: meta.len() as u32, body_len, body_crc,
        };
        let frame = header.seal(salt, offset, &meta);
        prop_assert_eq!(Header::parse(&frame, salt), Some(header));
        prop_assert!(Header::holds(&frame, &meta, offset));
        prop_assert_eq!(Header::parse(&frame, salt ^ 1), None);
        prop_assert!(!Header::holds(&frame, &meta, offset ^ 8));
        let mut whole = [&frame[..], &meta].concat();
        let at = usize::from(bit) % (whole.len() * 8);
        whole[at / 8] ^= 1 << (at % 8);
        let (frame, meta) = whole.split_first_chunk::<HEADER>().unwrap();
        // Two octets are spare and unread until they have a meaning; a change in them shows too.
        prop_assert!(Header::parse(frame, salt).is_none() || !Header::holds(frame, meta, offset));
        prop_assert_eq!(span(5, 0), 48);
    }

    #[test]
    fn ids_and_sizes_round_trip(number: u64, octets in 0_u64..1 << 50, rubbish in ".{0,20}") {
        let id = QueueId::from_u64(number);
        prop_assert_eq!(id.to_string().parse(), Ok(id));
        prop_assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        let other = QueueId::from_u64(number.rotate_left(7));
        prop_assert_eq!(id.cmp(&other), id.to_string().cmp(&other.to_string()));
        let _ = rubbish.parse::<QueueId>();
        prop_assert_eq!(Size::parse(&Size(octets).to_string()), Ok(Size(octets)));
        let _ = Size::parse(&rubbish);
    }
}

#[test]
fn records_from_before_there_were_submitters_are_read_and_written_as_before() {
    let mut record = Encoder::with_capacity(200);
    // Eight-bit, with wishes; REQUIRETLS alone.
    record.u64(7).u64(100).i64(1_700_000_000_000).u32(0xabcd).u8(2 | 16);
    record.u8(1).text("anna@example.net").text("smtp-auth").u8(4).octets(&[192, 0, 2, 7]);
    record.text("anna@example.net").u32(1).text("ben@example.org");
    record.u8(64).text("").u32(0);
    let record = record.finish();
    let Message { summary, envelope, origin, review } = message::decode(&record).unwrap();
    assert!(envelope.wishes.require_tls && envelope.wishes.submitter.is_none());
    assert_eq!(message::encode(&summary, &envelope, &origin, review.as_deref()), record);
    // A submitter stands behind all that, and behind it nothing else may stand.
    let mut named = envelope.clone();
    named.wishes.submitter = Some("meier@example.net".parse().unwrap());
    let longer = message::encode(&summary, &named, &origin, None);
    assert_eq!(message::decode(&longer).unwrap().envelope, named);
    assert!(longer.len() > record.len());
    let mut unknown = longer.clone();
    unknown[record.len()] = 2;
    assert_eq!(message::decode(&unknown), Err(Malformed));
}

#[test]
fn sizes_in_configuration_are_numbers_or_text_and_never_negative() {
    type Wrong = serde::de::value::Error;
    let text =
        |text: &'static str| Size::deserialize(IntoDeserializer::<Wrong>::into_deserializer(text));
    let number = |n: i64| Size::deserialize(IntoDeserializer::<Wrong>::into_deserializer(n));
    assert_eq!(text("64MiB"), Ok(Size::mib(64)));
    assert_eq!(number(4096), Ok(Size(4096)));
    let error = text("64 parsecs").unwrap_err().to_string();
    assert!(error.contains("64 parsecs") && error.contains("\"64MiB\""), "{error}");
    assert!(number(-1).is_err());
}

#[test]
fn sizes_are_written_as_people_write_them() {
    for (text, octets) in [("64MiB", 64 << 20), ("64 mib", 64 << 20), ("1G", 1 << 30), ("7", 7)] {
        assert_eq!(Size::parse(text), Ok(Size(octets)), "{text}");
    }
    for text in ["", "MiB", "-1", "1.5GiB", "64 MB ago", "99999999999999999999", "99999999999G"] {
        assert!(Size::parse(text).is_err(), "{text}");
    }
    assert_eq!(Size::mib(64).to_string(), "64MiB");
}
