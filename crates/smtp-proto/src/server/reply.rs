//! Replies: code, enhanced status code and text, written as lines.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

/// A reply (RFC 5321 section 4.2) with its enhanced status code (RFC 2034).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Cow<'static, str>,
    text: Cow<'static, str>,
}

/// Octets of a reply line, CRLF included (RFC 5321 section 4.5.3.1.5).
const LINE_MAX: usize = 512;

/// Lines of one reply; a text that needs more is cut.
const LINES_MAX: usize = 50;

impl Reply {
    /// The user name or the password is wrong: one answer for every such cause.
    pub const BAD_CREDENTIALS: Self =
        Self::fixed(535, "5.7.8", "Authentication failed: wrong user name or password");
    /// The credentials could not be checked now (RFC 4954 section 4).
    pub const AUTH_UNAVAILABLE: Self =
        Self::fixed(454, "4.7.0", "Temporary authentication failure, try again later");
    /// TLS cannot be had now (RFC 3207 section 4).
    pub const TLS_UNAVAILABLE: Self = Self::fixed(454, "4.7.0", "TLS is not available now");
    /// The disk is nearly full (RFC 3463 section 3.4).
    pub const STORAGE_FULL: Self =
        Self::fixed(452, "4.3.1", "Not enough storage for mail now, try again later");
    /// Something failed that is not the client's doing.
    pub const LOCAL_ERROR: Self =
        Self::fixed(451, "4.3.0", "A local error kept the message from being stored, try again");
    /// The message is larger than the server takes (RFC 1870).
    pub const MESSAGE_TOO_LARGE: Self =
        Self::fixed(552, "5.3.4", "The message is larger than this server takes");
    /// An address without a domain that nobody here completes, as a sender (RFC 6409 section
    /// 4.2).
    pub const UNQUALIFIED_SENDER: Self =
        Self::fixed(554, "5.1.8", "The sender's address must have a fully qualified domain");
    /// The same as a recipient.
    pub const UNQUALIFIED: Self =
        Self::fixed(554, "5.1.3", "The recipient's address must have a fully qualified domain");
    /// No more recipients for this message.
    pub const TOO_MANY_RECIPIENTS: Self =
        Self::fixed(452, "4.5.3", "Too many recipients: send the message to the rest separately");

    /// A reply of a constant text.
    #[must_use]
    pub const fn fixed(code: u16, enhanced: &'static str, text: &'static str) -> Self {
        Self { code, enhanced: Cow::Borrowed(enhanced), text: Cow::Borrowed(text) }
    }

    /// A reply whose text was made for the occasion: one line, or several separated by `\n`.
    #[must_use]
    pub const fn new(code: u16, enhanced: &'static str, text: String) -> Self {
        Self { code, enhanced: Cow::Borrowed(enhanced), text: Cow::Owned(text) }
    }

    /// A reply that somebody else worded, such as a filter. An enhanced status code that is not of
    /// the form `class.subject.detail`, or whose class is not the code's (RFC 2034 section 4), is
    /// replaced by the one that says nothing more than the class.
    #[must_use]
    pub fn worded(code: u16, enhanced: &str, text: String) -> Self {
        let class = code.clamp(200, 599) / 100;
        let enhanced = if is_status(enhanced, class) {
            Cow::Owned(String::from(enhanced))
        } else {
            Cow::Borrowed(match class {
                2 | 3 => "2.0.0",
                4 => "4.0.0",
                _ => "5.0.0",
            })
        };
        Self { code, enhanced, text: Cow::Owned(text) }
    }

    /// The three-digit code.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code, such as `5.7.1`.
    #[must_use]
    pub fn enhanced(&self) -> &str {
        &self.enhanced
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the client should not try the same again.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        self.code >= 500
    }

    /// The reply if it refuses, else one that does: a refusal must never read as consent.
    pub(crate) fn refusing(&self) -> Cow<'_, Self> {
        if (400..600).contains(&self.code) {
            Cow::Borrowed(self)
        } else {
            Cow::Owned(Self::LOCAL_ERROR)
        }
    }

    /// Appends the reply's lines: each at most 512 octets, printable ASCII alone.
    pub(crate) fn write(&self, output: &mut Vec<u8>) {
        let code = self.code_digits();
        let enhanced = self.enhanced.as_bytes();
        let prefix = 5 + enhanced.len();
        let mut begin = output.len();
        for (index, line) in self.lines(LINE_MAX - 2 - prefix).take(LINES_MAX).enumerate() {
            if index > 0 {
                // The line before was not the last one.
                if let Some(separator) = output.get_mut(begin + 3) {
                    *separator = b'-';
                }
                begin = output.len();
            }
            output.extend_from_slice(&code);
            output.push(b' ');
            output.extend_from_slice(enhanced);
            output.push(b' ');
            output.extend(line.chars().map(printable));
            output.extend_from_slice(b"\r\n");
        }
    }

    fn code_digits(&self) -> [u8; 3] {
        let code = self.code.clamp(200, 599);
        let digit = |value: u16| b'0' + u8::try_from(value % 10).unwrap_or_default();
        [digit(code / 100), digit(code / 10), digit(code)]
    }

    /// The text in lines of at most `width` characters, broken at spaces where there are any.
    fn lines(&self, width: usize) -> impl Iterator<Item = &str> {
        self.text.split('\n').flat_map(move |line| Wrapped { rest: Some(line), width })
    }
}

