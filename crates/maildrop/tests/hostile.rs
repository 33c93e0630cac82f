//! What may lie in a Maildir that nobody should have put there.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod kit;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use maildrop::{Maildrop, OpenError, OpenOptions};

fn open_error(path: &Path) -> OpenError {
    Maildrop::open(path, &OpenOptions::default()).unwrap_err()
}

fn assert_unavailable(path: &Path, what: &str) {
    match open_error(path) {
        OpenError::Unavailable { doing, .. } => assert_eq!(doing, what),
        other => panic!("{other}"),
    }
}

#[test]
fn any_name_gets_a_valid_id_and_can_be_read() {
    let maildir = kit::Box::new();
    let names: Vec<Vec<u8>> = vec![
        b"with\nnewline".to_vec(),
        b"with\rCR".to_vec(),
        b"with space".to_vec(),
        b"8-bit-\xff\xfe".to_vec(),
        "日本語".into(),
        b"\x1b[31m".to_vec(),
        vec![b'a'; 70],
        vec![b'a'; 71],
        vec![b'a'; 255],
        [vec![b'b'; 240], b":2,S".to_vec()].concat(),
        b":2,S".to_vec(),
        b":".to_vec(),
        b"1.x:".to_vec(),
        b"-rf".to_vec(),
        b"%s%n".to_vec(),
        b"0123456789abcdef0123456789abcdef".to_vec(),
        b"18446744073709551616.x,S=-1,W=18446744073709551616".to_vec(),
    ];
    for name in &names {
        fs::write(maildir.path.join("cur").join(OsStr::from_bytes(name)), name).unwrap();
    }
    let maildrop = maildir.open();
    assert_eq!(maildrop.len(), names.len());
    let ids = kit::uidls(&maildrop);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    for id in &ids {
        assert!((1..=70).contains(&id.len()) && id.bytes().all(|o| (0x21..=0x7E).contains(&o)));
    }
    let mut contents: Vec<_> = (0..names.len()).map(|index| kit::read(&maildrop, index)).collect();
    contents.sort();
    let mut expected = names.clone();
    expected.sort();
    assert_eq!(contents, expected);
    drop(maildrop);
    // The same ids from the state, and without it.
    let maildrop = maildir.open();
    assert_eq!(maildrop.scan_report().files_counted, 0);
    assert_eq!(kit::uidls(&maildrop), ids);
    drop(maildrop);
    fs::remove_file(maildir.state()).unwrap();
    let maildrop = maildir.open();
    assert_eq!(kit::uidls(&maildrop), ids);
    let all: Vec<usize> = (0..names.len()).collect();
    assert_eq!(maildrop.update(&all, &[], kit::NOW).removed, names.len());
    assert!(maildir.names("cur").is_empty());
}

