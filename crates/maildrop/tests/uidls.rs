//! Ids made of counters, and the record that keeps them and the order.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod kit;

use std::collections::HashSet;
use std::fs;

use maildrop::{AdoptOptions, AdoptedId, Maildrop, OpenError, OpenOptions, UidCounters};

fn options(format: &str) -> OpenOptions {
    OpenOptions { uidl_format: format.parse().unwrap(), ..OpenOptions::default() }
}

fn open(maildir: &kit::Box, format: &str) -> Maildrop {
    kit::open(&maildir.path, &options(format))
}

fn record(maildir: &kit::Box) -> std::path::PathBuf {
    maildir.path.join("lastpost-uidls")
}

/// A maildrop whose counters are known.
fn counted(next: u32) -> kit::Box {
    let maildir = kit::Box::new();
    let counters = UidCounters { validity: 7, next };
    maildrop::adopt(&maildir.path, &[], Some(counters), &AdoptOptions::default()).unwrap();
    maildir
}

/// The ids and sizes now, and that they are the same without the state, and without the copy of
/// the record in it.
fn assert_lasting(maildir: &kit::Box, format: &str) -> Vec<String> {
    let ids = kit::uidls(&open(maildir, format));
    for _ in 0..2 {
        assert_eq!(kit::uidls(&open(maildir, format)), ids);
    }
    fs::remove_file(maildir.state()).ok();
    assert_eq!(kit::uidls(&open(maildir, format)), ids, "without the state");
    fs::write(maildir.state(), "ruined").unwrap();
    assert_eq!(kit::uidls(&open(maildir, format)), ids, "with a ruined state");
    assert_eq!(kit::uidls(&open(maildir, format)), ids);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    ids
}

#[test]
fn each_format_gives_ids_that_last() {
    for (format, expected) in [
        ("dovecot", ["0000000500000007", "0000000600000007"]),
        ("cyrus", ["7.5", "7.6"]),
        ("courier", ["UID5-7", "UID6-7"]),
        ("%{uid}-%{filename}", ["5-1.a", "6-2.b"]),
    ] {
        let maildir = counted(5);
        maildir.put("new/2.b", "b\n").put("cur/1.a:2,S", "a\n");
        assert_eq!(assert_lasting(&maildir, format), expected, "{format}");
        // One more, with an early name: last, and for good.
        maildir.put("new/0.early", "c\n").rename("new/2.b", "cur/2.b:2,F");
        let ids = assert_lasting(&maildir, format);
        assert_eq!(ids[..2], expected, "{format}");
        assert_eq!(ids.len(), 3);
        assert_eq!(kit::read(&open(&maildir, format), 2), b"c\n");
    }
}

#[test]
fn a_new_box_makes_its_own_counters() {
    let maildir = kit::Box::new();
    maildir.put("new/1.a", "a\n").put("new/2.b", "b\n");
    let ids = assert_lasting(&maildir, "cyrus");
    let validity: u32 = ids[0].strip_suffix(".1").unwrap().parse().unwrap();
    assert!(validity > 1_600_000_000);
    assert_eq!(ids[1], format!("{validity}.2"));
}

#[test]
fn no_number_is_used_twice_though_the_last_message_goes() {
    let maildir = counted(1);
    let mut seen = HashSet::new();
    for round in 0..5 {
        maildir.put(&format!("new/{round}.a"), "a\n").put(&format!("new/{round}.b"), "b\n");
        let maildrop = open(&maildir, "courier");
        for id in kit::uidls(&maildrop) {
            assert!(seen.insert(id.clone()), "{id} was used before");
        }
        assert_eq!(maildrop.update(&[0, 1], &[], kit::NOW).removed, 2);
        drop(maildrop);
        if round % 2 == 0 {
            fs::remove_file(maildir.state()).ok();
        }
        assert!(open(&maildir, "courier").is_empty());
    }
    assert_eq!(seen.len(), 10);
}

#[test]
fn ids_that_clients_have_seen_outlast_a_change_of_format() {
    let maildir = counted(5);
    maildir.put("new/1.a", "a\n").put("new/2.b", "b\n");
    assert_eq!(kit::uidls(&open(&maildir, "filename")), ["1.a", "2.b"]);
    maildir.put("new/3.c", "c\n");
    assert_eq!(assert_lasting(&maildir, "courier"), ["1.a", "2.b", "UID5-7"]);
    maildir.put("new/4.d", "d\n");
    assert_eq!(assert_lasting(&maildir, "filename"), ["1.a", "2.b", "UID5-7", "4.d"]);
    maildir.put("new/0.e", "e\n").put("new/5.f", "f\n");
    let expected = ["1.a", "2.b", "UID5-7", "4.d", "0.e", "5.f"];
    assert_eq!(assert_lasting(&maildir, "filename"), expected);
    maildir.put("new/0.g", "g\n");
    let ids = assert_lasting(&maildir, "cyrus");
    assert_eq!(ids[..6], expected);
    assert_eq!(ids[6], "7.6");
}

