//! A house, the command line, and Maildirs that another server has used.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lastpost_tests::House;

pub(crate) const LOGIN: &str = "aiko@open.example";
pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PROGRAM: &str = env!("CARGO_BIN_EXE_lastpost-under-test");

/// Runs `lastpost maildrop …` with the house's configuration.
pub(crate) fn maildrop(house: &House, arguments: &[&str]) -> Output {
    maildrop_with_input(house, arguments, b"")
}

/// The same with something on its standard input, which ends behind it.
pub(crate) fn maildrop_with_input(house: &House, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(PROGRAM)
        .env("LASTPOST_PROGRAM", "lastpost")
        .arg("--config")
        .arg(house.path("lastpost.toml"))
        .arg("maildrop")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not read it is gone by then.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// The same, which must have this exit status; both outputs.
pub(crate) fn expect(house: &House, arguments: &[&str], status: i32) -> (String, String) {
    let output = maildrop(house, arguments);
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{arguments:?}\n{out}\n{err}");
    (out, err)
}

/// The same with `--json`.
pub(crate) fn json(house: &House, arguments: &[&str], status: i32) -> serde_json::Value {
    let (out, _) = expect(house, &[arguments, &["--json"]].concat(), status);
    serde_json::from_str(&out).unwrap()
}

/// The lines of LIST or UIDL that the house shows its customer.
pub(crate) fn listing(house: &House, command: &str) -> Vec<String> {
    let mut talk = house.logged_in(LOGIN, HERE);
    talk.expect(command, "+OK");
    let lines = talk.multiline();
    talk.expect("QUIT", "+OK");
    String::from_utf8(lines).unwrap().lines().map(str::to_owned).collect()
}

/// Writes a message file into a Maildir.
pub(crate) fn message(maildir: &Path, name: &str, content: &str) {
    fs::write(maildir.join(name), content).unwrap();
}

/// A letter in the form that Maildirs have.
pub(crate) fn letter(number: usize) -> String {
    let body = ".dots\n..\nこんにちは\n".repeat(number);
    format!("From: <x@y.example>\nSubject: letter {number}\n\n{body}")
}

/// Copies a Maildir's messages and all files beside them; the copy belongs to this user.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), &target).unwrap();
            let modified = entry.metadata().unwrap().modified().unwrap();
            fs::File::options().write(true).open(target).unwrap().set_modified(modified).unwrap();
        }
    }
}

/// All files below `path` with what they hold, for telling whether anything was changed.
pub(crate) fn everything(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            all.extend(everything(&entry.path()));
        } else {
            all.push((entry.path(), fs::read(entry.path()).unwrap()));
        }
    }
    all.sort();
    all
}

/// A file of logins and passwords that only its owner can read.
pub(crate) fn accounts_file(house: &House, text: &str) -> String {
    let path = house.path("accounts.tsv");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Whether a test that needs `what` must be left out. Where it must be there
/// (`LASTPOST_REQUIRE_CLIENTS`), its absence fails the test.
pub(crate) fn skips(there: bool, what: &str) -> bool {
    if !there {
        assert!(std::env::var_os("LASTPOST_REQUIRE_CLIENTS").is_none(), "{what} is not installed");
        eprintln!("skipped: {what} is not installed");
    }
    !there
}
