//! Broken configurations: each is refused with its place, what was found and what was expected.

use std::fmt::Write as _;
use std::path::Path;

use crate::site::{Checked, Site, check};
use crate::table::{AT_START, Case, GOOD, IN_THE_SECOND, TABLE};

/// Line and column of the mark, both from 1, and the text without it.
fn without_mark(text: &str) -> (String, (usize, usize)) {
    let at = text.find('§').expect("a mark");
    let before = &text[..at];
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    (text.replacen('§', "", 1), (before.matches('\n').count() + 1, column))
}

/// What is wrong with what was said; empty if nothing is.
fn objections(checked: &Checked, begins: &str, says: &[&str]) -> String {
    let mut wrong = String::new();
    if checked.status != Some(2) {
        let _ = writeln!(wrong, "exit status {:?}", checked.status);
    }
    if !checked.errors.starts_with(&format!("error: {begins}")) {
        let _ = writeln!(wrong, "does not begin with {begins:?}");
    }
    for part in says {
        if !checked.errors.contains(part) {
            let _ = writeln!(wrong, "lacks {part:?}");
        }
    }
    if checked.errors.contains("panicked") || !checked.output.is_empty() {
        wrong.push_str("says more than the mistake\n");
    }
    if !wrong.is_empty() {
        let _ = writeln!(wrong, "--- said\n{}{}", checked.errors, checked.output);
    }
    wrong
}

#[test]
fn the_configuration_that_all_are_made_from_is_good() {
    let site = Site::new();
    let file = site.write("good.toml", GOOD.as_bytes());
    let checked = check(&file, &[]);
    assert_eq!(checked.status, Some(0), "{}", checked.errors);
    assert!(checked.output.contains("good.toml: fine, 1 accounts"), "{}", checked.output);
    assert!(checked.errors.is_empty(), "{}", checked.errors);
}

/// Makes each mistake, and collects what is wrong with what is said of it.
fn assert_told(table: &[Case]) {
    let site = Site::new();
    let mut wrong = Vec::new();
    for Case { from, to, says } in table {
        assert_eq!(GOOD.matches(from).count(), 1, "{from:?} must stand once in the good file");
        let (text, (line, column)) = without_mark(&GOOD.replacen(from, to, 1));
        let file = site.write("broken.toml", text.as_bytes());
        let begins = format!("{}:{line}:{column}: ", file.display());
        let found = objections(&check(&file, &[]), &begins, says);
        if !found.is_empty() {
            wrong.push(format!("=== {to}\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

#[test]
fn each_mistake_names_file_place_key_and_what_was_expected() {
    assert!(TABLE.len() >= 25);
    assert_told(TABLE);
}

#[test]
fn check_finds_what_a_start_would_stumble_over() {
    assert_told(AT_START);
}

#[test]
fn the_listener_that_is_at_fault_is_the_one_that_is_shown() {
    assert_told(IN_THE_SECOND);
}

/// Files that are no configuration at all.
#[test]
fn files_that_cannot_be_read_are_named() {
    let site = Site::new();
    let refused = |file: &Path, says: &str| {
        let found = objections(&check(file, &[]), &file.display().to_string(), &[says]);
        assert!(found.is_empty(), "{}: {found}", file.display());
    };
    for (content, says) in [
        (&b"# caf\xe9\nhostname = \"a\"\n"[..], "line 1 is not UTF-8"),
        (b"", "missing field `hostname`"),
        (b"hostname = \"mail.example.net\"\n", "missing field"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not UTF-8"),
        (&vec![b'#'; 5 << 20], "larger than 4 MiB"),
    ] {
        refused(&site.write("whole.toml", content), says);
    }
    refused(&site.path("missing.toml"), "it cannot be read: No such file");
    refused(&site.path(""), "it cannot be read");
}

/// A file in which a secret stands where it should not: it is not repeated.
#[test]
fn a_mistake_in_the_passwd_file_names_its_own_place() {
    let site = Site::new();
    let text = GOOD.replace("passwd_file = \"users\"", "passwd_file = \"users-broken\"");
    let file = site.write("broken.toml", text.as_bytes());
    let place = format!("{}:3:", site.path("users-broken").display());
    let checked = check(&file, &[]);
    let begins = format!("{}:9:15: accounts.passwd_file: ", file.display());
    let found = objections(&checked, &begins, &[&place, "ROT13"]);
    assert!(found.is_empty(), "{found}");
    assert!(!checked.errors.contains("foo"), "{}", checked.errors);
}

#[test]
fn json_is_asked_for_and_a_mistake_is_still_told() {
    let site = Site::new();
    let file = site.write("broken.toml", GOOD.replace("[log]", "[lgo]").as_bytes());
    let checked = check(&file, &["--json"]);
    assert_eq!(checked.status, Some(2));
    assert!(checked.errors.contains("did you mean `log`?"), "{}", checked.errors);
}
