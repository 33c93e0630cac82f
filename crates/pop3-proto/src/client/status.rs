//! Status lines (RFC 1939 section 3, RFC 2449 section 8).

/// Octets of a line that a client reads, its end included. A status line has at most 512 (RFC
/// 2449 section 4), but servers echo what they were sent.
pub const LINE_MAX: usize = 2048;

/// The first line of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status<'a> {
    /// `+OK`: done, or the first line of a multi-line answer.
    Ok(
        /// What stands behind it.
        &'a str,
    ),
    /// `-ERR`.
    Error {
        /// The response code in brackets, such as `IN-USE` (RFC 2449 section 8).
        code: Option<&'a str>,
        /// The text, without the code.
        text: &'a str,
    },
    /// `+ `: a challenge of AUTH (RFC 5034 section 4).
    Challenge(
        /// In base64.
        &'a str,
    ),
}

impl<'a> Status<'a> {
    /// Reads a line without its end; `None` if no POP3 server says so.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        // Texts in Latin-1 are no reason to give up: what is of use is in ASCII.
        let line = match core::str::from_utf8(line) {
            Ok(line) => line,
            Err(error) => core::str::from_utf8(line.get(..error.valid_up_to())?).ok()?,
        };
        if let Some(text) = behind(line, "+OK") {
            return Some(Self::Ok(text));
        }
        if let Some(text) = behind(line, "-ERR") {
            let coded = text.strip_prefix('[').and_then(|text| text.split_once(']'));
            return Some(match coded {
                Some((code, text)) => Self::Error { code: Some(code), text: text.trim_start() },
                None => Self::Error { code: None, text },
            });
        }
        line.strip_prefix("+ ")
            .map(Self::Challenge)
            .or((line == "+").then_some(Self::Challenge("")))
    }
}

/// What stands behind a status indicator, which some servers write in lower case.
fn behind<'a>(line: &'a str, indicator: &str) -> Option<&'a str> {
    let (head, rest) = line.split_at_checked(indicator.len())?;
    if !head.eq_ignore_ascii_case(indicator) {
        return None;
    }
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix([' ', '\t']).map(str::trim) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds() {
        assert_eq!(Status::parse(b"+OK"), Some(Status::Ok("")));
        assert_eq!(Status::parse(b"+ok  2 320 "), Some(Status::Ok("2 320")));
        let error = Status::Error { code: Some("SYS/TEMP"), text: "later" };
        assert_eq!(Status::parse(b"-ERR [SYS/TEMP] later"), Some(error));
        assert_eq!(Status::parse(b"-ERR"), Some(Status::Error { code: None, text: "" }));
        let open = Status::Error { code: None, text: "[open" };
        assert_eq!(Status::parse(b"-ERR [open"), Some(open));
        assert_eq!(Status::parse(b"+ Zm9v"), Some(Status::Challenge("Zm9v")));
        assert_eq!(Status::parse(b"+"), Some(Status::Challenge("")));
        assert_eq!(Status::parse(b"+OK caf\xe9"), Some(Status::Ok("caf")));
        for bad in [&b""[..], b"+OKAY", b"-ERROR", b"220 smtp", b"* OK imap", b"\xff+OK", b"+O"] {
            assert_eq!(Status::parse(bad), None, "{bad:?}");
        }
    }
}
