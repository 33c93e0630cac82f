//! Order and ids stay the same from session to session.

mod kit;

use std::fs;

use maildrop::StateUse;

#[test]
fn messages_come_by_time_of_delivery() {
    let maildir = kit::Box::new();
    for name in
        ["cur/1000000010.b:2,S", "new/999999999.z", "new/1000000010.a", "cur/x:2,", "new/a.b"]
    {
        maildir.put(name, "x\n");
    }
    let expected = ["999999999.z", "1000000010.a", "1000000010.b", "a.b", "x"];
    assert_eq!(kit::uidls(&maildir.open()), expected);
    fs::remove_file(maildir.state()).ok();
    assert_eq!(kit::uidls(&maildir.open()), expected);
}

#[test]
fn late_comers_with_early_names_come_last_and_stay_there() {
    let maildir = kit::Box::new();
    // Counted sizes make the state worth keeping although the box is fresh.
    maildir.put("new/200.a", "x\n").put("new/300.a", "x\n");
    drop(maildir.open());
    maildir.put("new/100.a", "x\n");
    let expected = ["200.a", "300.a", "100.a"];
    assert_eq!(kit::uidls(&maildir.open()), expected);
    maildir.rename("new/200.a", "cur/200.a:2,FS");
    assert_eq!(kit::uidls(&maildir.open()), expected);
    let maildrop = maildir.open();
    assert!(maildrop.update(&[0], &[], kit::NOW).is_complete());
    assert_eq!(kit::uidls(&maildrop), expected);
    drop(maildrop);
    assert_eq!(kit::uidls(&maildir.open()), ["300.a", "100.a"]);
    maildir.put("new/250.a", "x\n");
    assert_eq!(kit::uidls(&maildir.open()), ["300.a", "100.a", "250.a"]);
}

#[test]
fn an_unchanged_box_needs_no_pass() {
    let maildir = kit::Box::new();
    maildir.put("new/1.a,S=2,W=3", "x\n").put("cur/2.b:2,S", "yy\n");
    let first = maildir.open();
    // The directories have only just changed: what was seen now proves nothing for later.
    assert_eq!(first.scan_report().passes, 1);
    drop(first);
    kit::settle();
    let second = maildir.open();
    assert_eq!((second.scan_report().passes, second.scan_report().state_written), (1, true));
    drop(second);
    for _ in 0..2 {
        let third = maildir.open();
        let report = third.scan_report();
        assert_eq!((report.passes, report.entries), (0, 0), "a directory was read");
        assert_eq!((report.state, report.state_written), (StateUse::Current, false));
        assert_eq!(kit::uidls(&third), ["1.a,S=2,W=3", "2.b"]);
        assert_eq!(kit::sizes(&third), [3, 4]);
        assert_eq!(kit::read(&third, 1), b"yy\n");
        assert_eq!(kit::read(&third, 0), b"x\n");
        assert!(third.update(&[], &[0, 1], kit::NOW).is_complete());
    }
    // A summary uses it as well, and leaves it.
    assert_eq!(maildrop::summary(&maildir.path).unwrap().scan.passes, 0);

    // Any change is seen at once: a delivery, flags, a removal.
    maildir.put("new/3.c,S=2,W=3", "z\n");
    assert_eq!(kit::uidls(&maildir.open()).len(), 3);
    maildir.rename("cur/2.b:2,S", "cur/2.b:2,RS");
    let maildrop = maildir.open();
    assert_eq!(maildrop.scan_report().state, StateUse::Stale);
    assert_eq!(kit::read(&maildrop, 1), b"yy\n");
    drop(maildrop);
    maildir.remove("new/1.a,S=2,W=3");
    assert_eq!(kit::uidls(&maildir.open()), ["2.b", "3.c,S=2,W=3"]);
}

#[test]
fn an_empty_box_needs_no_pass_either() {
    let maildir = kit::Box::new();
    kit::settle();
    assert!(maildir.open().scan_report().state_written);
    let maildrop = maildir.open();
    assert_eq!((maildrop.scan_report().passes, maildrop.len(), maildrop.octets()), (0, 0, 0));
    assert!(maildrop.is_empty());
    assert!(maildrop.message(0).is_none());
}

#[test]
fn times_set_back_by_a_copying_tool_do_not_deceive() {
    let maildir = kit::Box::new();
    maildir.put("new/1.a,W=3", "x\n");
    kit::settle();
    drop(maildir.open());
    let times = fs::metadata(maildir.path.join("new")).unwrap().modified().unwrap();
    maildir.put("new/2.b,W=3", "y\n");
    fs::File::open(maildir.path.join("new")).unwrap().set_modified(times).unwrap();
    assert_eq!(fs::metadata(maildir.path.join("new")).unwrap().modified().unwrap(), times);
    assert_eq!(maildir.open().len(), 2);
}

