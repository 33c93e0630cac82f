//! Any octets at all: no panic, bounded results.

use std::collections::HashSet;

use proptest::prelude::*;

use super::super::{IdFormat, Imported, courier_sizelist, dovecot_uidlist, id_map, uid_listing};

fn check(imported: &Imported) {
    for id in &imported.ids {
        assert!((1..=255).contains(&id.base.len()));
        assert!(!id.base.contains(&b'/') && !id.base.contains(&0));
        assert!(id.octets.is_none_or(|octets| octets <= 999_999_999_999));
    }
    assert!(imported.problems.len() <= 100);
    assert!(imported.problems.len() as u64 <= imported.problem_count);
    assert!(imported.problems.iter().all(|problem| problem.line > 0));
    if let Some(counters) = imported.counters {
        assert!(counters.validity > 0 && counters.next > 0);
    }
}

fn read_all(input: &[u8]) {
    let format = IdFormat::dovecot();
    let results = [
        dovecot_uidlist(input, &format).ok(),
        courier_sizelist(input).ok(),
        uid_listing(input, &format, Some(1)).ok(),
        Some(id_map(input)),
    ];
    results.iter().flatten().for_each(check);
}

/// Lines of pieces that mean something to one of the readers.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("3 ".to_owned()),
        Just("/3 5 7".to_owned()),
        Just("V1 N1".to_owned()),
        Just(" ".to_owned()),
        Just(":".to_owned()),
        Just("\t".to_owned()),
        Just("\n".to_owned()),
        Just("\n\n".to_owned()),
        Just("W18446744073709551616".to_owned()),
        "[POWSG][a-z0-9]{0,3}",
        "[0-9]{1,25}",
        "[0-9]{1,3}:[0-9]{1,3}",
        "\\PC{0,10}",
    ];
    (
        prop_oneof![Just("3 V1 N9\n"), Just("/2 1 1\n"), Just("1 1 1\n"), Just("")],
        prop::collection::vec(piece, 0..60),
    )
        .prop_map(|(header, pieces)| (header.to_owned() + &pieces.concat()).into_bytes())
}

proptest! {
    #[test]
    fn any_octets(input in prop::collection::vec(any::<u8>(), 0..2000)) {
        read_all(&input);
    }

    #[test]
    fn any_lines(input in lines()) {
        read_all(&input);
    }

    #[test]
    fn any_format(format in "[%{}|a-zA-Z0-9() .-]{0,30}", list in lines()) {
        if let Ok(format) = format.parse::<IdFormat>()
            && let Ok(imported) = dovecot_uidlist(&list, &format)
        {
            check(&imported);
        }
    }

    /// What Dovecot writes of any set of messages is read back whole.
    #[test]
    fn every_record_is_found(
        uids in prop::collection::btree_set(1_u32..1_000_000, 0..50),
        validity in 1_u32..,
    ) {
        let mut list = format!("3 V{validity} N1000001 G00\n");
        for uid in &uids {
            list.push_str(&format!("{uid} W{uid} S{uid} :{uid}.M1.mx:2,S\n"));
        }
        let imported = dovecot_uidlist(list.as_bytes(), &IdFormat::dovecot()).unwrap();
        prop_assert_eq!(imported.problem_count, 0);
        let ids: HashSet<_> = imported.ids.iter().map(|id| id.uidl.clone()).collect();
        let expected: HashSet<_> = uids.iter().map(|uid| format!("{uid:08x}{validity:08x}")).collect();
        prop_assert_eq!(ids, expected);
    }
}

#[test]
fn overlong_lines_are_one_problem_each() {
    let mut list = b"3 V1 N1\n1 :".to_vec();
    list.extend(std::iter::repeat_n(b'x', 1 << 20));
    list.extend_from_slice(b"\n2 :");
    list.extend(std::iter::repeat_n(b'y', 300));
    list.extend_from_slice(b"\n3 :ok\n");
    let imported = dovecot_uidlist(&list, &IdFormat::dovecot()).unwrap();
    assert_eq!((imported.ids.len(), imported.problem_count), (1, 2));
}

#[test]
fn a_million_bad_lines_are_counted_and_few_are_named() {
    let list = "x\n".repeat(1_000_000);
    let imported = id_map(list.as_bytes());
    assert_eq!((imported.problem_count, imported.problems.len()), (1_000_000, 100));
}
