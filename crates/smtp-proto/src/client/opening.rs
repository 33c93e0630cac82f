//! From the connection to a channel that takes mail: greeting, EHLO, HELO or LHLO, STARTTLS, AUTH.

use alloc::boxed::Box;
use alloc::vec::Vec;

use address::Host;
use sasl::Secret;

use super::auth::{self, Credentials, Exchange};
use super::{Channel, Extensions, OpeningError, Phase, Received, Severity};

/// What to do about TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsUse {
    /// The connection is under TLS since its first octet (RFC 8314).
    Established,
    /// Never ask for it.
    Never,
    /// Take it where it is offered; go on in clear where it is not.
    WhenOffered,
    /// Take it, or send nothing.
    Required,
}

/// What is spoken with the next hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 5321.
    #[default]
    Smtp,
    /// RFC 2033: LHLO, and after the text a reply for each recipient.
    Lmtp,
}

/// What an opening aims at.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is spoken.
    pub protocol: Protocol,
    /// The name for EHLO: this host's own, or its address literal.
    pub hello: Host,
    /// What to do about TLS.
    pub tls: TlsUse,
    /// To authenticate with, if the next hop wants it.
    pub credentials: Option<Credentials>,
}

/// What the driver does next.
#[derive(Debug)]
pub enum Step {
    /// Send these octets, read one reply, give it to [`Opening::receive`].
    Send(Opening, Secret),
    /// Shake hands for TLS, then call [`Securing::secured`]. If the handshake fails, the
    /// connection is of no use any more.
    Secure(Securing),
    /// The channel is open.
    Ready(Channel),
}

/// An opening that waits for a reply; at first for the greeting, before which nothing is sent.
#[derive(Debug)]
pub struct Opening {
    plan: Box<Plan>,
    secured: bool,
    awaits: Awaits,
}

#[derive(Debug)]
enum Awaits {
    Greeting,
    Ehlo,
    Helo,
    StartTls(Extensions),
    Auth(Exchange, Extensions),
}

impl Awaits {
    fn phase(&self) -> Phase {
        match self {
            Self::Greeting => Phase::Greeting,
            Self::Ehlo | Self::Helo => Phase::Hello,
            Self::StartTls(_) => Phase::StartTls,
            Self::Auth(..) => Phase::Auth,
        }
    }
}

impl Opening {
    /// An opening on a fresh connection.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let secured = plan.tls == TlsUse::Established;
        Self { plan: Box::new(plan), secured, awaits: Awaits::Greeting }
    }

    /// What the reply is awaited for: each phase has its own time limit.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.awaits.phase()
    }

    /// Takes the reply and says what to do next.
    ///
    /// # Errors
    /// If no mail can be sent over this connection. The next hop may be sent `QUIT`.
    pub fn receive(self, reply: Received<'_>) -> Result<Step, OpeningError> {
        let phase = self.awaits.phase();
        match (self.awaits, reply.severity(), reply.code()) {
            // RFC 5321 section 3.8: 421 may answer anything.
            (_, _, 421) => Err(OpeningError::Refused { phase, reply: reply.keep() }),
            (Awaits::Greeting, Severity::Success, _) => Ok(say_hello(self.plan, self.secured)),
            (Awaits::Ehlo, Severity::Success, _) => {
                after_hello(self.plan, self.secured, Extensions::parse(reply))
            }
            // RFC 5321 section 3.2: a server that does not know EHLO gets HELO.
            (Awaits::Ehlo, Severity::Permanent, _) if self.plan.protocol == Protocol::Smtp => {
                Ok(say_as(self.plan, self.secured, b"HELO ", Awaits::Helo))
            }
            (Awaits::Helo, Severity::Success, _) => {
                after_hello(self.plan, self.secured, Extensions::default())
            }
            (Awaits::StartTls(_), Severity::Success, _) => {
                Ok(Step::Secure(Securing { plan: self.plan }))
            }
            (Awaits::StartTls(extensions), Severity::Temporary | Severity::Permanent, _)
                if self.plan.tls == TlsUse::WhenOffered =>
            {
                authenticate(self.plan, self.secured, extensions)
            }
            (Awaits::Auth(_, extensions), Severity::Success, _) => {
                Ok(Step::Ready(Channel::new(extensions, self.plan.protocol, true)))
            }
            (Awaits::Auth(exchange, extensions), Severity::Intermediate, _) => {
                answer(self.plan, self.secured, exchange, extensions, reply)
            }
            (_, Severity::Temporary | Severity::Permanent, _) => {
                Err(OpeningError::Refused { phase, reply: reply.keep() })
            }
            _ => Err(OpeningError::Unexpected { phase, reply: reply.keep() }),
        }
    }
}

