//! courierpop3dsizelist, versions 0 to 3.

use super::super::courier_sizelist;
use super::{owned, pairs, problem_lines};
use crate::UidCounters;

#[test]
fn version_3() {
    let list = "/3 4 1732400000\n\
        1732400002.M2.mx,S=1000:2,S 1030 2:1732400000:0\n\
        1732400001.M1.mx 55 1:1100000000:1\n\
        1732400003.M3+'x\".mx 70 0:0:0\n";
    let imported = courier_sizelist(list.as_bytes()).unwrap();
    let expected = [
        ("1732400001.M1.mx", "UID1-1100000000"),
        ("1732400002.M2.mx,S=1000", "UID2-1732400000"),
        ("1732400003.M3+'x\".mx", "1732400003.M3+2B+27x+22.mx"),
    ];
    assert_eq!(pairs(&imported), owned(&expected));
    let octets: Vec<_> = imported.ids.iter().map(|id| id.octets).collect();
    assert_eq!(octets, [Some(55), Some(1030), Some(70)]);
    assert_eq!(imported.counters, Some(UidCounters { validity: 1_732_400_000, next: 4 }));
}

#[test]
fn version_2_and_counters_behind_all_records() {
    let list = "/2 2 77\n5.a.h 9 8:77\n6.b.h 9 900:76\n";
    let imported = courier_sizelist(list.as_bytes()).unwrap();
    assert_eq!(pairs(&imported), owned(&[("5.a.h", "UID8-77"), ("6.b.h", "UID900-76")]));
    assert_eq!(imported.counters, Some(UidCounters { validity: 77, next: 9 }));
}

#[test]
fn version_1_has_no_uidvalidity() {
    let imported = courier_sizelist(b"/1 3\n1.a 100 1\n2.b 100 2\n").unwrap();
    assert_eq!(pairs(&imported), owned(&[("1.a", "UID1"), ("2.b", "UID2")]));
    assert_eq!(imported.counters, None);
}

#[test]
fn version_0_has_names() {
    let list = b"12.a b.h 100\n3.\xff.h 7\n";
    let imported = courier_sizelist(list).unwrap();
    let ids: Vec<_> = imported.ids.iter().map(|id| id.uidl.as_str()).collect();
    assert_eq!(ids, ["3.+FF.h", "12.a+20b.h"]);
    assert_eq!(imported.counters, None);
    assert!(courier_sizelist(b"").unwrap().ids.is_empty());
}

#[test]
fn bad_lines_are_named_and_the_rest_goes_on() {
    let list = "/3 9 5\nname\n 1 2:3:0\na 1 x:3:0\nb y 1:3:0\nc 1 1:z\n.. / 1 1:1:0\nok 1 1:5:0\n";
    let imported = courier_sizelist(list.as_bytes()).unwrap();
    assert_eq!(pairs(&imported), owned(&[("ok", "UID1-5")]));
    assert_eq!(problem_lines(&imported), [2, 3, 4, 5, 6, 7]);
}

#[test]
fn later_versions_are_refused() {
    for bad in ["/4 1 1\n", "/\n", "/x\n", "/0 1\n", "/3\n", "/3 x 1\n"] {
        assert!(courier_sizelist(bad.as_bytes()).is_err(), "{bad:?}");
    }
    // Counters that a 64-bit machine wrote and that are no uids.
    let wide = courier_sizelist(b"/3 1 99999999999\na 1 1:99999999999:0\n").unwrap();
    assert_eq!(wide.counters, None);
    assert_eq!(wide.ids[0].uidl, "UID1-99999999999");
}