#[test]
fn order_by_arrival_outlasts_the_state() {
    let maildir = kit::Box::new();
    maildir.put("new/200.a", "x\n").put("new/300.a", "x\n");
    drop(maildir.open());
    assert!(!record(&maildir).exists(), "an order that follows from the names needs no record");
    maildir.put("new/100.a", "x\n").put("new/250.b", "x\n");
    assert_eq!(assert_lasting(&maildir, "filename"), ["200.a", "300.a", "100.a", "250.b"]);
    maildir.put("new/150.c", "x\n");
    let expected = ["200.a", "300.a", "100.a", "250.b", "150.c"];
    assert_eq!(assert_lasting(&maildir, "filename"), expected);
    // The name that the late ones stand behind goes, and they stay where they were.
    maildir.remove("new/300.a").put("new/260.d", "x\n").put("new/400.e", "x\n");
    let expected = ["200.a", "100.a", "250.b", "150.c", "260.d", "400.e"];
    assert_eq!(assert_lasting(&maildir, "filename"), expected);
    maildir.put("new/399.f", "x\n");
    assert_eq!(assert_lasting(&maildir, "filename").last().unwrap(), "399.f");
}

#[test]
fn a_message_that_was_away_comes_back_with_its_id() {
    let maildir = counted(5);
    maildir.put("new/1.a", "a\n").put("new/2.b", "b\n");
    let ids = kit::uidls(&open(&maildir, "courier"));
    let away = maildir.path.join("away");
    fs::rename(maildir.path.join("new/1.a"), &away).unwrap();
    maildir.put("new/3.c", "c\n");
    assert_eq!(kit::uidls(&open(&maildir, "courier")), [&ids[1][..], "UID7-7"]);
    fs::rename(&away, maildir.path.join("cur/1.a:2,S")).unwrap();
    let back = assert_lasting(&maildir, "courier");
    assert_eq!(back, [&ids[1][..], "UID7-7", &ids[0]]);
}

#[test]
fn an_id_that_another_message_has_is_passed_over() {
    let maildir = kit::Box::new();
    maildir.put("new/1.a", "a\n").put("new/2.b", "b\n");
    let ids = [
        AdoptedId { base: b"1.a".to_vec(), uidl: "UID5-7".into(), octets: None },
        AdoptedId { base: b"2.b".to_vec(), uidl: "UID6-7".into(), octets: None },
    ];
    let counters = UidCounters { validity: 7, next: 5 };
    maildrop::adopt(&maildir.path, &ids, Some(counters), &AdoptOptions::default()).unwrap();
    maildir.put("new/3.c", "c\n").put("new/4.d", "d\n");
    let ids = assert_lasting(&maildir, "courier");
    assert_eq!(ids.len(), 4);
    assert_eq!(ids[..2], ["UID5-7", "UID6-7"]);
    // A name that is the id of another message: not that id again.
    maildir.put("new/UID5-7", "e\n");
    let ids = assert_lasting(&maildir, "filename");
    assert_eq!((ids.len(), ids[4].len()), (5, 32));
}

#[test]
fn names_that_make_no_id_of_the_template_are_hashed() {
    let maildir = counted(5);
    maildir.put("new/1.a b", "a\n").put(&format!("new/2.{}", "x".repeat(100)), "b\n");
    let ids = assert_lasting(&maildir, "%u-%f");
    assert!(ids.iter().all(|id| id.len() == 32));
}

#[test]
fn exhausted_counters_begin_anew_with_another_validity() {
    let maildir = counted(u32::MAX);
    maildir.put("new/1.a", "a\n").put("new/2.b", "b\n").put("new/3.c", "c\n");
    assert_eq!(assert_lasting(&maildir, "cyrus"), ["7.4294967295", "8.1", "8.2"]);
}

#[test]
fn any_damage_to_the_record_leaves_ids_that_are_known_and_unique() {
    let maildir = counted(5);
    for n in 0..6 {
        maildir.put(&format!("new/{n}.x"), "x\n");
    }
    let mut ids = assert_lasting(&maildir, "courier");
    ids.sort();
    let (good, state) = (fs::read(record(&maildir)).unwrap(), fs::read(maildir.state()).unwrap());
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 0x04;
        fs::write(record(&maildir), &bad).unwrap();
        fs::write(maildir.state(), &state).unwrap();
        let maildrop = open(&maildir, "courier");
        let report = maildrop.scan_report();
        assert!(report.lines_damaged > 0 && report.record_written, "octet {at}: {report:?}");
        // The state knows them still.
        let mut now = kit::uidls(&maildrop);
        now.sort();
        assert_eq!(now, ids, "octet {at}");
        drop(maildrop);
        assert_eq!(open(&maildir, "courier").scan_report().lines_damaged, 0);
    }
    // Without the state as well: what is lost is new, what is whole stays, nothing twice.
    for at in (0..good.len()).step_by(5) {
        let mut bad = good.clone();
        bad[at] ^= 0x04;
        fs::write(record(&maildir), &bad).unwrap();
        fs::remove_file(maildir.state()).unwrap();
        let now = kit::uidls(&open(&maildir, "courier"));
        assert_eq!(now.iter().collect::<HashSet<_>>().len(), 6, "octet {at}");
        let kept = now.iter().filter(|id| ids.contains(id)).count();
        assert!(kept >= 4, "octet {at}: {now:?}");
        let new = now.iter().filter(|id| !ids.contains(id));
        for id in new {
            let number = id.strip_prefix("UID").unwrap().strip_suffix("-7").unwrap();
            assert!(number.parse::<u32>().unwrap() >= 11, "octet {at}: {id} was another's");
        }
    }
}

