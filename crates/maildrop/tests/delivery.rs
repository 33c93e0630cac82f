//! Delivery: whole, durable, and side by side with sessions.

mod kit;

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;

use maildrop::{DeliverError, Delivery};

#[test]
fn a_delivered_message_is_there_as_it_was_given() {
    let maildir = kit::Box::new();
    let delivery = Delivery::to(&maildir.path).unwrap();
    let delivered = delivery.deliver(b"Subject: x\n\n.dot\nno end").unwrap();
    assert_eq!((delivered.stored, delivered.octets), (23, 28));
    assert!(delivered.name.ends_with(",S=23,W=28"), "{}", delivered.name);
    assert_eq!(maildir.names("new"), std::slice::from_ref(&delivered.name));
    assert!(maildir.names("tmp").is_empty());
    let file = maildir.path.join("new").join(&delivered.name);
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let maildrop = maildir.open();
    assert_eq!(kit::read(&maildrop, 0), b"Subject: x\n\n.dot\nno end");
    assert_eq!(kit::octets_sent(&maildrop, 0), 28);
}

#[test]
fn pieces_of_any_size_give_the_same() {
    let maildir = kit::Box::new();
    let delivery = Delivery::to(&maildir.path).unwrap();
    let message = b"a\r\nb\n\rc\r\r\n.\nd".repeat(50);
    let whole = delivery.deliver(&message).unwrap();
    for piece in [1, 2, 3, 7, 64] {
        let mut draft = delivery.begin().unwrap();
        for part in message.chunks(piece) {
            draft.write_all(part).unwrap();
        }
        draft.flush().unwrap();
        let delivered = draft.commit().unwrap();
        assert_eq!((delivered.octets, delivered.stored), (whole.octets, whole.stored));
    }
    let maildrop = maildir.open();
    for index in 0..6 {
        assert_eq!(kit::read(&maildrop, index), message);
    }
}

/// Gives some octets, is interrupted once, and then fails.
struct Failing(u32);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0 += 1;
        match self.0 {
            1 => Err(io::ErrorKind::Interrupted.into()),
            2..5 => {
                buffer[..10].copy_from_slice(b"0123456789");
                Ok(10)
            }
            _ => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }
}

#[test]
fn a_source_that_fails_leaves_nothing() {
    let maildir = kit::Box::new();
    let delivery = Delivery::to(&maildir.path).unwrap();
    let error = delivery.deliver_reader(&mut Failing(0)).unwrap_err();
    assert!(matches!(error, DeliverError::Source(_)), "{error}");
    assert!(maildir.names("tmp").is_empty() && maildir.names("new").is_empty());
}

#[test]
fn a_draft_given_up_leaves_nothing_and_is_not_seen_before() {
    let maildir = kit::Box::new();
    let delivery = Delivery::to(&maildir.path).unwrap();
    let mut draft = delivery.begin().unwrap();
    draft.write_all(b"half").unwrap();
    assert_eq!(maildir.names("tmp").len(), 1);
    assert!(maildir.open().is_empty());
    drop(draft);
    assert!(maildir.names("tmp").is_empty() && maildir.names("new").is_empty());
}

#[test]
fn the_maildir_is_made_but_not_its_parent() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let path = home.join("Maildir");
    assert!(matches!(Delivery::to(&path), Err(DeliverError::Unavailable { .. })));
    assert!(!home.exists());
    std::fs::create_dir(&home).unwrap();
    Delivery::to(&path).unwrap().deliver(b"x\n").unwrap();
    for missing in ["tmp", "cur"] {
        std::fs::remove_dir_all(path.join(missing)).unwrap();
        Delivery::to(&path).unwrap().deliver(b"x\n").unwrap();
    }
}

#[test]
fn a_maildir_that_vanished_fails_cleanly() {
    let maildir = kit::Box::new();
    let delivery = Delivery::to(&maildir.path).unwrap();
    let mut draft = delivery.begin().unwrap();
    draft.write_all(b"x\n").unwrap();
    std::fs::remove_dir_all(&maildir.path).unwrap();
    assert!(draft.commit().is_err());
    assert!(matches!(delivery.deliver(b"x\n"), Err(DeliverError::Unavailable { .. })));
    assert!(!maildir.path.exists());
}

#[test]
fn rights_missing_are_a_temporary_failure() {
    let maildir = kit::Box::new();
    kit::as_nobody(&maildir.path, || {
        let result = Delivery::to(&maildir.path).and_then(|delivery| delivery.deliver(b"x\n"));
        if rustix::fs::access(&maildir.path, rustix::fs::Access::WRITE_OK).is_err() {
            assert!(matches!(result, Err(DeliverError::Unavailable { .. })), "{result:?}");
        }
    });
}

#[test]
fn many_deliver_at_once_while_sessions_come_and_go() {
    let maildir = kit::Box::new();
    let messages = |thread: usize| (0..25).map(move |n| format!("from {thread}, number {n}\n"));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let path = &maildir.path;
            scope.spawn(move || {
                let delivery = Delivery::to(path).unwrap();
                for message in messages(thread) {
                    delivery.deliver(message.as_bytes()).unwrap();
                }
            });
        }
        for _ in 0..20 {
            let maildrop = maildir.open();
            for index in 0..maildrop.len() {
                // Never half a message.
                assert!(kit::read(&maildrop, index).ends_with(b"\n"));
            }
        }
    });
    let maildrop = maildir.open();
    let read: HashSet<Vec<u8>> = (0..maildrop.len()).map(|i| kit::read(&maildrop, i)).collect();
    let sent: HashSet<Vec<u8>> = (0..4).flat_map(messages).map(String::into_bytes).collect();
    assert_eq!(read, sent);
    assert_eq!(maildrop.len(), 100);
    assert!(maildir.names("tmp").is_empty());
}
