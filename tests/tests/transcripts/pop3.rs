//! The dialogues of `pop3-proto`, spoken with the POP3 daemon.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lastpost_tests::{House, Plan, eventually};

use crate::client::Client;
use crate::pop3_transcript::{Given, Item, Message, Transcript, Trouble, What};

/// `[pop3]` of the house: a listener without TLS comes first and is called `pop3`; the house adds
/// `pop3-2` with STLS and `pop3s`.
const SECTION: &str =
    "mark_seen = true\n[[pop3.listen]]\naddress = \"127.0.0.1:0\"\ntls = \"none\"\n";

/// Dialogues that need a world which no daemon over TCP has.
const LEFT_OUT: &[(&str, &str)] = &[
    ("apop", "APOP is switched on for a whole daemon"),
    ("apop_needs_a_digest", "APOP is switched on for a whole daemon"),
    ("apop_stamp_must_be_one", "APOP is switched on for a whole daemon"),
    ("apop_wrong", "APOP is switched on for a whole daemon"),
    ("auth_empty_response", "the house offers PLAIN and LOGIN alone"),
    ("auth_offered_mechanisms", "the house offers PLAIN and LOGIN alone"),
    ("auth_offered_under_tls", "a client on loopback may always log in in clear"),
    ("auth_turns", "the house offers PLAIN and LOGIN alone"),
    ("busy_login_is_temporary", "the queue of password checks cannot be filled at will"),
    ("capa_per_user", "the house has one policy for all accounts"),
    ("capa_same_for_all", "the house has one policy for all accounts"),
    ("cleartext_login_refused", "a client on loopback may always log in in clear"),
    ("cleartext_login_refused_without_tls", "a client on loopback may always log in in clear"),
    ("internationalised_refused", "UTF-8 mode is demanded by a whole daemon"),
    ("internationalised_refused_is_not_retrieved", "UTF-8 mode is demanded by a whole daemon"),
    ("lang_keeps_codes_and_words", "faults do not come at will"),
    ("last_by_option", "LAST is switched on for a whole daemon"),
    ("last_of_an_unread_maildrop", "LAST is switched on for a whole daemon"),
    ("login_delay_refuses", "the house has no delay between logins"),
    ("must_change", "no account of the house has a password that is to be changed"),
    ("must_change_address", "no account of the house has a password that is to be changed"),
    ("quirk_capital_digest", "APOP is switched on for a whole daemon"),
    ("quirk_retry_words", "faults do not come at will"),
    ("quirk_xoip", "the house has no proxies"),
    ("quirk_zero_forgets_all", "faults do not come at will"),
    ("quit_reports_failed_removal", "a removal does not fail at will"),
    ("read_error_drops_the_connection", "a disk does not fail at will"),
    ("storage_failure_refuses_login", "a disk does not fail at will"),
    ("too_many_sessions", "the house has no limit of sessions for an account"),
    ("utf8_name_that_is_none", "not every table of accounts takes such names"),
    ("utf8_names_and_passwords", "not every table of accounts takes such names"),
    ("xclient", "the house has no proxies"),
    ("xclient_malformed", "the house has no proxies"),
    ("xclient_may_be_long", "the house has no proxies"),
];

/// Not under TLS from the first octet: they speak of TLS themselves.
const IN_CLEAR_ONLY: &[&str] = &["stls_where_there_is_none"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/pop3-proto/tests/transcripts")
}

fn transcripts() -> Vec<Transcript> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| Transcript::read(file)).collect()
}

fn is_left_out(transcript: &Transcript) -> bool {
    LEFT_OUT.iter().any(|(name, _)| *name == transcript.name)
}

#[test]
fn what_is_left_out_is_what_steers_the_daemon() {
    let pure: BTreeSet<String> =
        transcripts().into_iter().filter(|t| t.pure_only).map(|t| t.name).collect();
    let left_out: BTreeSet<String> = LEFT_OUT.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(left_out, pure);
}

#[test]
fn the_daemon_says_in_clear_what_the_transcripts_say() {
    let house = House::start(Plan { pop3: SECTION, ..Plan::default() });
    let mut played = 0;
    for transcript in transcripts().iter().filter(|t| !is_left_out(t)) {
        play(&house, transcript, Carriage::AsGiven, usize::MAX);
        played += 1;
    }
    assert!(played >= 50, "{played} transcripts played");
}