/// The next hop is ready for the TLS handshake.
#[derive(Debug)]
pub struct Securing {
    plan: Box<Plan>,
}

impl Securing {
    /// The handshake is done. All that was learned in clear is forgotten (RFC 3207 section
    /// 4.2). `nothing_unread` must be [`super::ReplyReader::is_empty`] of the reader that read
    /// the connection in clear.
    ///
    /// # Errors
    /// [`OpeningError::InjectedBeforeTls`] if something was left unread.
    pub fn secured(self, nothing_unread: bool) -> Result<Step, OpeningError> {
        if !nothing_unread {
            return Err(OpeningError::InjectedBeforeTls);
        }
        Ok(say_hello(self.plan, true))
    }
}

fn say_hello(plan: Box<Plan>, secured: bool) -> Step {
    let verb: &[u8] = match plan.protocol {
        Protocol::Smtp => b"EHLO ",
        Protocol::Lmtp => b"LHLO ",
    };
    say_as(plan, secured, verb, Awaits::Ehlo)
}

fn say_as(plan: Box<Plan>, secured: bool, verb: &[u8], awaits: Awaits) -> Step {
    let mut line = Vec::from(verb);
    super::transaction::write(&mut line, format_args!("{}\r\n", plan.hello));
    Step::Send(Opening { plan, secured, awaits }, Secret::new(line))
}

fn after_hello(
    plan: Box<Plan>,
    secured: bool,
    extensions: Extensions,
) -> Result<Step, OpeningError> {
    let wanted = matches!(plan.tls, TlsUse::WhenOffered | TlsUse::Required);
    if secured || !wanted {
        return authenticate(plan, secured, extensions);
    }
    if extensions.starttls {
        let awaits = Awaits::StartTls(extensions);
        let line = Secret::new(b"STARTTLS\r\n".to_vec());
        return Ok(Step::Send(Opening { plan, secured, awaits }, line));
    }
    match plan.tls {
        TlsUse::Required => Err(OpeningError::TlsNotOffered),
        _ => authenticate(plan, secured, extensions),
    }
}

fn authenticate(
    plan: Box<Plan>,
    secured: bool,
    extensions: Extensions,
) -> Result<Step, OpeningError> {
    let Some(credentials) = &plan.credentials else {
        return Ok(Step::Ready(Channel::new(extensions, plan.protocol, false)));
    };
    if !secured && !credentials.cleartext {
        return Err(OpeningError::AuthNeedsTls);
    }
    let (exchange, line) =
        auth::begin(&extensions, credentials).ok_or(OpeningError::AuthNotOffered)?;
    let awaits = Awaits::Auth(exchange, extensions);
    Ok(Step::Send(Opening { plan, secured, awaits }, line))
}

fn answer(
    plan: Box<Plan>,
    secured: bool,
    exchange: Exchange,
    extensions: Extensions,
    challenge: Received<'_>,
) -> Result<Step, OpeningError> {
    let unexpected = || OpeningError::Unexpected { phase: Phase::Auth, reply: challenge.keep() };
    let credentials = plan.credentials.as_ref().ok_or_else(unexpected)?;
    // Its `*` was answered by yet another challenge.
    if exchange == Exchange::Cancelled {
        return Err(unexpected());
    }
    let (exchange, line) = auth::answer(exchange, credentials);
    let awaits = Awaits::Auth(exchange, extensions);
    Ok(Step::Send(Opening { plan, secured, awaits }, line))
}
