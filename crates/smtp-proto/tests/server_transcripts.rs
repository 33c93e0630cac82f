//! Runs the transcripts: each file is a conversation, read from top to bottom.
//!
//! `C:` is a line of the client, CRLF is added. `C>` is what the client sends to the octet,
//! with `\r`, `\n`, `\0`, `\xNN`, `\\`; lines of the client that follow each other arrive in
//! one piece. `S:` are all lines of the server up to there, `A:` all that the daemon was asked
//! (see the kit for how it decides). `~` sets a parameter before the conversation begins;
//! `~ restart` begins a new one; `#` is a comment.
//!
//! Every transcript runs twice: with the client's octets as they are grouped in the file, and
//! one octet at a time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod server_kit;

use std::path::Path;

use sasl::{Mechanism, Offer};
use server_kit::{AuthOffer, Conversation, all_extensions, parameters};
use smtp_proto::server::{LoneLf, Mechanisms, Parameters};

#[derive(Clone)]
struct Setting {
    parameters: Parameters,
    auth: AuthOffer,
    /// Instead of what `auth` says.
    in_clear: Option<Offer>,
    under_tls: Option<Offer>,
    /// Whether the client shows a certificate in the handshake.
    certificate: bool,
    tls: bool,
    tls_broken: bool,
    /// The outcome depends on what arrives together, as with pipelined STARTTLS.
    whole_only: bool,
}

impl Setting {
    fn apply(&mut self, line: &str) {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        let number = || value.parse::<u32>().unwrap();
        match key {
            "tls" => self.tls = true,
            "tls-broken" => self.tls_broken = true,
            "whole-only" => self.whole_only = true,
            "starttls" => self.parameters.starttls = true,
            "auth" => {
                self.auth = match value {
                    "never" => AuthOffer::Never,
                    "under-tls" => AuthOffer::UnderTls,
                    "always" => AuthOffer::Always,
                    _ => panic!("auth {value}"),
                }
            }
            "in-clear" => self.in_clear = Some(offer(value)),
            "under-tls" => self.under_tls = Some(offer(value)),
            "certificate" => self.certificate = true,
            "reject-lone-lf" => self.parameters.lone_lf = LoneLf::Reject,
            "message-max" => self.parameters.message_octets_max = number().into(),
            "recipients-max" => self.parameters.recipients_max = number(),
            "mails-max" => self.parameters.mails_max = number(),
            "xclient" => self.parameters.xclient = true,
            "all-extensions" => self.parameters.extensions = all_extensions(),
            "smtputf8" => self.parameters.extensions.smtputf8 = true,
            "chunking" => self.parameters.extensions.chunking = true,
            "dsn" => self.parameters.extensions.dsn = true,
            "future-release" => self.parameters.extensions.future_release = Some(number()),
            "deliver-by" => self.parameters.extensions.deliver_by = Some(number()),
            "require-tls" => self.parameters.extensions.require_tls = true,
            "limits" => self.parameters.extensions.limits = true,
            "errors-max" => self.parameters.errors_max = number(),
            "auth-failures-max" => self.parameters.auth_failures_max = number(),
            _ => panic!("unknown setting {key}"),
        }
    }

    fn open(&self) -> Conversation {
        let mut mechanisms = self.auth.mechanisms(self.tls);
        mechanisms.under_tls = self.under_tls.unwrap_or(mechanisms.under_tls);
        let now = if self.tls { self.under_tls } else { self.in_clear };
        mechanisms.now = now.unwrap_or(mechanisms.now);
        let mut conversation =
            Conversation::open_offering(self.parameters.clone(), mechanisms, self.tls);
        conversation.tls_broken = self.tls_broken;
        if self.certificate {
            let now = mechanisms.under_tls.with(Mechanism::External);
            conversation.after_tls = Some(Mechanisms { now, under_tls: now });
        }
        conversation
    }
}

fn offer(names: &str) -> Offer {
    let mechanism = |name: &str| Mechanism::parse(name.as_bytes()).unwrap();
    names.split(' ').map(mechanism).collect()
}

fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'\\' {
            octets.push(octet);
            continue;
        }
        octets.push(match rest.next().unwrap() {
            b'r' => b'\r',
            b'n' => b'\n',
            b'0' => 0,
            b'\\' => b'\\',
            b'x' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => panic!("escape {}", other as char),
        });
    }
    octets
}

/// One exchange: what arrives, and what must come of it.
#[derive(Default)]
struct Exchange {
    line: usize,
    sent: Vec<u8>,
    replies: Vec<String>,
    asked: Vec<String>,
}

enum Item {
    Setting(String),
    Restart,
    Exchange(Exchange),
}

fn parse(text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let (mark, rest) = line.split_at(line.len().min(2));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        match mark {
            "C:" => add_sent(&mut items, number, &[rest.as_bytes(), b"\r\n"].concat()),
            "C>" => add_sent(&mut items, number, &unescape(rest)),
            "S:" => last_exchange(&mut items, number).replies.push(rest.to_owned()),
            "A:" => last_exchange(&mut items, number).asked.push(rest.to_owned()),
            "~ " if rest == "restart" => items.push(Item::Restart),
            "~ " => items.push(Item::Setting(rest.to_owned())),
            _ if line.is_empty() || line.starts_with('#') => {}
            _ => panic!("line {}: {line:?}", number + 1),
        }
    }
    items
}

fn add_sent(items: &mut Vec<Item>, number: usize, octets: &[u8]) {
    let last = last_exchange(items, number);
    if last.replies.is_empty() && last.asked.is_empty() {
        last.sent.extend(octets);
        return;
    }
    let (line, sent) = (number + 1, octets.to_vec());
    items.push(Item::Exchange(Exchange { line, sent, ..Exchange::default() }));
}

fn last_exchange(items: &mut Vec<Item>, number: usize) -> &mut Exchange {
    if !matches!(items.last(), Some(Item::Exchange(_))) {
        items.push(Item::Exchange(Exchange { line: number + 1, ..Exchange::default() }));
    }
    match items.last_mut() {
        Some(Item::Exchange(exchange)) => exchange,
        _ => unreachable!("pushed above"),
    }
}

fn run(name: &str, items: &[Item], octet_by_octet: bool) {
    let fresh = Setting {
        parameters: parameters(),
        auth: AuthOffer::UnderTls,
        in_clear: None,
        under_tls: None,
        certificate: false,
        tls: false,
        tls_broken: false,
        whole_only: false,
    };
    let mut setting = fresh.clone();
    let mut conversation: Option<Conversation> = None;
    for item in items {
        match item {
            Item::Restart => {
                conversation = None;
                setting = fresh.clone();
            }
            Item::Setting(line) => {
                assert!(conversation.is_none(), "{name}: a setting after the conversation began");
                setting.apply(line);
            }
            Item::Exchange(exchange) => {
                let conversation = conversation.get_or_insert_with(|| setting.open());
                if octet_by_octet && !setting.whole_only {
                    for octet in &exchange.sent {
                        conversation.receive(std::slice::from_ref(octet));
                    }
                } else {
                    conversation.receive(&exchange.sent);
                }
                check(name, exchange, conversation, octet_by_octet);
            }
        }
    }
}

fn check(name: &str, exchange: &Exchange, conversation: &mut Conversation, octet_by_octet: bool) {
    let place = format!("{name}:{} (octet by octet: {octet_by_octet})", exchange.line);
    let output = std::mem::take(&mut conversation.output);
    let text = String::from_utf8(output).unwrap();
    assert!(text.is_empty() || text.ends_with("\r\n"), "{place}: {text:?}");
    let replies: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(replies, exchange.replies, "{place}");
    assert_eq!(std::mem::take(&mut conversation.asked), exchange.asked, "{place}");
}

#[test]
fn every_transcript_runs_as_it_is_written() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/server");
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 10, "the transcripts are gone");
    for file in files {
        let items = parse(&std::fs::read_to_string(&file).unwrap());
        let name = file.file_name().unwrap().to_string_lossy();
        run(&name, &items, false);
        run(&name, &items, true);
    }
}
