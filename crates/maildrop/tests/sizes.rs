//! Announced octets equal octets sent, whatever the message looks like.

mod kit;

use std::fs;

use maildrop::StateUse;

fn messages() -> Vec<(&'static str, Vec<u8>, u64)> {
    vec![
        ("LF", b"Subject: x\n\nbody\n".to_vec(), 20),
        ("CRLF", b"Subject: x\r\n\r\nbody\r\n".to_vec(), 20),
        ("mixed", b"a\r\nb\nc\r\n".to_vec(), 9),
        ("no final line end", b"a\nb".to_vec(), 6),
        ("ends with CR", b"a\nb\r".to_vec(), 7),
        ("bare CR", b"a\rb\n".to_vec(), 5),
        ("CR CR LF", b"a\r\r\n".to_vec(), 4),
        ("dots", b".\n..\n.a\nb.\n".to_vec(), 15),
        ("a dot and nothing else", b".".to_vec(), 3),
        ("empty", Vec::new(), 0),
        ("one LF", b"\n".to_vec(), 2),
        ("8-bit", "æøå 漢字\n".as_bytes().to_vec(), 15),
        ("NUL", b"a\0b\n\0".to_vec(), 8),
        ("every octet", (0..=255).collect(), 259),
        ("LF first in a block", [vec![b'x'; 128 * 1024], b"\ny\n".to_vec()].concat(), 131_077),
        (
            "CRLF over two blocks",
            [vec![b'x'; 128 * 1024 - 1], b"\r\ny\n".to_vec()].concat(),
            131_076,
        ),
        ("one line of 20 MB", vec![b'x'; 20_000_000], 20_000_002),
        ("20 MB of LF", vec![b'\n'; 20_000_000], 40_000_000),
    ]
}

#[test]
fn announced_is_sent() {
    for (what, content, expected) in messages() {
        let maildir = kit::Box::new();
        maildir.put("cur/1.a:2,", &content);
        let maildrop = maildir.open();
        assert_eq!(kit::sizes(&maildrop), [expected], "{what}");
        assert_eq!(maildrop.octets(), expected, "{what}");
        assert_eq!(kit::octets_sent(&maildrop, 0), expected, "{what}");
        assert_eq!(kit::read(&maildrop, 0), content, "{what}");
        assert_eq!(maildrop.scan_report().files_counted, 1, "{what}");
        assert_eq!(maildrop.scan_report().octets_counted, content.len() as u64, "{what}");
    }
}

#[test]
fn delivered_sizes_need_no_counting() {
    for (what, content, expected) in messages() {
        let maildir = kit::Box::new();
        let delivery = maildrop::Delivery::to(&maildir.path).unwrap();
        let delivered = delivery.deliver_reader(&mut content.as_slice()).unwrap();
        assert_eq!(
            (delivered.octets, delivered.stored),
            (expected, content.len() as u64),
            "{what}"
        );
        let maildrop = maildir.open();
        assert_eq!(kit::sizes(&maildrop), [expected], "{what}");
        assert_eq!(maildrop.scan_report().files_counted, 0, "{what}");
        assert_eq!(kit::octets_sent(&maildrop, 0), expected, "{what}");
    }
}

#[test]
fn a_counted_size_is_remembered() {
    let maildir = kit::Box::new();
    maildir.put("new/1.a", "one\ntwo\n").put("new/2.b", "x");
    assert_eq!(maildir.open().scan_report().files_counted, 2);
    let maildrop = maildir.open();
    assert_eq!(maildrop.scan_report().files_counted, 0);
    assert_eq!(maildrop.scan_report().state, StateUse::Stale);
    assert_eq!(kit::sizes(&maildrop), [10, 3]);
    drop(maildrop);
    // Flags and directory may change, the base name is what counts.
    maildir.rename("new/1.a", "cur/1.a:2,S");
    let maildrop = maildir.open();
    assert_eq!(maildrop.scan_report().files_counted, 0);
    assert_eq!(kit::sizes(&maildrop), [10, 3]);
    assert_eq!(kit::read(&maildrop, 0), b"one\ntwo\n");
}

