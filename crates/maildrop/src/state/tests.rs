//! The state file read as hostile input.

use proptest::prelude::*;

use super::codec::{Flaw, len_max};
use super::{State, Validity, codec};
use crate::record::{self, Book, Counters};
use crate::snapshot::{Entry, Snapshot};
use crate::tree::{FsTime, Place, Stamp, Stamps};
use crate::uidl;

const LIMIT: usize = 1000;

fn book() -> Book {
    let stamp = record::Stamp { times: stamp(13, 250), octets: 4711 };
    Book { stamp, counters: Some(Counters { validity: 7, next: 9 }), lines: 5 }
}

fn encode(snapshot: &Snapshot, validity: &Validity) -> Vec<u8> {
    let mut bytes = Vec::new();
    let put = |piece: &[u8], at: u64| {
        let at = at as usize;
        bytes.resize(bytes.len().max(at + piece.len()), 0);
        bytes[at..at + piece.len()].copy_from_slice(piece);
        Ok::<_, ()>(())
    };
    let (len, sum) = codec::encode(snapshot, validity, &book(), put).unwrap();
    assert_eq!((len, sum), (bytes.len() as u64, codec::chain_start(&bytes)));
    bytes
}

fn decode(bytes: Vec<u8>, limit: usize) -> Result<State, Flaw> {
    codec::decode(bytes, limit, 1)
}

fn stamp(ino: u64, seconds: i64) -> Stamp {
    let time = FsTime { seconds, nanos: 7 };
    Stamp { ino, modified: time, changed: FsTime { seconds, nanos: 8 } }
}

fn validity() -> Validity {
    let stamps = Stamps { new: stamp(11, 100), cur: stamp(12, 200) };
    Validity { stamps, read_at: FsTime { seconds: 300, nanos: 1 } }
}

/// A snapshot of `names`; each second message has an id of its own.
fn snapshot(names: &[&[u8]]) -> Snapshot {
    let mut text = Vec::new();
    let mut entries = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let start = text.len() as u32;
        text.extend_from_slice(name);
        let base = crate::name::base(name);
        let (uidl, uidl_len) = if index % 2 == 1 || !uidl::is_plain(base) {
            let own = text.len() as u32;
            text.extend_from_slice(&uidl::hashed(base));
            (own, uidl::HASHED_LEN as u8)
        } else {
            (start, base.len() as u8)
        };
        let place = if index % 3 == 0 { Place::New } else { Place::Cur };
        entries.push(Entry {
            name: start,
            uidl,
            name_len: name.len() as u8,
            base_len: base.len() as u8,
            uidl_len,
            place,
            provisional: index % 5 == 4,
            recorded: index % 2 == 1,
            late: index % 4 == 2,
            octets: index as u64 * 1000,
            retrieved: if index % 4 == 3 { 1_700_000_000 } else { 0 },
            ordinal: index as u32,
        });
    }
    Snapshot::new(text, entries)
}

fn sample() -> Vec<u8> {
    let names: [&[u8]; 6] = [b"1.a:2,S", b"2.b,S=3,W=4", b"3.c", b"4.\xff\n:2,", b"5", b":2,odd"];
    encode(&snapshot(&names), &validity())
}

/// Makes the checksum right again, as somebody would who means harm.
fn sign(bytes: &mut [u8]) {
    let base = u64::from_le_bytes(bytes[16..24].try_into().unwrap()) as usize;
    let sum = crc32c::crc32c(&bytes[16..base.clamp(16, bytes.len())]);
    bytes[12..16].copy_from_slice(&sum.to_le_bytes());
}

fn assert_usable(state: &State) {
    let mut seen = std::collections::HashSet::new();
    for entry in state.snapshot.entries() {
        let name = state.snapshot.name(entry);
        assert!(!name.is_empty() && !name.contains(&b'/') && !name.contains(&0));
        assert_ne!(name[0], b'.');
        assert!(uidl::is_valid(state.snapshot.uidl(entry)));
        assert!(seen.insert(state.snapshot.uidl(entry)));
        assert!(entry.octets <= crate::name::OCTETS_MAX);
    }
}

