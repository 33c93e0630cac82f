//! Transcripts: dialogues as text that people read and tests play.
//!
//! ```text
//! # A comment.
//! given: account aiko secret password      login, and the rest of the line
//! given: message uid-1                     stored as the `|` lines that follow
//! | Subject: hello
//! |
//! |~ no line end behind this one
//! given: tls offered                       or active; otherwise there is none
//! given: cleartext refused                 otherwise a login in clear is allowed
//! given: maildrop in-use                   or unavailable; from here on, until `free`
//! given: login busy                        the next login finds no room
//! given: login too-soon 30                 or too-many: of the account's sessions; until `free`
//! given: login must-change https://x/      the right password is to be changed first, there
//! given: mechanisms PLAIN SCRAM-SHA-256    instead of PLAIN and LOGIN; with `under-tls` behind
//!                                          them, only there
//! given: turn n,,n=aiko r=1                the next message of any other mechanism (`-`: empty),
//!                                          and what follows it: a challenge, or `accepted`,
//!                                          `wrong`, `malformed`
//! given: apop <1.2@host>                   the greeting has this timestamp
//! given: login-delay 60 user               or without user; what CAPA says of everybody
//! given: expire 7 user                     or never
//! given: own login-delay 30                what CAPA says after the login
//! given: own expire never
//! given: last                              LAST is obeyed
//! given: proxy                             the client is one that may name its own
//! given: utf8 only                         internationalised messages want UTF8
//! given: message 2 retrieved               in an earlier session
//! given: message 2 breaks                  its last octet cannot be read
//! given: message 2 gone                    another program has removed it
//! given: removal fails                     the next QUIT cannot remove everything
//! only: pure                               plays against the session alone
//! only: unsplit                            plays only with each block of C: as one read
//! C: STAT                                  lines in a row are sent at once (CRLF added)
//! C~ STA                                   the same without CRLF
//! S: +OK 1 120                             exactly this line; ` ...` matches any rest
//! S~ half a li                             all that came, without a line end
//! C: (tls)                                 the client shakes hands
//! C: (drop)                                the client hangs up
//! S: (closed)                              the server hangs up
//! then: removed 1 3                        what the server did, numbers as the client's
//! then: retrieved 2
//! ```
//!
//! In texts `\r \n \0 \\ \xHH` are octets and `{A*300}` is `A` three hundred times.

use std::path::Path;

/// One line of a transcript, numbered for messages.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) line: usize,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Given(Given),
    /// Octets of consecutive `C:` lines.
    Client(Vec<u8>),
    Tls,
    Drop,
    Server(Expected),
    /// The last octets, which end in no line end.
    Rest(Vec<u8>),
    Closed,
    Removed(Vec<usize>),
    Retrieved(Vec<usize>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    InUse,
    Unavailable,
    Busy,
    TooSoon(u64),
    TooMany,
}

/// What a message of a SASL exchange leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Follows {
    Challenge(Vec<u8>),
    Accepted,
    Wrong,
    Malformed,
}

/// What CAPA may say, for everybody or for one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fact {
    LoginDelay(u32),
    /// `None`: never.
    Expire(Option<u32>),
}

#[derive(Debug)]
pub(crate) enum Given {
    Account {
        login: String,
        password: Vec<u8>,
    },
    Message(Message),
    TlsOffered,
    TlsActive,
    CleartextRefused,
    Login(Option<Trouble>),
    Breaks(usize),
    Gone(usize),
    RemovalFails,
    Apop(String),
    /// Of everybody, and whether it varies.
    OfAll(Fact, bool),
    Own(Fact),
    Last,
    Proxy,
    Utf8Only,
    Retrieved(usize),
    MustChange(Option<String>),
    Mechanisms {
        names: Vec<String>,
        under_tls: bool,
    },
    /// The client's message, and what follows.
    Turn(Vec<u8>, Follows),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Message {
    pub(crate) uidl: String,
    pub(crate) stored: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) text: Vec<u8>,
    pub(crate) open_end: bool,
}

