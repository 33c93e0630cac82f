//! Changes behind a state: whole ones count, and nothing else does.

use proptest::prelude::*;

use super::*;
use crate::state::{State, codec};
use crate::tree::{FsTime, Place};
use crate::uidl;

const LIMIT: usize = 1000;

fn validity(seconds: i64) -> Validity {
    Validity { read_at: FsTime { seconds, nanos: 0 }, ..Validity::NEVER }
}

/// What is told of a message in these tests: name, octets, retrieved, own id.
type Told = (&'static str, u64, u32, Option<&'static str>);

fn snapshot(messages: &[Told]) -> Snapshot {
    let (mut text, mut entries) = (Vec::new(), Vec::new());
    for (ordinal, &(name, octets, retrieved, own)) in (0..).zip(messages) {
        let start = text.len() as u32;
        text.extend_from_slice(name.as_bytes());
        let base_len = crate::name::base(name.as_bytes()).len() as u8;
        let (uidl, uidl_len) = match own {
            None => (start, base_len),
            Some(own) => {
                text.extend_from_slice(own.as_bytes());
                ((text.len() - own.len()) as u32, own.len() as u8)
            }
        };
        entries.push(Entry {
            name: start,
            uidl,
            name_len: name.len() as u8,
            base_len,
            uidl_len,
            place: if name.contains(':') { Place::Cur } else { Place::New },
            provisional: false,
            recorded: own.is_some(),
            late: false,
            octets,
            retrieved,
            ordinal,
        });
    }
    Snapshot::new(text, entries)
}

/// The messages that an earlier state has, in the numbers that it gave them.
fn numbered(messages: &[(Option<u32>, Told)]) -> Snapshot {
    let told: Vec<Told> = messages.iter().map(|(_, told)| *told).collect();
    let mut snapshot = snapshot(&told);
    for (entry, (number, _)) in snapshot.entries_mut().iter_mut().zip(messages) {
        entry.ordinal = number.unwrap_or(NOT_IN_STATE);
    }
    snapshot
}

fn encoded(snapshot: &Snapshot) -> Vec<u8> {
    let mut bytes = Vec::new();
    let put = |piece: &[u8], at: u64| {
        let at = at as usize;
        bytes.resize(bytes.len().max(at + piece.len()), 0);
        bytes[at..at + piece.len()].copy_from_slice(piece);
        Ok::<_, ()>(())
    };
    codec::encode(snapshot, &validity(1), &Book::NONE, put).unwrap();
    bytes
}

fn decoded(bytes: &[u8]) -> State {
    codec::decode(bytes.to_vec(), LIMIT, 1).unwrap()
}

fn add(bytes: &mut Vec<u8>, change: &Change) {
    let state = decoded(bytes);
    bytes.truncate(state.file.len as usize);
    bytes.extend_from_slice(&change.finish(state.file.chain).0);
}

const FIRST: [Told; 4] = [
    ("1.a", 10, 0, None),
    ("2.b:2,S", 20, 0, Some("UID2")),
    ("3.c", 30, 5, None),
    ("4.d", 40, 0, None),
];

/// A state, two changes behind it, and what it says after none, one and both.
fn story() -> (Vec<u8>, [usize; 3], [Snapshot; 3]) {
    let mut bytes = encoded(&snapshot(&FIRST));
    let mut ends = [bytes.len(); 3];
    let second = numbered(&[
        (Some(1), ("2.b:2,FS", 20, 0, Some("UID2"))),
        (Some(2), ("3.c:2,", 33, 5, None)),
        (Some(3), ("4.d", 40, 0, None)),
        (None, ("5.e", 50, 0, None)),
        (None, ("6.f:2,S", 60, 0, Some("UID6"))),
    ]);
    let known = decoded(&bytes).snapshot;
    add(&mut bytes, &Change::between(&known, &second, &validity(2), &Book::NONE).unwrap());
    ends[1] = bytes.len();
    let now = decoded(&bytes);
    assert_eq!(now.validity, validity(2));
    add(&mut bytes, &Change::marks(&now.snapshot, &[(0, 21)], &[4, 2], 77).unwrap());
    ends[2] = bytes.len();
    let third = snapshot(&[
        ("2.b:2,FS", 21, 0, Some("UID2")),
        ("3.c:2,", 33, 5, None),
        ("4.d", 40, 77, None),
        ("5.e", 50, 0, None),
        ("6.f:2,S", 60, 77, Some("UID6")),
    ]);
    (bytes, ends, [snapshot(&FIRST), second, third])
}

