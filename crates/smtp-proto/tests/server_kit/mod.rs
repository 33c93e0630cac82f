//! A daemon made of rules, which drives the session in tests and notes what it was asked.

use std::sync::Arc;

use std::fmt::Write as _;

use address::{ForwardPath, ReversePath};
use sasl::Mechanism;
use smtp_proto::server::{
    Action, By, Daemon, EndPending, Extensions, LoneLf, MailPending, MailRequest, Mechanisms,
    Parameters, RecipientPending, RecipientRequest, Reply, Session, Submitter, XclientFacts,
    XclientPending,
};

mod exchange;

use exchange::Exchange;

/// The rules: `anna` logs in with `secret`; the sender's or recipient's local part decides the
/// rest (see the match arms).
pub(crate) struct Rules;

pub(crate) struct Envelope {
    sender: String,
    recipients: Vec<String>,
}

pub(crate) struct Message {
    envelope: Envelope,
    text: Vec<u8>,
}

impl Daemon for Rules {
    type Login = String;
    type Envelope = Envelope;
    type Message = Message;
}

pub(crate) fn parameters() -> Parameters {
    Parameters {
        host: "mail.example.net".into(),
        message_octets_max: 1000,
        recipients_max: 3,
        mails_max: 0,
        errors_max: 50,
        auth_failures_max: 10,
        lone_lf: LoneLf::Normalise,
        starttls: false,
        extensions: Extensions::default(),
        xclient: false,
    }
}

/// When passwords are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthOffer {
    Never,
    UnderTls,
    Always,
}

impl AuthOffer {
    pub(crate) fn mechanisms(self, tls: bool) -> Mechanisms {
        let all: sasl::Offer = Mechanism::ALL.into_iter().collect();
        match self {
            Self::Never => Mechanisms::NONE,
            Self::UnderTls if !tls => Mechanisms { now: sasl::Offer::NONE, under_tls: all },
            Self::UnderTls | Self::Always => Mechanisms { now: all, under_tls: all },
        }
    }
}

/// Everything that can be offered.
pub(crate) fn all_extensions() -> Extensions {
    Extensions {
        smtputf8: true,
        chunking: true,
        dsn: true,
        future_release: Some(3600),
        deliver_by: Some(60),
        require_tls: true,
        limits: true,
    }
}

/// When every session begins: 24 November 2026, 20:45 UTC.
pub(crate) const BEGIN: i64 = 1_795_553_100;

/// A session with its daemon and what is unread.
pub(crate) struct Conversation {
    session: Session<Rules>,
    parameters: Parameters,
    mechanisms: Mechanisms,
    /// What the daemon offers after a handshake, if it says anything.
    pub(crate) after_tls: Option<Mechanisms>,
    exchange: Option<Exchange>,
    input: Vec<u8>,
    pub(crate) output: Vec<u8>,
    /// What the daemon was asked, one line each.
    pub(crate) asked: Vec<String>,
    pub(crate) closed: bool,
    pub(crate) tls_broken: bool,
    accepted: u32,
}

impl Conversation {
    pub(crate) fn open(parameters: Parameters, tls: bool) -> Self {
        Self::open_offering(parameters, AuthOffer::UnderTls.mechanisms(tls), tls)
    }

    pub(crate) fn open_with_auth(parameters: Parameters, tls: bool) -> Self {
        Self::open_offering(parameters, AuthOffer::Always.mechanisms(tls), tls)
    }

    pub(crate) fn open_offering(parameters: Parameters, mechanisms: Mechanisms, tls: bool) -> Self {
        let session = Session::new(Arc::new(parameters.clone()), mechanisms, tls, BEGIN);
        let mut output = Vec::new();
        session.greet(&mut output);
        Self {
            session,
            parameters,
            mechanisms,
            after_tls: None,
            exchange: None,
            input: Vec::new(),
            output,
            asked: Vec::new(),
            closed: false,
            tls_broken: false,
            accepted: 0,
        }
    }

    pub(crate) fn counts(&self) -> String {
        self.session.counts().to_string()
    }

    pub(crate) fn unread(&self) -> usize {
        self.input.len()
    }

    /// Delivers `octets` as one read and runs until the session wants more.
    pub(crate) fn receive(&mut self, octets: &[u8]) {
        if self.closed {
            return;
        }
        self.input.extend_from_slice(octets);
        while self.step() {}
    }

    fn step(&mut self) -> bool {
        let Self { session, parameters, mechanisms, exchange, input, output, asked, .. } = self;
        let step = session.next(input, output);
        input.drain(..step.consumed);
        match step.action {
            Action::More => return false,
            Action::Close(reason) => {
                asked.push(format!("close {}", reason.word()));
                self.closed = true;
                return false;
            }
            Action::Sasl(said, pending) => {
                asked.extend(exchange::answer(said, pending, exchange, output));
            }
            Action::StartTls(pending) if self.tls_broken => {
                pending.refuse(&Reply::TLS_UNAVAILABLE, output);
            }
            Action::StartTls(pending) => {
                asked.push("starttls".into());
                pending.accept(output);
                input.clear();
                if let Some(mechanisms) = self.after_tls {
                    session.offer(mechanisms);
                }
            }
            Action::Mail(request, pending) => asked.push(mail(&request, pending, output)),
            Action::Xclient(facts, pending) => {
                asked.push(xclient(&facts, pending, (parameters, *mechanisms), output));
            }
            Action::Recipient(request, pending) => {
                asked.push(shown_recipient(&request));
                recipient(&request.path, pending, output);
            }
            Action::Data(pending) if pending.envelope().sender.starts_with("<full@") => {
                pending.refuse(&Reply::STORAGE_FULL, output);
            }
            Action::Data(pending) => {
                pending.accept(|envelope| Message { envelope, text: Vec::new() }, output);
            }
            Action::Body(mut body) => {
                let mut block = Vec::new();
                let taken = body.read(input, &mut block);
                body.message().text.extend_from_slice(&block);
                input.drain(..taken);
            }
            Action::EndOfData(message, pending) => {
                asked.push(end_of_data(message, pending, &mut self.accepted, output));
            }
            Action::Rejected(message, flaw) => {
                asked.push(format!("rejected {} {}", message.envelope.sender, flaw.word()));
            }
        }
        true
    }
}

