//! Relaxed canonicalisation (RFC 6376 sections 3.4.2 and 3.4.4).

#[cfg(test)]
mod tests;

/// Octets that are collected before they are passed on.
const BLOCK: usize = 4096;

/// A run longer than this is not copied.
const LONG_RUN: usize = 512;

/// The relaxed body, made while the body streams by: blanks at the end of a line go, blanks
/// within it become one space, empty lines at the end of the body go.
#[derive(Debug, Default)]
pub(crate) struct RelaxedBody {
    block: Vec<u8>,
    /// Line ends that count only if text follows.
    line_ends: u64,
    /// Blanks that count only if text follows in the same line.
    blank: bool,
    /// A CR whose LF has not come yet.
    carriage_return: bool,
    /// Whether any text has come.
    has_text: bool,
}

impl RelaxedBody {
    /// Takes the next octets of the body, which has CRLF line ends; `output` is given those of
    /// its canonical form, now or later.
    pub(crate) fn take(&mut self, mut rest: &[u8], output: &mut impl FnMut(&[u8])) {
        if self.carriage_return && !rest.is_empty() {
            self.carriage_return = false;
            match rest.strip_prefix(b"\n") {
                Some(after) => {
                    rest = after;
                    self.end_line();
                }
                None => self.text(b"\r", output),
            }
        }
        while let Some(&first) = rest.first() {
            match first {
                b' ' | b'\t' => {
                    self.blank = true;
                    rest = rest.get(1..).unwrap_or_default();
                }
                b'\r' => match rest.get(1) {
                    Some(b'\n') => {
                        self.end_line();
                        rest = rest.get(2..).unwrap_or_default();
                    }
                    Some(_) => {
                        self.text(b"\r", output);
                        rest = rest.get(1..).unwrap_or_default();
                    }
                    None => {
                        self.carriage_return = true;
                        return;
                    }
                },
                _ => {
                    let end = memchr::memchr3(b' ', b'\t', b'\r', rest).unwrap_or(rest.len());
                    let (run, after) = rest.split_at(end);
                    self.text(run, output);
                    rest = after;
                }
            }
        }
    }

    /// The body has ended.
    pub(crate) fn finish(mut self, output: &mut impl FnMut(&[u8])) {
        if self.carriage_return {
            self.text(b"\r", output);
        }
        if self.has_text {
            self.block.extend_from_slice(b"\r\n");
        }
        output(&self.block);
    }

    fn end_line(&mut self) {
        self.blank = false;
        self.line_ends = self.line_ends.saturating_add(1);
    }

    fn text(&mut self, run: &[u8], output: &mut impl FnMut(&[u8])) {
        while self.line_ends > 0 {
            self.block.extend_from_slice(b"\r\n");
            self.line_ends -= 1;
            if self.block.len() >= BLOCK {
                self.pass_on(output);
            }
        }
        if self.blank {
            self.block.push(b' ');
            self.blank = false;
        }
        self.has_text = true;
        if run.len() > LONG_RUN {
            self.pass_on(output);
            output(run);
            return;
        }
        self.block.extend_from_slice(run);
        if self.block.len() >= BLOCK {
            self.pass_on(output);
        }
    }

    fn pass_on(&mut self, output: &mut impl FnMut(&[u8])) {
        output(&self.block);
        self.block.clear();
    }
}

/// Appends a header field in relaxed form, without a line end: the name in lower case, the value
/// in one line without superfluous blanks. `value` is what stands behind the colon.
pub(crate) fn relaxed_field(name: &[u8], value: &[u8], output: &mut Vec<u8>) {
    output.extend(name.trim_ascii_end().iter().map(u8::to_ascii_lowercase));
    output.push(b':');
    let mut blank = false;
    let mut begun = false;
    for &octet in value {
        match octet {
            b' ' | b'\t' => blank = true,
            // Folds: the blank behind each remains.
            b'\r' | b'\n' => {}
            octet => {
                if blank && begun {
                    output.push(b' ');
                }
                blank = false;
                begun = true;
                output.push(octet);
            }
        }
    }
}
