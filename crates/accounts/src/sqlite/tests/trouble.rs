//! Files that are missing, damaged, of others, of the future, or exchanged.

use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;

use super::super::*;
use super::{bench, key, row};

#[test]
fn files_that_are_no_database_of_accounts_are_refused_with_what_to_do() {
    let bench = bench();
    assert!(
        bench
            .wrong()
            .contains("no such file; `lastpost account add` makes it; expected a database")
    );
    std::fs::write(bench.file(), "ann:{PLAIN}x::::/home/ann\n".repeat(200)).unwrap();
    std::fs::set_permissions(bench.file(), PermissionsExt::from_mode(0o600)).unwrap();
    let error = bench.wrong();
    assert!(error.starts_with("accounts.source.sqlite.path: "), "{error}");
    assert!(error.contains("it is damaged") && error.contains("backup"), "{error}");
    std::fs::remove_file(bench.file()).unwrap();
    let other = Connection::open(bench.file()).unwrap();
    other.execute_batch("CREATE TABLE users (name TEXT)").unwrap();
    std::fs::set_permissions(bench.file(), PermissionsExt::from_mode(0o600)).unwrap();
    assert!(bench.wrong().contains("no database of accounts"));
    // Nothing of ours is put into it.
    assert!(SqliteEditor::create_or_open(&bench.config, &bench.common).is_err());
    let tables = "SELECT count(*) FROM sqlite_schema";
    assert_eq!(other.query_row(tables, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
}

#[test]
fn tables_of_the_future_are_left_alone() {
    let bench = bench();
    bench.import(vec![row("ann", &[])]);
    let other = Connection::open(bench.file()).unwrap();
    other.pragma_update(None, "user_version", 99).unwrap();
    let error = bench.wrong();
    assert!(error.contains("version 99, and this program knows 1"), "{error}");
}

#[test]
fn files_that_others_can_read_are_refused_or_warned_of() {
    let bench = bench();
    bench.import(vec![row("ann", &[])]);
    let chmod = |mode| {
        std::fs::set_permissions(bench.file(), PermissionsExt::from_mode(mode)).unwrap();
    };
    for mode in [0o604, 0o644, 0o666, 0o602] {
        chmod(mode);
        let error = bench.wrong();
        assert!(error.contains(&format!("(mode {mode:04o}); chmod 0600")), "{error}");
        assert!(SqliteEditor::create_or_open(&bench.config, &bench.common).is_err());
    }
    chmod(0o640);
    assert!(bench.open().warnings()[0].contains("chmod 0600"));
    chmod(0o600);
    assert!(bench.open().warnings().is_empty());
}

#[tokio::test]
async fn a_file_that_is_damaged_while_in_use_is_an_outage_until_it_is_whole_again() {
    let bench = bench();
    bench.import((0..500).map(|n| row(&format!("u{n:03}"), &[])).collect());
    let good = bench.file().with_extension("good");
    Connection::open(bench.file())
        .unwrap()
        .execute("VACUUM INTO ?1", [good.to_str().unwrap()])
        .unwrap();
    let source = bench.open();
    assert!(source.find(&key("u400")).await.unwrap().is_some());

    let bad = bench.file().with_extension("bad");
    let mut octets = std::fs::read(&good).unwrap();
    for page in octets.chunks_mut(4096).skip(1) {
        page.fill(0xa5);
    }
    std::fs::write(&bad, &octets).unwrap();
    std::fs::rename(&bad, bench.file()).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", bench.file().display()));
    }
    let error = source.find(&key("u400")).await.unwrap_err();
    assert!(error.problem.contains("damaged"), "{error}");
    assert_eq!(error.source_name, "main");

    std::fs::rename(&good, bench.file()).unwrap();
    assert!(source.find(&key("u400")).await.unwrap().is_some(), "restored");
    std::fs::remove_file(bench.file()).unwrap();
    let error = source.find(&key("u400")).await.unwrap_err();
    assert!(error.problem.contains("no such file"), "{error}");
}

#[tokio::test]
async fn a_record_that_is_wrong_is_that_one_accounts_trouble() {
    let bench = bench();
    bench.import(vec![row("ann", &[]), row("ben", &[]), row("cleo", &[])]);
    let other = Connection::open(bench.file()).unwrap();
    let set = "UPDATE accounts SET quota = 'lots' WHERE login LIKE 'ben%'";
    assert_eq!(other.execute(set, []).unwrap(), 1);
    let source = bench.open();
    let error = source.find(&key("ben")).await.unwrap_err();
    assert!(error.problem.contains("\"ben@example.net\", quota: "), "{error}");
    assert!(source.find(&key("ann")).await.unwrap().is_some());
    for limit in [1, 2, 10] {
        assert_eq!(super::everybody(&source, limit).await.len(), 2, "the others are listed");
    }
}

#[tokio::test]
async fn a_writer_that_holds_the_file_holds_up_no_reader() {
    let bench = bench();
    bench.import(vec![row("ann", &[])]);
    let source = bench.open();
    let other = Connection::open(bench.file()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE; UPDATE accounts SET disabled = 1;").unwrap();
    let ann = source.find(&key("ann")).await.unwrap().unwrap();
    assert!(!ann.is_disabled(), "not committed yet");
    other.execute_batch("COMMIT").unwrap();
    assert!(source.find(&key("ann")).await.unwrap().unwrap().is_disabled());
}

#[tokio::test]
async fn rows_put_there_by_hand_are_found_by_their_login_as_address() {
    let bench = bench();
    bench.import(vec![row("ann", &[])]);
    let other = Connection::open(bench.file()).unwrap();
    let insert = "INSERT INTO accounts (login, password, home) VALUES (?1, '{PLAIN}x', '/h')";
    other.execute(insert, ["hand@example.net"]).unwrap();
    let source = bench.open();
    let owners = source.owners(&"Hand@example.net".parse().unwrap()).await.unwrap();
    assert_eq!(owners[0].key().as_str(), "hand@example.net");
}
