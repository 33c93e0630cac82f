//! The part of BER that LDAP uses: tags of one octet and definite lengths (RFC 4511 section
//! 5.1). A reader borrows and never descends by itself, so that no answer, however it is
//! nested, costs stack or memory.

use zeroize::Zeroizing;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// What is not BER as LDAP has it, or not what should stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BerError {
    #[error("a tag of several octets")]
    Tag,
    #[error("an indefinite or overlong length")]
    Length,
    #[error("more than {limit} octets")]
    TooLong { limit: usize },
    #[error("an element that ends beyond its parent")]
    Truncated,
    #[error("tag {found:#04x} where {expected:#04x} should stand")]
    Unexpected { found: u8, expected: u8 },
    #[error("a number out of range")]
    Number,
    #[error("text that is not UTF-8")]
    Text,
}

/// The octets of the header of the element that `octets` begin with, and those of its content;
/// none if the header is not whole yet.
pub(super) fn header(octets: &[u8], limit: usize) -> Result<Option<(usize, usize)>, BerError> {
    let Some(&tag) = octets.first() else { return Ok(None) };
    if tag & 0x1f == 0x1f {
        return Err(BerError::Tag);
    }
    let Some(&first) = octets.get(1) else { return Ok(None) };
    if first < 0x80 {
        let length = usize::from(first);
        return if length > limit {
            Err(BerError::TooLong { limit })
        } else {
            Ok(Some((2, length)))
        };
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 8 {
        return Err(BerError::Length);
    }
    let Some(digits) = octets.get(2..2 + count) else { return Ok(None) };
    let length = digits.iter().fold(0_u64, |sum, digit| (sum << 8) | u64::from(*digit));
    match usize::try_from(length) {
        Ok(length) if length <= limit => Ok(Some((2 + count, length))),
        _ => Err(BerError::TooLong { limit }),
    }
}

/// Reads the elements of one content, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element: tag and content.
    pub(super) fn next(&mut self) -> Result<(u8, &'a [u8]), BerError> {
        let (skip, length) = match header(self.0, self.0.len()) {
            Ok(Some(found)) => found,
            Ok(None) | Err(BerError::TooLong { .. }) => return Err(BerError::Truncated),
            Err(error) => return Err(error),
        };
        let tag = self.0[0];
        let content = self.0.get(skip..skip + length).ok_or(BerError::Truncated)?;
        self.0 = &self.0[skip + length..];
        Ok((tag, content))
    }

    /// The content of the next element, which must have this tag.
    pub(super) fn take(&mut self, expected: u8) -> Result<&'a [u8], BerError> {
        match self.next()? {
            (tag, content) if tag == expected => Ok(content),
            (found, _) => Err(BerError::Unexpected { found, expected }),
        }
    }

    /// The content of the next element if it has this tag; else it stays.
    pub(super) fn take_if(&mut self, tag: u8) -> Result<Option<&'a [u8]>, BerError> {
        if self.0.first() == Some(&tag) { self.take(tag).map(Some) } else { Ok(None) }
    }

    /// The elements within the next one, which must have this tag.
    pub(super) fn within(&mut self, expected: u8) -> Result<Self, BerError> {
        self.take(expected).map(Self)
    }

    /// A whole number, `INTEGER` or `ENUMERATED` as `tag` says, that is not negative.
    pub(super) fn number(&mut self, tag: u8) -> Result<u32, BerError> {
        let digits = self.take(tag)?;
        let negative = digits.first().is_none_or(|first| first & 0x80 != 0);
        if negative || digits.len() > 5 {
            return Err(BerError::Number);
        }
        let sum = digits.iter().fold(0_u64, |sum, digit| (sum << 8) | u64::from(*digit));
        u32::try_from(sum).map_err(|_| BerError::Number)
    }

    /// An octet string that holds UTF-8.
    pub(super) fn text(&mut self) -> Result<&'a str, BerError> {
        std::str::from_utf8(self.take(OCTETS)?).map_err(|_| BerError::Text)
    }
}

