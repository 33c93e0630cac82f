//! What follows `+OK` in a multi-line answer (RFC 1939 section 3).

use alloc::vec::Vec;

/// What a chunk of input was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Unstuffed {
    /// All of it belongs to the answer, and more must come.
    More,
    /// The answer ended in it.
    End {
        /// Octets of the chunk up to and including the end.
        consumed: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    LineStart,
    /// Behind a dot that began a line and is not written.
    Dot,
    /// Behind such a dot and a CR, which is not written yet.
    DotCr,
    MidLine,
    Cr,
    End,
}

/// Takes the doubled dots off an answer and finds its end.
///
/// Other than [`textproto::DotReader`], which guards a server's front door, it lets a CR or LF
/// alone pass as it is: a message may have them, and is to be seen as the server sends it. Only
/// CRLF begins a line, and only CRLF `.` CRLF ends the answer.
#[derive(Clone, Debug)]
pub struct Unstuffer {
    state: State,
}

impl Default for Unstuffer {
    fn default() -> Self {
        Self { state: State::LineStart }
    }
}

impl Unstuffer {
    /// Reads the next `chunk` and appends what it holds to `out`: at most its length and an
    /// octet. Behind the end nothing is consumed.
    pub fn read(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Unstuffed {
        let mut at = 0;
        while let Some(&octet) = chunk.get(at) {
            match (self.state, octet) {
                (State::End, _) => return Unstuffed::End { consumed: at },
                (State::LineStart, b'.') => self.state = State::Dot,
                (State::Dot, b'\r') => self.state = State::DotCr,
                (State::DotCr, b'\n') => {
                    self.state = State::End;
                    return Unstuffed::End { consumed: at + 1 };
                }
                (State::DotCr, _) => {
                    // The dot was a stuffed one, and its CR belongs to the message.
                    out.push(b'\r');
                    self.state = State::Cr;
                    continue;
                }
                (State::Cr, b'\n') => {
                    out.push(b'\n');
                    self.state = State::LineStart;
                }
                (_, b'\r') => {
                    out.push(b'\r');
                    self.state = State::Cr;
                }
                _ => {
                    let rest = chunk.get(at..).unwrap_or_default();
                    let run = rest.iter().position(|&octet| octet == b'\r').unwrap_or(rest.len());
                    out.extend_from_slice(rest.get(..run).unwrap_or_default());
                    self.state = State::MidLine;
                    at += run;
                    continue;
                }
            }
            at += 1;
        }
        if self.state == State::End { Unstuffed::End { consumed: at } } else { Unstuffed::More }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(input: &[u8]) -> (Vec<u8>, Unstuffed) {
        let mut out = Vec::new();
        let step = Unstuffer::default().read(input, &mut out);
        (out, step)
    }

    #[test]
    fn dots_and_ends() {
        let ended = |octets: &[u8], consumed| (octets.to_vec(), Unstuffed::End { consumed });
        assert_eq!(whole(b".\r\n+OK"), ended(b"", 3));
        assert_eq!(whole(b"a\r\n.\r\n"), ended(b"a\r\n", 6));
        assert_eq!(whole(b"..\r\n...x\r\n.\r\n"), ended(b".\r\n..x\r\n", 13));
        assert_eq!(whole(b"a\n.\r\nb\r\n.\r\n"), ended(b"a\n.\r\nb\r\n", 11));
        assert_eq!(whole(b".\rx\r\n.\r\n"), ended(b"\rx\r\n", 8));
        assert_eq!(whole(b".\r\r\n.\r\n"), ended(b"\r\r\n", 7));
        assert_eq!(whole(b"\r\r\n.\r\n"), ended(b"\r\r\n", 6));
        assert_eq!(whole(b".\nx\r\n.\r\n"), ended(b"\nx\r\n", 8));
        assert_eq!(whole(b"a\r\n."), (b"a\r\n".to_vec(), Unstuffed::More));
    }

    proptest! {
        /// Wherever it is cut, and whatever the message: it comes out as it went in.
        #[test]
        fn stuffing_and_back(
            lines in prop::collection::vec("[.a\\r\\n\\u{0}]{0,6}", 0..20),
            cuts in prop::collection::vec(1_usize..9, 1..40),
        ) {
            let text: Vec<u8> = lines.iter().flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect();
            let mut stuffed = Vec::new();
            for (at, &octet) in text.iter().enumerate() {
                let starts = at == 0 || text[..at].ends_with(b"\r\n");
                if octet == b'.' && starts {
                    stuffed.push(b'.');
                }
                stuffed.push(octet);
            }
            stuffed.extend_from_slice(b".\r\nrest");
            let mut unstuffer = Unstuffer::default();
            let (mut out, mut rest, mut cuts) = (Vec::new(), stuffed.as_slice(), cuts.iter().cycle());
            loop {
                let (chunk, behind) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                match unstuffer.read(chunk, &mut out) {
                    Unstuffed::More => rest = behind,
                    Unstuffed::End { consumed } => {
                        rest = &rest[consumed..];
                        break;
                    }
                }
            }
            prop_assert_eq!(out, text);
            prop_assert_eq!(rest, b"rest");
        }
    }
}
