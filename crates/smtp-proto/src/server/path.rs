//! The argument of `MAIL` and `RCPT`: a path and its parameters (RFC 5321 section 4.1.2).

use alloc::borrow::Cow;

use address::AddressError;

use super::quirk;
use super::reply::Reply;

/// Which of the two paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// `MAIL FROM`
    From,
    /// `RCPT TO`
    To,
}

impl Direction {
    const fn keyword(self) -> &'static str {
        match self {
            Self::From => "FROM:",
            Self::To => "TO:",
        }
    }

    const fn syntax_error(self) -> Reply {
        match self {
            Self::From => Reply::fixed(501, "5.5.4", "Syntax: MAIL FROM:<address>"),
            Self::To => Reply::fixed(501, "5.5.4", "Syntax: RCPT TO:<address>"),
        }
    }

    /// The refusal of an address: RFC 6409 section 4.2 asks for 554 where the domain is at
    /// fault.
    pub(crate) fn address_error(self, error: AddressError) -> Reply {
        let domain_at_fault = matches!(
            error,
            AddressError::Unqualified
                | AddressError::NoDomain
                | AddressError::BadDomain
                | AddressError::BadLiteral
        );
        let (code, enhanced) = match (self, domain_at_fault) {
            (Self::From, false) => (501, "5.1.7"),
            (Self::From, true) => (554, "5.1.8"),
            (Self::To, false) => (501, "5.1.3"),
            (Self::To, true) => (554, "5.1.2"),
        };
        let whose = if self == Self::From { "sender" } else { "recipient" };
        Reply::new(code, enhanced, alloc::format!("Bad {whose} address: {error}"))
    }
}

/// A path with its brackets, and the text behind it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Argument<'a> {
    pub(crate) path: Cow<'a, str>,
    parameters: &'a str,
}

impl<'a> Argument<'a> {
    pub(crate) fn parse(argument: &'a [u8], direction: Direction) -> Result<Self, Reply> {
        let syntax_error = || direction.syntax_error();
        let text = core::str::from_utf8(argument)
            .ok()
            .filter(|text| !text.chars().any(char::is_control))
            .ok_or_else(syntax_error)?;
        let keyword = direction.keyword();
        let head = text.get(..keyword.len()).ok_or_else(syntax_error)?;
        if !head.eq_ignore_ascii_case(keyword) {
            return Err(syntax_error());
        }
        let rest = quirk::space_before_path(text.get(keyword.len()..).unwrap_or_default());
        if rest.is_empty() {
            return Err(syntax_error());
        }
        let (path, parameters) = if rest.starts_with('<') {
            let end = closing_bracket(rest).ok_or_else(syntax_error)?;
            let (path, parameters) = rest.split_at(end + 1);
            (Cow::Borrowed(path), parameters)
        } else {
            quirk::path_without_brackets(rest)
        };
        if !parameters.is_empty() && !parameters.starts_with(' ') {
            return Err(syntax_error());
        }
        Ok(Self { path, parameters })
    }

    /// The parameters as keyword and value.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        self.parameters.split(' ').filter(|word| !word.is_empty()).map(|word| {
            match word.split_once('=') {
                Some((keyword, value)) => (keyword, Some(value)),
                None => (word, None),
            }
        })
    }
}

/// Position of the `>` outside quotes.
fn closing_bracket(text: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, octet) in text.bytes().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(argument: &str) -> Result<(Cow<'_, str>, &str), u16> {
        Argument::parse(argument.as_bytes(), Direction::From)
            .map(|argument| (argument.path, argument.parameters))
            .map_err(|reply| reply.code())
    }

    #[test]
    fn the_path_ends_at_the_bracket_outside_quotes() {
        assert_eq!(path("FROM:<a@b.example>"), Ok(("<a@b.example>".into(), "")));
        let quoted = r#"from:<"a\"> SIZE=1 <"@b.example> BODY=7BIT"#;
        let expected = r#"<"a\"> SIZE=1 <"@b.example>"#;
        assert_eq!(path(quoted), Ok((expected.into(), " BODY=7BIT")));
        assert_eq!(path("FROM:<>"), Ok(("<>".into(), "")));
    }

    #[test]
    fn named_deviations_pass_and_others_do_not() {
        assert_eq!(path("FROM:  <a@b.example> X"), Ok(("<a@b.example>".into(), " X")));
        assert_eq!(path("FROM:a@b.example SIZE=1"), Ok(("<a@b.example>".into(), " SIZE=1")));
        for bad in ["", "FROM", "FROM:", "FROM: ", "FROM :<>", "TO:<a@b>", "FROM:<a@b", "FROM:<>x"]
        {
            assert_eq!(path(bad), Err(501), "{bad}");
        }
        assert!(Argument::parse(b"FROM:<a\xff@b>", Direction::From).is_err());
        assert!(Argument::parse(b"FROM:<a@b.example>\x00", Direction::From).is_err());
        assert!(Argument::parse("FRÖM:<a@b.example>".as_bytes(), Direction::From).is_err());
    }
}