#[test]
fn what_was_written_is_read() {
    let names: [&[u8]; 3] = [b"1.a:2,S", b"2.b,S=3,W=4", b"3.c"];
    let written = snapshot(&names);
    let state = decode(encode(&written, &validity()), LIMIT).unwrap();
    assert_eq!((state.validity, state.book), (validity(), book()));
    assert!(state.snapshot.tells_the_same(&written));
    assert_eq!(state.snapshot.octets(), 3000);
    for (entry, name) in state.snapshot.entries().iter().zip(names) {
        assert_eq!(state.snapshot.name(entry), name);
    }
    assert!(state.is_current(&validity().stamps));
    let empty = decode(encode(&Snapshot::default(), &validity()), LIMIT).unwrap();
    assert!(empty.snapshot.entries().is_empty());
}

#[test]
fn every_single_flipped_bit_is_noticed() {
    let whole = sample();
    assert!(decode(whole.clone(), LIMIT).is_ok());
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(bytes, LIMIT).is_err(), "bit {bit}");
    }
}

#[test]
fn every_length_but_the_right_one_is_noticed() {
    let whole = sample();
    for len in 0..whole.len() {
        let mut bytes = whole[..len].to_vec();
        assert!(decode(bytes.clone(), LIMIT).is_err(), "length {len}");
        if len > 24 {
            sign(&mut bytes);
            assert!(decode(bytes, LIMIT).is_err(), "signed, length {len}");
        }
    }
    let mut shorter = whole.clone();
    shorter[16] -= 1;
    sign(&mut shorter);
    assert_eq!(decode(shorter, LIMIT).unwrap_err(), Flaw::Length);
    // What lies behind the first part is a torn change.
    let longer = [&whole[..], b"x"].concat();
    assert_eq!(decode(longer, LIMIT).unwrap().snapshot.entries().len(), 6);
}

#[test]
fn hostile_fields_are_named() {
    let with = |at: usize, octets: &[u8]| {
        let mut bytes = sample();
        bytes[at..at + octets.len()].copy_from_slice(octets);
        sign(&mut bytes);
        decode(bytes, LIMIT).unwrap_err()
    };
    let first_row = 160;
    let text = first_row + 6 * 16;
    assert_eq!(with(0, b"L"), Flaw::Magic);
    assert_eq!(with(8, &1u32.to_le_bytes()), Flaw::Version);
    assert_eq!(with(16, &u64::MAX.to_le_bytes()), Flaw::Length);
    assert_eq!(with(16, &[0]), Flaw::Length);
    assert_eq!(with(24, &u64::MAX.to_le_bytes()), Flaw::TooMany);
    assert_eq!(with(24, &1000u64.to_le_bytes()), Flaw::Length);
    // One row less, and its name is taken for that of the one before.
    assert_eq!(with(24, &5u64.to_le_bytes()), Flaw::Name);
    assert_eq!(with(first_row, &u64::MAX.to_le_bytes()), Flaw::Octets);
    assert_eq!(with(first_row + 12, &[0]), Flaw::Name);
    assert_eq!(with(first_row + 13, &[71]), Flaw::Uidl);
    assert_eq!(with(first_row + 5 * 16 + 13, &[255]), Flaw::Length);
    assert_eq!(with(first_row + 14, &[16]), Flaw::Flags);
    assert_eq!(with(first_row + 15, &[1]), Flaw::Flags);
    assert_eq!(with(text, b"."), Flaw::Name);
    assert_eq!(with(text, b"../x"), Flaw::Name);
    assert_eq!(with(text + 1, b"/"), Flaw::Name);
    assert_eq!(with(text + 1, b"\0"), Flaw::Name);
    assert_eq!(with(text + 1, b" "), Flaw::Uidl);
    assert_eq!(with(text + 1, b"\r"), Flaw::Uidl);
    assert_eq!(decode(sample(), 5).unwrap_err(), Flaw::TooMany);
    let twice: [&[u8]; 3] = [b"1.a:2,S", b"2.b", b"1.a:2,"];
    assert_eq!(decode(encode(&snapshot(&twice), &validity()), 9).unwrap_err(), Flaw::Uidl);
}