#[test]
fn the_daemon_says_the_same_to_a_client_that_sends_octet_by_octet() {
    let house = House::start(Plan { pop3: SECTION, ..Plan::default() });
    let mut played = 0;
    for transcript in transcripts().iter().filter(|t| !is_left_out(t) && !t.unsplit_only) {
        // Long ones in larger pieces: an octet is a packet here.
        let octets: usize = transcript.items.iter().map(client_octets).sum();
        play(&house, transcript, Carriage::AsGiven, 1 + octets / 3000);
        played += 1;
    }
    assert!(played >= 50, "{played} transcripts played");
}

#[test]
fn the_daemon_says_under_tls_what_the_transcripts_say() {
    let house = House::start(Plan { pop3: SECTION, ..Plan::default() });
    let mut played = 0;
    for transcript in transcripts() {
        let in_clear = offers_tls(&transcript) || IN_CLEAR_ONLY.contains(&&*transcript.name);
        if !is_left_out(&transcript) && !in_clear {
            play(&house, &transcript, Carriage::Tls, usize::MAX);
            played += 1;
        }
    }
    assert!(played >= 40, "{played} transcripts played");
}

fn gives(transcript: &Transcript, wanted: fn(&Given) -> bool) -> bool {
    let mut items = transcript.items.iter();
    items.any(|item| matches!(&item.what, What::Given(given) if wanted(given)))
}

fn offers_tls(transcript: &Transcript) -> bool {
    gives(transcript, |given| matches!(given, Given::TlsOffered))
}

fn client_octets(item: &Item) -> usize {
    if let What::Client(octets) = &item.what { octets.len() } else { 0 }
}

/// How the client comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carriage {
    /// In clear, unless the transcript says that TLS is active.
    AsGiven,
    /// On the TLS port.
    Tls,
}

/// A dialogue under way.
struct Play<'a> {
    house: &'a House,
    transcript: &'a Transcript,
    piece: usize,
    listener: &'static str,
    maildir: PathBuf,
    /// File names as they were given, in the order of the daemon's numbers.
    names: Vec<String>,
    client: Option<Client>,
    /// Another session of the same account, which holds the maildrop.
    holder: Option<Client>,
}

fn play(house: &House, transcript: &Transcript, carriage: Carriage, piece: usize) {
    let folder = format!("{}-{carriage:?}-{piece}", transcript.name);
    let home = house.path("transcripts").join(folder);
    let listener = match carriage {
        Carriage::Tls => "pop3s",
        Carriage::AsGiven if gives(transcript, |given| matches!(given, Given::TlsActive)) => {
            "pop3s"
        }
        Carriage::AsGiven if offers_tls(transcript) => "pop3-2",
        Carriage::AsGiven => "pop3",
    };
    eventually(Duration::from_secs(30), "earlier sessions to end", || sessions(house) == 0);
    let mut play = Play {
        house,
        transcript,
        piece,
        listener,
        maildir: home.join("Maildir"),
        names: Vec::new(),
        client: None,
        holder: None,
    };
    play.furnish(&home);
    for item in &transcript.items {
        play.act(item);
    }
    play.finish();
}

fn sessions(house: &House) -> u64 {
    let status = (house.service().controls().status)();
    let found = status.counters.iter().find(|(name, _)| name == "pop3.sessions");
    found.expect("the status counts sessions").1
}

