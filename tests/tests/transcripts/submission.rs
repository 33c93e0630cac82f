//! The conversations of `smtp-proto`, and some of the whole house, with the submission daemon.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lastpost_tests::{House, Plan, eventually};

use crate::client::Client;
use crate::conversation::{Conversation, Exchange};
use crate::submission_house::{SIZE_HERE, SIZE_WRITTEN, Setting, start};

/// Conversations that the daemon's own rules, or the limits of its configuration, rule out.
const LEFT_OUT: &[(&str, usize, &str)] = &[
    ("addresses", 1, "a table of accounts holds no quoted names, and no address literals"),
    ("auth", 1, "the same sender is taken without and with a login; `busy` is steered"),
    ("auth", 7, "the number of failed logins is not configured"),
    ("auth_mechanisms", 1, "an echo is no mechanism of a daemon's"),
    ("auth_mechanisms", 2, "an echo is no mechanism of a daemon's"),
    ("auth_mechanisms", 3, "an echo is no mechanism of a daemon's"),
    ("auth_mechanisms", 4, "an echo is no mechanism of a daemon's"),
    ("auth_mechanisms", 5, "an echo is no mechanism of a daemon's"),
    ("auth_mechanisms", 6, "`old` is steered by name"),
    ("blind_data", 2, "`full` is steered by name"),
    ("chunking_limits", 1, "no limit on messages is as small as 20 octets"),
    ("chunking_steered", 1, "`full` and `late` are steered by name"),
    ("deliver_by", 1, "the least time is not configured"),
    ("everything", 1, "the least time of a delivery is not configured"),
    ("limits", 1, "no limit on messages is as small as 20 octets"),
    ("limits", 3, "`forger` is refused by name"),
    ("limits_announced", 2, "a daemon's session has always a limit"),
    ("pipelining", 1, "`stranger` is refused by name; a submission needs From"),
    ("rejected_end", 1, "`late` is steered by name"),
    ("sequence", 1, "`stranger`, `full`, `late` and `absurd` are steered by name"),
    ("session", 1, "a submission needs From"),
    ("smuggling", 19, "`forger` is refused by name"),
    ("smtputf8", 2, "the house has no mailboxes of such names"),
    ("starttls", 1, "the same sender is taken with and without a login"),
    ("starttls", 4, "a handshake does not become impossible at will"),
    ("xclient", 1, "whom a proxy vouches for, and whom it may not speak for, is steered by name"),
];

const PATIENCE: Duration = Duration::from_secs(30);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/smtp-proto/tests/transcripts/server")
}

fn is_left_out(conversation: &Conversation) -> bool {
    LEFT_OUT
        .iter()
        .any(|(file, number, _)| *file == conversation.file && *number == conversation.number)
}

#[test]
fn what_is_left_out_exists() {
    let all = Conversation::read_all(&folder());
    assert_eq!(all.iter().filter(|conversation| is_left_out(conversation)).count(), LEFT_OUT.len());
}

/// Each house is set up once for all conversations that want it so.
fn by_setting(conversations: Vec<Conversation>) -> BTreeMap<Setting, Vec<Conversation>> {
    let mut groups: BTreeMap<Setting, Vec<Conversation>> = BTreeMap::new();
    for conversation in conversations.into_iter().filter(|c| !is_left_out(c)) {
        groups.entry(Setting::of(&conversation)).or_default().push(conversation);
    }
    groups
}

#[test]
fn the_daemon_says_what_the_conversations_say() {
    let mut played = 0;
    for (setting, conversations) in by_setting(Conversation::read_all(&folder())) {
        let house = start(&setting);
        let mut inbox = Inbox { folder: house.path("mail/ben/Maildir/new"), seen: BTreeSet::new() };
        for conversation in &conversations {
            let pieces = if setting.whole_only { &[usize::MAX][..] } else { &[usize::MAX, 1] };
            for &piece in pieces {
                let listener =
                    if setting.tls == "implicit" { Tls::FromTheStart } else { Tls::Asked };
                let play = Play { house: &house, conversation, piece, address: "submission" };
                play.run(listener, adapted);
                inbox.expect(conversation);
            }
            played += 1;
        }
    }
    assert!(played >= 75, "{played} conversations played");
}

#[test]
fn the_whole_house_says_in_clear_and_under_tls_what_its_conversations_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts/submission");
    let conversations = Conversation::read_all(&folder);
    assert!(conversations.len() >= 18, "{} conversations", conversations.len());
    for (address, tls) in [("submission", Tls::Asked), ("submissions", Tls::FromTheStart)] {
        let house = House::start(Plan::default());
        let mut sent = 0;
        for conversation in &conversations {
            assert!(conversation.settings.is_empty(), "{}: a setting", conversation.file);
            let play = Play { house: &house, conversation, piece: usize::MAX, address };
            // STARTTLS is not offered under TLS, and REQUIRETLS nowhere else.
            let without = |line: &str| match (tls, line) {
                (Tls::FromTheStart, "250-STARTTLS") | (Tls::Asked, "250-REQUIRETLS") => None,
                _ => Some(line.to_owned()),
            };
            play.run(tls, without);
            let texts: Vec<_> =
                conversation.exchanges.iter().flat_map(Exchange::messages).collect();
            sent += texts.len();
            let arrived = house.wait_for_mail(sent);
            for text in texts {
                let found = arrived.iter().any(|message| message.content.ends_with(&text));
                assert!(found, "{}: {}", conversation.file, text.escape_ascii());
            }
        }
        assert_eq!(house.received().len(), sent, "nothing else arrives");
    }
}

