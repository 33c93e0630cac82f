//! The first pass: what each part holds, and what is to become of it.

use super::content_type::{Encoding, Kind};
use super::walk::{Part, Sink};
use super::{Aim, Choice, Unconvertible};

/// Octets of a line without its end, at most (RFC 5322 section 2.1.1).
const LINE_MAX: usize = 998;

/// Octets that it may cost that a text stays readable.
const READABLE: u64 = 32;

/// What was seen of one content.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    octets: u64,
    /// Octets that quoted-printable writes as three.
    quoted: u64,
    above_127: bool,
    /// NUL, or a line end that is none.
    binary: bool,
    line: usize,
    long_line: bool,
}

impl Seen {
    fn add(&mut self, octets: &[u8]) {
        self.octets += octets.len() as u64;
        if octets == b"\r\n" {
            self.line = 0;
            return;
        }
        for &octet in octets {
            match octet {
                0 | b'\r' | b'\n' => self.binary = true,
                0x80.. => self.above_127 = true,
                _ => {}
            }
            self.quoted += u64::from(!matches!(octet, b' '..=b'<' | b'>'..=b'~' | b'\t'));
        }
        self.line = self.line.saturating_add(octets.len());
        self.long_line |= self.line > LINE_MAX;
    }

    fn fits(&self, aim: Aim) -> bool {
        let high = self.above_127 && aim == Aim::SevenBit;
        !(high || self.binary || self.long_line)
    }

    /// The shorter one, for text; quoted-printable keeps it readable, which a short text gets at
    /// any price.
    fn encoding(&self, text: bool) -> Choice {
        let quoted = self.octets.saturating_add(self.quoted.saturating_mul(2));
        let base64 = self.octets.saturating_add(self.octets / 3).saturating_add(READABLE);
        match text && !self.binary && quoted <= base64 {
            true => Choice::QuotedPrintable,
            false => Choice::Base64,
        }
    }
}

/// Whether `text`, header and all, can go as it is.
pub(super) fn is_fit(text: &[u8], aim: Aim) -> bool {
    let mut seen = Seen::default();
    for line in text.split_inclusive(|&octet| octet == b'\n') {
        let (content, end) = match line.strip_suffix(b"\r\n") {
            Some(content) => (content, &b"\r\n"[..]),
            None => (line, &b""[..]),
        };
        seen.add(content);
        seen.add(end);
    }
    seen.fits(aim)
}

/// The part whose content goes by.
#[derive(Debug)]
struct Current {
    text: bool,
    encoded: bool,
    indivisible: bool,
    signed: bool,
    seen: Seen,
}

/// The first pass.
#[derive(Debug)]
pub(super) struct Analysis {
    aim: Aim,
    choices: Vec<Choice>,
    current: Option<Current>,
    domain_signed: bool,
}

impl Analysis {
    pub(super) fn new(aim: Aim) -> Self {
        Self { aim, choices: Vec::new(), current: None, domain_signed: false }
    }

    /// What becomes of each content, in order; and whether a domain signed the text.
    pub(super) fn finish(self) -> (Vec<Choice>, bool) {
        (self.choices, self.domain_signed)
    }
}

impl Sink for Analysis {
    fn header(&mut self, section: &[u8], _: &[u8], part: &Part<'_>) -> Result<(), Unconvertible> {
        let bad = |&octet: &u8| octet == 0 || (octet > 127 && self.aim == Aim::SevenBit);
        if section.iter().any(bad) {
            return Err(Unconvertible::Header);
        }
        self.domain_signed |= part.outermost && part.entity.domain_signed;
        let (text, indivisible) = match part.entity.kind {
            Kind::Multipart { .. } => return Ok(()),
            Kind::Leaf { text } => (text, false),
            // It is a content only where its header is cut off, and then it is empty.
            Kind::Message => (false, true),
            Kind::Indivisible => (false, true),
        };
        let encoded = part.entity.encoding == Encoding::Encoded;
        let signed = part.signed;
        self.current = Some(Current { text, encoded, indivisible, signed, seen: Seen::default() });
        Ok(())
    }

    fn content(&mut self, octets: &[u8]) {
        if let Some(current) = &mut self.current {
            current.seen.add(octets);
        }
    }

    fn content_end(&mut self) -> Result<(), Unconvertible> {
        let Some(current) = self.current.take() else { return Ok(()) };
        if current.seen.fits(self.aim) {
            self.choices.push(Choice::Keep);
            return Ok(());
        }
        match () {
            () if current.signed => Err(Unconvertible::Signed),
            () if current.indivisible => Err(Unconvertible::Indivisible),
            () if current.encoded => Err(Unconvertible::FalselyEncoded),
            () => {
                self.choices.push(current.seen.encoding(current.text));
                Ok(())
            }
        }
    }

    fn around(&mut self, _: &[u8]) {}
}
