//! The client for the next hop against written dialogues.
//!
//! `S:` a line from the next hop · `C:` a line the client must send · `=` what the client must
//! report · `>` what its driver does · `~ N` so many octets of text that the client must send. At each `S:` the client must have sent exactly what stands
//! above it, so the files also say what goes out together. Each dialogue runs twice: replies
//! arriving together, and octet by octet.

#![allow(clippy::unwrap_used, reason = "a test's helpers may fail by panic")]

use std::collections::VecDeque;
use std::path::Path;

use address::{Host, Mailbox, ReversePath};
use envelope::{ByMode, Coding, EnvelopeId, Notify, OriginalRecipient, Ret};
use sasl::Secret;
use smtp_proto::client::{
    Body, By, Channel, Credentials, End, Event, Extensions, Message, Opening, Plan, Protocol,
    Received, Recipient, ReplyReader, Securing, SizeLimit, Step, TlsUse, Unsendable,
};

#[test]
fn dialogues() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/client");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 48, "only {} dialogues found", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for chunk in [usize::MAX, 1] {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            Run::new(name, chunk).play(&text);
        }
    }
}

enum Subject {
    Idle,
    Opening(Opening),
    Securing(Securing),
    Channel(Channel),
}

/// One run of one dialogue.
struct Run {
    name: String,
    chunk: usize,
    line: usize,
    subject: Subject,
    reader: ReplyReader,
    body: Option<Body>,
    from_server: Vec<u8>,
    out: Vec<u8>,
    events: VecDeque<String>,
}

impl Run {
    fn new(name: String, chunk: usize) -> Self {
        Self {
            name,
            chunk,
            line: 0,
            subject: Subject::Idle,
            reader: ReplyReader::new(),
            body: None,
            from_server: Vec::new(),
            out: Vec::new(),
            events: VecDeque::new(),
        }
    }

    fn play(mut self, text: &str) {
        for (number, line) in text.lines().enumerate() {
            self.line = number + 1;
            if let Some(reply) = line.strip_prefix("S:") {
                assert!(self.out.is_empty(), "{} not told: {}", self.at(), self.unsent());
                self.from_server.extend_from_slice(reply.trim_start().as_bytes());
                self.from_server.extend_from_slice(b"\r\n");
                continue;
            }
            self.deliver();
            match line.split_at_checked(2) {
                Some(("C:", command)) => self.expect_command(command.trim_start()),
                Some(("= ", event)) => self.expect_event(event),
                Some(("> ", action)) => self.act(action),
                Some(("~ ", octets)) => self.expect_text(octets.parse().unwrap()),
                _ if line.starts_with("plan ") => self.start(line),
                _ => assert!(line.starts_with('#') || line.is_empty(), "{} what?", self.at()),
            }
        }
        self.deliver();
        assert!(self.out.is_empty(), "{} not told: {}", self.at(), self.unsent());
        assert!(self.events.is_empty(), "{} not told: {:?}", self.at(), self.events);
    }

    fn at(&self) -> String {
        format!("{}:{}", self.name, self.line)
    }

