//! Ids of another server, taken over.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod kit;

use std::fs;

use maildrop::{AdoptError, AdoptOptions, AdoptReport, AdoptedId, OpenError, UidCounters};

const COUNTERS: UidCounters = UidCounters { validity: 7, next: 100 };
const REPLACE: AdoptOptions = AdoptOptions { dry_run: false, replace: true };

fn id(base: &str, uidl: &str) -> AdoptedId {
    AdoptedId { base: base.into(), uidl: uidl.into(), octets: None }
}

fn adopt_with(maildir: &kit::Box, ids: &[AdoptedId], options: AdoptOptions) -> AdoptReport {
    maildrop::adopt(&maildir.path, ids, Some(COUNTERS), &options).unwrap()
}

fn adopt(maildir: &kit::Box, ids: &[AdoptedId]) -> AdoptReport {
    adopt_with(maildir, ids, AdoptOptions::default())
}

fn reasons(report: &AdoptReport) -> Vec<(&str, &str)> {
    assert_eq!(report.conflicts, report.named_conflicts.len());
    report.named_conflicts.iter().map(|c| (&*c.given, c.reason)).collect()
}

fn three() -> kit::Box {
    let maildir = kit::Box::new();
    maildir.put("cur/100.a:2,S", "a\n").put("new/200.b", "b\n").put("cur/300.c:2,", "c\n");
    maildir
}

#[test]
fn ids_and_order_are_taken_over() {
    let maildir = three();
    let ids = [id("300.c", "UID5-7"), id("50.gone", "UID6-7"), id("100.a", "UID9-7")];
    let report = adopt(&maildir, &ids);
    assert_eq!((report.messages, report.given, report.adopted), (3, 3, 2));
    assert_eq!((report.changed, report.missing, report.unlisted), (2, 1, 1));
    assert_eq!((report.conflicts, report.written), (0, true));
    assert_eq!(report.counters, Some(COUNTERS));
    let expected = ["UID5-7", "UID9-7", "200.b"];
    let maildrop = maildir.open();
    assert_eq!(kit::uidls(&maildrop), expected);
    assert_eq!(kit::read(&maildrop, 0), b"c\n");
    drop(maildrop);
    // The state is a copy and can go; the order and the ids are on record.
    fs::remove_file(maildir.state()).unwrap();
    assert_eq!(kit::uidls(&maildir.open()), expected);
    // Once more is nothing new.
    let again = adopt(&maildir, &ids);
    assert_eq!((again.adopted, again.changed, again.conflicts), (2, 0, 0));
    assert_eq!(kit::uidls(&maildir.open()), expected);
}

#[test]
fn an_order_alone_is_taken_over_too() {
    let maildir = three();
    let report =
        adopt(&maildir, &[id("300.c", "300.c"), id("100.a", "100.a"), id("200.b", "200.b")]);
    assert_eq!((report.adopted, report.changed), (3, 0));
    for _ in 0..2 {
        assert_eq!(kit::uidls(&maildir.open()), ["300.c", "100.a", "200.b"]);
        fs::remove_file(maildir.state()).unwrap();
    }
    maildir.put("new/250.d", "d\n");
    assert_eq!(kit::uidls(&maildir.open()).len(), 4);
}

#[test]
fn sizes_are_taken_over_and_checked_when_retrieved() {
    let maildir = three();
    let sized = |base, octets| AdoptedId { octets: Some(octets), ..id(base, base) };
    let report = adopt(&maildir, &[sized("100.a", 3), sized("200.b", 99)]);
    assert_eq!(report.sizes, 2);
    let maildrop = maildir.open();
    assert_eq!(kit::sizes(&maildrop), [3, 99, 3]);
    kit::read(&maildrop, 1);
    maildrop.update(&[], &[1], kit::NOW);
    drop(maildrop);
    assert_eq!(kit::sizes(&maildir.open()), [3, 3, 3]);
    let absurd = AdoptedId { octets: Some(u64::MAX), ..id("100.a", "x") };
    adopt_with(&maildir, &[absurd], REPLACE);
    assert!(maildir.open().octets() < 2_000_000_000_000);
}

#[test]
fn what_clients_have_seen_is_replaced_only_when_asked_for() {
    let maildir = three();
    drop(maildir.open());
    let given = [id("300.c", "UID1-7"), id("200.b", "200.b")];
    let report = adopt(&maildir, &given);
    let seen = "clients may have seen this message under another id";
    assert_eq!(reasons(&report), [("UID1-7", seen)]);
    assert_eq!((report.adopted, report.changed), (1, 0));
    assert_eq!(kit::uidls(&maildir.open()), ["300.c", "200.b", "100.a"]);
    let report = adopt_with(&maildir, &given, REPLACE);
    assert_eq!((report.adopted, report.changed, report.conflicts), (2, 1, 0));
    assert_eq!(kit::uidls(&maildir.open()), ["UID1-7", "200.b", "100.a"]);
}

