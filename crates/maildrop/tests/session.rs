//! What other programs do to a Maildir while a session is going on.

mod kit;

use std::fs;
use std::io::{ErrorKind, Read, Write};

use maildrop::{Delivery, Maildrop, OpenOptions, RetrieveError};

#[test]
fn a_message_that_moved_is_found() {
    let maildir = kit::Box::new();
    maildir.put("new/1.a", "one\n").put("cur/2.b:2,", "two\n").put("new/3.c", "three\n");
    let maildrop = maildir.open();
    maildir
        .rename("new/1.a", "cur/1.a:2,S")
        .rename("cur/2.b:2,", "cur/2.b:2,FRS")
        .put("new/4.d", "later\n");
    assert_eq!(kit::read(&maildrop, 0), b"one\n");
    assert_eq!(kit::read(&maildrop, 1), b"two\n");
    assert_eq!(kit::read(&maildrop, 2), b"three\n");
    // Moved again, after it was found once.
    maildir.rename("cur/1.a:2,S", "cur/1.a:2,ST").rename("new/3.c", "cur/3.c:2,S");
    assert_eq!(kit::read(&maildrop, 0), b"one\n");
    // The newcomer belongs to the next session.
    assert_eq!(maildrop.len(), 3);
    assert!(matches!(maildrop.retrieve(3), Err(RetrieveError::NoSuchMessage { index: 3 })));
    let report = maildrop.update(&[0, 1, 2], &[], kit::NOW);
    assert_eq!((report.removed, report.gone), (3, 0));
    assert!(report.is_complete());
    assert!(maildir.names("cur").is_empty());
    assert_eq!(maildir.names("new"), ["4.d"]);
}

#[test]
fn messages_moved_after_the_last_look_are_removed_all_the_same() {
    let maildir = kit::Box::new();
    for n in 0..50 {
        maildir.put(&format!("new/{n}.x"), "x\n");
    }
    let maildrop = maildir.open();
    for n in 0..50 {
        maildir.rename(&format!("new/{n}.x"), &format!("cur/{n}.x:2,S"));
    }
    let all: Vec<usize> = (0..50).collect();
    assert_eq!(maildrop.update(&all, &[], kit::NOW).removed, 50);
    assert!(maildir.names("cur").is_empty());
}

#[test]
fn a_message_that_was_removed_is_gone() {
    let maildir = kit::Box::new();
    maildir.put("new/1.a", "one\n").put("cur/2.b", "two\n");
    let maildrop = maildir.open();
    maildir.remove("new/1.a");
    assert!(matches!(maildrop.retrieve(0), Err(RetrieveError::Gone)));
    assert!(matches!(maildrop.retrieve(0), Err(RetrieveError::Gone)));
    assert_eq!(kit::read(&maildrop, 1), b"two\n");
    assert_eq!(maildrop.len(), 2);
    let report = maildrop.update(&[0, 1, 7], &[], kit::NOW);
    assert_eq!((report.removed, report.gone), (1, 1));
    assert!(report.is_complete());
    drop(maildrop);
    assert!(maildir.open().is_empty());
}

#[test]
fn reading_goes_on_when_the_name_goes() {
    let maildir = kit::Box::new();
    let content = vec![b'y'; 300_000];
    maildir.put("cur/1.a", &content);
    let maildrop = maildir.open();
    let mut reader = maildrop.retrieve(0).unwrap();
    let mut out = vec![0; 100_000];
    reader.read_exact(&mut out).unwrap();
    assert_eq!(reader.left(), 200_000);
    maildir.remove("cur/1.a");
    reader.read_to_end(&mut out).unwrap();
    assert_eq!(out, content);
    assert_eq!((reader.left(), reader.read(&mut out).unwrap()), (0, 0));
}