    fn unsent(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    fn expect_command(&mut self, expected: &str) {
        let end = self.out.windows(2).position(|pair| pair == b"\r\n");
        let end = end.unwrap_or_else(|| panic!("{} nothing sent", self.at()));
        let line: Vec<u8> = self.out.drain(..end + 2).collect();
        assert_eq!(String::from_utf8_lossy(&line[..end]), expected, "{}", self.at());
    }

    fn expect_text(&mut self, octets: usize) {
        assert!(self.out.len() >= octets, "{} only {} octets", self.at(), self.out.len());
        self.out.drain(..octets);
    }

    fn expect_event(&mut self, expected: &str) {
        assert_eq!(self.events.pop_front().as_deref(), Some(expected), "{}", self.at());
    }

    /// Hands over what the server said since, in chunks.
    fn deliver(&mut self) {
        let said = std::mem::take(&mut self.from_server);
        for chunk in said.chunks(self.chunk.min(said.len().max(1))) {
            let mut reader = std::mem::take(&mut self.reader);
            reader.feed(chunk);
            // After STARTTLS was answered, the driver reads no more replies in clear.
            while !matches!(self.subject, Subject::Securing(_)) {
                let Some(reply) = reader.next_reply().unwrap() else { break };
                self.receive(reply);
            }
            self.reader = reader;
        }
    }

    fn receive(&mut self, reply: Received<'_>) {
        match std::mem::replace(&mut self.subject, Subject::Idle) {
            Subject::Opening(opening) => match opening.receive(reply) {
                Ok(step) => self.take(step),
                Err(error) => self.events.push_back(format!("error: {error}")),
            },
            Subject::Channel(mut channel) => {
                match channel.receive(reply, &mut self.out) {
                    Ok(Event::Pending) => {}
                    Ok(Event::SendBody(body)) => {
                        self.body = Some(body);
                        self.events.push_back("body".to_owned());
                    }
                    Ok(Event::Finished(outcome)) => self.report(&outcome),
                    Ok(Event::Closed) => self.events.push_back("closed".to_owned()),
                    Err(error) => self.events.push_back(format!("error: {error}")),
                }
                self.subject = Subject::Channel(channel);
            }
            Subject::Idle | Subject::Securing(_) => panic!("{} nobody listens", self.at()),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Send(opening, line) => {
                self.out.extend_from_slice(line.expose());
                self.subject = Subject::Opening(opening);
            }
            Step::Secure(securing) => {
                self.events.push_back("secure".to_owned());
                self.subject = Subject::Securing(securing);
            }
            Step::Ready(channel) => {
                self.events.push_back(format!("ready{}", names(channel.extensions())));
                self.subject = Subject::Channel(channel);
            }
        }
    }

    fn report(&mut self, outcome: &smtp_proto::client::Outcome) {
        self.events.push_back(match outcome.end() {
            End::Accepted(reply) => format!("finished accepted: {reply}"),
            End::Refused { at, reply } => format!("finished refused at {at:?}: {reply}"),
            End::NoRecipient => "finished no recipient".to_owned(),
            End::Answered => "finished answered".to_owned(),
        });
        for index in 0..outcome.recipients() {
            self.events.push_back(match outcome.result(index).unwrap() {
                Ok(reply) => format!("recipient {index}: yes {reply}"),
                Err(reply) => format!("recipient {index}: no {reply}"),
            });
        }
        assert!(outcome.result(outcome.recipients()).is_none());
    }

    fn start(&mut self, line: &str) {
        let field = |name: &str| line.split(name).nth(1).map(|rest| rest.to_owned());
        let word = |name: &str| field(name).map(|rest| rest.split(' ').next().unwrap().to_owned());
        let tls = match word(" tls=").unwrap().as_str() {
            "never" => TlsUse::Never,
            "when-offered" => TlsUse::WhenOffered,
            "required" => TlsUse::Required,
            "established" => TlsUse::Established,
            other => panic!("{} tls={other}?", self.at()),
        };
        let cleartext = line.ends_with(" cleartext");
        let credentials = field(" login=").map(|login| {
            let (name, password) = login.trim_end_matches(" cleartext").split_once(':').unwrap();
            Credentials { name: name.to_owned(), password: Secret::from(password), cleartext }
        });
        let hello = Host::parse(&word(" hello=").unwrap()).unwrap();
        let protocol = if line.contains(" lmtp") { Protocol::Lmtp } else { Protocol::Smtp };
        self.subject = Subject::Opening(Opening::new(Plan { protocol, hello, tls, credentials }));
    }

    fn act(&mut self, action: &str) {
        let (verb, rest) = action.split_once(' ').unwrap_or((action, ""));
        match (verb, std::mem::replace(&mut self.subject, Subject::Idle)) {
            ("secured", Subject::Securing(securing)) => {
                match securing.secured(self.reader.is_empty()) {
                    Ok(step) => self.take(step),
                    Err(error) => self.events.push_back(format!("error: {error}")),
                }
            }
            ("send", Subject::Channel(mut channel)) => {
                assert!(channel.may_begin(), "{}", self.at());
                match send(&mut channel, rest, &mut self.out) {
                    Ok(None) => {}
                    Ok(Some(body)) => {
                        self.body = Some(body);
                        self.events.push_back("body at once".to_owned());
                    }
                    Err(why) => self.events.push_back(format!("unsendable: {why}")),
                }
                self.subject = Subject::Channel(channel);
            }
            ("body", Subject::Channel(mut channel)) => {
                let text = rest.replace("\\r", "\r").replace("\\n", "\n").replace("\\0", "\0");
                let body = self.body.as_mut().unwrap();
                body.write(text.as_bytes(), &mut self.out);
                channel.pass_on(body, &mut self.out);
                self.subject = Subject::Channel(channel);
            }
            ("fill", Subject::Channel(mut channel)) => {
                let body = self.body.as_mut().unwrap();
                body.write(&b"0123456789abcd\r\n".repeat(16 * 1024), &mut self.out);
                channel.pass_on(body, &mut self.out);
                let listens = channel.must_listen();
                assert_eq!(listens, rest == "and listen", "{}", self.at());
                self.subject = Subject::Channel(channel);
            }
            ("drop", Subject::Channel(channel)) => {
                assert!(channel.must_listen() || channel.may_begin(), "{}", self.at());
                self.body = None;
                self.subject = Subject::Channel(channel);
            }
            ("spent", Subject::Channel(channel)) => {
                assert!(channel.is_spent() && !channel.may_begin(), "{}", self.at());
                self.subject = Subject::Channel(channel);
            }
            ("end", Subject::Channel(mut channel)) => {
                assert!(!channel.may_begin(), "{} a body is open", self.at());
                channel.end_body(self.body.take().unwrap(), &mut self.out);
                self.subject = Subject::Channel(channel);
            }
            ("quit", Subject::Channel(mut channel)) => {
                channel.quit(&mut self.out);
                assert!(!channel.may_begin());
                self.subject = Subject::Channel(channel);
            }
            ("hang-up", Subject::Channel(channel)) => {
                self.out.clear();
                for unfinished in channel.into_unfinished() {
                    let mut text = format!("unfinished body-sent={}", unfinished.body_sent());
                    if !unfinished.heard() {
                        text.push_str(" unheard");
                    }
                    for index in 0..unfinished.recipients() {
                        if let Some(Ok(reply) | Err(reply)) = unfinished.result(index) {
                            text.push_str(&format!(" {index}:{}", reply.code()));
                        }
                    }
                    self.events.push_back(text);
                }
            }
            _ => panic!("{} cannot {action}", self.at()),
        }
    }
}

/// `from=<…> to=…,… octets=N` and the wishes; a recipient is `address[|NOTIFY[|ORCPT]]`.
fn send(
    channel: &mut Channel,
    arguments: &str,
    out: &mut Vec<u8>,
) -> Result<Option<Body>, Unsendable> {
    let word = |name: &str| {
        let mut words = arguments.split(' ');
        words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    };
    let says = |flag: &str| arguments.split(' ').any(|word| word == flag);
    // An address may hold blanks.
    let (_, recipients) = arguments.split_once(" to=").unwrap();
    let (recipients, _) = recipients.split_once(" octets=").unwrap();
    let recipients = recipients.split('!').map(|text| {
        let mut parts = text.split('|');
        let mailbox = Mailbox::parse(parts.next().unwrap()).unwrap();
        let notify = parts.next().filter(|text| !text.is_empty());
        let notify = notify.map_or(Notify::UNSAID, |text| Notify::parse(text).unwrap());
        let original = parts.next().map(|text| OriginalRecipient::parse(text).unwrap());
        (mailbox, notify, original)
    });
    let recipients: Vec<_> = recipients.collect();
    let sender = ReversePath::parse(word("from").unwrap()).unwrap();
    let envid = word("envid").map(|text| EnvelopeId::parse(text).unwrap());
    let submitter = word("submitter").map(|text| Mailbox::parse(text).unwrap());
    let by = word("by").map(|text| {
        let (seconds, mode) = text.split_once(';').unwrap();
        let notify = mode.starts_with('N');
        let mode_meant = if notify { ByMode::Notify } else { ByMode::Return };
        let trace = mode.ends_with('T');
        By { seconds: seconds.parse().unwrap(), mode: mode_meant, trace }
    });
    let message = Message {
        coding: match () {
            () if says("binary") => Coding::Binary,
            () if says("8bit") => Coding::EightBit,
            () => Coding::SevenBit,
        },
        smtputf8: says("utf8-header"),
        ret: word("ret").map(|text| Ret::parse(text).unwrap()),
        envid: envid.as_ref(),
        by,
        require_tls: says("require-tls"),
        auth: says("auth"),
        submitter: submitter.as_ref(),
        ..Message::new(&sender, word("octets").unwrap().parse().unwrap())
    };
    let recipients = recipients.iter().map(|(mailbox, notify, original)| Recipient {
        mailbox,
        notify: *notify,
        original: original.as_ref(),
    });
    channel.begin(&message, recipients, out)
}

fn names(extensions: &Extensions) -> String {
    let mut names = String::new();
    let flags = [
        (extensions.pipelining, " pipelining"),
        (extensions.eight_bit_mime, " 8bitmime"),
        (extensions.smtp_utf8, " smtputf8"),
        (extensions.chunking, " chunking"),
        (extensions.binary_mime, " binarymime"),
        (extensions.dsn, " dsn"),
        (extensions.require_tls, " requiretls"),
    ];
    names.extend(flags.iter().filter(|(on, _)| *on).map(|(_, name)| *name));
    match extensions.size {
        SizeLimit::Unannounced => {}
        SizeLimit::Unlimited => names.push_str(" size=unlimited"),
        SizeLimit::Octets(octets) => names.push_str(&format!(" size={octets}")),
    }
    names
}