/// Writes elements. What it wrote is wiped when it is dropped, for it may hold a password.
#[derive(Debug)]
pub(super) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    /// Room for a bind with the longest password, so that no copy is left behind by growing.
    const CAPACITY: usize = 4096;

    pub(super) fn new() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(Self::CAPACITY)))
    }

    pub(super) fn finish(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    /// An element without parts.
    pub(super) fn put(&mut self, tag: u8, content: &[u8]) {
        self.0.push(tag);
        match u8::try_from(content.len()) {
            Ok(short) if short < 0x80 => self.0.push(short),
            _ => self.put_length(content.len()),
        }
        self.0.extend_from_slice(content);
    }

    /// An element that was written elsewhere.
    pub(super) fn put_raw(&mut self, element: &[u8]) {
        self.0.extend_from_slice(element);
    }

    pub(super) fn put_number(&mut self, tag: u8, number: u32) {
        let digits = number.to_be_bytes();
        let first = digits.iter().position(|digit| *digit != 0).unwrap_or(3);
        // A first bit that is set would say that it is negative.
        let sign: &[u8] = if digits[first] & 0x80 == 0 { &[] } else { &[0] };
        self.put(tag, &[sign, &digits[first..]].concat());
    }

    pub(super) fn put_bool(&mut self, truth: bool) {
        self.put(BOOLEAN, &[if truth { 0xff } else { 0 }]);
    }

    /// An element made of those that `parts` writes.
    pub(super) fn put_all(&mut self, tag: u8, parts: impl FnOnce(&mut Self)) {
        self.0.push(tag);
        let at = self.0.len();
        self.put_length(0);
        let start = self.0.len();
        parts(self);
        let length = u32::try_from(self.0.len() - start).unwrap_or(u32::MAX);
        self.0[at + 1..start].copy_from_slice(&length.to_be_bytes());
    }

    /// Always four octets, so that a length can be filled in later.
    fn put_length(&mut self, length: usize) {
        self.0.push(0x84);
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_of_every_length() {
        for number in [0, 1, 127, 128, 255, 256, 32_767, 32_768, 0x7fff_ffff, u32::MAX] {
            let mut writer = Writer::new();
            writer.put_number(INTEGER, number);
            let octets = writer.finish();
            let mut reader = Reader::new(&octets);
            assert_eq!(reader.number(INTEGER), Ok(number));
            assert!(reader.is_empty());
        }
        assert_eq!(Reader::new(&[2, 1, 0xff]).number(INTEGER), Err(BerError::Number));
        assert_eq!(Reader::new(&[2, 0]).number(INTEGER), Err(BerError::Number));
        assert_eq!(Reader::new(&[2, 5, 1, 0, 0, 0, 0]).number(INTEGER), Err(BerError::Number));
    }

    #[test]
    fn elements_within_elements() {
        let mut writer = Writer::new();
        writer.put_all(SEQUENCE, |w| {
            w.put(OCTETS, b"short");
            w.put_all(SET, |w| w.put(OCTETS, &[b'x'; 300]));
            w.put_bool(true);
        });
        let octets = writer.finish();
        let (skip, length) = header(&octets, 1 << 20).unwrap().unwrap();
        assert_eq!(skip + length, octets.len());
        let mut outer = Reader::new(&octets).within(SEQUENCE).unwrap();
        assert_eq!(outer.text(), Ok("short"));
        assert_eq!(outer.take_if(OCTETS), Ok(None), "a set stands there");
        assert_eq!(outer.within(SET).unwrap().take(OCTETS).unwrap().len(), 300);
        assert_eq!(outer.take(BOOLEAN), Ok(&[0xff][..]));
        assert!(outer.is_empty());
        assert_eq!(outer.next(), Err(BerError::Truncated));
    }

    #[test]
    fn lengths_in_every_form() {
        let read = |octets: &[u8]| header(octets, 1000);
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[0x30]), Ok(None));
        assert_eq!(read(&[0x30, 0x84, 0, 0]), Ok(None));
        assert_eq!(read(&[0x30, 0x84, 0, 0, 0, 9]), Ok(Some((6, 9))));
        assert_eq!(read(&[0x30, 0x88, 0, 0, 0, 0, 0, 0, 0, 9]), Ok(Some((10, 9))));
        assert_eq!(read(&[0x30, 0x80]), Err(BerError::Length));
        assert_eq!(read(&[0x30, 0x89]), Err(BerError::Length));
        assert_eq!(read(&[0x3f, 1]), Err(BerError::Tag));
        assert_eq!(read(&[0x30, 0x82, 3, 233]), Err(BerError::TooLong { limit: 1000 }));
        assert_eq!(read(&[0x30, 0x88, 255, 255, 255, 255, 255, 255, 255, 255]), {
            Err(BerError::TooLong { limit: 1000 })
        });
        assert_eq!(Reader::new(&[4, 5, b'a']).next(), Err(BerError::Truncated));
    }

    proptest! {
        #[test]
        fn any_octets_are_read_to_an_end(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new(&octets);
            while reader.next().is_ok() {}
            let mut reader = Reader::new(&octets);
            let _ = (reader.number(INTEGER), reader.text(), reader.within(SEQUENCE).is_ok());
        }

        #[test]
        fn what_is_written_is_read(parts in prop::collection::vec(
            prop::collection::vec(any::<u8>(), 0..300), 0..6)) {
            let mut writer = Writer::new();
            writer.put_all(SEQUENCE, |w| parts.iter().for_each(|part| w.put(OCTETS, part)));
            let octets = writer.finish();
            let mut reader = Reader::new(&octets).within(SEQUENCE).unwrap();
            for part in &parts {
                prop_assert_eq!(reader.take(OCTETS).unwrap(), &part[..]);
            }
            prop_assert!(reader.is_empty());
        }
    }
}
