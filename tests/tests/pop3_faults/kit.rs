//! A daemon in a process of its own, and Maildirs whose every file the test has written.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lastpost_tests::{Process, Site, Talk, eventually};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_lastpost-under-test");
/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const LOCK: &str = "lastpost.lock";
pub(crate) const STATE: &str = "lastpost-state";

/// An installation whose first account is the patient and whose second is its neighbour.
pub(crate) struct Shop {
    pub(crate) site: Site,
    program: PathBuf,
    daemon: Option<Process>,
}

impl Shop {
    /// Made, not yet running. `pop3`: further lines for `[pop3]`.
    pub(crate) fn closed(pop3: &str) -> Self {
        let site = Site::new(SocketAddr::from(([127, 0, 0, 1], 9)), 3);
        let file = site.installation().config_file();
        let text = fs::read_to_string(&file).unwrap();
        let quick = "[auth]\nfailure_delay = \"0s\"\nfailure_delay_max = \"0s\"\n\n[accounts]";
        let text = text.replace("[accounts]", quick);
        fs::write(&file, with_pop3(&text, pop3)).unwrap();
        let shop = Self { site, program: PROGRAM.into(), daemon: None };
        for account in 0..2 {
            for place in ["new", "cur"] {
                empty(&shop.maildir(account).join(place));
            }
        }
        shop
    }

    /// Running.
    pub(crate) fn open(pop3: &str) -> Self {
        let mut shop = Self::closed(pop3);
        shop.start();
        shop
    }

    /// The program is started by these lines of shell, which end in `exec "$@"`.
    pub(crate) fn wrap(&mut self, script: &str) {
        let wrapper = self.site.installation().directory().join("wrapper");
        fs::write(&wrapper, format!("#!/bin/sh\nset -- '{PROGRAM}' \"$@\"\n{script}\n")).unwrap();
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
        self.program = wrapper;
    }

    pub(crate) fn start(&mut self) {
        let ports = self.site.installation().ports();
        let daemon = self.site.start(&self.program, "lastpost-pop3d", &[ports.pop3, ports.pop3s]);
        self.daemon = Some(daemon);
    }

    pub(crate) fn daemon(&self) -> &Process {
        self.daemon.as_ref().expect("the daemon runs")
    }

    pub(crate) fn kill_9(&mut self) {
        self.daemon.take().expect("the daemon runs").kill_9();
    }

    /// Ends it in an orderly way and starts it again.
    pub(crate) fn restart(&mut self) {
        let daemon = self.daemon.take().expect("the daemon runs");
        assert!(daemon.terminate().success());
        self.start();
    }

    pub(crate) fn address(&self, tls: bool) -> SocketAddr {
        let ports = self.site.installation().ports();
        self.site.at(if tls { ports.pop3s } else { ports.pop3 })
    }

    pub(crate) fn maildir(&self, account: usize) -> PathBuf {
        self.site.installation().accounts()[account].maildir.clone()
    }

    /// A session up to the answer to PASS, and that answer.
    pub(crate) fn try_login(&self, account: usize, tls: bool) -> (Talk, String) {
        let account = &self.site.installation().accounts()[account];
        let mut talk = Talk::connect(self.address(tls));
        if tls {
            talk.start_tls();
        }
        talk.expect_reply("+OK");
        talk.expect(&format!("USER {}", account.login), "+OK");
        let reply = talk.ask(&format!("PASS {}", account.password));
        (talk, reply)
    }

    /// A session that is logged in; a lock that is about to be released is waited for.
    pub(crate) fn logged_in(&self, account: usize) -> Talk {
        self.logged_in_by(account, false)
    }

    pub(crate) fn logged_in_by(&self, account: usize, tls: bool) -> Talk {
        let mut session = None;
        eventually(PATIENCE, "the maildrop to be free", || {
            let (talk, reply) = self.try_login(account, tls);
            let free = reply.starts_with("+OK");
            assert!(free || reply.starts_with("-ERR [IN-USE] "), "{reply}");
            session = free.then_some(talk);
            free
        });
        session.expect("logged in")
    }