#[test]
fn length_limit_fits_the_largest_state() {
    let names: Vec<Vec<u8>> = (0..50).map(|n| format!("{n:0>255}").into_bytes()).collect();
    let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    assert!(encode(&snapshot(&names), &validity()).len() as u64 <= len_max(50));
}

#[test]
fn a_state_is_current_only_when_later_changes_would_show() {
    let at = |seconds| Validity { read_at: FsTime { seconds, nanos: 0 }, ..validity() };
    // cur changed at 200 s: three seconds later is far enough.
    assert!(!at(100).is_settled() && !at(200).is_settled() && !at(202).is_settled());
    assert!(at(203).is_settled());
    assert!(!Validity::NEVER.is_settled());
    assert!(!at(i64::MIN).is_settled());
    let mut far = at(i64::MAX);
    far.stamps.new.changed.seconds = i64::MAX;
    assert!(!far.is_settled());

    let state = decode(encode(&Snapshot::default(), &at(300)), 1).unwrap();
    let now = validity().stamps;
    assert!(state.is_current(&now));
    for change in [
        |s: &mut Stamps| s.new.ino += 1,
        |s: &mut Stamps| s.new.modified.nanos += 1,
        |s: &mut Stamps| s.cur.modified.seconds -= 1,
        |s: &mut Stamps| s.cur.changed.nanos += 1,
    ] {
        let mut changed = now;
        change(&mut changed);
        assert!(!state.is_current(&changed));
    }
}

/// Time is counted in quarters of a second here; a file system that ticks in whole or two
/// seconds rounds it down.
#[test]
fn no_change_hides_behind_a_coarse_clock() {
    for tick in [1, 4, 8] {
        let stamped = |quarters: i64| {
            let on_tick = quarters / tick * tick;
            FsTime { seconds: on_tick / 4, nanos: (on_tick % 4) as u32 * 250_000_000 }
        };
        for before in 100..140 {
            for read in before..before + 24 {
                let stamp = |ino, at| Stamp { ino, modified: stamped(at), changed: stamped(at) };
                let stamps = Stamps { new: stamp(1, 0), cur: stamp(2, before) };
                let validity = Validity { stamps, read_at: stamped(read) };
                let state = State { validity, ..decode(sample(), LIMIT).unwrap() };
                for change in read..read + 24 {
                    let now = Stamps { cur: stamp(2, change), ..stamps };
                    assert!(!state.is_current(&now), "{tick}: {before}, {read}, {change}");
                }
                if read >= before + 12 + tick {
                    assert!(state.is_current(&stamps), "{tick}: {before}, {read}");
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn any_octets_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(state) = decode(bytes, LIMIT) {
            assert_usable(&state);
        }
    }

    #[test]
    fn any_signed_octets_behind_a_right_header_are_read_without_harm(
        count in 0u64..20,
        rest in proptest::collection::vec(any::<u8>(), 128..700),
    ) {
        let mut bytes = b"lastpost\x02\0\0\0....".to_vec();
        bytes.extend_from_slice(&(32 + rest.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&rest);
        sign(&mut bytes);
        if let Ok(state) = decode(bytes, LIMIT) {
            assert_usable(&state);
        }
    }

    #[test]
    fn signed_changes_are_read_without_harm(
        changes in proptest::collection::vec((24usize..400, any::<u8>()), 1..8),
    ) {
        let mut bytes = sample();
        for (at, octet) in changes {
            let at = 24 + at % (bytes.len() - 24);
            bytes[at] = octet;
        }
        sign(&mut bytes);
        if let Ok(state) = decode(bytes, LIMIT) {
            assert_usable(&state);
        }
    }

    #[test]
    fn any_snapshot_goes_round(
        names in proptest::collection::btree_set("[1-9]{1,9}\\.[a-zA-Z0-9,=]{1,60}", 0..40),
    ) {
        let names: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
        let written = snapshot(&names);
        let state = decode(encode(&written, &validity()), LIMIT).unwrap();
        prop_assert!(state.snapshot.tells_the_same(&written));
        assert_usable(&state);
    }
}
