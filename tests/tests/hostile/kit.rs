//! A house for rough treatment, and a good customer who must not notice it.

use std::net::{IpAddr, Ipv4Addr};

use base64::Engine as _;
use lastpost_tests::{House, Plan, Talk};

pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const LOGIN: &str = "aiko@open.example";
pub(crate) const FRIEND: &str = "friend@elsewhere.example";

/// Every listener of a house, and how its sessions begin.
pub(crate) const LISTENERS: [(&str, Dress); 8] = [
    ("pop3", Dress::Clear),
    ("pop3", Dress::Upgraded),
    ("pop3s", Dress::Tls),
    ("legacy", Dress::Clear),
    ("legacy", Dress::Upgraded),
    ("submission", Dress::Clear),
    ("submission", Dress::Upgraded),
    ("submissions", Dress::Tls),
];

/// How a session is dressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dress {
    Clear,
    /// TLS after STLS or STARTTLS.
    Upgraded,
    /// TLS from the first octet.
    Tls,
}

pub(crate) fn is_pop3(listener: &str) -> bool {
    listener.starts_with("pop3")
}

/// A house that lets as many connect as the test needs.
pub(crate) fn house() -> House {
    House::start(Plan {
        pop3: "sessions_per_ip_max = 2000\n",
        submission: "sessions_per_ip_max = 2000\n",
        ..Plan::default()
    })
}

/// A session that has read its greeting and is dressed.
pub(crate) fn session(house: &House, listener: &str, dress: Dress) -> Talk {
    let mut talk = Talk::connect(house.address(listener));
    if dress == Dress::Tls {
        talk.start_tls();
    }
    talk.expect_reply(if is_pop3(listener) { "+OK" } else { "220" });
    if dress == Dress::Upgraded {
        let (ask, yes) = if is_pop3(listener) { ("STLS", "+OK") } else { ("STARTTLS", "220") };
        talk.expect(ask, yes);
        talk.start_tls();
    }
    talk
}

pub(crate) fn base64(text: impl AsRef<[u8]>) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// What AUTH PLAIN wants.
pub(crate) fn plain(login: &str, password: &str) -> String {
    base64(format!("\0{login}\0{password}"))
}

/// One customer with a session of each kind, who goes on as if nothing happened.
pub(crate) struct Customer {
    fetching: Talk,
    sending: Talk,
    sent: usize,
}

impl Customer {
    pub(crate) fn new(house: &House) -> Self {
        house.deliver(LOGIN, b"From: <x@y.example>\nSubject: here\n\nstill here\n");
        let fetching = house.logged_in(LOGIN, HERE);
        let mut sending = session(house, "legacy", Dress::Clear);
        sending.expect("EHLO customer.example", "250");
        let password = house.customer(LOGIN).password;
        sending.expect(&format!("AUTH PLAIN {}", plain(LOGIN, password)), "235");
        Self { fetching, sending, sent: 0 }
    }

    /// Fetches a message and sends one, on sessions that have been open all the time.
    pub(crate) fn goes_on(&mut self) {
        self.fetching.expect("STAT", "+OK 1 ");
        self.fetching.expect("RETR 1", "+OK");
        assert!(self.fetching.multiline().ends_with(b"\r\n\r\nstill here\r\n"));
        self.sending.expect(&format!("MAIL FROM:<{LOGIN}>"), "250");
        self.sending.expect(&format!("RCPT TO:<{FRIEND}>"), "250");
        self.sending.expect("DATA", "354");
        self.sent += 1;
        let number = self.sent;
        self.sending.send(&format!("From: <{LOGIN}>\r\nSubject: {number}\r\n\r\nnumber {number}"));
        self.sending.expect(".", "250");
    }

    /// All that was sent has arrived, whole and once.
    pub(crate) fn ends(mut self, house: &House) {
        self.goes_on();
        self.fetching.expect("QUIT", "+OK");
        self.sending.expect("QUIT", "221");
        let arrived = house.wait_for_mail(self.sent);
        assert_eq!(arrived.len(), self.sent);
        for number in 1..=self.sent {
            let end = format!("\r\n\r\nnumber {number}\r\n");
            let found = arrived.iter().filter(|mail| mail.content.ends_with(end.as_bytes()));
            assert_eq!(found.count(), 1, "message {number}");
        }
    }
}

/// The same noise on every run (xorshift).
pub(crate) fn noise(seed: u64, octets: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..octets).map(|_| (next() >> 24) as u8).collect()
}

/// The rest of what a listener says until it closes; each line must be a reply.
pub(crate) fn replies_until_closed(talk: &mut Talk, listener: &str) -> Vec<String> {
    let mut replies = Vec::new();
    while let Some(line) = talk.try_line().expect("a reply or the end, in time") {
        assert!(is_reply(listener, &line), "{listener}: {line:?} is no reply");
        replies.push(line);
    }
    replies
}

pub(crate) fn is_reply(listener: &str, line: &str) -> bool {
    let visible = line.chars().all(|c| !c.is_control());
    let begins = if is_pop3(listener) {
        line.starts_with("+OK") || line.starts_with("-ERR ") || line.starts_with("+ ")
    } else {
        let code = line.get(..3).and_then(|code| code.parse::<u16>().ok());
        code.is_some_and(|code| (200..600).contains(&code))
            && matches!(line.as_bytes().get(3), Some(b' ' | b'-'))
    };
    visible && begins
}
