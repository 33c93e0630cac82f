//! `MAIL` and `RCPT` understood: what the daemon is asked.

use address::{AddressError, ForwardPath, Mailbox, ReversePath};
use envelope::{Coding, EnvelopeId, Notify, OriginalRecipient, Ret};

use super::parameters::Parameters;
use super::path::{Argument, Direction};
use super::reply::Reply;
use super::wish::{By, Hold, Submitter, digits};

/// `MAIL FROM`, its parameters checked: each was offered, stood there once, and is well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailRequest {
    /// The envelope sender. One without a domain is the daemon's to complete or refuse.
    pub sender: ReversePath,
    /// The size that the client announced (RFC 1870), in octets; at most the limit.
    pub size: Option<u64>,
    /// `BODY=` (RFC 6152, RFC 3030).
    pub coding: Coding,
    /// Whether the client said `SMTPUTF8` (RFC 6531). Without it, the sender is ASCII, and so will
    /// be the recipients.
    pub smtputf8: bool,
    /// `AUTH=` (RFC 4954 section 5): not to be believed of a client that has not authenticated.
    pub submitter: Option<Submitter>,
    /// `RET=` (RFC 3461 section 4.3).
    pub ret: Option<Ret>,
    /// `ENVID=` (RFC 3461 section 4.4).
    pub envid: Option<EnvelopeId>,
    /// `HOLDFOR=` or `HOLDUNTIL=` (RFC 4865): within the limit as it was when the session began.
    pub hold: Option<Hold>,
    /// `BY=` (RFC 2852).
    pub by: Option<By>,
    /// `REQUIRETLS` (RFC 8689): the session is under TLS.
    pub require_tls: bool,
}

/// `RCPT TO`, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientRequest {
    /// The recipient. One without a domain is the daemon's to complete or refuse.
    pub path: ForwardPath,
    /// `NOTIFY=` (RFC 3461 section 4.1).
    pub notify: Notify,
    /// `ORCPT=` (RFC 3461 section 4.2).
    pub original: Option<OriginalRecipient>,
}

/// What holds for the client that asks.
#[derive(Clone, Copy)]
pub(crate) struct Standing<'a> {
    pub(crate) parameters: &'a Parameters,
    pub(crate) tls: bool,
    /// Whether it said EHLO.
    pub(crate) extended: bool,
    /// Whether it has authenticated.
    pub(crate) logged_in: bool,
    /// When the session began, in Unix seconds.
    pub(crate) at: i64,
}

const UNKNOWN_PARAMETER: Reply =
    Reply::fixed(555, "5.5.4", "A parameter is not known or not offered here");
const AFTER_HELO: Reply =
    Reply::fixed(555, "5.5.4", "Parameters need EHLO: after HELO there are no extensions");
const BAD_PARAMETER: Reply = Reply::fixed(501, "5.5.4", "A parameter has a malformed value");
const REPEATED_PARAMETER: Reply =
    Reply::fixed(501, "5.5.4", "A parameter stands there twice, or contradicts another one");
const NEEDS_SMTPUTF8: Reply =
    Reply::fixed(553, "5.6.7", "An address outside ASCII needs the parameter SMTPUTF8 of MAIL");
const NO_SMTPUTF8: Reply =
    Reply::fixed(553, "5.6.7", "Addresses outside ASCII are not taken: SMTPUTF8 is not offered");
const HOLD_NEEDS_LOGIN: Reply =
    Reply::fixed(530, "5.7.0", "Authentication required to have a message held");
const HELD_TOO_LONG: Reply =
    Reply::fixed(501, "5.5.4", "The message would be held for longer than this server offers");
const TOO_URGENT: Reply =
    Reply::fixed(501, "5.5.4", "The delivery is wanted sooner than this server can promise");

/// A parameter of `MAIL` or `RCPT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keyword {
    Size,
    Body,
    Auth,
    SmtpUtf8,
    Ret,
    Envid,
    HoldFor,
    HoldUntil,
    By,
    RequireTls,
    Notify,
    Orcpt,
}