#[test]
fn a_lying_name_is_believed_once() {
    let maildir = kit::Box::new();
    maildir.put("cur/1.a,W=1000:2,", "one\ntwo\n").put("cur/2.b,W=7", "right\n");
    let maildrop = maildir.open();
    assert_eq!(kit::sizes(&maildrop), [1000, 7]);
    kit::read(&maildrop, 0);
    kit::read(&maildrop, 1);
    // The session keeps to what it announced; the next one knows better.
    assert_eq!(kit::sizes(&maildrop), [1000, 7]);
    assert!(maildrop.update(&[], &[0, 1], kit::NOW).is_complete());
    drop(maildrop);
    let maildrop = maildir.open();
    assert_eq!(kit::sizes(&maildrop), [10, 7]);
    assert_eq!(maildrop.octets(), 17);
    drop(maildrop);
    // What is known outweighs the name also when the box changes.
    maildir.put("new/3.c,W=2", "\n").rename("cur/1.a,W=1000:2,", "cur/1.a,W=1000:2,F");
    assert_eq!(kit::sizes(&maildir.open()), [10, 7, 2]);
}

#[test]
fn a_correction_survives_the_removal_of_others() {
    let maildir = kit::Box::new();
    for n in 1..=5 {
        maildir.put(&format!("cur/{n}.x,W=99:2,"), "ab\n");
    }
    let maildrop = maildir.open();
    kit::read(&maildrop, 3);
    kit::read(&maildrop, 1);
    let report = maildrop.update(&[0, 1], &[1, 3], kit::NOW);
    assert_eq!(report.removed, 2);
    drop(maildrop);
    let maildrop = maildir.open();
    assert_eq!(kit::sizes(&maildrop), [99, 4, 99]);
    assert_eq!(kit::uidls(&maildrop), ["3.x,W=99", "4.x,W=99", "5.x,W=99"]);
}

#[test]
fn impossible_sizes_in_names_are_counted_instead() {
    let maildir = kit::Box::new();
    maildir
        .put("cur/1.a,S=3,W=2:2,", "ab\n")
        .put("cur/2.a,S=3,W=9:2,", "ab\n")
        .put("cur/3.a,W=99999999999999999999:2,", "ab\n")
        .put("cur/4.a,W=:2,", "ab\n");
    let maildrop = maildir.open();
    assert_eq!(kit::sizes(&maildrop), [4, 4, 4, 4]);
    assert_eq!(maildrop.scan_report().files_counted, 4);
}

#[test]
fn an_unreadable_message_keeps_its_place_and_id() {
    let maildir = kit::Box::new();
    maildir.put("cur/1.a", "one\n").put("cur/2.b", "two\n").put("cur/3.c", "three\n");
    let rights = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(maildir.path.join("cur/2.b"), rights(0)).unwrap();
    for place in ["new", "cur", "tmp"] {
        fs::set_permissions(maildir.path.join(place), rights(0o755)).unwrap();
    }
    kit::as_nobody(&maildir.path, || {
        let maildrop = maildir.open();
        assert_eq!(kit::uidls(&maildrop), ["1.a", "2.b", "3.c"]);
        assert_eq!(kit::sizes(&maildrop), [5, 4, 7]);
        assert_eq!(maildrop.scan_report().files_unreadable, 1);
        assert!(matches!(maildrop.retrieve(1), Err(maildrop::RetrieveError::Io(_))));
        assert_eq!(kit::read(&maildrop, 2), b"three\n");
    });
    fs::set_permissions(maildir.path.join("cur/2.b"), rights(0o600)).unwrap();
    assert_eq!(kit::sizes(&maildir.open()), [5, 5, 7]);
}
