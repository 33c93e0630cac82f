//! The second pass: the text again, its parts encoded as was chosen.

use std::sync::Arc;

use super::content_type::{Encoding, Kind};
use super::encode::{Base64, QuotedPrintable};
use super::walk::{Part, Sink};
use super::{Aim, Choice, Unconvertible, fields};

const ENCODING: &[u8] = b"Content-Transfer-Encoding";

#[derive(Debug)]
enum Encoder {
    Keep,
    Base64(Base64),
    QuotedPrintable(QuotedPrintable),
}

/// The second pass.
#[derive(Debug)]
pub(super) struct Rewriter {
    aim: Aim,
    choices: Arc<[Choice]>,
    next: usize,
    encoder: Encoder,
    out: Vec<u8>,
    /// What was written last.
    last: u8,
}

impl Rewriter {
    pub(super) fn new(aim: Aim, choices: Arc<[Choice]>) -> Self {
        let (encoder, out) = (Encoder::Keep, Vec::new());
        Self { aim, choices, next: 0, encoder, out, last: b'\n' }
    }

    /// What has been written since.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.last = self.out.last().copied().unwrap_or(self.last);
        std::mem::take(&mut self.out)
    }

    /// The rest: a text ends with a whole line.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.out.last().copied().unwrap_or(self.last) != b'\n' {
            self.out.extend_from_slice(b"\r\n");
        }
        self.out
    }

    /// The header of a part, saying what its content is now.
    fn relabel(&mut self, section: &[u8], label: &str, part: &Part<'_>, encodes: bool) {
        self.out.extend_from_slice(&fields::without(section, ENCODING));
        if self.out.last().is_some_and(|&last| last != b'\n') {
            self.out.extend_from_slice(b"\r\n");
        }
        if part.outermost && !part.entity.versioned {
            self.out.extend_from_slice(b"MIME-Version: 1.0\r\n");
        }
        if encodes && !part.entity.typed {
            // RFC 1428 section 3: what nobody declared.
            self.out.extend_from_slice(b"Content-Type: text/plain; charset=unknown-8bit\r\n");
        }
        self.out.extend_from_slice(ENCODING);
        self.out.extend_from_slice(b": ");
        self.out.extend_from_slice(label.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    /// The label that a part needs which is not encoded; `None` if it has it.
    fn plain_label(&self, encoding: Encoding) -> Option<&'static str> {
        match (encoding, self.aim) {
            (Encoding::EightBit | Encoding::Binary, Aim::SevenBit) => Some("7bit"),
            (Encoding::Binary, Aim::EightBit) => Some("8bit"),
            _ => None,
        }
    }
}

impl Sink for Rewriter {
    fn header(&mut self, section: &[u8], end: &[u8], part: &Part<'_>) -> Result<(), Unconvertible> {
        let choice = match part.entity.kind {
            Kind::Multipart { .. } => Choice::Keep,
            Kind::Message if !end.is_empty() => Choice::Keep,
            _ => {
                let choice = self.choices.get(self.next).copied();
                self.next += 1;
                choice.unwrap_or(Choice::Keep)
            }
        };
        self.encoder = match choice {
            Choice::Keep => Encoder::Keep,
            Choice::Base64 => Encoder::Base64(Base64::default()),
            Choice::QuotedPrintable => Encoder::QuotedPrintable(QuotedPrintable::default()),
        };
        let label = match choice {
            Choice::Base64 => Some("base64"),
            Choice::QuotedPrintable => Some("quoted-printable"),
            // What is signed stays as it is: a label that promises less than it might is no lie.
            Choice::Keep if part.signed => None,
            Choice::Keep => self.plain_label(part.entity.encoding),
        };
        match label {
            Some(label) => self.relabel(section, label, part, choice != Choice::Keep),
            None => self.out.extend_from_slice(section),
        }
        self.out.extend_from_slice(end);
        Ok(())
    }

    fn content(&mut self, octets: &[u8]) {
        match &mut self.encoder {
            Encoder::Keep => self.out.extend_from_slice(octets),
            Encoder::Base64(encoder) => encoder.add(octets, &mut self.out),
            Encoder::QuotedPrintable(encoder) => encoder.add(octets, &mut self.out),
        }
    }

    fn content_end(&mut self) -> Result<(), Unconvertible> {
        match std::mem::replace(&mut self.encoder, Encoder::Keep) {
            Encoder::Keep => {}
            Encoder::Base64(encoder) => encoder.finish(&mut self.out),
            Encoder::QuotedPrintable(encoder) => encoder.finish(&mut self.out),
        }
        Ok(())
    }

    fn around(&mut self, octets: &[u8]) {
        // Nobody is meant to read this.
        let fit = |&octet: &u8| octet != 0 && (octet < 128 || self.aim == Aim::EightBit);
        self.out.extend(octets.iter().map(|octet| if fit(octet) { *octet } else { b'?' }));
    }
}