#[test]
fn a_dry_run_changes_nothing() {
    let maildir = three();
    let list = || {
        let mut names: Vec<_> =
            fs::read_dir(&maildir.path).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    drop(maildir.open());
    let (names, state) = (list(), fs::read(maildir.state()).unwrap());
    let dry = AdoptOptions { dry_run: true, replace: true };
    let report = adopt_with(&maildir, &[id("100.a", "UID1-7")], dry);
    assert_eq!((report.adopted, report.changed, report.written), (1, 1, false));
    assert_eq!((list(), fs::read(maildir.state()).unwrap()), (names, state));
    assert_eq!(kit::uidls(&maildir.open()), ["100.a", "200.b", "300.c"]);
}

#[test]
fn conflicts_are_named_and_nothing_is_given_twice() {
    let maildir = three();
    let long = "x".repeat(71);
    let ids = [
        id("100.a", "same"),
        id("100.a", "again"),
        id("200.b", "same"),
        id("300.c", &long),
        id("100.a", ""),
    ];
    let report = adopt(&maildir, &ids);
    assert_eq!(
        reasons(&report),
        [
            ("again", "this message was listed before"),
            ("same", "this id was given to another message before"),
            (&*long, "not 1 to 70 characters of printable ASCII without space"),
            ("", "this message was listed before"),
        ]
    );
    assert_eq!(kit::uidls(&maildir.open()), ["same", "200.b", "300.c"]);
    // An id that another message keeps, and one that then stands in the way of the next.
    let maildir = three();
    let report = adopt(&maildir, &[id("200.b", "100.a"), id("300.c", "200.b")]);
    let kept = "another message keeps this id";
    assert_eq!(reasons(&report), [("100.a", kept), ("200.b", kept)]);
    assert_eq!(kit::uidls(&maildir.open()), ["200.b", "300.c", "100.a"]);
}

#[test]
fn hostile_ids_do_no_harm() {
    let maildir = three();
    let ids = [id("100.a", "a b"), id("../../etc/passwd", "x"), id("", "y"), id("200.b", "\r\n")];
    let report = adopt(&maildir, &ids);
    assert_eq!((report.adopted, report.missing, report.conflicts), (0, 2, 2));
    assert_eq!(kit::uidls(&maildir.open()).len(), 3);
    for (validity, next) in [(0, 1), (1, 0)] {
        let counters = Some(UidCounters { validity, next });
        let error = maildrop::adopt(&maildir.path, &[], counters, &REPLACE).unwrap_err();
        assert!(matches!(error, AdoptError::Counters { .. }));
    }
    let many: Vec<_> = (0..5000).map(|n| id("100.a", &n.to_string())).collect();
    let report = adopt_with(&maildir, &many, REPLACE);
    assert_eq!((report.conflicts, report.named_conflicts.len()), (4999, 1000));
}

#[test]
fn a_maildrop_in_use_is_left_alone() {
    let maildir = three();
    let _session = maildir.open();
    let error = maildrop::adopt(&maildir.path, &[], None, &AdoptOptions::default()).unwrap_err();
    assert!(matches!(error, AdoptError::Open(OpenError::InUse { .. })));
    let missing = maildir.path.join("missing");
    let error = maildrop::adopt(&missing, &[], None, &AdoptOptions::default()).unwrap_err();
    assert!(matches!(error, AdoptError::Open(OpenError::Unavailable { .. })));
}

#[test]
fn what_cannot_be_written_changes_nothing() {
    let maildir = three();
    let ids = kit::uidls(&maildir.open());
    fs::create_dir(maildir.path.join("lastpost-uidls")).unwrap();
    let given = [id("100.a", "UID1-7")];
    let error = maildrop::adopt(&maildir.path, &given, Some(COUNTERS), &REPLACE).unwrap_err();
    assert!(matches!(error, AdoptError::Write(_)));
    assert_eq!(kit::uidls(&maildir.open()), ids);
}

#[test]
fn counters_never_go_back() {
    let maildir = three();
    adopt(&maildir, &[]);
    let lower = Some(UidCounters { validity: 7, next: 3 });
    let report = maildrop::adopt(&maildir.path, &[], lower, &REPLACE).unwrap();
    assert_eq!(report.counters, Some(COUNTERS));
    let other = Some(UidCounters { validity: 9, next: 3 });
    assert_eq!(maildrop::adopt(&maildir.path, &[], other, &REPLACE).unwrap().counters, other);
}

#[test]
fn thousands_of_ids_and_one_message_more() {
    let maildir = kit::Box::new();
    let count = 3000;
    let ids: Vec<AdoptedId> = (0..count)
        .rev()
        .map(|n| {
            let base = format!("{}.M{n}.h,S=2,W=3", 1_700_000_000 + n);
            maildir.put(&format!("cur/{base}:2,S"), "x\n");
            id(&base, &format!("{:08x}67aabbcc", count - n))
        })
        .collect();
    assert_eq!(adopt(&maildir, &ids).adopted, count);
    let expected: Vec<_> = ids.iter().map(|id| id.uidl.clone()).collect();
    assert_eq!(kit::uidls(&maildir.open()), expected);
    maildir.put("new/1800000000.x,S=2,W=3", "x\n");
    let maildrop = maildir.open();
    let report = maildrop.scan_report();
    assert!(!report.record_read && !report.record_written, "{report:?}");
    assert!(report.state_octets_written < 1000, "{report:?}");
    assert_eq!(kit::uidls(&maildrop)[..count], expected[..]);
    assert_eq!(maildrop.len(), count + 1);
}