impl Expected {
    pub(crate) fn matches(&self, line: &[u8]) -> bool {
        if self.open_end { line.starts_with(&self.text) } else { line == self.text }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Transcript {
    pub(crate) name: String,
    pub(crate) pure_only: bool,
    pub(crate) unsplit_only: bool,
    pub(crate) items: Vec<Item>,
}

impl Transcript {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let mut transcript = Self {
            name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
            ..Self::default()
        };
        for (at, line) in text.lines().enumerate() {
            transcript.add(at + 1, line);
        }
        assert!(!transcript.items.is_empty(), "{}: empty", transcript.name);
        transcript
    }

    fn add(&mut self, number: usize, line: &str) {
        if line.is_empty() || line.starts_with('#') {
            return;
        }
        if let Some(text) = line.strip_prefix('|') {
            return self.add_stored(number, text);
        }
        let Some((label, text)) = line.split_at_checked(2) else {
            panic!("{}:{number}: {line}", self.name)
        };
        match label {
            "C:" | "C~" => return self.add_client(number, text.trim_start(), label == "C:"),
            "S:" => return self.push(number, server(text.strip_prefix(' ').unwrap_or(text))),
            "S~" => return self.push(number, What::Rest(unescape(text.trim_start()))),
            _ => {}
        }
        let what = match line.split_once(": ") {
            Some(("given", text)) => What::Given(given(text)),
            Some(("then", text)) => then(text),
            Some(("only", "pure")) => return self.pure_only = true,
            Some(("only", "unsplit")) => return self.unsplit_only = true,
            _ => panic!("{}:{number}: {line}", self.name),
        };
        self.push(number, what);
    }

    fn push(&mut self, line: usize, what: What) {
        self.items.push(Item { line, what });
    }

    fn add_client(&mut self, number: usize, text: &str, whole: bool) {
        match text {
            "(tls)" => return self.push(number, What::Tls),
            "(drop)" => return self.push(number, What::Drop),
            _ => {}
        }
        let mut octets = unescape(text);
        if whole {
            octets.extend_from_slice(b"\r\n");
        }
        match self.items.last_mut() {
            Some(Item { what: What::Client(before), .. }) => before.extend_from_slice(&octets),
            _ => self.push(number, What::Client(octets)),
        }
    }

    fn add_stored(&mut self, number: usize, text: &str) {
        let Some(Item { what: What::Given(Given::Message(message)), .. }) = self.items.last_mut()
        else {
            panic!("{}:{number}: no message", self.name)
        };
        let (text, end) = match text.strip_prefix('~') {
            Some(text) => (text, ""),
            None => (text, "\n"),
        };
        message.stored.extend(unescape(text.strip_prefix(' ').unwrap_or(text)));
        message.stored.extend_from_slice(end.as_bytes());
    }
}

fn server(text: &str) -> What {
    if text == "(closed)" {
        return What::Closed;
    }
    let (text, open_end) = match text.strip_suffix("...") {
        Some(text) => (text, true),
        None => (text, false),
    };
    What::Server(Expected { text: unescape(text), open_end })
}

fn given(text: &str) -> Given {
    let words: Vec<&str> = text.splitn(3, ' ').collect();
    match words[..] {
        ["account", login, password] => {
            Given::Account { login: login.to_owned(), password: unescape(password) }
        }
        ["message", number, "breaks"] => Given::Breaks(number.parse::<usize>().unwrap() - 1),
        ["message", number, "gone"] => Given::Gone(number.parse::<usize>().unwrap() - 1),
        ["message", number, "retrieved"] => Given::Retrieved(number.parse::<usize>().unwrap() - 1),
        ["message", uidl] => Given::Message(Message { uidl: uidl.to_owned(), stored: Vec::new() }),
        ["tls", "offered"] => Given::TlsOffered,
        ["tls", "active"] => Given::TlsActive,
        ["cleartext", "refused"] => Given::CleartextRefused,
        ["maildrop", "in-use"] => Given::Login(Some(Trouble::InUse)),
        ["maildrop", "unavailable"] => Given::Login(Some(Trouble::Unavailable)),
        ["maildrop", "free"] => Given::Login(None),
        ["login", "busy"] => Given::Login(Some(Trouble::Busy)),
        ["removal", "fails"] => Given::RemovalFails,
        ["login", "too-many"] => Given::Login(Some(Trouble::TooMany)),
        ["login", "too-soon", seconds] => {
            Given::Login(Some(Trouble::TooSoon(seconds.parse().unwrap())))
        }
        ["login", "must-change"] => Given::MustChange(None),
        ["login", "must-change", url] => {
            Given::MustChange(Some(String::from_utf8(unescape(url)).unwrap()))
        }
        ["mechanisms", ..] => mechanisms(text),
        ["turn", "-", then] => Given::Turn(Vec::new(), follows(then)),
        ["turn", message, then] => Given::Turn(unescape(message), follows(then)),
        ["apop", stamp] => Given::Apop(stamp.to_owned()),
        ["last"] => Given::Last,
        ["proxy"] => Given::Proxy,
        ["utf8", "only"] => Given::Utf8Only,
        ["own", what, value] => Given::Own(fact(what, value)),
        [what, value, "user"] => Given::OfAll(fact(what, value), true),
        [what, value] => Given::OfAll(fact(what, value), false),
        _ => panic!("given: {text}"),
    }
}

fn mechanisms(text: &str) -> Given {
    let words = text.split(' ').skip(1);
    let under_tls = text.ends_with(" under-tls");
    let names = words.filter(|word| *word != "under-tls").map(ToOwned::to_owned).collect();
    Given::Mechanisms { names, under_tls }
}

fn follows(text: &str) -> Follows {
    match text {
        "accepted" => Follows::Accepted,
        "wrong" => Follows::Wrong,
        "malformed" => Follows::Malformed,
        challenge => Follows::Challenge(unescape(challenge)),
    }
}

fn fact(what: &str, value: &str) -> Fact {
    match what {
        "login-delay" => Fact::LoginDelay(value.parse().unwrap()),
        "expire" => Fact::Expire((value != "never").then(|| value.parse().unwrap())),
        _ => panic!("given: {what}"),
    }
}

fn then(text: &str) -> What {
    let mut words = text.split(' ');
    let verb = words.next();
    let indexes = words
        .filter(|word| *word != "nothing")
        .map(|number| number.parse::<usize>().unwrap() - 1)
        .collect();
    match verb {
        Some("removed") => What::Removed(indexes),
        Some("retrieved") => What::Retrieved(indexes),
        _ => panic!("then: {text}"),
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let repeated = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        if let Some((inner, tail)) = repeated
            && let Some((unit, times)) = inner.rsplit_once('*')
            && let Ok(times) = times.parse::<usize>()
        {
            octets.extend(unescape(unit).repeat(times));
            rest = tail;
            continue;
        }
        if first != '\\' {
            octets.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (octet, used) = match rest.as_bytes()[1] {
            b'r' => (b'\r', 2),
            b'n' => (b'\n', 2),
            b'0' => (0, 2),
            b'\\' => (b'\\', 2),
            b'x' => (u8::from_str_radix(&rest[2..4], 16).unwrap(), 4),
            other => panic!("escape {}", other as char),
        };
        octets.push(octet);
        rest = &rest[used..];
    }
    octets
}
