//! dovecot-uidlist, as Dovecot 1.0 to 2.4 write it.

use super::super::{IdFormat, dovecot_uidlist};
use super::{owned, pairs, problem_lines};
use crate::UidCounters;

const V3: &str = "3 V1732400000 N8 G5a3f0000000000000000000000000001\n\
    1 W1052 :1732400001.M1P1.mx,S=1024\n\
    2 :1732400002.M2P1.mx,S=10,W=12\n\
    3 POLD-3 W80 S70 :1732400003.M3P1.mx\n\
    5 P :1732400005.M5P1.mx:2,S\n\
    6 Gguid-6 :1732400006.M6P1.mx\n";

#[test]
fn version_3_by_the_default_format() {
    let imported = dovecot_uidlist(V3.as_bytes(), &IdFormat::dovecot()).unwrap();
    let expected = [
        ("1732400001.M1P1.mx,S=1024", "0000000167425380"),
        ("1732400002.M2P1.mx,S=10,W=12", "0000000267425380"),
        ("1732400003.M3P1.mx", "OLD-3"),
        ("1732400005.M5P1.mx", "1732400005.M5P1.mx"),
        ("1732400006.M6P1.mx", "0000000667425380"),
    ];
    assert_eq!(pairs(&imported), owned(&expected));
    let octets: Vec<_> = imported.ids.iter().map(|id| id.octets).collect();
    assert_eq!(octets, [Some(1052), None, Some(80), None, None]);
    assert_eq!(imported.counters, Some(UidCounters { validity: 1_732_400_000, next: 8 }));
    assert_eq!(imported.problem_count, 0, "{:?}", imported.problems);
}

#[test]
fn guids_and_file_names() {
    for format in ["%g", "%{guid}"] {
        let imported = dovecot_uidlist(V3.as_bytes(), &format.parse().unwrap()).unwrap();
        let ids: Vec<_> = imported.ids.iter().map(|id| id.uidl.as_str()).collect();
        assert_eq!(ids[0], "1732400001.M1P1.mx,S=1024");
        assert_eq!(ids[2], "OLD-3");
        assert_eq!(ids[4], "guid-6");
    }
    let imported = dovecot_uidlist(V3.as_bytes(), &"%f".parse().unwrap()).unwrap();
    assert_eq!(imported.ids[4].uidl, "1732400006.M6P1.mx");
}

#[test]
fn version_1_and_the_imap_list_of_courier() {
    let list = "1 1100000000 30\n7 1100000001.a.h:2,FS\n20 1100000002 with space.h\n";
    let imported = dovecot_uidlist(list.as_bytes(), &"%v.%u".parse().unwrap()).unwrap();
    let expected =
        [("1100000001.a.h", "1100000000.7"), ("1100000002 with space.h", "1100000000.20")];
    assert_eq!(pairs(&imported), owned(&expected));
    assert_eq!(imported.counters, Some(UidCounters { validity: 1_100_000_000, next: 30 }));
}

#[test]
fn those_with_an_order_come_first() {
    let list = "3 V5 N9\n1 :a\n2 O7 :b\n3 O2 :c\n4 :d\n5 O7 :e\n";
    let imported = dovecot_uidlist(list.as_bytes(), &"%u".parse().unwrap()).unwrap();
    let expected = [("c", "3"), ("b", "2"), ("e", "5"), ("a", "1"), ("d", "4")];
    assert_eq!(pairs(&imported), owned(&expected));
}

#[test]
fn a_file_that_came_back_has_its_later_record() {
    let list = "3 V5 N9\n1 :a\n2 :b\n3 :a\n";
    let imported = dovecot_uidlist(list.as_bytes(), &"%u".parse().unwrap()).unwrap();
    assert_eq!(pairs(&imported), owned(&[("b", "2"), ("a", "3")]));
}

#[test]
fn the_next_uid_is_behind_all_records() {
    let list = "3 V5 N2\n1 :a\n40 :b\n";
    let imported = dovecot_uidlist(list.as_bytes(), &"%u".parse().unwrap()).unwrap();
    assert_eq!(imported.counters, Some(UidCounters { validity: 5, next: 41 }));
}

#[test]
fn bad_lines_are_named_and_the_rest_goes_on() {
    let list = "3 V5 N9\n1 :a\nx :b\n1 :c\n2 W3\n3 :\n4 :../x\n5 Ox :y\n6 Zwhat Wmany :z\n\
                4294967295 :top\n7 :last";
    let imported = dovecot_uidlist(list.as_bytes(), &"%u".parse().unwrap()).unwrap();
    assert_eq!(pairs(&imported), owned(&[("a", "1"), ("z", "6"), ("last", "7")]));
    assert_eq!(problem_lines(&imported), [3, 4, 5, 6, 7, 8, 10]);
}

#[test]
fn impossible_sizes_are_forgotten() {
    let list = "3 V5 N9\n1 W9 S10 :a\n2 W23 S10 :b\n3 W22 S10 :c\n4 W11 :d,S=10,W=12\n\
                5 W5000 :e,S=10\n6 W1000000000000 :f\n";
    let imported = dovecot_uidlist(list.as_bytes(), &"%u".parse().unwrap()).unwrap();
    let octets: Vec<_> = imported.ids.iter().map(|id| id.octets).collect();
    assert_eq!(octets, [None, None, Some(22), None, None, None]);
}

#[test]
fn other_headers_are_refused() {
    for bad in [
        "",
        "2 5 9\n",
        "4 V5 N9\n",
        "3 V5\n",
        "3 V0 N9\n",
        "3 V5 N0\n",
        "1 5\n",
        "3\n",
        "3 V99999999999 N1\n",
        "/3 1 5\n",
        "\u{0}",
        "3 VV N\n",
    ] {
        let error = dovecot_uidlist(bad.as_bytes(), &IdFormat::dovecot()).unwrap_err();
        assert!(error.to_string().contains("dovecot-uidlist: expected"), "{error}");
    }
}