/// The expected line of the server, as this house says it.
fn adapted(line: &str) -> Option<String> {
    let (written, here) = (SIZE_WRITTEN.to_string(), SIZE_HERE.to_string());
    Some(if line.starts_with("250-SIZE ") {
        line.replace(&written, &here)
    } else {
        line.to_owned()
    })
}

/// What the client sends, with sizes at the limit of this house and just above.
fn sized(sent: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(sent) else { return sent.to_vec() };
    let words = text.split_inclusive([' ', '\r']).map(|word| {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let end = value.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = value.strip_suffix(end).and_then(|digits| digits.parse::<u32>().ok());
        match number.and_then(|number| number.checked_sub(SIZE_WRITTEN)) {
            Some(above @ 0..=1) if key.eq_ignore_ascii_case("size") => {
                format!("{key}={}{end}", SIZE_HERE + above)
            }
            _ => word.to_owned(),
        }
    });
    words.collect::<String>().into_bytes()
}

/// Whether the client begins with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    FromTheStart,
    Asked,
}

struct Play<'a> {
    house: &'a House,
    conversation: &'a Conversation,
    piece: usize,
    address: &'a str,
}

impl Play<'_> {
    fn run(&self, tls: Tls, expected: impl Fn(&str) -> Option<String>) {
        let certificate = self.house.path("certificate.pem");
        let mut client = Client::connect(self.house.address(self.address));
        if tls == Tls::FromTheStart {
            client.start_tls(&certificate);
        }
        let mut closed = false;
        for exchange in &self.conversation.exchanges {
            let place = self.place(exchange);
            assert!(!closed, "{place}: the daemon has hung up");
            client.send(&sized(&exchange.sent), self.piece);
            for reply in exchange.replies.iter().filter_map(|line| expected(line)) {
                let line = client.line();
                let line = line.unwrap_or_else(|| panic!("{place}: silence, not {reply:?}"));
                let line = String::from_utf8(line).expect("replies are UTF-8");
                assert!(is_reply(&reply, &line), "{place}: {line:?}, not {reply:?}");
            }
            if exchange.closes() {
                let rest = client.rest().unwrap_or_else(|| panic!("{place}: not closed"));
                assert!(rest.is_empty(), "{place}: {} too", rest.escape_ascii());
                closed = true;
            }
            if exchange.starts_tls() {
                client.start_tls(&certificate);
            }
        }
        if !closed {
            let rest = client.leave().expect("a session ends when its client has left");
            let name = &self.conversation.file;
            assert!(rest.is_empty(), "{name}: {} at the end", rest.escape_ascii());
        }
    }

    fn place(&self, exchange: &Exchange) -> String {
        let Conversation { file, number, .. } = self.conversation;
        let (line, piece, address) = (exchange.line, self.piece, self.address);
        format!("{file}:{line} (conversation {number}, {address}, pieces of {piece})")
    }
}

/// Whether the daemon's line is the one that was written: queue IDs differ, and a daemon words
/// by itself why it knows no such mailbox.
fn is_reply(written: &str, line: &str) -> bool {
    const QUEUED: &str = "250 2.0.0 Accepted, queued as ";
    if written.starts_with(QUEUED) {
        return line.strip_prefix(QUEUED).is_some_and(|id| !id.is_empty() && !id.contains(' '));
    }
    if written == "550 5.1.1 No such recipient" {
        return line.starts_with("550 5.1.1 ");
    }
    written == line
}

/// Where local mail arrives.
struct Inbox {
    folder: PathBuf,
    seen: BTreeSet<PathBuf>,
}

impl Inbox {
    /// The messages that the conversation sent are there, to the octet, and no others.
    fn expect(&mut self, conversation: &Conversation) {
        let mut texts: Vec<_> =
            conversation.exchanges.iter().flat_map(Exchange::messages).collect();
        let mut fresh = BTreeSet::new();
        eventually(PATIENCE, "local delivery", || {
            let files = std::fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
            fresh = files.filter(|path| !self.seen.contains(path)).collect();
            fresh.len() >= texts.len()
        });
        let Conversation { file, number, .. } = conversation;
        assert_eq!(fresh.len(), texts.len(), "{file}, conversation {number}: messages");
        // They may overtake each other on the way; a long text ends like no other.
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        let mut contents: Vec<_> = fresh.iter().map(|path| std::fs::read(path).unwrap()).collect();
        for text in &texts {
            let at = contents.iter().position(|content| ends_with_lines(content, text));
            let shown = text.escape_ascii();
            let content = contents.remove(at.unwrap_or_else(|| panic!("{file} {number}: {shown}")));
            assert!(content.starts_with(b"Return-Path: <"), "{file} {number}: {shown}");
        }
        self.seen.extend(fresh);
    }
}

/// Whether the stored message ends with the text that was sent. A Maildir may store LF, and the
/// blank line behind the header is added where there was none.
fn ends_with_lines(stored: &[u8], text: &[u8]) -> bool {
    let plain = |octets: &[u8]| -> Vec<u8> {
        let text = octets.iter().copied().filter(|&octet| octet != b'\r').collect::<Vec<u8>>();
        text.trim_ascii_end().to_vec()
    };
    plain(stored).ends_with(&plain(text))
}
