//! Reading the records of a Maildir on disk.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::super::{ImportError, Recipe, Source, gather};
use super::{owned, pairs};

fn maildir() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in ["new", "cur", "tmp"] {
        fs::create_dir(directory.path().join(name)).unwrap();
    }
    directory
}

fn message(maildir: &Path, name: &str, content: &[u8], at: u64) {
    let path = maildir.join(name);
    fs::write(&path, content).unwrap();
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(at)).unwrap();
}

fn recipe(source: Source) -> Recipe {
    Recipe { source, format: None, validity: None, file: None }
}

#[test]
fn names_in_the_order_of_their_files() {
    let directory = maildir();
    let path = directory.path();
    message(path, "cur/3.c.h:2,S", b"x", 100);
    message(path, "new/2.b.h", b"x", 300);
    message(path, "new/10.a.h", b"x", 200);
    message(path, "new/9.d.h", b"x", 200);
    message(path, "new/.hidden", b"x", 1);
    fs::create_dir(path.join("cur/1.directory")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", path.join("cur/1.link")).unwrap();
    let qmail = gather(path, &recipe(Source::Qmail)).unwrap();
    let expected =
        [("3.c.h", "3.c.h"), ("9.d.h", "9.d.h"), ("10.a.h", "10.a.h"), ("2.b.h", "2.b.h")];
    assert_eq!(pairs(&qmail), owned(&expected));
    let tpop3d = gather(path, &recipe(Source::Tpop3d)).unwrap();
    // printf 3.c.h | md5sum
    assert_eq!(tpop3d.ids[0].uidl, "110a5e4512efc378998fdf1f4a15c289");
    assert_eq!(tpop3d.ids.len(), 4);
}

#[test]
fn sizes_are_checked_against_the_files() {
    let directory = maildir();
    let path = directory.path();
    message(path, "new/1.a", b"12345\n", 1);
    message(path, "cur/2.b:2,S", b"12345\n", 2);
    message(path, "new/3.c", b"12345\n", 3);
    // Without an end of its last line: servers forget the one that they send.
    message(path, "new/5.d", b"12345", 5);
    let list = "/3 9 5\n1.a 7 1:5:0\n2.b 5 2:5:0\n3.c 15 3:5:0\n4.gone 7 4:5:0\n5.d 5 5:5:0\n";
    fs::write(path.join("courierpop3dsizelist"), list).unwrap();
    let imported = gather(path, &recipe(Source::Courier)).unwrap();
    let octets: Vec<_> = imported.ids.iter().map(|id| id.octets).collect();
    assert_eq!(octets, [Some(7), None, None, None, None]);
}

#[test]
fn what_cannot_be_read_is_said() {
    let directory = maildir();
    let path = directory.path();
    let missing = gather(path, &recipe(Source::Dovecot)).unwrap_err();
    assert!(matches!(missing, ImportError::Missing { .. }), "{missing}");
    assert!(missing.to_string().ends_with("/dovecot-uidlist: there is no such file"));
    assert!(matches!(gather(path, &recipe(Source::Map)), Err(ImportError::FileNeeded)));
    // Neither a link out of the Maildir nor a pipe that nobody writes to.
    std::os::unix::fs::symlink("/etc/passwd", path.join("dovecot-uidlist")).unwrap();
    assert!(matches!(gather(path, &recipe(Source::Dovecot)), Err(ImportError::Read { .. })));
    let pipe = path.join("courierpop3dsizelist");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    assert!(matches!(gather(path, &recipe(Source::Courier)), Err(ImportError::Read { .. })));
    let nowhere = path.join("nowhere");
    assert!(matches!(gather(&nowhere, &recipe(Source::Qmail)), Err(ImportError::Read { .. })));
}
