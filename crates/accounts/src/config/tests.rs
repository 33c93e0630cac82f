//! One source of the configuration.

use super::*;
use crate::testing::common;

fn wrong(source: &SourceConfig) -> String {
    match source.open(&common()) {
        Ok(_) => panic!("{source:?} was opened"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_table_must_be_that_of_the_kind() {
    let mut source = SourceConfig::new("main", SourceKind::Sqlite);
    source.passwd_file = Some(PasswdFileConfig::default());
    let error = wrong(&source);
    assert!(error.starts_with("accounts.source.passwd_file: "), "{error}");
    assert!(error.contains("[accounts.source.sqlite]"), "{error}");
    let error = wrong(&SourceConfig::new("main", SourceKind::Ldap));
    assert!(error.contains("accounts.source.ldap: the table is missing"), "{error}");
    let error = wrong(&SourceConfig::new("main", SourceKind::Sqlite));
    assert!(error.contains("/nonexistent/accounts.db: there is no such file"), "{error}");
    for kind in [SourceKind::Postgresql, SourceKind::Mysql] {
        let source = SourceConfig::new("main", kind).open(&common()).unwrap();
        assert!(source.can_replace_hash(), "the server of this machine, and our tables");
    }
}

#[test]
fn names_are_short_and_each_stands_once() {
    for name in ["", "a b", "ä", &"x".repeat(33)] {
        let error = wrong(&SourceConfig::new(name, SourceKind::PasswdFile));
        assert!(error.starts_with("accounts.source.name"), "{error}");
    }
    let source = SourceConfig::new("main", SourceKind::PasswdFile);
    let Err(error) = SourceConfig::open_all(&[source.clone(), source], &common()) else {
        panic!("twice");
    };
    assert!(error.problem.contains("twice"), "{error}");
}

#[test]
fn a_passwd_file_is_one_of_the_kinds() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("passwd"), "ann:{PLAIN}x::::/home/ann\n").unwrap();
    let mut source = SourceConfig::new("old", SourceKind::PasswdFile);
    source.passwd_file =
        Some(PasswdFileConfig { path: PathBuf::from("passwd"), ..PasswdFileConfig::default() });
    let source = source.relative_to(directory.path());
    let opened = SourceConfig::open_all(&[source], &common()).unwrap();
    assert_eq!((opened[0].name(), opened[0].count()), ("old", Some(1)));
}
