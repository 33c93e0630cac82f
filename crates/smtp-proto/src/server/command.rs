//! Command lines: the verb, and what stands behind it.

/// The verbs that the session tells apart (RFC 5321 section 4.1.1 and its extensions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `HELO`
    Helo,
    /// `EHLO`
    Ehlo,
    /// `STARTTLS` (RFC 3207)
    StartTls,
    /// `AUTH` (RFC 4954)
    Auth,
    /// `MAIL`
    Mail,
    /// `RCPT`
    Rcpt,
    /// `DATA`
    Data,
    /// `RSET`
    Rset,
    /// `NOOP`
    Noop,
    /// `VRFY`
    Vrfy,
    /// `HELP`
    Help,
    /// `QUIT`
    Quit,
    /// A verb of SMTP that this server does not offer: `EXPN`, `ETRN` and the like.
    Unoffered,
    /// `BDAT` (RFC 3030).
    Bdat,
    /// `XCLIENT`
    Xclient,
    /// A request line of HTTP: the client was tricked into speaking to us.
    Http,
    /// Anything else.
    Unknown,
}

const VERBS: [(&str, Verb); 32] = [
    ("MAIL", Verb::Mail),
    ("RCPT", Verb::Rcpt),
    ("DATA", Verb::Data),
    ("BDAT", Verb::Bdat),
    ("EHLO", Verb::Ehlo),
    ("AUTH", Verb::Auth),
    ("QUIT", Verb::Quit),
    ("STARTTLS", Verb::StartTls),
    ("RSET", Verb::Rset),
    ("NOOP", Verb::Noop),
    ("HELO", Verb::Helo),
    ("VRFY", Verb::Vrfy),
    ("HELP", Verb::Help),
    ("EXPN", Verb::Unoffered),
    ("ETRN", Verb::Unoffered),
    ("ATRN", Verb::Unoffered),
    ("TURN", Verb::Unoffered),
    ("BURL", Verb::Unoffered),
    ("SEND", Verb::Unoffered),
    ("SOML", Verb::Unoffered),
    ("SAML", Verb::Unoffered),
    ("XCLIENT", Verb::Xclient),
    ("XFORWARD", Verb::Unoffered),
    ("GET", Verb::Http),
    ("POST", Verb::Http),
    ("CONNECT", Verb::Http),
    ("PUT", Verb::Http),
    ("HEAD", Verb::Http),
    ("OPTIONS", Verb::Http),
    ("DELETE", Verb::Http),
    ("PATCH", Verb::Http),
    ("TRACE", Verb::Http),
];

/// Cuts a line into verb and argument; spaces around the argument are dropped.
pub(crate) fn split(line: &[u8]) -> (Verb, &[u8]) {
    let end = memchr::memchr(b' ', line).unwrap_or(line.len());
    let (word, rest) = line.split_at_checked(end).unwrap_or((line, &[]));
    let verb = VERBS.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word));
    (verb.map_or(Verb::Unknown, |&(_, verb)| verb), rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_have_no_case_and_arguments_no_margin() {
        assert_eq!(split(b"mAiL  FROM:<> "), (Verb::Mail, &b"FROM:<>"[..]));
        assert_eq!(split(b"QUIT"), (Verb::Quit, &b""[..]));
        assert_eq!(split(b""), (Verb::Unknown, &b""[..]));
        assert_eq!(split(b" QUIT"), (Verb::Unknown, &b"QUIT"[..]));
        assert_eq!(split(b"GET / HTTP/1.1").0, Verb::Http);
        assert_eq!(split(b"GETTING x").0, Verb::Unknown);
        assert_eq!(split(b"MAILFROM:<>").0, Verb::Unknown);
    }
}
