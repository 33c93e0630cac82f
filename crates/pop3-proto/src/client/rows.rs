//! The numbers in STAT, LIST and UIDL (RFC 1939 sections 5 and 7).

/// The answer to STAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropListing {
    /// Messages.
    pub messages: u64,
    /// Octets of all of them.
    pub octets: u64,
}

impl DropListing {
    /// Reads the text behind `+OK`; servers may add to it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        Some(Self { messages: number(words.next()?)?, octets: number(words.next()?)? })
    }
}

/// A line of LIST or UIDL: a message's number, and what is said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered<'a> {
    /// The message, counted from 1.
    pub number: u64,
    /// Its size or its id: the first word behind the number.
    pub value: &'a [u8],
}

impl<'a> Numbered<'a> {
    /// Reads a line without its end; `None` if it has no number from 1, or nothing behind it.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let digits = words.next()?;
        let number = number(core::str::from_utf8(digits).ok()?).filter(|&number| number > 0)?;
        Some(Self { number, value: words.next()? })
    }
}

/// The size in a line of LIST.
#[must_use]
pub fn octets(value: &[u8]) -> Option<u64> {
    core::str::from_utf8(value).ok().and_then(number)
}

/// Digits alone: no sign, as Rust's own reading would allow.
fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|octet| octet.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_what_is_behind_them() {
        let stat = DropListing { messages: 2, octets: 320 };
        assert_eq!(DropListing::parse("2 320"), Some(stat));
        assert_eq!(DropListing::parse("2 320 octets"), Some(stat));
        for bad in ["", "2", "x 3", "2 -3", "+2 3", "2 99999999999999999999"] {
            assert_eq!(DropListing::parse(bad), None, "{bad}");
        }
        let row = Numbered { number: 7, value: b"abc" };
        assert_eq!(Numbered::parse(b"7 abc"), Some(row));
        assert_eq!(Numbered::parse(b"7  abc more"), Some(row));
        for bad in [&b""[..], b"7", b"0 abc", b"x abc", b"+7 abc", b"\xff 1", b"7 "] {
            assert_eq!(Numbered::parse(bad), None, "{bad:?}");
        }
        assert_eq!(octets(b"12"), Some(12));
        assert_eq!(octets(b"1x"), None);
        assert_eq!(octets(b""), None);
    }
}
