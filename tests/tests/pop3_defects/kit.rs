//! A house with mail of known octets, and what its files and figures say.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use lastpost_tests::{House, Plan, Process, Site, Talk, eventually};

pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const AIKO: &str = "aiko@open.example";
pub(crate) const BERT: &str = "bert@open.example";
pub(crate) const CLARA: &str = "clara@closed.example";
/// Longer than anything takes that is not meant to hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A house that lets as many connect from here as a test needs.
pub(crate) fn house() -> House {
    house_with("")
}

/// The same with further lines for `[pop3]`.
pub(crate) fn house_with(pop3: &'static str) -> House {
    let pop3 = match pop3 {
        "" => "sessions_per_ip_max = 2000\n",
        other => other,
    };
    House::start(Plan { pop3, ..Plan::default() })
}

/// Where a message lies that [`put`] put there.
pub(crate) fn message(house: &House, login: &str, name: &str) -> PathBuf {
    house.maildir(login).join("new").join(name)
}

/// Puts a message into a maildrop under a name of its own, which is its unique id too.
pub(crate) fn put(house: &House, login: &str, name: &str, stored: &[u8]) {
    std::fs::write(message(house, login, name), stored).unwrap();
}

/// A house whose first account has these messages, in this order: `1.m`, `2.m` and so on.
pub(crate) fn house_of(messages: &[&[u8]]) -> House {
    let house = house();
    for (at, stored) in messages.iter().enumerate() {
        put(&house, AIKO, &format!("{}.m", at + 1), stored);
    }
    house
}

/// The base names of the messages that lie in a maildrop, in order.
pub(crate) fn names(house: &House, login: &str) -> Vec<String> {
    names_in(&house.maildir(login))
}

pub(crate) fn names_in(maildir: &Path) -> Vec<String> {
    let mut names: Vec<String> = ["new", "cur"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(maildir.join(folder)).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.split(':').next().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// The wire form of a stored message, doubled dots left out: what RFC 1939 section 11 counts.
pub(crate) fn wire(stored: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for line in stored.split_inclusive(|&octet| octet == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        wire.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

/// A figure of the status page.
pub(crate) fn counter(house: &House, name: &str) -> u64 {
    let status = (house.service().controls().status)();
    let found = status.counters.iter().find(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("no figure {name}")).1
}

/// Waits until so many POP3 sessions are left.
pub(crate) fn wait_for_sessions(house: &House, left: u64) {
    eventually(PATIENCE, "sessions to end", || counter(house, "pop3.sessions") == left);
}

/// Reads the answer to `LIST` or `UIDL`, line by line.
pub(crate) fn listing(talk: &mut Talk, command: &str) -> Vec<String> {
    talk.expect(command, "+OK");
    lines(&talk.multiline())
}

pub(crate) fn lines(text: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(text).unwrap();
    text.lines().map(str::to_owned).collect()
}

pub(crate) fn base64(octets: impl AsRef<[u8]>) -> String {
    base64::engine::general_purpose::STANDARD.encode(octets)
}

/// What AUTH PLAIN wants.
pub(crate) fn plain(login: &str, password: &str) -> String {
    base64(format!("\0{login}\0{password}"))
}

/// Replaces the table of accounts, and has it read.
pub(crate) fn set_users(house: &House, users: &str) {
    std::fs::write(house.path("users"), users).unwrap();
    house.service().controls().reload().unwrap();
}

/// A line of the table: a password that is cheap to check, and the extra fields.
pub(crate) fn user(house: &House, login: &str, password: &str, extra: &str) -> String {
    let cost = auth::Argon2Params::new(64, 1, 1).unwrap();
    let hash = auth::hash_new(password.as_bytes(), &cost).unwrap();
    let home = house.path("mail").join(login);
    format!("{login}:{}::::{}::{extra}\n", &*hash.to_field(), home.display())
}

/// The daemon as a process, with its log and its memory.
pub(crate) struct Daemon {
    pub(crate) process: Process,
    pub(crate) site: Site,
}

impl Daemon {
    /// Starts one that makes nobody wait for a wrong password.
    pub(crate) fn start() -> Self {
        let site = Site::new(([127, 0, 0, 1], 9).into(), 3);
        let file = site.installation().config_file();
        let text = std::fs::read_to_string(&file).unwrap();
        let quick = "[auth]\nfailure_delay = \"0s\"\nfailure_delay_max = \"0s\"\n[accounts]";
        std::fs::write(&file, text.replace("[accounts]", quick)).unwrap();
        let ports = site.installation().ports();
        let program = Path::new(env!("CARGO_BIN_EXE_lastpost-under-test"));
        let process = site.start(program, "lastpost-pop3d", &[ports.pop3, ports.pop3s]);
        Self { process, site }
    }

    pub(crate) fn greeted(&self) -> Talk {
        let mut talk = Talk::connect(self.site.at(self.site.installation().ports().pop3));
        talk.expect_reply("+OK");
        talk
    }

    pub(crate) fn logged_in(&self) -> Talk {
        let account = &self.site.installation().accounts()[0];
        let mut talk = self.greeted();
        talk.expect(&format!("USER {}", account.login), "+OK");
        talk.expect(&format!("PASS {}", account.password), "+OK");
        talk
    }

    /// Resident memory in KiB.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Lines of the log from `before` on, once there are some with `what` in them.
    pub(crate) fn wait_for_log(&self, before: usize, what: &str) -> Vec<String> {
        let mut fresh = Vec::new();
        eventually(PATIENCE, "the log line", || {
            fresh = self.process.log().lines().skip(before).map(str::to_owned).collect();
            fresh.iter().any(|line: &String| line.contains(what))
        });
        fresh
    }
}