#[test]
fn a_ruined_state_is_only_a_slower_login() {
    let maildir = kit::Box::new();
    maildir.put("new/1.a", "x\n").put("cur/2.b:2,S", "yy\n");
    drop(maildir.open());
    let good = fs::read(maildir.state()).unwrap();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 0x40;
    let mut other_version = good.clone();
    other_version[8] = 9;
    let ruins: [&[u8]; 6] =
        [b"", b"x", &good[..good.len() - 1], &flipped, &other_version, &[0xFF; 4096]];
    for ruin in ruins {
        fs::write(maildir.state(), ruin).unwrap();
        let maildrop = maildir.open();
        let report = maildrop.scan_report();
        assert!(matches!(report.state, StateUse::Rejected(_)), "{report:?}");
        assert!(report.state_written);
        assert_eq!(kit::uidls(&maildrop), ["1.a", "2.b"]);
        assert_eq!(kit::sizes(&maildrop), [3, 4]);
    }
    assert_eq!(fs::read(maildir.state()).unwrap().len(), good.len());

    // A link, a directory or a FIFO in its place: no following, no waiting.
    fs::remove_file(maildir.state()).unwrap();
    let elsewhere = maildir.path.join("elsewhere");
    fs::write(&elsewhere, &good).unwrap();
    std::os::unix::fs::symlink(&elsewhere, maildir.state()).unwrap();
    assert_eq!(maildir.open().scan_report().state, StateUse::Missing);
    assert!(fs::symlink_metadata(maildir.state()).unwrap().is_file());
    assert_eq!(fs::read(&elsewhere).unwrap(), good);
    fs::remove_file(maildir.state()).unwrap();
    fs::create_dir(maildir.state()).unwrap();
    let maildrop = maildir.open();
    assert!(!maildrop.scan_report().state_written);
    assert_eq!(kit::sizes(&maildrop), [3, 4]);
}

#[test]
fn two_files_of_one_base_name_are_two_messages() {
    let maildir = kit::Box::new();
    maildir.put("new/1.a,S=2", "x\n").put("cur/1.a,S=2:2,S", "yyyy\n").put("new/2.b", "z\n");
    let maildrop = maildir.open();
    assert_eq!(maildrop.scan_report().files_renamed, 1);
    let ids = kit::uidls(&maildrop);
    assert_eq!(ids.len(), 3);
    assert!(ids.contains(&"1.a,S=2".to_owned()) && ids.contains(&"2.b".to_owned()));
    let renamed = ids.iter().find(|id| id.starts_with("1.aI")).unwrap();
    assert!(renamed.ends_with(",S=2"));
    let mut contents: Vec<_> = (0..3).map(|index| kit::read(&maildrop, index)).collect();
    contents.sort();
    assert_eq!(contents, [b"x\n".to_vec(), b"yyyy\n".to_vec(), b"z\n".to_vec()]);
    drop(maildrop);
    let again = maildir.open();
    assert_eq!(again.scan_report().files_renamed, 0);
    assert_eq!(kit::uidls(&again), ids);
}

#[test]
fn ten_thousand_messages() {
    let maildir = kit::Box::new();
    for n in 0..10_000 {
        let place = if n % 3 == 0 { "new" } else { "cur" };
        let flags = if n % 3 == 0 { "" } else { ":2,S" };
        maildir
            .put(&format!("{place}/{}.M{n}P1.host,S=2,W=3{flags}", 1_700_000_000 + n / 7), "x\n");
    }
    let maildrop = maildir.open();
    assert_eq!((maildrop.len(), maildrop.octets()), (10_000, 30_000));
    assert_eq!(maildrop.scan_report().entries, 10_004);
    assert_eq!(maildrop.scan_report().files_counted, 0);
    let ids = kit::uidls(&maildrop);
    let every_second: Vec<usize> = (0..10_000).step_by(2).collect();
    let report = maildrop.update(&every_second, &[], kit::NOW);
    assert_eq!((report.removed, report.gone, report.failed.len()), (5000, 0, 0));
    drop(maildrop);
    let left: Vec<String> = ids.into_iter().skip(1).step_by(2).collect();
    assert_eq!(kit::uidls(&maildir.open()), left);
    fs::remove_file(maildir.state()).ok();
    assert_eq!(kit::uidls(&maildir.open()), left);
}