const OF_MAIL: [(&str, Keyword); 10] = [
    ("SIZE", Keyword::Size),
    ("BODY", Keyword::Body),
    ("AUTH", Keyword::Auth),
    ("SMTPUTF8", Keyword::SmtpUtf8),
    ("RET", Keyword::Ret),
    ("ENVID", Keyword::Envid),
    ("HOLDFOR", Keyword::HoldFor),
    ("HOLDUNTIL", Keyword::HoldUntil),
    ("BY", Keyword::By),
    ("REQUIRETLS", Keyword::RequireTls),
];

const OF_RCPT: [(&str, Keyword); 2] = [("NOTIFY", Keyword::Notify), ("ORCPT", Keyword::Orcpt)];

impl Keyword {
    /// The keyword in `table`, if its extension is offered in this session.
    fn find(word: &str, table: &[(&str, Self)], standing: Standing<'_>) -> Result<Self, Reply> {
        if !standing.extended {
            return Err(AFTER_HELO);
        }
        let found = table.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        let extensions = &standing.parameters.extensions;
        found
            .map(|&(_, keyword)| keyword)
            .filter(|keyword| match keyword {
                Self::Size | Self::Body | Self::Auth => true,
                Self::SmtpUtf8 => extensions.smtputf8,
                Self::Ret | Self::Envid | Self::Notify | Self::Orcpt => extensions.dsn,
                Self::HoldFor | Self::HoldUntil => extensions.future_release.is_some(),
                Self::By => extensions.deliver_by.is_some(),
                Self::RequireTls => extensions.require_tls && standing.tls,
            })
            .ok_or(UNKNOWN_PARAMETER)
    }

    /// What may stand there once.
    const fn bit(self) -> u16 {
        match self {
            Self::HoldUntil => Self::HoldFor.bit(),
            keyword => 1 << keyword as u16,
        }
    }
}

/// The parameters that were there already.
#[derive(Default)]
struct Seen(u16);

impl Seen {
    fn once(&mut self, keyword: Keyword) -> Result<(), Reply> {
        let bit = keyword.bit();
        if self.0 & bit != 0 {
            return Err(REPEATED_PARAMETER);
        }
        self.0 |= bit;
        Ok(())
    }
}

impl MailRequest {
    pub(crate) fn parse(argument: &[u8], standing: Standing<'_>) -> Result<Self, Reply> {
        let argument = Argument::parse(argument, Direction::From)?;
        let sender = ReversePath::parse(&argument.path)
            .and_then(|sender| qualified(sender.mailbox()).map(|()| sender))
            .map_err(|error| Direction::From.address_error(error))?;
        let mut request = Self::new(sender);
        // What AUTH= may hold depends on SMTPUTF8, which may come behind it.
        let mut submitter = None;
        let mut seen = Seen::default();
        for (word, value) in argument.parameters() {
            let keyword = Keyword::find(word, &OF_MAIL, standing)?;
            seen.once(keyword)?;
            if keyword == Keyword::Auth {
                submitter = Some(value.ok_or(BAD_PARAMETER)?);
            } else {
                request.set(keyword, value, standing).ok_or(BAD_PARAMETER)?;
            }
        }
        if let Some(value) = submitter {
            let parsed = Submitter::parse(value, request.smtputf8).ok_or(BAD_PARAMETER)?;
            request.submitter = Some(parsed);
        }
        request.permitted(standing)
    }

    const fn new(sender: ReversePath) -> Self {
        Self {
            sender,
            size: None,
            coding: Coding::SevenBit,
            smtputf8: false,
            submitter: None,
            ret: None,
            envid: None,
            hold: None,
            by: None,
            require_tls: false,
        }
    }