#[test]
fn a_lost_record_is_made_again_of_the_state() {
    let maildir = counted(5);
    maildir.put("new/2.b", "b\n").put("new/3.c", "c\n");
    drop(open(&maildir, "courier"));
    maildir.put("new/1.a", "a\n");
    let ids = assert_lasting(&maildir, "courier");
    fs::remove_file(record(&maildir)).unwrap();
    assert_eq!(kit::uidls(&open(&maildir, "courier")), ids);
    assert!(record(&maildir).exists());
    maildir.put("new/4.d", "d\n");
    assert_eq!(assert_lasting(&maildir, "courier").last().unwrap(), "UID8-7");
}

#[test]
fn a_record_that_grows_is_written_anew_now_and_then() {
    let maildir = counted(1);
    for round in 0..20 {
        for n in 0..50 {
            maildir.put(&format!("new/{round:03}.{n:03}"), "x\n");
        }
        let maildrop = open(&maildir, "courier");
        let old: Vec<usize> = (0..maildrop.len().saturating_sub(10)).collect();
        maildrop.update(&old, &[], kit::NOW);
    }
    assert_eq!(open(&maildir, "courier").len(), 10);
    let lines = fs::read(record(&maildir)).unwrap().iter().filter(|&&o| o == b'\n').count();
    assert!(lines < 500, "{lines} lines for 10 messages");
    assert_eq!(assert_lasting(&maildir, "courier").last().unwrap(), "UID1000-7");
}

#[test]
fn what_cannot_be_recorded_is_not_shown() {
    let maildir = counted(5);
    maildir.put("new/1.a", "a\n").put("new/2.b", "b\n");
    let known = kit::uidls(&open(&maildir, "courier"));
    let good = fs::read(record(&maildir)).unwrap();
    // A directory in its place: nothing can be written there, whoever one is.
    fs::remove_file(record(&maildir)).unwrap();
    fs::create_dir(record(&maildir)).unwrap();
    maildir.put("new/3.c", "c\n");
    for _ in 0..2 {
        let maildrop = open(&maildir, "courier");
        assert_eq!(kit::uidls(&maildrop), known);
        let report = maildrop.scan_report();
        assert_eq!((report.messages_withheld, report.record_written), (1, false));
        assert!(!report.state_written);
        assert_eq!(kit::read(&maildrop, 1), b"b\n");
        assert!(maildrop.update(&[], &[0], kit::NOW).is_complete());
    }
    fs::remove_dir(record(&maildir)).unwrap();
    fs::write(record(&maildir), good).unwrap();
    let maildrop = open(&maildir, "courier");
    assert_eq!(maildrop.scan_report().messages_withheld, 0);
    assert_eq!(kit::uidls(&maildrop)[..2], known[..]);
    assert_eq!(maildrop.len(), 3);
}

#[test]
fn a_record_that_cannot_be_read_is_no_reason_for_new_ids() {
    let maildir = counted(5);
    maildir.put("new/1.a", "a\n");
    drop(open(&maildir, "courier"));
    let rights = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    for place in ["new", "cur", "tmp"] {
        fs::set_permissions(maildir.path.join(place), rights(0o755)).unwrap();
    }
    fs::remove_file(maildir.state()).unwrap();
    fs::set_permissions(record(&maildir), rights(0)).unwrap();
    kit::as_nobody(&maildir.path, || match Maildrop::open(&maildir.path, &options("courier")) {
        Err(OpenError::Unavailable { doing, .. }) => assert_eq!(doing, "reading lastpost-uidls"),
        other => panic!("{other:?}"),
    });
}

#[test]
fn a_link_in_the_place_of_the_record_is_not_followed() {
    let maildir = kit::Box::new();
    let elsewhere = maildir.path.join("elsewhere");
    fs::write(&elsewhere, "precious\n").unwrap();
    std::os::unix::fs::symlink(&elsewhere, record(&maildir)).unwrap();
    maildir.put("new/1.a", "a\n");
    assert_eq!(open(&maildir, "courier").len(), 1);
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "precious\n");
    assert!(fs::symlink_metadata(record(&maildir)).unwrap().is_file());
}

#[test]
fn a_summary_writes_nothing() {
    let maildir = counted(5);
    maildir.put("new/1.a", "a\n");
    let before = fs::read(record(&maildir)).unwrap();
    assert_eq!(maildrop::summary(&maildir.path).unwrap().messages[0].uidl, "1.a");
    assert_eq!(fs::read(record(&maildir)).unwrap(), before);
    let ids = kit::uidls(&open(&maildir, "courier"));
    assert_eq!(maildrop::summary(&maildir.path).unwrap().messages[0].uidl, ids[0]);
}