fn mail(request: &MailRequest, pending: MailPending<'_, Rules>, output: &mut Vec<u8>) -> String {
    let by = match (pending.login(), pending.failed_auth()) {
        (Some(login), _) => format!("by {login}"),
        (None, true) => "after failed auth".into(),
        (None, false) => "by nobody".into(),
    };
    let hello = pending.hello();
    let verb = if hello.is_extended() { "ehlo" } else { "helo" };
    let asked = format!("mail {} {by}, {verb} {}", shown(request), hello.name());
    match refusal_of_sender(&request.sender) {
        Some(reply) => pending.refuse(&reply, output),
        None => {
            let sender = request.sender.to_string();
            pending.accept(Envelope { sender, recipients: Vec::new() }, output);
        }
    }
    asked
}

fn recipient(path: &ForwardPath, mut pending: RecipientPending<'_, Rules>, output: &mut Vec<u8>) {
    match path {
        ForwardPath::Unqualified(_) => pending.refuse(&Reply::UNQUALIFIED, output),
        ForwardPath::Mailbox(mailbox) if mailbox.local() == "nobody" => {
            pending.refuse(&Reply::fixed(550, "5.1.1", "No such recipient"), output);
        }
        path => {
            pending.envelope().recipients.push(path.to_string());
            pending.accept(output);
        }
    }
}

fn end_of_data(
    message: Message,
    pending: EndPending<'_, Rules>,
    accepted: &mut u32,
    output: &mut Vec<u8>,
) -> String {
    let Message { envelope: Envelope { sender, recipients }, text } = message;
    assert_eq!(pending.octets(), text.len() as u64);
    if sender.starts_with("<late@") {
        pending.refuse(&Reply::LOCAL_ERROR, output);
    } else {
        *accepted += 1;
        pending.accept(format_args!("q{accepted}"), output);
    }
    format!("message {sender} to {}: {}", recipients.join(" "), text.escape_ascii())
}

fn shown(request: &MailRequest) -> String {
    let size = request.size.map(|size| format!(" size={size}")).unwrap_or_default();
    let mut text = format!("{}{size} {:?}", request.sender, request.coding);
    let mut add = |wish: std::fmt::Arguments<'_>| write!(text, " {wish}").unwrap();
    if request.smtputf8 {
        add(format_args!("smtputf8"));
    }
    match &request.submitter {
        None => {}
        Some(Submitter::Unknown) => add(format_args!("auth=<>")),
        Some(Submitter::Mailbox(mailbox)) => add(format_args!("auth={mailbox}")),
    }
    if let Some(ret) = request.ret {
        add(format_args!("ret={}", ret.keyword()));
    }
    if let Some(envid) = &request.envid {
        add(format_args!("envid={:?}", envid.as_str()));
    }
    if let Some(hold) = request.hold {
        add(format_args!("{hold:?}"));
    }
    if let Some(By { seconds, mode, trace }) = request.by {
        add(format_args!("by={seconds}{}{}", mode.letter(), if trace { "T" } else { "" }));
    }
    if request.require_tls {
        add(format_args!("requiretls"));
    }
    text
}

fn shown_recipient(request: &RecipientRequest) -> String {
    let mut text = format!("rcpt {}", request.path);
    if request.notify.is_said() {
        write!(text, " notify={}", request.notify).unwrap();
    }
    if let Some(original) = &request.original {
        write!(text, " orcpt={} {}", original.kind(), original.address()).unwrap();
    }
    text
}

/// The proxy's word is taken, unless it speaks for `192.0.2.66`.
fn xclient(
    facts: &XclientFacts,
    pending: XclientPending<'_, Rules>,
    (parameters, mechanisms): (&Parameters, Mechanisms),
    output: &mut Vec<u8>,
) -> String {
    let asked = format!(
        "xclient {:?} {:?} {:?}",
        facts.address.known(),
        facts.helo.known(),
        facts.login.known()
    );
    let parameters = Arc::new(parameters.clone());
    match (facts.address.known(), facts.login.known()) {
        (Some(address), _) if address.to_string() == "192.0.2.66" => {
            pending.refuse(&Reply::fixed(550, "5.7.1", "Not from there"), output);
        }
        (_, Some(login)) => pending.accept_login(parameters, mechanisms, login.to_string(), output),
        _ => pending.accept(parameters, mechanisms, output),
    }
    asked
}

fn refusal_of_sender(sender: &ReversePath) -> Option<Reply> {
    if matches!(sender, ReversePath::Unqualified(_)) {
        return Some(Reply::UNQUALIFIED_SENDER);
    }
    match sender.mailbox()?.local() {
        "stranger" => Some(Reply::new(
            530,
            "5.7.0",
            "Authentication required\nSee https://help.example.net/smtp".into(),
        )),
        "forger" => Some(Reply::fixed(550, "5.7.1", "Not your address")),
        // A daemon's mistake must not become consent.
        "absurd" => Some(Reply::fixed(250, "2.0.0", "Refused?")),
        _ => None,
    }
}
