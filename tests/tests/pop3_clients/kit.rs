//! A house with letters that are hard to carry, and programs to carry them.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use lastpost_tests::{House, Plan, Talk};

pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const AIKO: &str = "aiko@open.example";
pub(crate) const BERT: &str = "bert@open.example";

/// LF line ends, as Maildirs have them: dots, 8-bit, long lines, trailing blanks, empty lines at
/// the end, a body without a last line end.
pub(crate) fn letters() -> Vec<Vec<u8>> {
    vec![
        letter("plain", b"Hello\n"),
        letter("dots", b".\n..\n...x\n.\n.From the first octet\n"),
        letter(
            "\u{65e5}\u{672c}",
            "\u{3053}\u{3093}\u{306b}\n\u{6700}\u{5f8c}\u{306e}\u{884c}".as_bytes(),
        ),
        letter("blanks", b"trailing \n\ttabs\t\n \n\n\nFrom here\n>From there\n\n\n"),
        letter(
            "long",
            &[&vec![b'x'; 990], b"\n".as_slice(), &vec![b'y'; 990], b"\nend\n"].concat(),
        ),
        letter("many", &b"one line of a large letter\n".repeat(20_000)),
    ]
}

pub(crate) fn letter(subject: &str, body: &[u8]) -> Vec<u8> {
    let header = format!(
        "Return-Path: <x@y.example>\nReceived: from y.example by z.example; Tue, 24 Nov 2026 \
         09:00:00 +0000\nFrom: <x@y.example>\nTo: <{AIKO}>\nSubject: {subject}\n\
         Date: Tue, 24 Nov 2026 09:00:00 +0000\nMessage-ID: <{}@y.example>\n\n",
        subject.len()
    );
    [header.as_bytes(), body].concat()
}

/// A house with a customer to whom the letters have come.
pub(crate) fn house() -> House {
    house_with("sessions_per_ip_max = 2000\n")
}

pub(crate) fn house_with(pop3: &'static str) -> House {
    let house = House::start(Plan { pop3, ..Plan::default() });
    for letter in letters() {
        house.deliver(AIKO, &letter);
    }
    house
}

/// The wire form of stored octets: CRLF at the end of every line.
pub(crate) fn crlf(stored: &[u8]) -> Vec<u8> {
    let text = stored.strip_suffix(b"\n").unwrap_or(stored);
    let mut wire = Vec::new();
    for line in text.split(|&octet| octet == b'\n') {
        wire.extend_from_slice(line);
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

/// What a program keeps that stores LF: a last line without an end gets one.
pub(crate) fn lf(stored: &[u8]) -> Vec<u8> {
    crlf(stored).into_iter().filter(|&octet| octet != b'\r').collect()
}

/// A program may store messages in its own order.
pub(crate) fn sorted(mut messages: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    messages.sort();
    messages
}

/// The same messages on both sides; says which differs where.
pub(crate) fn assert_same_messages(fetched: Vec<Vec<u8>>, expected: Vec<Vec<u8>>) {
    let (fetched, expected) = (sorted(fetched), sorted(expected));
    for (fetched, expected) in fetched.iter().zip(&expected) {
        let at = fetched.iter().zip(expected).position(|(one, other)| one != other);
        let at = at.unwrap_or(fetched.len().min(expected.len()));
        let shown = |octets: &[u8]| {
            octets[at.saturating_sub(60)..octets.len().min(at + 60)].escape_ascii().to_string()
        };
        assert!(fetched == expected, "at {at}: {:?}, not {:?}", shown(fetched), shown(expected));
    }
    assert_eq!(fetched.len(), expected.len());
}

/// All files of a directory.
pub(crate) fn files(directory: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}

/// How many messages the customer has; they may be going while this looks.
pub(crate) fn left(house: &House) -> usize {
    let count = |folder| std::fs::read_dir(house.maildir(AIKO).join(folder)).unwrap().count();
    count("new") + count("cur")
}

/// Whether a program is there. Where it must be (`LASTPOST_REQUIRE_CLIENTS`), its absence fails
/// the test; elsewhere the test says that it was skipped.
pub(crate) fn installed(program: &str) -> bool {
    answers(program, Command::new(program).arg("--version").output().is_ok())
}

/// The same of a module that a program needs.
pub(crate) fn has_module(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).output();
    answers(&arguments.join(" "), output.is_ok_and(|output| output.status.success()))
}

fn answers(what: &str, found: bool) -> bool {
    if !found {
        let required = std::env::var_os("LASTPOST_REQUIRE_CLIENTS").is_some();
        assert!(!required, "{what} is not installed");
        eprintln!("skipped: {what} is not installed");
    }
    found
}

/// Runs to the end, which a client reaches within a minute or never.
pub(crate) fn attempt(command: &mut Command) -> Output {
    let program = command.get_program().to_owned();
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let mut bounded = Command::new("timeout");
    bounded.arg("120").arg(program).args(arguments);
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => bounded.env(key, value),
            None => bounded.env_remove(key),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        bounded.current_dir(directory);
    }
    bounded.stdin(std::process::Stdio::null()).output().unwrap()
}

/// The same, and it must succeed.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = attempt(command);
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    output
}

/// Status and all that was printed.
pub(crate) fn said(output: &Output) -> String {
    format!(
        "{}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

pub(crate) fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A folder of the house for a program's own files.
pub(crate) fn folder(house: &House, name: &str) -> PathBuf {
    let folder = house.path(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// How a program connects: listener, and whether TLS begins at once or by STLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Clear,
    Stls,
    Tls,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Clear, Self::Stls, Self::Tls];

    pub(crate) fn listener(self) -> &'static str {
        if self == Self::Tls { "pop3s" } else { "pop3" }
    }

    pub(crate) fn port(self, house: &House) -> u16 {
        house.address(self.listener()).port()
    }
}

pub(crate) fn base64(octets: impl AsRef<[u8]>) -> String {
    base64::engine::general_purpose::STANDARD.encode(octets)
}

/// What AUTH PLAIN wants.
pub(crate) fn plain(login: &str, password: &str) -> String {
    base64(format!("\0{login}\0{password}"))
}

/// Reads the answer to a listing, line by line.
pub(crate) fn listing(talk: &mut Talk, command: &str) -> Vec<String> {
    talk.expect(command, "+OK");
    let text = String::from_utf8(talk.multiline()).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Waits until nobody is connected.
pub(crate) fn wait_for_sessions(house: &House) {
    let sessions = || {
        let status = (house.service().controls().status)();
        status.counters.iter().find(|(name, _)| name == "pop3.sessions").unwrap().1
    };
    let patience = std::time::Duration::from_secs(60);
    lastpost_tests::eventually(patience, "sessions to end", || sessions() == 0);
}
