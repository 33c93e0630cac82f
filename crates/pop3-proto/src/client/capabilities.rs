//! What CAPA says (RFC 2449), as far as a client here needs it.

/// What a server can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// `STLS` (RFC 2595).
    pub stls: bool,
    /// `USER` and `PASS`.
    pub user: bool,
    /// `SASL PLAIN` (RFC 5034).
    pub plain: bool,
    /// `TOP`.
    pub top: bool,
    /// `UIDL`.
    pub uidl: bool,
}

impl Capabilities {
    /// Takes a line of the answer, without its end.
    pub fn line(&mut self, line: &[u8]) {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let Some(keyword) = words.next() else { return };
        let is = |name: &str| keyword.eq_ignore_ascii_case(name.as_bytes());
        self.stls |= is("STLS");
        self.user |= is("USER");
        self.top |= is("TOP");
        self.uidl |= is("UIDL");
        if is("SASL") {
            self.plain |= words.any(|word| word.eq_ignore_ascii_case(b"PLAIN"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_and_not_parts_of_them() {
        let mut found = Capabilities::default();
        for line in [&b"CAPA"[..], b"TOPS", b"UIDL x", b"sasl LOGIN plain", b"", b"X STLS", b"\xff"]
        {
            found.line(line);
        }
        let expected = Capabilities { uidl: true, plain: true, ..Capabilities::default() };
        assert_eq!(found, expected);
        found.line(b"STLS");
        found.line(b"USER");
        found.line(b"TOP");
        assert!(found.stls && found.user && found.top);
    }
}
