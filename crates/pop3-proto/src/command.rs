//! One command line, parsed without allocation (RFC 1939 section 3, RFC 2449, 2595, 5034).

use crate::quirk;
use crate::text::{self, Text};

/// Longest command line without its line end: RFC 2449 section 4 allows 255 octets with CRLF.
pub(crate) const LINE_MAX: usize = 253;

/// Longest keyword: `XCLIENT`. Those of RFC 2449 have four letters.
const KEYWORD_MAX: usize = 7;

/// A well-formed command. Without `Debug`, for `PASS` and `AUTH` carry secrets.
pub(crate) enum Command<'a> {
    /// The login name, as typed.
    User(&'a [u8]),
    /// The rest of the line: a password may begin with, hold and end in spaces.
    Pass(&'a [u8]),
    /// The mechanism's name and the initial response (base64, or `=` for the empty one).
    Auth {
        mechanism: &'a [u8],
        initial: Option<&'a [u8]>,
    },
    /// `AUTH` alone asks for a list ([`crate::Quirk::MechanismProbe`]).
    AuthList,
    Capa,
    Stls,
    Stat,
    List(Option<Ordinal>),
    Uidl(Option<Ordinal>),
    Retr(Ordinal),
    /// A message and how many lines of its body.
    Top(Ordinal, u64),
    Dele(Ordinal),
    Rset,
    Noop,
    Quit,
    /// UTF-8 mode (RFC 6856 section 2.1).
    Utf8,
    /// A language range, or none for a list of languages (RFC 6856 section 3).
    Lang(Option<&'a [u8]>),
    /// The login name, and the digest unless it is none (RFC 1939 section 7).
    Apop {
        login: &'a [u8],
        digest: Option<[u8; 16]>,
    },
    /// RFC 1460 section 5.
    Last,
    /// What a proxy says of its client, attribute by attribute.
    Xclient(&'a [u8]),
    /// The same of older proxies, the address alone.
    Xoip(&'a [u8]),
    /// A command of the protocol's family that this server leaves out on purpose.
    LeftOut,
}

/// Why a line is no command. The text never repeats what the client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyntaxError {
    Unknown,
    TooLong,
    ArgumentMissing,
    ArgumentUnwanted,
    NotANumber,
    Malformed,
}

impl SyntaxError {
    pub(crate) fn text(self) -> Text {
        match self {
            Self::Unknown => text::UNKNOWN,
            Self::TooLong => text::TOO_LONG,
            Self::ArgumentMissing => text::ARGUMENT_MISSING,
            Self::ArgumentUnwanted => text::ARGUMENT_UNWANTED,
            Self::NotANumber => text::NOT_A_NUMBER,
            Self::Malformed => text::MALFORMED,
        }
    }
}

/// A message number as the client counts: from 1. Any number of digits is a number; one
/// beyond `u64` is a number that no message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ordinal(u64);

impl Ordinal {
    /// The index from 0, if there are so many messages.
    pub(crate) fn index(self, count: usize) -> Option<usize> {
        let index = usize::try_from(self.0.checked_sub(1)?).ok()?;
        (index < count).then_some(index)
    }
}

/// Parses a line without its line end.
pub(crate) fn parse(line: &[u8]) -> Result<Command<'_>, SyntaxError> {
    let (word, rest) = split_word(line);
    let mut keyword = [0_u8; KEYWORD_MAX];
    let Some(keyword) = keyword.get_mut(..word.len()) else {
        return too_long_or(line, SyntaxError::Unknown);
    };
    keyword.copy_from_slice(word);
    keyword.make_ascii_uppercase();
    // Only AUTH may be longer, for its initial response (RFC 5034 section 4), and what proxies
    // of ours say, for they pass on whatever they like.
    if line.len() > LINE_MAX && !matches!(&*keyword, b"AUTH" | b"XCLIENT") {
        return Err(SyntaxError::TooLong);
    }
    match &*keyword {
        b"USER" => match rest {
            Some(name) if !quirk::is_blank(name) => Ok(Command::User(name)),
            _ => Err(SyntaxError::ArgumentMissing),
        },
        b"PASS" => rest.map(Command::Pass).ok_or(SyntaxError::ArgumentMissing),
        b"AUTH" => parse_auth(rest),
        b"CAPA" => alone(rest, Command::Capa),
        b"STLS" => alone(rest, Command::Stls),
        b"STAT" => alone(rest, Command::Stat),
        b"LIST" => Ok(Command::List(optional_ordinal(rest)?)),
        b"UIDL" => Ok(Command::Uidl(optional_ordinal(rest)?)),
        b"RETR" => Ok(Command::Retr(ordinal(rest)?)),
        b"TOP" => parse_top(rest),
        b"DELE" => Ok(Command::Dele(ordinal(rest)?)),
        b"RSET" => alone(rest, Command::Rset),
        b"NOOP" => alone(rest, Command::Noop),
        b"QUIT" => alone(rest, Command::Quit),
        b"UTF8" => alone(rest, Command::Utf8),
        b"LANG" => parse_lang(rest),
        b"APOP" => parse_apop(rest),
        b"LAST" => alone(rest, Command::Last),
        b"XCLIENT" => Ok(Command::Xclient(argument(rest)?)),
        b"XOIP" => Ok(Command::Xoip(argument(rest)?)),
        b"XTND" => Ok(Command::LeftOut),
        _ => Err(SyntaxError::Unknown),
    }
}

fn too_long_or(line: &[u8], error: SyntaxError) -> Result<Command<'_>, SyntaxError> {
    Err(if line.len() > LINE_MAX { SyntaxError::TooLong } else { error })
}

/// The first word, and what follows the one space behind it.
fn split_word(line: &[u8]) -> (&[u8], Option<&[u8]>) {
    match line.iter().position(|&octet| octet == b' ') {
        Some(at) => {
            let (word, rest) = line.split_at(at);
            (word, rest.get(1..))
        }
        None => (line, None),
    }
}

/// A command without arguments.
fn alone<'a>(rest: Option<&[u8]>, command: Command<'a>) -> Result<Command<'a>, SyntaxError> {
    match rest {
        Some(rest) if !quirk::is_blank(rest) => Err(SyntaxError::ArgumentUnwanted),
        _ => Ok(command),
    }
}

