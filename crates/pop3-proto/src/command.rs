//! One command line, parsed without allocation (RFC 1939 section 3, RFC 2449, 2595, 5034).

use crate::quirk;

/// Longest command line without its line end: RFC 2449 section 4 allows 255 octets with CRLF.
pub(crate) const LINE_MAX: usize = 253;

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
    /// RFC 6856, which is not offered ([`crate::Quirk::Utf8AfterLogin`]).
    Utf8,
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
}

impl SyntaxError {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown command",
            Self::TooLong => "Line too long",
            Self::ArgumentMissing => "An argument is missing",
            Self::ArgumentUnwanted => "Too many arguments",
            Self::NotANumber => "A message number consists of digits",
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
    let mut keyword = [0_u8; 4];
    let Some(keyword) = keyword.get_mut(..word.len()) else {
        return too_long_or(line, SyntaxError::Unknown);
    };
    keyword.copy_from_slice(word);
    keyword.make_ascii_uppercase();
    // Only AUTH may be longer, for its initial response (RFC 5034 section 4).
    if line.len() > LINE_MAX && keyword != b"AUTH" {
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
        b"APOP" | b"LANG" | b"LAST" | b"XTND" => Ok(Command::LeftOut),
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
mod tests {
    use super::*;

    fn error(line: &[u8]) -> Option<SyntaxError> {
        parse(line).err()
    }

    #[test]
    fn keywords_are_case_insensitive() {
        assert!(matches!(parse(b"sTaT"), Ok(Command::Stat)));
        assert!(matches!(parse(b"top 3 10"), Ok(Command::Top(Ordinal(3), 10))));
    }

    #[test]
    fn a_password_is_the_rest_of_the_line() {
        for password in [&b"a b"[..], b" leading", b"trailing ", b"", b"  "] {
            let line = [&b"PASS "[..], password].concat();
            assert!(matches!(parse(&line), Ok(Command::Pass(found)) if found == password));
        }
        assert_eq!(error(b"PASS"), Some(SyntaxError::ArgumentMissing));
    }

    #[test]
    fn numbers_have_no_sign_and_never_wrap() {
        for bad in [&b"DELE -1"[..], b"DELE 1x", b"DELE +1", b"DELE 1 2", b"DELE 0x1", b"DELE 1\0"]
        {
            assert_eq!(error(bad), Some(SyntaxError::NotANumber));
        }
        assert_eq!(error(b"DELE"), Some(SyntaxError::ArgumentMissing));
        assert!(matches!(parse(b"DELE 4294967297"), Ok(Command::Dele(Ordinal(4_294_967_297)))));
        let far = b"RETR 99999999999999999999999999";
        assert!(matches!(parse(far), Ok(Command::Retr(number)) if number.index(5).is_none()));
        assert_eq!(Ordinal(0).index(5), None);
        assert_eq!(Ordinal(1).index(5), Some(0));
        assert_eq!(Ordinal(5).index(5), Some(4));
        assert_eq!(Ordinal(6).index(5), None);
    }

    #[test]
    fn top_needs_two_numbers() {
        assert_eq!(error(b"TOP"), Some(SyntaxError::ArgumentMissing));
        assert_eq!(error(b"TOP 1"), Some(SyntaxError::ArgumentMissing));
        assert_eq!(error(b"TOP 1 x"), Some(SyntaxError::NotANumber));
        assert_eq!(error(b"TOP 1 -2"), Some(SyntaxError::NotANumber));
        assert!(matches!(parse(b"TOP 1 4294967294"), Ok(Command::Top(_, 4_294_967_294))));
    }

    #[test]
    fn auth_with_and_without_arguments() {
        for probe in [&b"AUTH"[..], b"AUTH ", b"auth  "] {
            assert!(matches!(parse(probe), Ok(Command::AuthList)));
        }
        assert!(matches!(parse(b"AUTH PLAIN"), Ok(Command::Auth { initial: None, .. })));
        assert!(matches!(parse(b"AUTH PLAIN ="), Ok(Command::Auth { initial: Some(b"="), .. })));
        assert_eq!(error(b"AUTH PLAIN a b"), Some(SyntaxError::ArgumentUnwanted));
    }

    #[test]
    fn only_auth_may_exceed_the_line_limit() {
        let fits = [&b"USER "[..], &[b'u'; LINE_MAX - 5]].concat();
        assert!(parse(&fits).is_ok());
        let long = [&fits[..], b"u"].concat();
        assert_eq!(error(&long), Some(SyntaxError::TooLong));
        assert_eq!(error(&[b'x'; 300]), Some(SyntaxError::TooLong));
        let auth = [&b"AUTH PLAIN "[..], &[b'A'; 12_288]].concat();
        assert!(parse(&auth).is_ok());
    }

    #[test]
    fn everything_else_is_unknown() {
        for line in [&b""[..], b" ", b":", b"STATS", b"\0", b" STAT", b"STAT\t", b"\xff\xfe"] {
            assert_eq!(error(line), Some(SyntaxError::Unknown));
        }
    }
}
