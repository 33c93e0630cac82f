//! Houses whose accounts come from somewhere else than usual, what the command line does to them,
//! and logins over either protocol.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lastpost_tests::{House, Plan, Talk};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_lastpost-under-test");
pub(crate) const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The tables of a house whose accounts lie in a database file.
pub(crate) const SQLITE: &str = "[accounts]\ndefault_domain = \"open.example\"\n\
    [[accounts.source]]\nname = \"customers\"\nkind = \"sqlite\"\n";

/// A house with these tables in the place of `[accounts]`, and these lines in `[auth]`. `prepare`
/// is called while it is stopped, with everything written.
pub(crate) fn house(plan: Plan, accounts: &str, auth: &str, prepare: impl FnOnce(&House)) -> House {
    let mut house = House::start(plan);
    house.stop();
    let usual = "[accounts]\npasswd_file = \"users\"\n";
    edit(&house, |text| {
        assert!(text.contains(usual), "{text}");
        text.replace(usual, accounts).replace("[auth]\n", &format!("[auth]\n{auth}"))
    });
    prepare(&house);
    house.restart();
    house
}

/// Changes the configuration; it counts from the next restart.
pub(crate) fn edit(house: &House, change: impl FnOnce(String) -> String) {
    let file = house.path("lastpost.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, change(text)).unwrap();
}

/// What `lastpost` says, or all that it says when it fails. `input` is what it reads.
pub(crate) fn lastpost(house: &House, arguments: &[&str], input: &str) -> Result<String, String> {
    let mut child = Command::new(PROGRAM)
        .env("LASTPOST_PROGRAM", "lastpost")
        .args(arguments)
        .arg("--config")
        .arg(house.path("lastpost.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that fails early reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap().trim_end().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stdout) + &text(&output.stderr)),
    }
}

/// `lastpost account add LOGIN …`, with a Maildir where the kit expects it.
pub(crate) fn add(house: &House, login: &str, password: &str, more: &[&str]) {
    maildrop::create(&house.maildir(login)).unwrap();
    let home = home(house, login);
    let begin = ["account", "add", login, "--home", &home, "--password-stdin"];
    lastpost(house, &[&begin, more].concat(), &format!("{password}\n")).unwrap();
}

/// `lastpost account passwd LOGIN`.
pub(crate) fn set_password(house: &House, login: &str, password: &str) {
    let words = ["account", "passwd", login, "--password-stdin"];
    lastpost(house, &words, &format!("{password}\n")).unwrap();
}

pub(crate) fn home(house: &House, login: &str) -> String {
    house.maildir(login).parent().unwrap().display().to_string()
}

/// A hash that costs next to nothing, as records have it.
pub(crate) fn hash(password: &str) -> String {
    let cost = auth::Argon2Params::new(64, 1, 1).unwrap();
    auth::hash_new(password.as_bytes(), &cost).unwrap().to_field().to_string()
}

/// Writes a passwd-file of logins and password fields, and makes the Maildirs.
pub(crate) fn write_users(house: &House, file: &str, users: &[(&str, String)]) {
    let mut text = String::new();
    for (login, field) in users {
        maildrop::create(&house.maildir(login)).unwrap();
        let _ = writeln!(text, "{login}:{field}::::{}::", home(house, login));
    }
    std::fs::write(house.path(file), text).unwrap();
}

/// The reply to a login by POP3 from `from`.
pub(crate) fn pop3_from(house: &House, from: IpAddr, login: &str, password: &str) -> String {
    let mut talk = house.client("pop3", from);
    talk.expect(&format!("USER {login}"), "+OK");
    let reply = talk.ask(&format!("PASS {password}"));
    talk.send("QUIT");
    if reply.starts_with("+OK") {
        // The maildrop is free again.
        talk.expect_reply("+OK");
    }
    reply
}

pub(crate) fn pop3(house: &House, login: &str, password: &str) -> String {
    pop3_from(house, HOME, login, password)
}

/// A client of the submission port.
pub(crate) fn submission(house: &House) -> Talk {
    let mut talk = house.client("submission", HOME);
    talk.expect("EHLO customer.example", "250");
    talk
}

/// The reply to a login for submission.
pub(crate) fn smtp(house: &House, login: &str, password: &str) -> String {
    submission(house).auth_plain(login, password)
}

/// A client of the submission port who has logged in.
pub(crate) fn sender(house: &House, login: &str, password: &str) -> Talk {
    let mut talk = submission(house);
    let reply = talk.auth_plain(login, password);
    assert!(reply.starts_with("235"), "{login}: {reply}");
    talk
}

/// The login is taken by both daemons.
#[track_caller]
pub(crate) fn welcome(house: &House, login: &str, password: &str) {
    let (pop3, smtp) = (pop3(house, login, password), smtp(house, login, password));
    assert!(pop3.starts_with("+OK") && smtp.starts_with("235"), "{login}: {pop3} / {smtp}");
}

/// The login is refused by both daemons, for good.
#[track_caller]
pub(crate) fn unwelcome(house: &House, login: &str, password: &str) {
    let (pop3, smtp) = (pop3(house, login, password), smtp(house, login, password));
    let refused = pop3.starts_with("-ERR [AUTH]") && smtp.starts_with("535 5.7.8");
    assert!(refused, "{login}: {pop3} / {smtp}");
}

/// The login is put off by both daemons.
#[track_caller]
pub(crate) fn put_off(house: &House, login: &str, password: &str) {
    let (pop3, smtp) = (pop3(house, login, password), smtp(house, login, password));
    let put_off = pop3.starts_with("-ERR [SYS/TEMP]") && smtp.starts_with("454 4.7.0");
    assert!(put_off, "{login}: {pop3} / {smtp}");
}

/// A figure of `lastpost auth status`.
pub(crate) fn figure(house: &House, name: &str) -> u64 {
    let report: Value = serde_json::from_str(&house.control().get("/auth").unwrap()).unwrap();
    let figures = report["figures"].as_array().unwrap();
    let found = figures.iter().find(|figure| figure[0] == name);
    found.unwrap_or_else(|| panic!("no figure {name}: {report}"))[1].as_u64().unwrap()
}

/// The messages in a Maildir that nobody has looked at.
pub(crate) fn new_mail(house: &House, login: &str) -> Vec<String> {
    let read = |at: std::fs::DirEntry| std::fs::read_to_string(at.path()).unwrap();
    std::fs::read_dir(house.maildir(login).join("new"))
        .map(|entries| entries.map(|entry| read(entry.unwrap())).collect())
        .unwrap_or_default()
}

/// The messages of the queue.
pub(crate) fn queue(house: &House) -> Vec<Value> {
    serde_json::from_str(&house.control().get("/queue").unwrap()).unwrap()
}

/// A session with either daemon, by messages of SASL.
pub(crate) struct Line {
    pub(crate) talk: Talk,
    is_pop3: bool,
}

/// What the daemon says to a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Challenge(Vec<u8>),
    Granted,
    Refused(String),
}

impl Said {
    #[track_caller]
    pub(crate) fn challenge(self) -> Vec<u8> {
        match self {
            Self::Challenge(octets) => octets,
            other => panic!("no challenge: {other:?}"),
        }
    }
}

impl Line {
    /// Around a session that is greeted.
    pub(crate) fn new(talk: Talk, is_pop3: bool) -> Self {
        let mut line = Self { talk, is_pop3 };
        if !is_pop3 {
            line.talk.expect("EHLO customer.example", "250");
        }
        line
    }

    /// In clear, from home.
    pub(crate) fn open(house: &House, listener: &str) -> Self {
        Self::new(house.client(listener, HOME), listener.starts_with("pop3"))
    }

    /// The mechanisms of CAPA or EHLO, in the order of the offer.
    pub(crate) fn offered(&mut self) -> Vec<String> {
        let (text, begins) = if self.is_pop3 {
            self.talk.expect("CAPA", "+OK");
            (String::from_utf8(self.talk.multiline()).unwrap(), "SASL ")
        } else {
            (self.talk.expect("EHLO customer.example", "250"), "AUTH ")
        };
        let words = text.lines().find_map(|line| {
            let line = if self.is_pop3 { line } else { line.get(4..)? };
            line.strip_prefix(begins)
        });
        words.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    }

    pub(crate) fn begin(&mut self, mechanism: &str, initial: Option<&[u8]>) -> Said {
        match initial {
            None => self.say(&format!("AUTH {mechanism}")),
            Some([]) => self.say(&format!("AUTH {mechanism} =")),
            Some(octets) => self.say(&format!("AUTH {mechanism} {}", STANDARD.encode(octets))),
        }
    }

    pub(crate) fn answer(&mut self, octets: &[u8]) -> Said {
        self.say(&STANDARD.encode(octets))
    }

    fn say(&mut self, line: &str) -> Said {
        let reply = self.talk.ask(line);
        let (challenge, granted) = if self.is_pop3 { ("+ ", "+OK") } else { ("334 ", "235") };
        match reply.strip_prefix(challenge) {
            Some(text) => Said::Challenge(STANDARD.decode(text.trim_end()).unwrap()),
            None if reply.starts_with(granted) => Said::Granted,
            None => Said::Refused(reply),
        }
    }
}
