//! Replies of the next hop (RFC 5321 section 4.2), cut from the stream within bounds.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use textproto::{Line, LineEnd, LineReader};

use super::ReplyError;

/// What the first digit of a reply says (RFC 5321 section 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// 2yz: done.
    Success,
    /// 3yz: go on.
    Intermediate,
    /// 4yz: not now.
    Temporary,
    /// 5yz: never.
    Permanent,
}

/// An enhanced status code `class.subject.detail` (RFC 3463).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnhancedCode {
    /// 2, 4 or 5.
    pub class: u8,
    /// 0 to 999.
    pub subject: u16,
    /// 0 to 999.
    pub detail: u16,
}

impl EnhancedCode {
    /// Reads `5.1.1` at the start of `text`, followed by a space or nothing; returns the rest.
    fn split_from(text: &[u8]) -> Option<(Self, &[u8])> {
        let end = memchr::memchr(b' ', text).unwrap_or(text.len());
        let (token, rest) = text.split_at(end);
        let mut parts = token.split(|&octet| octet == b'.');
        let code = Self {
            class: u8::try_from(number(parts.next()?)?).ok()?,
            subject: number(parts.next()?)?,
            detail: number(parts.next()?)?,
        };
        let valid = parts.next().is_none() && matches!(code.class, 2 | 4 | 5);
        valid.then(|| (code, rest.strip_prefix(b" ").unwrap_or(rest)))
    }
}

/// One to three digits.
fn number(digits: &[u8]) -> Option<u16> {
    if !(1..=3).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')))
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// A reply that was kept: its code, its enhanced code, and its text as one printable line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    status: Option<EnhancedCode>,
    text: Box<str>,
}

impl Reply {
    /// The text is cut at this many octets: log lines and reports hold it.
    pub const TEXT_MAX: usize = 1000;

    /// The reply code, 200 to 599.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced code of the first line, if there was one and its class fits the code.
    #[must_use]
    pub fn status(&self) -> Option<EnhancedCode> {
        self.status
    }

    /// The text of all lines, joined by spaces, without codes and control characters.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the first digit says.
    #[must_use]
    pub fn severity(&self) -> Severity {
        severity(self.code)
    }
}

/// As it stood on the wire, but on one line: `550 5.1.1 no such user`.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(status) = self.status {
            write!(f, " {status}")?;
        }
        if !self.text.is_empty() {
            write!(f, " {}", self.text)?;
        }
        Ok(())
    }
}

/// A whole reply in the reader's buffer.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    code: u16,
    raw: &'a [u8],
}

impl<'a> Received<'a> {
    /// The reply code, 200 to 599.
    #[must_use]
    pub fn code(self) -> u16 {
        self.code
    }

    /// What the first digit says.
    #[must_use]
    pub fn severity(self) -> Severity {
        severity(self.code)
    }

    /// The text of each line behind the code, as it came.
    pub fn lines(self) -> impl Iterator<Item = &'a [u8]> {
        let raw = self.raw.strip_suffix(b"\n").unwrap_or(self.raw);
        raw.split(|&octet| octet == b'\n').map(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            line.get(4..).unwrap_or_default()
        })
    }

    /// Copies what is worth keeping.
    #[must_use]
    pub fn keep(self) -> Reply {
        let mut status = None;
        let mut text = String::new();
        for (index, line) in self.lines().enumerate() {
            let mut line = line;
            if let Some((code, rest)) = EnhancedCode::split_from(line)
                && u16::from(code.class) == self.code / 100
            {
                line = rest;
                if index == 0 {
                    status = Some(code);
                }
            }
            if !append_printable(&mut text, line) {
                break;
            }
        }
        Reply { code: self.code, status, text: text.into_boxed_str() }
    }
}

/// Appends a line to `text` behind a space; false when the text is full.
fn append_printable(text: &mut String, line: &[u8]) -> bool {
    if !text.is_empty() && !line.is_empty() {
        text.push(' ');
    }
    for c in String::from_utf8_lossy(line).chars() {
        let c = if c.is_control() { ' ' } else { c };
        if text.len() + c.len_utf8() > Reply::TEXT_MAX {
            return false;
        }
        text.push(c);
    }
    true
}

fn severity(code: u16) -> Severity {
    match code / 100 {
        2 => Severity::Success,
        3 => Severity::Intermediate,
        4 => Severity::Temporary,
        _ => Severity::Permanent,
    }
}

/// Cuts the stream of a next hop into replies; whatever it sends, memory stays bounded.
///
/// Use: [`feed`](Self::feed) what was read, then call [`next_reply`](Self::next_reply) until it
/// gives `None`, and only then feed again. After an error the connection is of no use.
#[derive(Debug)]
pub struct ReplyReader {
    buffer: Vec<u8>,
    /// Where the reply that is being read begins.
    start: usize,
    /// Where its current line begins.
    line: usize,
    lines: LineReader,
    /// The code of its earlier lines.
    code: Option<u16>,
}

impl Default for ReplyReader {
    fn default() -> Self {
        Self::new()
    }
}

impl ReplyReader {
    /// Longest line, its end included. RFC 5321 section 4.5.3.1.5 allows 512 octets; some hosts
    /// write long URLs into their refusals.
    pub const LINE_MAX: usize = 2048;
    /// Longest reply, all lines together.
    pub const REPLY_MAX: usize = 64 * 1024;

    /// An empty reader. A line may end in LF alone: nothing hangs on it here.
    #[must_use]
    pub fn new() -> Self {
        let lines = LineReader::new(Self::LINE_MAX, LineEnd::CrlfOrLf);
        Self { buffer: Vec::new(), start: 0, line: 0, lines, code: None }
    }

    /// Appends what was read.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.line -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether nothing is left unread, not even a part of a reply.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.buffer.len()
    }

    /// The next whole reply, or `None` if more must be read.
    ///
    /// # Errors
    /// If what arrived is no reply, or is longer than its bounds.
    pub fn next_reply(&mut self) -> Result<Option<Received<'_>>, ReplyError> {
        loop {
            let (code, last, end) = match self.lines.next_line(&self.buffer[self.line..]) {
                Line::More { consumed: 0 } => return Ok(None),
                Line::More { .. } | Line::TooLong { .. } => return Err(ReplyError::LineTooLong),
                Line::Whole { line, consumed } => {
                    let (code, last) = parse_line(line)?;
                    (code, last, self.line + consumed)
                }
            };
            if self.code.is_some_and(|earlier| earlier != code) {
                return Err(ReplyError::MixedCodes);
            }
            if end - self.start > Self::REPLY_MAX {
                return Err(ReplyError::ReplyTooLong);
            }
            self.line = end;
            self.code = Some(code);
            if last {
                self.code = None;
                let raw = &self.buffer[core::mem::replace(&mut self.start, end)..end];
                return Ok(Some(Received { code, raw }));
            }
        }
    }
}

/// The code, and whether the line is the last of its reply.
fn parse_line(line: &[u8]) -> Result<(u16, bool), ReplyError> {
    let (digits, rest) = line.split_at_checked(3).ok_or(ReplyError::Malformed)?;
    let code = number(digits).filter(|code| (200..600).contains(code));
    match (code, rest.first()) {
        (Some(code), None | Some(b' ')) => Ok((code, true)),
        (Some(code), Some(b'-')) => Ok((code, false)),
        _ => Err(ReplyError::Malformed),
    }
}