impl Play<'_> {
    /// Account and messages as the transcript has them, nobody and nothing else.
    fn furnish(&mut self, home: &Path) {
        maildrop::create(&self.maildir).unwrap();
        let mut users = String::new();
        let mut messages: Vec<&Message> = Vec::new();
        for item in &self.transcript.items {
            match &item.what {
                What::Given(Given::Account { login, password }) => {
                    let cost = auth::Argon2Params::new(64, 1, 1).unwrap();
                    let hash = auth::hash_new(password, &cost).unwrap();
                    let _ = writeln!(
                        users,
                        "{login}:{}::::{}::addresses={login}@open.example",
                        &*hash.to_field(),
                        home.display()
                    );
                }
                What::Given(Given::Message(message)) => messages.push(message),
                _ => {}
            }
        }
        self.names = messages.iter().map(|message| message.uidl.clone()).collect();
        // Messages come in the order of their names here.
        if !self.names.is_sorted() {
            let numbered = self.names.iter().enumerate();
            self.names = numbered.map(|(at, name)| format!("{at:03}-{name}")).collect();
        }
        for (name, message) in self.names.iter().zip(&messages) {
            std::fs::write(self.maildir.join("new").join(name), &message.stored).unwrap();
        }
        std::fs::write(self.house.path("users"), users).unwrap();
        self.house.service().controls().reload().unwrap();
    }

    fn address(&self) -> SocketAddr {
        self.house.address(self.listener)
    }

    fn connect(&self) -> Client {
        let mut client = Client::connect(self.address());
        if self.listener == "pop3s" {
            client.start_tls(&self.house.path("certificate.pem"));
        }
        client
    }

    fn place(&self, item: &Item) -> String {
        format!(
            "{}:{} ({}, pieces of {})",
            self.transcript.name, item.line, self.listener, self.piece
        )
    }

    fn client(&mut self) -> &mut Client {
        if self.client.is_none() {
            self.client = Some(self.connect());
        }
        self.client.as_mut().unwrap()
    }

    fn act(&mut self, item: &Item) {
        let place = self.place(item);
        let piece = self.piece;
        match &item.what {
            What::Given(given) => self.arrange(given),
            What::Client(octets) => self.client().send(octets, piece),
            What::Tls => {
                let certificate = self.house.path("certificate.pem");
                self.client().start_tls(&certificate);
            }
            What::Drop => {
                self.client().drop_connection();
                self.client = None;
                let house = self.house;
                eventually(Duration::from_secs(30), "the session to end", || sessions(house) == 0);
            }
            What::Server(expected) => {
                let line = self.client().line();
                let line = line.unwrap_or_else(|| panic!("{place}: closed or silent"));
                let shown = String::from_utf8_lossy(&line);
                assert!(expected.matches(&line), "{place}: the server says {shown:?}");
            }
            What::Rest(octets) => {
                assert_eq!(self.client().rest().as_ref(), Some(octets), "{place}");
            }
            What::Closed => {
                let rest = self.client().rest();
                let rest = rest.unwrap_or_else(|| panic!("{place}: the server has not hung up"));
                let shown = String::from_utf8_lossy(&rest);
                assert!(rest.is_empty(), "{place}: the server says {shown:?} too");
            }
            What::Removed(indexes) => {
                let kept = self.files("");
                for (index, name) in self.names.iter().enumerate() {
                    let removed = indexes.contains(&index);
                    assert_eq!(!kept.contains(name), removed, "{place}: {name}");
                }
            }
            What::Retrieved(indexes) => {
                let (kept, seen) = (self.files(""), self.files(":2,S"));
                for (index, name) in self.names.iter().enumerate() {
                    let retrieved = indexes.contains(&index);
                    let marked = seen.contains(name);
                    assert_eq!(marked, retrieved && kept.contains(name), "{place}: {name}");
                }
            }
        }
    }

    fn arrange(&mut self, given: &Given) {
        match given {
            Given::Login(Some(Trouble::InUse)) => self.holder = Some(self.hold()),
            Given::Login(None) => {
                let mut holder = self.holder.take().expect("somebody holds the maildrop");
                holder.send(b"QUIT\r\n", usize::MAX);
                assert!(holder.rest().expect("closed").starts_with(b"+OK"));
                let house = self.house;
                eventually(Duration::from_secs(30), "the holder to go", || sessions(house) == 1);
            }
            Given::Gone(index) => {
                std::fs::remove_file(self.maildir.join("new").join(&self.names[*index])).unwrap();
            }
            Given::Account { .. } | Given::Message(_) => {}
            Given::TlsOffered | Given::TlsActive => {}
            other => panic!("{}: {other:?} is beyond this driver", self.transcript.name),
        }
    }

    /// The same account logs in from elsewhere.
    fn hold(&self) -> Client {
        let account = self.transcript.items.iter().find_map(|item| match &item.what {
            What::Given(Given::Account { login, password }) => Some((login, password)),
            _ => None,
        });
        let (login, password) = account.expect("an account");
        let mut holder = self.connect();
        holder.send(format!("USER {login}\r\nPASS ").as_bytes(), usize::MAX);
        holder.send(&[password, b"\r\n".as_slice()].concat(), usize::MAX);
        for _ in 0..3 {
            assert!(holder.line().expect("a reply").starts_with(b"+OK"));
        }
        holder
    }

    /// The messages in the maildrop whose flags are these, by the names they were given.
    fn files(&self, flags: &str) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for folder in ["new", "cur"] {
            for entry in std::fs::read_dir(self.maildir.join(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                if name.ends_with(flags) {
                    names.insert(name.split(':').next().unwrap().to_owned());
                }
            }
        }
        names
    }

    /// The client leaves; until then nothing more may be said.
    fn finish(self) {
        let Some(client) = self.client else { return };
        let rest = client.leave().expect("a session ends when its client has left");
        let shown = String::from_utf8_lossy(&rest);
        assert!(rest.is_empty(), "{}: the server says {shown:?} at the end", self.transcript.name);
    }
}