#[test]
fn only_regular_files_are_messages() {
    let maildir = kit::Box::new();
    let cur = maildir.path.join("cur");
    let secret = maildir.path.join("secret");
    fs::write(&secret, "not mail").unwrap();
    symlink(&secret, cur.join("1.link")).unwrap();
    symlink("nowhere", cur.join("2.dangling")).unwrap();
    fs::create_dir(cur.join("3.directory")).unwrap();
    assert!(Command::new("mkfifo").arg(cur.join("4.fifo")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(cur.join("5.socket")).unwrap();
    maildir.put("cur/.hidden", "x\n").put("cur/.nfs000", "x\n").put("cur/6.mail", "x\n");
    let maildrop = maildir.open();
    assert_eq!(kit::uidls(&maildrop), ["6.mail"]);
    assert!(maildrop.update(&[0], &[], kit::NOW).is_complete());
    assert!(secret.exists() && cur.join("4.fifo").exists());
}

#[test]
fn a_message_swapped_for_something_else_is_gone() {
    let maildir = kit::Box::new();
    let cur = maildir.path.join("cur");
    let secret = maildir.path.join("secret");
    fs::write(&secret, "not mail").unwrap();
    for name in ["1.a", "2.b", "3.c"] {
        maildir.put(&format!("cur/{name}"), "x\n");
    }
    let maildrop = maildir.open();
    for name in ["1.a", "2.b", "3.c"] {
        maildir.remove(&format!("cur/{name}"));
    }
    symlink(&secret, cur.join("1.a")).unwrap();
    assert!(Command::new("mkfifo").arg(cur.join("2.b")).status().unwrap().success());
    fs::create_dir(cur.join("3.c")).unwrap();
    for index in 0..3 {
        assert!(matches!(maildrop.retrieve(index), Err(maildrop::RetrieveError::Gone)), "{index}");
    }
    let report = maildrop.update(&[0, 2], &[], kit::NOW);
    assert_eq!(report.failed.len(), 1);
    assert_eq!(report.failed[0].index, 2);
    assert!(!report.is_complete());
    // The link went, what it led to did not.
    assert_eq!(fs::read_to_string(&secret).unwrap(), "not mail");
}

#[test]
fn a_directory_that_cannot_be_read_is_an_error() {
    for place in ["new", "cur"] {
        let maildir = kit::Box::new();
        maildir.put("new/1.a", "x\n").put("cur/2.b", "x\n");
        let all = |mode| fs::Permissions::from_mode(mode);
        for directory in ["new", "cur", "tmp"] {
            fs::set_permissions(maildir.path.join(directory), all(0o755)).unwrap();
        }
        fs::set_permissions(maildir.path.join(place), all(0o111)).unwrap();
        kit::as_nobody(&maildir.path, || {
            assert_unavailable(&maildir.path, &format!("opening {place}"));
            assert!(maildrop::summary(&maildir.path).is_err());
        });
        fs::set_permissions(maildir.path.join(place), all(0o755)).unwrap();
        assert_eq!(maildir.open().len(), 2);
    }
}

#[test]
fn a_place_that_is_no_directory_is_an_error() {
    for place in ["new", "cur"] {
        let maildir = kit::Box::new();
        fs::remove_dir(maildir.path.join(place)).unwrap();
        maildir.put(place, "a file");
        assert_unavailable(&maildir.path, &format!("opening {place}"));
        maildir.remove(place);
        symlink(maildir.path.join("tmp"), maildir.path.join(place)).unwrap();
        assert_unavailable(&maildir.path, &format!("opening {place}"));
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    assert_unavailable(file.path(), "opening it");
}

#[test]
fn a_missing_maildir_is_made_only_within_an_existing_parent() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let path = home.join("Maildir");
    assert_unavailable(&path, "creating it");
    assert!(!home.exists());
    fs::create_dir(&home).unwrap();
    let never = OpenOptions { create_missing: false, ..OpenOptions::default() };
    assert!(matches!(Maildrop::open(&path, &never), Err(OpenError::Unavailable { .. })));
    assert!(!path.exists());
    assert!(kit::open(&path, &OpenOptions::default()).is_empty());
    for made in [".", "new", "cur", "tmp"] {
        let rights = fs::metadata(path.join(made)).unwrap().permissions().mode();
        assert_eq!(rights & 0o777, 0o700, "{made}");
    }
    fs::remove_dir(path.join("cur")).unwrap();
    assert!(matches!(Maildrop::open(&path, &never), Err(OpenError::Unavailable { .. })));
    assert!(kit::open(&path, &OpenOptions::default()).is_empty());
    assert!(path.join("cur").is_dir());
}

#[test]
fn create_makes_parents_and_spares_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b/c/Maildir");
    maildrop::create(&path).unwrap();
    fs::write(path.join("new/1.a"), "x\n").unwrap();
    maildrop::create(&path).unwrap();
    assert_eq!(kit::open(&path, &OpenOptions::default()).len(), 1);
    fs::write(directory.path().join("file"), "").unwrap();
    assert!(maildrop::create(&directory.path().join("file/Maildir")).is_err());
}

#[test]
fn too_many_messages_are_an_error_not_a_part() {
    let maildir = kit::Box::new();
    for n in 0..6 {
        maildir.put(&format!("{}/{n}.x", if n % 2 == 0 { "new" } else { "cur" }), "x\n");
    }
    let open = |messages_max| {
        let options = OpenOptions { messages_max, ..OpenOptions::default() };
        Maildrop::open(&maildir.path, &options)
    };
    assert_eq!(open(6).unwrap().len(), 6);
    assert!(matches!(open(5), Err(OpenError::TooMany { limit: 5, .. })));
    assert!(matches!(open(0), Err(OpenError::TooMany { .. })));
    fs::remove_file(maildir.state()).ok();
    assert!(matches!(open(5), Err(OpenError::TooMany { limit: 5, .. })));
}

#[test]
fn a_path_with_odd_octets_works() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(OsStr::from_bytes(b"a\n\xff b"));
    maildrop::create(&path).unwrap();
    let delivery = maildrop::Delivery::to(&path).unwrap();
    delivery.deliver(b"x\n").unwrap();
    assert_eq!(kit::open(&path, &OpenOptions::default()).octets(), 3);
}