#[test]
fn a_message_that_shrinks_is_an_error_and_one_that_grows_is_cut() {
    let maildir = kit::Box::new();
    maildir.put("cur/1.a", vec![b'y'; 300_000]).put("cur/2.b", "two\n");
    let maildrop = maildir.open();
    let mut reader = maildrop.retrieve(0).unwrap();
    let mut block = vec![0; 100_000];
    reader.read_exact(&mut block).unwrap();
    fs::File::options()
        .write(true)
        .open(maildir.path.join("cur/1.a"))
        .unwrap()
        .set_len(1000)
        .unwrap();
    for _ in 0..2 {
        assert_eq!(reader.read_cached(&mut block), None, "a cut message has no end");
        assert_eq!(reader.read(&mut block).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
    assert_eq!(reader.left(), 200_000);

    for cached in [false, true] {
        maildir.put("cur/2.b", "two\n");
        let mut reader = maildrop.retrieve(1).unwrap();
        let mut file = fs::File::options().append(true).open(maildir.path.join("cur/2.b")).unwrap();
        file.write_all(b"and more\n").unwrap();
        let mut out = vec![0; 1000];
        let mut read = || match cached.then(|| reader.read_cached(&mut out)).flatten() {
            Some(read) => read,
            None => reader.read(&mut out).unwrap(),
        };
        assert_eq!((read(), read()), (4, 0));
        assert_eq!(&out[..4], b"two\n");
    }
}

#[test]
fn what_cannot_be_removed_is_named_and_the_rest_goes() {
    let maildir = kit::Box::new();
    maildir.put("cur/1.a", "x\n").put("cur/2.b", "x\n").put("cur/3.c", "x\n");
    let maildrop = maildir.open();
    maildir.remove("cur/2.b");
    fs::create_dir(maildir.path.join("cur/2.b")).unwrap();
    let report = maildrop.update(&[0, 1, 2], &[], kit::NOW);
    assert_eq!(report.removed, 2);
    assert_eq!(report.failed.iter().map(|failure| failure.index).collect::<Vec<_>>(), [1]);
    assert!(report.unsynced.is_none() && !report.is_complete());
}

#[test]
fn a_maildir_that_vanished_fails_what_was_asked() {
    let maildir = kit::Box::new();
    maildir.put("cur/1.a", "x\n").put("new/2.b", "x\n");
    let maildrop = maildir.open();
    fs::remove_dir_all(&maildir.path).unwrap();
    assert!(maildrop.retrieve(0).is_err());
    let report = maildrop.update(&[0, 1], &[1], kit::NOW);
    assert_eq!(report.failed.len(), 2);
    assert!(!report.is_complete());
    assert!(maildrop.update(&[], &[], kit::NOW).is_complete());
    // Its parent is there, so the next session has an empty one.
    drop(maildrop);
    assert!(maildir.open().is_empty());
}

#[test]
fn a_maildir_moved_elsewhere_stays_the_session_s_own() {
    let maildir = kit::Box::new();
    maildir.put("cur/1.a", "mine\n");
    let maildrop = maildir.open();
    let moved = maildir.path.with_extension("moved");
    fs::rename(&maildir.path, &moved).unwrap();
    maildrop::create(&maildir.path).unwrap();
    maildir.put("cur/1.a", "another's\n");
    assert_eq!(kit::read(&maildrop, 0), b"mine\n");
    assert_eq!(maildrop.update(&[0], &[], kit::NOW).removed, 1);
    assert_eq!(maildir.names("cur"), ["1.a"]);
    assert!(!moved.join("cur/1.a").exists());
}

#[test]
fn nothing_is_removed_without_update() {
    let maildir = kit::Box::new();
    maildir.put("new/1.a", "x\n");
    let maildrop = maildir.open();
    kit::read(&maildrop, 0);
    drop(maildrop);
    assert_eq!(maildir.names("new"), ["1.a"]);
    assert!(maildir.open().update(&[], &[0], kit::NOW).is_complete());
    assert_eq!(maildir.names("new"), ["1.a"]);
}

#[test]
fn seen_is_marked_only_when_asked_for() {
    let maildir = kit::Box::new();
    maildir
        .put("new/1.a", "x\n")
        .put("cur/2.b:2,FT", "x\n")
        .put("cur/3.c:2,S", "x\n")
        .put("new/4.d", "x\n")
        .put("new/5.e", "x\n");
    let options = OpenOptions { mark_seen: true, ..OpenOptions::default() };
    let maildrop = Maildrop::open(&maildir.path, &options).unwrap();
    let ids = kit::uidls(&maildrop);
    let report = maildrop.update(&[4], &[0, 1, 2, 4, 99], kit::NOW);
    assert!(report.is_complete());
    assert_eq!(maildir.names("cur"), ["1.a:2,S", "2.b:2,FST", "3.c:2,S"]);
    assert_eq!(maildir.names("new"), ["4.d"]);
    // Marked in this session: still found.
    assert_eq!(kit::read(&maildrop, 0), b"x\n");
    drop(maildrop);
    assert_eq!(kit::uidls(&maildir.open()), ids[..4]);
}

#[test]
fn deliveries_and_renames_during_opens_lose_no_message() {
    let maildir = kit::Box::new();
    for n in 0..300 {
        maildir.put(&format!("new/{n}.old,W=3"), "x\n");
    }
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Another mail program, moving everything about without end.
        scope.spawn(|| {
            let mut round = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                for n in 0..300 {
                    let at = |round: u32| match round {
                        0 => format!("new/{n}.old,W=3"),
                        _ if round % 2 == 1 => format!("cur/{n}.old,W=3:2,S"),
                        _ => format!("cur/{n}.old,W=3:2,FS"),
                    };
                    maildir.rename(&at(round), &at(round + 1));
                }
                round += 1;
            }
        });
        scope.spawn(|| {
            let delivery = Delivery::to(&maildir.path).unwrap();
            for _ in 0..50 {
                delivery.deliver(b"new\n").unwrap();
            }
        });
        let mut old_ids: Option<Vec<String>> = None;
        for _ in 0..30 {
            let maildrop = maildir.open();
            let ids: Vec<String> =
                kit::uidls(&maildrop).into_iter().filter(|id| id.contains("old")).collect();
            assert_eq!(ids.len(), 300);
            if let Some(before) = &old_ids {
                assert_eq!(&ids, before);
            }
            old_ids = Some(ids);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(maildir.open().len(), 350);
}