#[track_caller]
fn assert_same(found: &Snapshot, expected: &Snapshot) {
    assert!(found.tells_the_same(expected));
    assert_eq!(found.octets(), expected.octets());
    for (a, b) in found.entries().iter().zip(expected.entries()) {
        assert_eq!(found.name(a), expected.name(b));
        assert_eq!((flags(a), a.retrieved), (flags(b), b.retrieved));
        assert_eq!(found.has_plain_uidl(a), expected.has_plain_uidl(b));
    }
}

#[test]
fn what_has_changed_is_read() {
    let (bytes, ends, states) = story();
    for (end, expected) in ends.iter().zip(&states) {
        let state = decoded(&bytes[..*end]);
        assert_same(&state.snapshot, expected);
        assert_eq!(state.file.len, *end as u64);
    }
    let numbers: Vec<u32> =
        decoded(&bytes).snapshot.entries().iter().map(|entry| entry.ordinal).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert!(ends[2] - ends[1] < 30, "marks take about as much as they say");
}

#[test]
fn a_torn_change_is_as_if_it_had_not_been_made() {
    let (bytes, ends, states) = story();
    for len in ends[0]..=ends[2] {
        let whole = ends.iter().filter(|end| **end <= len).count();
        let state = decoded(&bytes[..len]);
        assert_same(&state.snapshot, &states[whole - 1]);
        assert_eq!((state.file.len, state.file.size), (ends[whole - 1] as u64, len as u64));
        let zeros = [&bytes[..len], &[0; 100]].concat();
        assert_same(&decoded(&zeros).snapshot, &states[whole - 1]);
    }
}

#[test]
fn every_flipped_bit_ends_the_changes_there() {
    let (bytes, ends, states) = story();
    for bit in ends[0] * 8..ends[2] * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let expected = if bit / 8 < ends[1] { &states[0] } else { &states[1] };
        assert_same(&decoded(&flipped).snapshot, expected);
    }
}

#[test]
fn a_change_counts_only_where_it_was_made() {
    let (bytes, ends, states) = story();
    let (base, one, two) = (&bytes[..ends[0]], &bytes[ends[0]..ends[1]], &bytes[ends[1]..]);
    assert_same(&decoded(&[base, two].concat()).snapshot, &states[0]);
    assert_same(&decoded(&[base, two, one].concat()).snapshot, &states[0]);
    assert_same(&decoded(&[base, one, one].concat()).snapshot, &states[1]);
    let other = encoded(&snapshot(&FIRST[..3]));
    assert_same(&decoded(&[&other[..], one].concat()).snapshot, &snapshot(&FIRST[..3]));
}

#[test]
fn another_order_and_other_ids_are_no_small_change() {
    let known = decoded(&encoded(&snapshot(&FIRST))).snapshot;
    let none = |messages: &[(Option<u32>, Told)]| {
        Change::between(&known, &numbered(messages), &validity(2), &Book::NONE).is_none()
    };
    assert!(none(&[(Some(1), FIRST[1]), (Some(0), FIRST[0])]));
    assert!(none(&[(None, ("9.z", 1, 0, None)), (Some(0), FIRST[0])]));
    assert!(none(&[(Some(1), ("2.b:2,S", 20, 0, Some("UID3")))]));
    assert!(none(&[(Some(1), ("2.b:2,S", 20, 0, None))]));
    assert!(none(&[(Some(9), ("2.b:2,S", 20, 0, None))]));
    assert!(Change::marks(&numbered(&[(None, FIRST[0])]), &[], &[0], 1).is_none());
    let same = Change::between(&known, &known, &validity(2), &Book::NONE).unwrap();
    assert!(!same.tells);
}