fn parse_auth(rest: Option<&[u8]>) -> Result<Command<'_>, SyntaxError> {
    let Some(rest) = rest.map(trim).filter(|rest| !rest.is_empty()) else {
        return Ok(Command::AuthList);
    };
    let (mechanism, initial) = split_word(rest);
    let initial = initial.map(trim).filter(|initial| !initial.is_empty());
    if initial.is_some_and(|initial| initial.contains(&b' ')) {
        return Err(SyntaxError::ArgumentUnwanted);
    }
    Ok(Command::Auth { mechanism, initial })
}

fn parse_lang(rest: Option<&[u8]>) -> Result<Command<'_>, SyntaxError> {
    match rest.map(trim) {
        None | Some([]) => Ok(Command::Lang(None)),
        Some(range) if range.contains(&b' ') => Err(SyntaxError::ArgumentUnwanted),
        range => Ok(Command::Lang(range)),
    }
}

/// The digest is the last word, so that a name may have spaces as it may behind `USER`.
fn parse_apop(rest: Option<&[u8]>) -> Result<Command<'_>, SyntaxError> {
    let rest = argument(rest)?;
    let at = rest.iter().rposition(|&octet| octet == b' ').ok_or(SyntaxError::ArgumentMissing)?;
    let (login, digest) = rest.split_at(at);
    Ok(Command::Apop { login: trim(login), digest: hexadecimal(trim(digest)) })
}

/// Sixteen octets in hexadecimal digits. RFC 1939 has them in lower case; some clients do not.
fn hexadecimal(digits: &[u8]) -> Option<[u8; 16]> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    let mut octets = [0; 16];
    if digits.len() != 2 * octets.len() {
        return None;
    }
    for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *octet = u8::try_from(value(high)? << 4 | value(low)?).ok()?;
    }
    Some(octets)
}

/// What must be there.
fn argument(rest: Option<&[u8]>) -> Result<&[u8], SyntaxError> {
    let argument = trim(rest.unwrap_or_default());
    if argument.is_empty() { Err(SyntaxError::ArgumentMissing) } else { Ok(argument) }
}

fn parse_top(rest: Option<&[u8]>) -> Result<Command<'_>, SyntaxError> {
    let rest = trim(rest.unwrap_or_default());
    let (number, lines) = split_word(rest);
    let number = ordinal(Some(number))?;
    let lines = trim(lines.ok_or(SyntaxError::ArgumentMissing)?);
    Ok(Command::Top(number, decimal(lines)?))
}

fn ordinal(rest: Option<&[u8]>) -> Result<Ordinal, SyntaxError> {
    optional_ordinal(rest)?.ok_or(SyntaxError::ArgumentMissing)
}

fn optional_ordinal(rest: Option<&[u8]>) -> Result<Option<Ordinal>, SyntaxError> {
    match rest.map(trim) {
        None | Some([]) => Ok(None),
        Some(digits) => decimal(digits).map(|number| Some(Ordinal(number))),
    }
}

/// A number of digits alone: no sign, no blank. Saturates.
fn decimal(digits: &[u8]) -> Result<u64, SyntaxError> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(SyntaxError::NotANumber);
    }
    let add = |sum: u64, digit: &u8| {
        sum.saturating_mul(10).saturating_add(u64::from(digit.wrapping_sub(b'0')))
    };
    Ok(digits.iter().fold(0, add))
}

fn trim(mut octets: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = octets {
        octets = rest;
    }
    octets
}

#[cfg(test)]
mod tests;
