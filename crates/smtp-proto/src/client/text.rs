//! The text of a message on its way out: canonical line ends, and then dots or chunks.

use alloc::vec::Vec;

use memchr::memchr2_iter;
use textproto::DotStuffer;

/// Puts right what is no line of mail: an LF without CR becomes CRLF, a CR without LF a space.
///
/// Neither can be in a message that was taken in order. If one is there nevertheless, no server
/// behind this one must see in it the end of the message or of its header.
#[derive(Debug)]
struct Canonical {
    /// A CR came last, and is held back until it is known what follows.
    after_cr: bool,
    /// What was passed on ends with a whole line, or is empty.
    at_line_start: bool,
}

impl Canonical {
    fn new() -> Self {
        Self { after_cr: false, at_line_start: true }
    }

    fn feed(&mut self, chunk: &[u8], mut sink: impl FnMut(&[u8])) {
        let mut rest = chunk;
        let Some(&last) = chunk.last() else { return };
        if core::mem::take(&mut self.after_cr) {
            if let Some(behind) = rest.strip_prefix(b"\n") {
                sink(b"\r\n");
                rest = behind;
            } else {
                sink(b" ");
            }
        }
        let mut run = 0;
        for at in memchr2_iter(b'\r', b'\n', rest) {
            let after_cr = at.checked_sub(1).and_then(|before| rest.get(before)) == Some(&b'\r');
            let instead: &[u8] = match (rest.get(at), rest.get(at + 1)) {
                (Some(b'\n'), _) if after_cr => continue,
                (Some(b'\n'), _) => b"\r\n",
                (_, Some(b'\n')) => continue,
                (_, Some(_)) => b" ",
                (_, None) => {
                    self.after_cr = true;
                    b""
                }
            };
            sink(rest.get(run..at).unwrap_or_default());
            sink(instead);
            run = at + 1;
        }
        sink(rest.get(run..).unwrap_or_default());
        self.at_line_start = last == b'\n';
    }

    /// What is missing: the rest of the last line's end.
    fn finish(&mut self) -> &'static [u8] {
        match (core::mem::take(&mut self.after_cr), self.at_line_start) {
            (true, _) => b" \r\n",
            (false, true) => b"",
            (false, false) => b"\r\n",
        }
    }
}

/// The permission to send one body. What goes through it comes out in the form in which the next
/// hop takes it. It goes to [`end_body`](super::Channel::end_body) when all of the message has
/// gone through it; if it is dropped instead, the channel can send nothing more, for a body that
/// was cut short must not look like a whole one.
#[must_use = "the next hop waits for the body"]
#[derive(Debug)]
pub struct Body {
    canonical: Canonical,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// For DATA.
    Dots(DotStuffer),
    /// For BDAT: what waits to become a chunk. `binary`: the octets go out as they are.
    Chunks { held: Vec<u8>, binary: bool },
}

impl Body {
    pub(super) fn dots() -> Self {
        Self { canonical: Canonical::new(), form: Form::Dots(DotStuffer::new()) }
    }

    pub(super) fn chunks(binary: bool) -> Self {
        Self { canonical: Canonical::new(), form: Form::Chunks { held: Vec::new(), binary } }
    }

    /// Takes the next `chunk` of the message; what can go out already is appended to `out`.
    /// Where the text goes in chunks that is [`pass_on`](super::Channel::pass_on)'s business.
    pub fn write(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        match &mut self.form {
            Form::Dots(stuffer) => self.canonical.feed(chunk, |run| stuffer.stuff(run, out)),
            Form::Chunks { held, binary: true } => held.extend_from_slice(chunk),
            Form::Chunks { held, .. } => {
                self.canonical.feed(chunk, |run| held.extend_from_slice(run));
            }
        }
    }

    /// Octets that wait to become a chunk.
    pub(super) fn held(&self) -> usize {
        match &self.form {
            Form::Dots(_) => 0,
            Form::Chunks { held, .. } => held.len(),
        }
    }

    /// Writes what is held as a chunk.
    pub(super) fn send_chunk(&mut self, out: &mut Vec<u8>) {
        if let Form::Chunks { held, .. } = &mut self.form {
            super::transaction::write(out, format_args!("BDAT {}\r\n", held.len()));
            out.append(held);
        }
    }

    /// Writes the end of the text: the dot, or the last chunk.
    pub(super) fn finish(self, out: &mut Vec<u8>) {
        let Self { mut canonical, form } = self;
        match form {
            Form::Dots(mut stuffer) => {
                stuffer.stuff(canonical.finish(), out);
                stuffer.finish(out);
            }
            Form::Chunks { mut held, binary } => {
                if !binary {
                    held.extend_from_slice(canonical.finish());
                }
                super::transaction::write(out, format_args!("BDAT {} LAST\r\n", held.len()));
                out.append(&mut held);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(chunks: &[&[u8]], mut body: Body) -> Vec<u8> {
        let mut out = Vec::new();
        for chunk in chunks {
            body.write(chunk, &mut out);
        }
        body.finish(&mut out);
        out
    }

    #[test]
    fn nothing_but_whole_line_ends_leaves() {
        for (text, expected) in [
            (&b"a\r\nb\r\n"[..], &b"a\r\nb\r\n.\r\n"[..]),
            (b"a\nb", b"a\r\nb\r\n.\r\n"),
            (b"a\rb\r", b"a b \r\n.\r\n"),
            (b"\r\n.\r\r\nMAIL", b"\r\n.. \r\nMAIL\r\n.\r\n"),
            (b"\n.\n", b"\r\n..\r\n.\r\n"),
            (b"\r\r\n", b" \r\n.\r\n"),
            (b"", b".\r\n"),
        ] {
            let octets: Vec<_> = text.chunks(1).collect();
            assert_eq!(through(&[text], Body::dots()), expected, "{text:?}");
            assert_eq!(through(&octets, Body::dots()), expected, "{text:?} octet by octet");
        }
    }

    #[test]
    fn chunks_count_what_they_hold() {
        assert_eq!(through(&[b".a\n"], Body::chunks(false)), b"BDAT 4 LAST\r\n.a\r\n");
        assert_eq!(through(&[b"a", b"\r"], Body::chunks(false)), b"BDAT 4 LAST\r\na \r\n");
        assert_eq!(through(&[b"a\r\0\n"], Body::chunks(true)), b"BDAT 4 LAST\r\na\r\0\n");
        assert_eq!(through(&[], Body::chunks(false)), b"BDAT 0 LAST\r\n");
    }
}