/// RFC 3463 section 2: a digit, then two numbers of one to three digits.
fn is_status(text: &str, class: u16) -> bool {
    let number = |part: &str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|octet| octet.is_ascii_digit())
    };
    let mut parts = text.split('.');
    let of_class = parts.next().is_some_and(|part| part.len() == 1 && part.parse() == Ok(class));
    let (subject, detail) = (parts.next(), parts.next());
    of_class && subject.is_some_and(number) && detail.is_some_and(number) && parts.next().is_none()
}

fn printable(c: char) -> u8 {
    let octet = u8::try_from(c).unwrap_or(b'?');
    if octet == b' ' || octet.is_ascii_graphic() { octet } else { b'?' }
}

/// A line cut into pieces that fit.
struct Wrapped<'a> {
    rest: Option<&'a str>,
    width: usize,
}

impl<'a> Iterator for Wrapped<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.take()?;
        let Some((limit, _)) = rest.char_indices().nth(self.width) else {
            return Some(rest);
        };
        let (head, tail) = rest.split_at(limit);
        match head.rfind(' ').filter(|&space| space > 0) {
            Some(space) => {
                self.rest = rest.get(space + 1..);
                rest.get(..space)
            }
            None => {
                self.rest = Some(tail);
                Some(head)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn written(reply: &Reply) -> String {
        let mut output = Vec::new();
        reply.write(&mut output);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn every_line_but_the_last_has_a_hyphen() {
        let reply = Reply::new(550, "5.7.1", "One\ntwo\nthree".to_string());
        assert_eq!(written(&reply), "550-5.7.1 One\r\n550-5.7.1 two\r\n550 5.7.1 three\r\n");
    }

    #[test]
    fn nothing_in_a_text_can_end_the_reply_or_leave_ascii() {
        let reply = Reply::new(550, "5.7.1", "a\r250 ok\u{0}\u{e9}\x1b[2J".to_string());
        assert_eq!(written(&reply), "550 5.7.1 a?250 ok???[2J\r\n");
    }

    #[test]
    fn a_long_text_is_broken_at_spaces_or_cut() {
        let reply = Reply::new(550, "5.7.1", "word ".repeat(300) + &"x".repeat(1200));
        let text = written(&reply);
        assert!(text.split_inclusive("\r\n").all(|line| line.len() <= LINE_MAX));
        assert!(text.split("\r\n").next().unwrap().ends_with(" word"));
        assert_eq!(text.matches('x').count(), 1200);
        assert_eq!(text.matches("word").count(), 300);
        let endless = Reply::new(550, "5.7.1", "\n".repeat(10_000));
        assert_eq!(written(&endless).lines().count(), LINES_MAX);
        assert!(written(&endless).ends_with("550-5.7.1 \r\n550 5.7.1 \r\n"));
    }

    #[test]
    fn the_words_of_others_are_checked() {
        let enhanced = |code, enhanced| {
            let reply = Reply::worded(code, enhanced, "No".to_string());
            reply.enhanced().to_string()
        };
        assert_eq!(enhanced(550, "5.7.509"), "5.7.509");
        assert_eq!(enhanced(450, "4.7.1"), "4.7.1");
        for bad in
            ["", "5", "5.7", "4.7.1", "5.7.1.1", "5.7.1234", "5.7.1\r\n", "5..1", "55.7.1", "5.7.x"]
        {
            assert_eq!(enhanced(550, bad), "5.0.0", "{bad}");
        }
    }

    #[test]
    fn a_refusal_that_would_consent_is_a_local_error() {
        assert_eq!(Reply::fixed(250, "2.0.0", "ok").refusing().code(), 451);
        assert_eq!(Reply::fixed(354, "", "go").refusing().code(), 451);
        assert_eq!(Reply::BAD_CREDENTIALS.refusing().code(), 535);
    }
}
