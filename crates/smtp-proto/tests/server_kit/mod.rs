//! A daemon made of rules, which drives the session in tests and notes what it was asked.

use std::sync::Arc;

use address::{ForwardPath, ReversePath};
use sasl::Credentials;
use smtp_proto::server::{
    Action, AuthOffer, Daemon, EndPending, LoneLf, MailPending, MailRequest, Parameters,
    RecipientPending, Reply, Session, VerifyPending,
};

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
        errors_max: 50,
        auth_failures_max: 10,
        lone_lf: LoneLf::Normalise,
        starttls: false,
        auth: AuthOffer::UnderTls,
    }
}

/// A session with its daemon and what is unread.
pub(crate) struct Conversation {
    session: Session<Rules>,
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
        let session = Session::new(Arc::new(parameters), tls);
        let mut output = Vec::new();
        session.greet(&mut output);
        Self {
            session,
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
        let Self { session, input, output, asked, .. } = self;
        let step = session.next(input, output);
        input.drain(..step.consumed);
        match step.action {
            Action::More => return false,
            Action::Close(reason) => {
                asked.push(format!("close {}", reason.word()));
                self.closed = true;
                return false;
            }
            Action::Verify(credentials, pending) => {
                asked.push(verify(&credentials, pending, output));
            }
            Action::StartTls(pending) if self.tls_broken => {
                pending.refuse(&Reply::TLS_UNAVAILABLE, output);
            }
            Action::StartTls(pending) => {
                asked.push("starttls".into());
                pending.accept(output);
                input.clear();
            }
            Action::Mail(request, pending) => asked.push(mail(&request, pending, output)),
            Action::Recipient(request, pending) => {
                asked.push(format!("rcpt {}", request.path));
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

fn verify(
    credentials: &Credentials,
    pending: VerifyPending<'_, Rules>,
    output: &mut Vec<u8>,
) -> String {
    let password = String::from_utf8_lossy(credentials.password.expose());
    match (&*credentials.login, &*password) {
        ("anna", "secret") => pending.accept("anna".into(), output),
        ("busy", _) => pending.refuse(&Reply::AUTH_UNAVAILABLE, output),
        _ => pending.refuse(&Reply::BAD_CREDENTIALS, output),
    }
    format!("verify {} {password}", credentials.login)
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
    format!("{}{size} {:?}", request.sender, request.body)
}

fn refusal_of_sender(sender: &ReversePath) -> Option<Reply> {
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