    /// The whole box as a customer sees it, in a session that changes nothing.
    pub(crate) fn view(&self, account: usize) -> View {
        let mut talk = self.logged_in(account);
        let view = View::of(&mut talk);
        talk.expect("QUIT", "+OK");
        view
    }
}

/// The configuration with these lines in `[pop3]`, in the place of those of the same keys.
fn with_pop3(text: &str, lines: &str) -> String {
    let (before, section) = text.split_once("[pop3]\n").expect("a section [pop3]");
    let (keys, listeners) = section.split_once("[[pop3.listen]]").expect("a listener");
    let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
    let new: Vec<String> = lines.lines().map(key).collect();
    let kept =
        keys.lines().filter(|line| !new.contains(&key(line))).map(|line| format!("{line}\n"));
    format!("{before}[pop3]\n{}{lines}[[pop3.listen]]{listeners}", kept.collect::<String>())
}

/// Ids and sizes, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) uidls: Vec<String>,
    pub(crate) sizes: Vec<u64>,
}

impl View {
    /// Also checks that numbers run from 1 and that STAT says the same.
    pub(crate) fn of(talk: &mut Talk) -> Self {
        let stat = talk.expect("STAT", "+OK ");
        let uidls = numbered(talk, "UIDL");
        let sizes: Vec<u64> =
            numbered(talk, "LIST").iter().map(|size| size.parse().unwrap()).collect();
        assert_eq!(stat, format!("+OK {} {}", uidls.len(), sizes.iter().sum::<u64>()));
        assert_eq!(uidls.iter().collect::<BTreeSet<_>>().len(), uidls.len(), "ids are unique");
        assert_eq!(uidls.len(), sizes.len());
        Self { uidls, sizes }
    }

    pub(crate) fn without(&self, index: usize) -> Self {
        let mut rest = self.clone();
        rest.uidls.remove(index);
        rest.sizes.remove(index);
        rest
    }
}

fn numbered(talk: &mut Talk, command: &str) -> Vec<String> {
    talk.expect(command, "+OK");
    let text = String::from_utf8(talk.multiline()).unwrap();
    let lines = text.lines().enumerate().map(|(index, line)| {
        let (number, value) = line.split_once(' ').expect("number and value");
        assert_eq!(number.parse(), Ok(index + 1), "{command}: {text}");
        value.to_owned()
    });
    lines.collect()
}

/// Fetches a message whole.
pub(crate) fn retrieve(talk: &mut Talk, number: usize) -> Vec<u8> {
    talk.expect(&format!("RETR {number}"), "+OK");
    talk.multiline()
}

/// A message of so many lines, which its number determines: stored form, LF.
pub(crate) fn message(number: usize, lines: usize) -> Vec<u8> {
    let mut text = format!("From: <x@y.example>\nSubject: number {number}\n\n");
    for line in 0..lines {
        let _ = writeln!(text, "{number} {line:08} the quick brown fox jumps over the lazy dog");
    }
    text.into_bytes()
}

/// The same on the wire.
pub(crate) fn wire(stored: &[u8]) -> Vec<u8> {
    String::from_utf8(stored.to_vec()).unwrap().replace('\n', "\r\n").into_bytes()
}

/// Puts a file into `new`; the name says when it came, and its sizes only `with_sizes`.
pub(crate) fn put(maildir: &Path, number: usize, content: &[u8], with_sizes: bool) -> String {
    let mut name = format!("{}.M{number}P1.host", 1_700_000_000 + number);
    if with_sizes {
        let _ = write!(name, ",S={},W={}", content.len(), wire(content).len());
    }
    fs::write(maildir.join("new").join(&name), content).unwrap();
    name
}

/// Names of the messages, wherever they lie.
pub(crate) fn files(maildir: &Path) -> BTreeSet<String> {
    let places = ["new", "cur"].map(|place| fs::read_dir(maildir.join(place)).unwrap());
    let names = places.into_iter().flatten();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

pub(crate) fn empty(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
}
