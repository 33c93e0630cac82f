//! `MAIL` and `RCPT` understood: what the daemon is asked.

use address::{ForwardPath, ReversePath};

use super::parameters::Parameters;
use super::path::{Argument, Direction};
use super::reply::Reply;

/// What the client says its message holds (RFC 6152).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyType {
    /// Octets below 128 alone, or nothing was said.
    #[default]
    SevenBit,
    /// Any octets.
    EightBit,
}

/// `MAIL FROM`, its parameters checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailRequest {
    /// The envelope sender.
    pub sender: ReversePath,
    /// The size that the client announced (RFC 1870), in octets; at most the limit.
    pub size: Option<u64>,
    /// `BODY=`
    pub body: BodyType,
}

/// `RCPT TO`, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientRequest {
    /// The recipient.
    pub path: ForwardPath,
}

const UNKNOWN_PARAMETER: Reply =
    Reply::fixed(555, "5.5.4", "A parameter is not known or not offered here");
const BAD_PARAMETER: Reply = Reply::fixed(501, "5.5.4", "A parameter has a malformed value");
const NEEDS_SMTPUTF8: Reply =
    Reply::fixed(553, "5.6.7", "Addresses outside ASCII are not taken: SMTPUTF8 is not offered");

impl MailRequest {
    pub(crate) fn parse(argument: &[u8], parameters: &Parameters) -> Result<Self, Reply> {
        let argument = Argument::parse(argument, Direction::From)?;
        let sender = ReversePath::parse(&argument.path)
            .map_err(|error| Direction::From.address_error(error))?;
        let mut request = Self { sender, size: None, body: BodyType::SevenBit };
        let mut seen = Seen::default();
        for (keyword, value) in argument.parameters() {
            request.set(keyword, value, &mut seen)?;
        }
        if request.sender.mailbox().is_some_and(|mailbox| !mailbox.is_ascii()) {
            return Err(NEEDS_SMTPUTF8);
        }
        if request.size.is_some_and(|size| size > parameters.message_octets_max) {
            return Err(Reply::MESSAGE_TOO_LARGE);
        }
        Ok(request)
    }

    fn set(&mut self, keyword: &str, value: Option<&str>, seen: &mut Seen) -> Result<(), Reply> {
        let repeated = if keyword.eq_ignore_ascii_case("SIZE") {
            self.size = Some(size(value)?);
            core::mem::replace(&mut seen.size, true)
        } else if keyword.eq_ignore_ascii_case("BODY") {
            self.body = body(value)?;
            core::mem::replace(&mut seen.body, true)
        } else if keyword.eq_ignore_ascii_case("AUTH") {
            // RFC 4954 section 5: accepted, and as untrusted as if it were `AUTH=<>`.
            value.filter(|value| is_xtext(value) || *value == "<>").ok_or(BAD_PARAMETER)?;
            core::mem::replace(&mut seen.auth, true)
        } else {
            return Err(UNKNOWN_PARAMETER);
        };
        if repeated { Err(BAD_PARAMETER) } else { Ok(()) }
    }
}

#[derive(Default)]
struct Seen {
    size: bool,
    body: bool,
    auth: bool,
}

/// RFC 1870 section 6: up to 20 digits. More than fits is more than any limit.
fn size(value: Option<&str>) -> Result<u64, Reply> {
    let digits = value
        .filter(|value| (1..=20).contains(&value.len()))
        .filter(|value| value.bytes().all(|octet| octet.is_ascii_digit()))
        .ok_or(BAD_PARAMETER)?;
    Ok(digits.parse().unwrap_or(u64::MAX))
}

fn body(value: Option<&str>) -> Result<BodyType, Reply> {
    match value {
        Some(value) if value.eq_ignore_ascii_case("7BIT") => Ok(BodyType::SevenBit),
        Some(value) if value.eq_ignore_ascii_case("8BITMIME") => Ok(BodyType::EightBit),
        _ => Err(BAD_PARAMETER),
    }
}

/// RFC 3461 section 4: printable, `+` only before two hexadecimal digits, no `=`.
fn is_xtext(value: &str) -> bool {
    let mut octets = value.bytes();
    while let Some(octet) = octets.next() {
        let valid = match octet {
            b'+' => (0..2).all(|_| matches!(octets.next(), Some(b'0'..=b'9' | b'A'..=b'F'))),
            b'=' => false,
            b'!'..=b'~' => true,
            _ => false,
        };
        if !valid {
            return false;
        }
    }
    !value.is_empty()
}

impl RecipientRequest {
    pub(crate) fn parse(argument: &[u8]) -> Result<Self, Reply> {
        let argument = Argument::parse(argument, Direction::To)?;
        let path = ForwardPath::parse(&argument.path)
            .map_err(|error| Direction::To.address_error(error))?;
        if argument.parameters().next().is_some() {
            return Err(UNKNOWN_PARAMETER);
        }
        match &path {
            ForwardPath::Mailbox(mailbox) if !mailbox.is_ascii() => Err(NEEDS_SMTPUTF8),
            ForwardPath::Mailbox(_) | ForwardPath::Postmaster => Ok(Self { path }),
        }
    }
}
