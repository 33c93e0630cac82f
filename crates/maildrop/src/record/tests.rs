//! The record read as hostile input.

use proptest::prelude::*;

use super::*;

fn written() -> Vec<u8> {
    let mut out = Vec::new();
    put_counters(&mut out, Counters { validity: 7, next: 4 });
    put_id(&mut out, b"UID1", b"1.a");
    put_id(&mut out, b"UID2", b"2.b");
    put_late(&mut out, 1, b"9.z", b"3.c");
    put_id(&mut out, b"UID3", b"3.d");
    put_counters(&mut out, Counters { validity: 7, next: 4 });
    out
}

fn read(bytes: &[u8]) -> Record {
    parse(BufReader::with_capacity(16, bytes)).unwrap()
}

fn ids(record: &Record) -> Vec<&[u8]> {
    record.rows.iter().map(|row| &*row.uidl).collect()
}

#[test]
fn a_record_is_read_in_order() {
    let record = read(&written());
    assert_eq!(ids(&record), [b"UID1", b"UID2", b"UID3"]);
    assert_eq!((record.lines, record.damaged), (4, 0));
    assert_eq!(record.counters, Some(Counters { validity: 7, next: 4 }));
    let place = LatePlace { anchor: (*b"9.z").into(), number: 1 };
    assert_eq!(record.late.get(&b"3.c"[..]), Some(&place));
    assert!(read(b"").rows.is_empty());
}

#[test]
fn a_damaged_line_takes_no_other_with_it() {
    let whole = written();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x01;
        let record = read(&bytes);
        assert!(record.damaged >= 1, "octet {at}");
        let lost = 3 - record.rows.len() + 1 - record.late.len();
        // A line end that is hit joins two lines.
        assert!(lost <= 2, "octet {at}");
        assert!(record.counters.is_some_and(|c| c.validity == 7 && c.next >= 4), "octet {at}");
    }
}

#[test]
fn a_torn_end_costs_the_torn_line_alone() {
    let whole = written();
    for len in 0..whole.len() {
        let record = read(&whole[..len]);
        let whole_lines = whole[..len].iter().filter(|&&o| o == b'\n').count();
        assert_eq!(record.rows.len() + record.late.len(), whole_lines.saturating_sub(1).min(4));
        assert_eq!(record.damaged, usize::from(len > 0 && whole[len - 1] != b'\n'));
    }
}

#[test]
fn a_lost_counter_is_made_up_for() {
    let mut bytes = Vec::new();
    put_counters(&mut bytes, Counters { validity: 7, next: 10 });
    for n in 10..15 {
        put_id(&mut bytes, format!("UID{n}").as_bytes(), format!("{n}.x").as_bytes());
    }
    bytes.extend_from_slice(b"V 1 7 15 damaged.\n");
    assert!(read(&bytes).counters.unwrap().next >= 15);
    let most = Counters { validity: 7, next: u32::MAX };
    assert_eq!(most.advanced(1), Counters { validity: 8, next: 1 });
    let last = Counters { validity: u32::MAX, next: u32::MAX };
    assert_eq!(last.advanced(1), Counters { validity: 1, next: 1 });
}

#[test]
fn no_message_and_no_id_occurs_twice() {
    let mut bytes = written();
    put_id(&mut bytes, b"UID9", b"1.a");
    put_id(&mut bytes, b"UID3", b"5.e");
    let record = read(&bytes);
    assert_eq!(ids(&record), [b"UID2", b"UID9", b"UID3"]);
    assert_eq!(record.lines, 6);
    assert_eq!(&*record.rows[2].base, b"5.e");
    // A late message that got an id is late no more.
    put_id(&mut bytes, b"UID10", b"3.c");
    assert!(read(&bytes).late.is_empty());
}

#[test]
fn counters_only_grow_within_a_validity() {
    let mut bytes = Vec::new();
    for (validity, next) in [(7, 90), (7, 4), (9, 3)] {
        put_counters(&mut bytes, Counters { validity, next });
        if validity == 7 {
            assert_eq!(read(&bytes).counters, Some(Counters { validity: 7, next: 90 }));
        }
    }
    assert_eq!(read(&bytes).counters, Some(Counters { validity: 9, next: 3 }));
}

#[test]
fn an_endless_line_is_skipped_in_little_memory() {
    let mut bytes = vec![b'x'; 5_000_000];
    bytes.push(b'\n');
    bytes.extend_from_slice(&written());
    let record = read(&bytes);
    assert_eq!((record.rows.len(), record.damaged), (3, 1));
}

proptest! {
    #[test]
    fn any_octets_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        let record = read(&bytes);
        prop_assert!(record.rows.is_empty());
    }

    #[test]
    fn any_lines_left_out_or_doubled_leave_unique_ids(
        picks in proptest::collection::vec(0usize..6, 0..30),
    ) {
        let whole = written();
        let lines: Vec<&[u8]> = whole.split_inclusive(|&o| o == b'\n').collect();
        let bytes: Vec<u8> = picks.iter().flat_map(|&pick| lines[pick].iter().copied()).collect();
        let record = read(&bytes);
        let unique: HashSet<_> = ids(&record).into_iter().collect();
        prop_assert_eq!(unique.len(), record.rows.len());
        prop_assert_eq!(record.damaged, 0);
    }
}
