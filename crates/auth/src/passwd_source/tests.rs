//! Noticing that the file changed.

use super::*;
use crate::testing::{TableFile, key};

const TWO: &str = "ann:{PLAIN}x::::/home/ann\nbob:{PLAIN}y::::/home/bob\n";

#[test]
fn a_changed_file_is_noticed_and_a_refused_one_reported_once() {
    let file = TableFile::new(TWO);
    let source = file.source();
    assert_eq!(source.read_again(false).unwrap(), Reload::Unchanged);
    file.replace("carl:{PLAIN}x::::/home/carl\n");
    assert_eq!(source.read_again(false).unwrap(), Reload::Loaded { accounts: 1 });
    assert_eq!(source.count(), Some(1));
    assert_eq!(source.read_again(false).unwrap(), Reload::Unchanged);
    file.replace("broken\n");
    assert!(source.read_again(false).is_err());
    assert_eq!(source.read_again(false).unwrap(), Reload::Unchanged);
    assert!(source.read_again(true).is_err(), "whoever asks is told again");
    std::fs::remove_file(&file.config.passwd_file).unwrap();
    assert!(matches!(source.read_again(false), Err(AccountsError::Read { .. })));
    assert_eq!(source.read_again(false).unwrap(), Reload::Unchanged);
    assert_eq!(source.count(), Some(1));
    file.replace(TWO);
    assert_eq!(source.read_again(false).unwrap(), Reload::Loaded { accounts: 2 });
    // An edit in place that keeps the size.
    std::fs::write(&file.config.passwd_file, TWO.replace("ann", "ben")).unwrap();
    assert_eq!(source.read_again(false).unwrap(), Reload::Loaded { accounts: 2 });
    assert!(source.shared.table.load().get(&key("ben@example.net")).is_some());
}
