//! Lists that administrators export.

use super::super::{IdFormat, ImportError, id_map, uid_listing};
use super::{owned, pairs, problem_lines};
use crate::UidCounters;

#[test]
fn a_map_of_names() {
    let map = "# name\tid is what follows, without a TAB here it would be a comment\n\
               # a comment\n\n1.a.h:2,S\tid-1\n2.b.h\tid-2\t12\r\n";
    let imported = id_map(map.as_bytes());
    let expected = [
        ("# name", "id is what follows, without a TAB here it would be a comment"),
        ("1.a.h", "id-1"),
        ("2.b.h", "id-2"),
    ];
    assert_eq!(pairs(&imported), owned(&expected));
    assert_eq!(imported.ids[2].octets, Some(12));
    assert_eq!(imported.counters, None);
}

#[test]
fn mistakes_in_a_map() {
    let imported = id_map(b"a\tx\nb\nc\t\n\ty\na:2,S\tz\na\tw\nd/e\tv\n");
    assert_eq!(pairs(&imported), owned(&[("a", "x")]));
    assert_eq!(problem_lines(&imported), [2, 3, 4, 5, 6, 7]);
    assert_eq!(imported.problems[4].what, "this message was listed before, in line 1");
    assert_eq!(imported.problems[3].what, "this message was listed before, in line 1");
}

#[test]
fn uids_of_cyrus() {
    let list = b"20 b.eml\n3\ta.eml\n20 c.eml\nx d.eml\n0 e.eml\n21\n";
    let format = IdFormat::cyrus("cyrus").unwrap();
    let imported = uid_listing(list, &format, Some(99)).unwrap();
    assert_eq!(pairs(&imported), owned(&[("a.eml", "99.3"), ("b.eml", "99.20")]));
    assert_eq!(imported.counters, Some(UidCounters { validity: 99, next: 21 }));
    let mut lines = problem_lines(&imported);
    lines.sort_unstable();
    assert_eq!(lines, [3, 4, 5, 6]);
    let missing = uid_listing(list, &format, None).unwrap_err();
    assert!(matches!(missing, ImportError::ValidityMissing));
    let plain = uid_listing(list, &IdFormat::cyrus("uidonly").unwrap(), None).unwrap();
    assert_eq!(plain.ids[0].uidl, "3");
    assert_eq!(plain.counters, None);
}