    /// `None`: the value is malformed.
    fn set(&mut self, keyword: Keyword, value: Option<&str>, standing: Standing<'_>) -> Option<()> {
        match keyword {
            // RFC 1870 section 6: up to 20 digits. More than fits is more than any limit.
            Keyword::Size => self.size = Some(digits(value?, 20)?),
            Keyword::Body => {
                let coding = Coding::parse(value?)?;
                let offered = coding != Coding::Binary || standing.parameters.extensions.chunking;
                self.coding = offered.then_some(coding)?;
            }
            Keyword::Ret => self.ret = Some(Ret::parse(value?)?),
            Keyword::Envid => self.envid = Some(EnvelopeId::parse(value?)?),
            Keyword::HoldFor => self.hold = Some(Hold::parse_for(value?)?),
            Keyword::HoldUntil => self.hold = Some(Hold::parse_until(value?)?),
            Keyword::By => self.by = Some(By::parse(value?)?),
            Keyword::SmtpUtf8 | Keyword::RequireTls if value.is_some() => return None,
            Keyword::SmtpUtf8 => self.smtputf8 = true,
            Keyword::RequireTls => self.require_tls = true,
            Keyword::Auth | Keyword::Notify | Keyword::Orcpt => return None,
        }
        Some(())
    }

    /// What is well formed and refused all the same.
    fn permitted(self, standing: Standing<'_>) -> Result<Self, Reply> {
        let Standing { parameters, logged_in, at, .. } = standing;
        if !self.smtputf8 && !self.sender.is_ascii() {
            return Err(outside_ascii(parameters));
        }
        if self.size.is_some_and(|size| size > parameters.message_octets_max) {
            return Err(Reply::MESSAGE_TOO_LARGE);
        }
        if let Some(hold) = self.hold {
            if !logged_in {
                return Err(HOLD_NEEDS_LOGIN);
            }
            let max = parameters.extensions.future_release.unwrap_or_default();
            if !hold.is_within(max, at) {
                return Err(HELD_TOO_LONG);
            }
        }
        let least = parameters.extensions.deliver_by.unwrap_or_default();
        match self.by {
            Some(By { seconds, mode: envelope::ByMode::Return, .. }) if seconds < least.into() => {
                Err(TOO_URGENT)
            }
            _ => Ok(self),
        }
    }
}

/// RFC 6409 section 4.2. `localhost` is a name for DNS and for configurations; an envelope with it
/// means another host on each that it comes to.
fn qualified(mailbox: Option<&Mailbox>) -> Result<(), AddressError> {
    match mailbox.and_then(Mailbox::domain) {
        Some(domain) if !domain.as_str().contains('.') => Err(AddressError::Unqualified),
        _ => Ok(()),
    }
}

const fn outside_ascii(parameters: &Parameters) -> Reply {
    if parameters.extensions.smtputf8 { NEEDS_SMTPUTF8 } else { NO_SMTPUTF8 }
}

impl RecipientRequest {
    /// `smtputf8`: whether `MAIL` said it.
    pub(crate) fn parse(
        argument: &[u8],
        smtputf8: bool,
        standing: Standing<'_>,
    ) -> Result<Self, Reply> {
        let argument = Argument::parse(argument, Direction::To)?;
        let path = ForwardPath::parse(&argument.path)
            .and_then(|path| qualified(path.mailbox()).map(|()| path))
            .map_err(|error| Direction::To.address_error(error))?;
        let mut request = Self { path, notify: Notify::UNSAID, original: None };
        let mut seen = Seen::default();
        for (word, value) in argument.parameters() {
            let keyword = Keyword::find(word, &OF_RCPT, standing)?;
            seen.once(keyword)?;
            request.set(keyword, value, smtputf8).ok_or(BAD_PARAMETER)?;
        }
        if smtputf8 || request.path.is_ascii() {
            Ok(request)
        } else {
            Err(outside_ascii(standing.parameters))
        }
    }

    fn set(&mut self, keyword: Keyword, value: Option<&str>, smtputf8: bool) -> Option<()> {
        match keyword {
            Keyword::Notify => self.notify = Notify::parse(value?)?,
            // Beyond ASCII only where the transaction is (RFC 6533 section 3).
            Keyword::Orcpt => {
                let value = value.filter(|value| smtputf8 || value.is_ascii())?;
                self.original = Some(OriginalRecipient::parse(value)?);
            }
            _ => return None,
        }
        Some(())
    }
}
