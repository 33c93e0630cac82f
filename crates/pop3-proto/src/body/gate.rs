//! Whether a header is one that every client may have, or needs UTF-8 mode (RFC 6856
//! section 2.1).

use alloc::vec::Vec;

/// Longest header that is looked at to its end; what is longer is let through as it is, for
/// what is held back takes memory.
const HEADER_MAX: usize = 64 * 1024;

/// Looks at a message as it comes and keeps what may not be sent yet.
#[derive(Default)]
pub(super) struct Gate {
    /// The wire form of what was looked at.
    pub(super) held: Vec<u8>,
    seen: usize,
    line: Line,
}

/// What the current line of the header holds so far.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Line {
    #[default]
    Empty,
    /// One CR and nothing else.
    Cr,
    Text,
}

/// What is known of the header now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// It goes on.
    Header,
    /// It is over and was ASCII.
    Plain,
    /// It has octets beyond ASCII.
    Internationalised,
}

impl Gate {
    /// Looks at the next octets of the message.
    pub(super) fn look(&mut self, stored: &[u8]) -> Sight {
        for &octet in stored {
            self.line = match (octet, self.line) {
                (0x80.., _) => return Sight::Internationalised,
                (b'\n', Line::Empty | Line::Cr) => return Sight::Plain,
                (b'\n', Line::Text) => Line::Empty,
                (b'\r', Line::Empty) => Line::Cr,
                _ => Line::Text,
            };
        }
        self.seen = self.seen.saturating_add(stored.len());
        if self.seen > HEADER_MAX { Sight::Plain } else { Sight::Header }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(message: &[u8], block: usize) -> Sight {
        let mut gate = Gate::default();
        for part in message.chunks(block) {
            match gate.look(part) {
                Sight::Header => {}
                sight => return sight,
            }
        }
        Sight::Header
    }

    #[test]
    fn the_header_decides_however_it_comes() {
        for (message, sight) in [
            (&b"Subject: a\r\n\r\n\xe9"[..], Sight::Plain),
            (b"Subject: a\n\n\xe9", Sight::Plain),
            (b"\n\xe9", Sight::Plain),
            (b"\r\n\xe9", Sight::Plain),
            (b"Subject: \xc3\xa9\n\nx", Sight::Internationalised),
            (b"A: b\r\r\n\xe9: c\n\n", Sight::Internationalised),
            (b"A: b\n \n\xe9: c\n\n", Sight::Internationalised),
            (b"Subject: a\n", Sight::Header),
            (b"", Sight::Header),
        ] {
            for block in 1..=message.len().max(1) {
                assert_eq!(look(message, block), sight, "{}", message.escape_ascii());
            }
        }
    }

    #[test]
    fn an_endless_header_is_not_kept() {
        let message = b"a".repeat(HEADER_MAX + 10_000);
        assert_eq!(look(&message, 4096), Sight::Plain);
    }
}