#[test]
fn hostile_changes_are_refused() {
    let base = encoded(&snapshot(&FIRST));
    let chain = decoded(&base).file.chain;
    let with = |payload: &[u8]| {
        let change = Change { payload: payload.to_vec(), ..Change::default() };
        let bytes = [&base[..], &change.finish(chain).0].concat();
        codec::decode(bytes, LIMIT, 1).map(|_| ()).unwrap_err()
    };
    for payload in [
        &b"?"[..],
        b"B",
        b"X",
        b"X\x02\x01",
        b"X\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"X\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01",
        b"N\x04\x00\x01x",
        b"S\x04\x01",
        b"S\x00",
        b"R\x01\x01\x04",
        b"R\x01\x02\xff\xff\xff\xff\x0f\x01",
        b"F\x04\x00",
        b"A",
        b"N\x00\x00\x09short",
        b"X\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    ] {
        let flaw = with(payload);
        assert!(matches!(flaw, Flaw::Change | Flaw::Length), "{payload:?}: {flaw:?}");
    }
    assert_eq!(with(b"N\x00\x00\x03a/b"), Flaw::Name);
    assert_eq!(with(b"N\x00\x00\x02.x"), Flaw::Name);
    assert_eq!(with(b"N\x00\x10\x01x"), Flaw::Flags);
    assert_eq!(with(b"F\x00\x10"), Flaw::Flags);
    assert_eq!(with(b"A\x00\x01\x00\x03\x02x x\r\n"), Flaw::Uidl);
    // A name that another message has, and an id.
    assert_eq!(with(b"A\x00\x01\x00\x03\x001.a"), Flaw::Uidl);
    assert_eq!(with(b"A\x00\x01\x00\x03\x049.xUID2"), Flaw::Uidl);
    assert_eq!(with(b"S\x00\xff\xff\xff\xff\xff\xff\x7f"), Flaw::Octets);
}

proptest! {
    #[test]
    fn any_signed_change_is_read_without_harm(payload in proptest::collection::vec(any::<u8>(), 1..80)) {
        let base = encoded(&snapshot(&FIRST));
        let chain = decoded(&base).file.chain;
        let change = Change { payload, ..Change::default() };
        let bytes = [&base[..], &change.finish(chain).0].concat();
        if let Ok(state) = codec::decode(bytes, LIMIT, 1) {
            let mut seen = std::collections::HashSet::new();
            for entry in state.snapshot.entries() {
                let uidl = state.snapshot.uidl(entry);
                prop_assert!(uidl::is_valid(uidl) && seen.insert(uidl));
                prop_assert!(!state.snapshot.name(entry).contains(&b'/'));
            }
        }
    }

    #[test]
    fn any_tail_leaves_the_first_part(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
        let base = encoded(&snapshot(&FIRST));
        let state = decoded(&[&base[..], &tail].concat());
        prop_assert!(state.snapshot.tells_the_same(&snapshot(&FIRST)));
    }

    #[test]
    fn any_selection_goes_round(keep in proptest::collection::vec(any::<bool>(), 4), more in 0usize..3) {
        const NEW: [Told; 3] = [("7.g", 7, 0, None), ("8.h:2,S", 8, 0, None), ("9.i", 9, 0, Some("x"))];
        let mut bytes = encoded(&snapshot(&FIRST));
        let mut now: Vec<(Option<u32>, Told)> = (0..)
            .zip(FIRST)
            .filter(|(number, _)| keep[*number as usize])
            .map(|(number, told)| (Some(number), told))
            .collect();
        now.extend(NEW[..more].iter().map(|&told| (None, told)));
        let now = numbered(&now);
        let known = decoded(&bytes).snapshot;
        let change = Change::between(&known, &now, &validity(3), &Book::NONE).unwrap();
        add(&mut bytes, &change);
        let state = decoded(&bytes);
        prop_assert!(state.snapshot.tells_the_same(&now));
        prop_assert_eq!(state.file.numbers as usize, 4 + more);
    }
}
