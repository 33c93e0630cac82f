//! The walk through the MIME parts of a text (RFC 2046), as it streams by.

use super::Unconvertible;
use super::content_type::{self, Entity, Kind};

/// The header of one part, at most.
const HEADER_MAX: usize = 256 * 1024;
/// Multiparts within each other, at most.
const DEPTH_MAX: usize = 64;
/// Parts of a message, at most.
const PARTS_MAX: usize = 10_000;
/// A line longer than this goes through in pieces. No boundary is that long.
const PIECE: usize = 8 * 1024;

/// What the walker comes across, in order. Put together it is the text.
pub(super) trait Sink {
    /// A whole header section, without the empty line; `end` is that line, or nothing where the
    /// header is cut off.
    fn header(&mut self, section: &[u8], end: &[u8], part: &Part<'_>) -> Result<(), Unconvertible>;

    /// Some of the content of the part without parts whose header came last. A line end comes
    /// alone.
    fn content(&mut self, octets: &[u8]);

    /// The end of that content.
    fn content_end(&mut self) -> Result<(), Unconvertible>;

    /// What is around parts: boundaries, and what stands before the first and after the last.
    fn around(&mut self, octets: &[u8]);
}

/// Where a header was found.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) entity: &'a Entity,
    /// It is the header of the message itself.
    pub(super) outermost: bool,
    /// It lies within a `multipart/signed`.
    pub(super) signed: bool,
}

/// An open multipart.
#[derive(Debug)]
struct Frame {
    boundary: Vec<u8>,
    digest: bool,
    signed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Header,
    Content,
    Around,
}

/// The walker. Its memory: a header, a piece of a line, and the open boundaries.
#[derive(Debug)]
pub(super) struct Walker {
    input: Vec<u8>,
    /// The next piece begins a line.
    line_start: bool,
    /// The line end that came last within a content: it may belong to the boundary.
    held: &'static [u8],
    header: Vec<u8>,
    state: State,
    frames: Vec<Frame>,
    parts: usize,
    /// The header that comes is that of a part of a digest, and not of a message in one.
    direct: bool,
}

impl Walker {
    pub(super) fn new() -> Self {
        Self {
            input: Vec::new(),
            line_start: true,
            held: b"",
            header: Vec::new(),
            state: State::Header,
            frames: Vec::new(),
            parts: 0,
            direct: false,
        }
    }

    pub(super) fn feed(&mut self, block: &[u8], sink: &mut dyn Sink) -> Result<(), Unconvertible> {
        let mut input = std::mem::take(&mut self.input);
        input.extend_from_slice(block);
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let length = match memchr::memchr(b'\n', rest) {
                Some(lf) => lf + 1,
                // A CR stays until it is known what follows.
                None if rest.len() > PIECE => rest.len() - usize::from(rest.ends_with(b"\r")),
                None => break,
            };
            self.piece(&rest[..length], sink)?;
            at += length;
        }
        input.drain(..at);
        self.input = input;
        Ok(())
    }

    pub(super) fn finish(&mut self, sink: &mut dyn Sink) -> Result<(), Unconvertible> {
        let rest = std::mem::take(&mut self.input);
        if !rest.is_empty() {
            self.piece(&rest, sink)?;
        }
        match self.state {
            State::Header => {
                self.end_header(b"", sink)?;
                if self.state == State::Content { sink.content_end() } else { Ok(()) }
            }
            State::Content => {
                // No boundary follows: the last line end is a part of the content.
                sink.content(std::mem::take(&mut self.held));
                sink.content_end()
            }
            State::Around => Ok(()),
        }
    }

    /// A line, or a piece of a long one.
    fn piece(&mut self, piece: &[u8], sink: &mut dyn Sink) -> Result<(), Unconvertible> {
        let starts = std::mem::replace(&mut self.line_start, piece.ends_with(b"\n"));
        if starts && let Some((frame, closes)) = self.boundary(piece) {
            return self.at_boundary(frame, closes, piece, sink);
        }
        match self.state {
            State::Around => sink.around(piece),
            State::Header if starts && matches!(piece, b"\r\n" | b"\n") => {
                self.end_header(piece, sink)?;
            }
            State::Header => {
                if self.header.len() + piece.len() > HEADER_MAX {
                    return Err(Unconvertible::TooComplex);
                }
                self.header.extend_from_slice(piece);
            }
            State::Content => {
                let held = std::mem::take(&mut self.held);
                if !held.is_empty() {
                    sink.content(held);
                }
                let content = match piece.strip_suffix(b"\n") {
                    None => piece,
                    Some(line) => match line.strip_suffix(b"\r") {
                        Some(line) => {
                            self.held = b"\r\n";
                            line
                        }
                        None => {
                            self.held = b"\n";
                            line
                        }
                    },
                };
                if !content.is_empty() {
                    sink.content(content);
                }
            }
        }
        Ok(())
    }

    /// Which open multipart's boundary a line is, and whether it closes it. RFC 2046 section
    /// 5.1.1: what follows the boundary on its line does not count; the longest one that fits is
    /// meant.
    fn boundary(&self, line: &[u8]) -> Option<(usize, bool)> {
        let rest = line.strip_prefix(b"--")?;
        let fits = |(_, frame): &(usize, &Frame)| rest.starts_with(&frame.boundary);
        let (index, frame) =
            self.frames.iter().enumerate().filter(fits).max_by_key(|(_, f)| f.boundary.len())?;
        let closes = rest.get(frame.boundary.len()..).is_some_and(|o| o.starts_with(b"--"));
        Some((index, closes))
    }

    fn at_boundary(
        &mut self,
        frame: usize,
        closes: bool,
        line: &[u8],
        sink: &mut dyn Sink,
    ) -> Result<(), Unconvertible> {
        if self.state == State::Header {
            self.end_header(b"", sink)?;
        }
        if self.state == State::Content {
            sink.content_end()?;
        }
        sink.around(std::mem::take(&mut self.held));
        sink.around(line);
        self.frames.truncate(if closes { frame } else { frame + 1 });
        self.state = if closes { State::Around } else { State::Header };
        self.direct = true;
        Ok(())
    }

    fn end_header(&mut self, end: &[u8], sink: &mut dyn Sink) -> Result<(), Unconvertible> {
        let section = std::mem::take(&mut self.header);
        let in_digest = self.direct && self.frames.last().is_some_and(|frame| frame.digest);
        let entity = content_type::read(&section, in_digest);
        let signed = self.frames.iter().any(|frame| frame.signed);
        let part = Part { entity: &entity, outermost: self.parts == 0, signed };
        sink.header(&section, end, &part)?;
        self.parts += 1;
        if self.parts > PARTS_MAX {
            return Err(Unconvertible::TooComplex);
        }
        self.state = match entity.kind {
            Kind::Multipart { boundary, digest, signed } => {
                if self.frames.len() >= DEPTH_MAX {
                    return Err(Unconvertible::TooComplex);
                }
                self.frames.push(Frame { boundary, digest, signed });
                State::Around
            }
            // A header without an end has no message behind it.
            Kind::Message if !end.is_empty() => {
                self.direct = false;
                State::Header
            }
            Kind::Message | Kind::Leaf { .. } | Kind::Indivisible => State::Content,
        };
        Ok(())
    }
}
