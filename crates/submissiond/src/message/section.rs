//! The header section while it comes in.

use std::borrow::Cow;

use smtp_proto::server::Reply;

use crate::checks::Refused;
use crate::header;

/// The largest header section.
const OCTETS_MAX: usize = 256 * 1024;

const TOO_LARGE: Refused = Refused {
    reply: Reply::fixed(552, "5.3.4", "The message's header is larger than this server takes"),
    reason: "header-too-large",
};

/// The part of a message that came so far and holds no blank line. A section that comes in one
/// piece, as most do, is never copied here.
#[derive(Debug, Default)]
pub(crate) struct Section {
    octets: Vec<u8>,
}

/// A whole section, and the begin of the body.
pub(crate) struct Parts<'b> {
    pub(crate) section: Cow<'b, [u8]>,
    pub(crate) body: &'b [u8],
}

impl Section {
    /// Takes the next octets: once the section is whole, it and what `block` has of the body.
    pub(crate) fn take<'b>(&mut self, block: &'b [u8]) -> Result<Option<Parts<'b>>, Refused> {
        if self.octets.is_empty()
            && let Some(split) = header::split(block, 0)
        {
            let section = block.get(..split.section).unwrap_or_default();
            if section.len() > OCTETS_MAX {
                return Err(TOO_LARGE);
            }
            let body = block.get(split.body..).unwrap_or_default();
            return Ok(Some(Parts { section: Cow::Borrowed(section), body }));
        }
        let scanned = self.octets.len();
        self.octets.extend_from_slice(block);
        match header::split(&self.octets, scanned) {
            None if self.octets.len() > OCTETS_MAX => Err(TOO_LARGE),
            None => Ok(None),
            Some(split) if split.section > OCTETS_MAX => Err(TOO_LARGE),
            Some(split) => {
                // The body begins in this block, for the blank line did not end before it.
                let body = block.get(split.body.saturating_sub(scanned)..).unwrap_or_default();
                let mut section = std::mem::take(&mut self.octets);
                section.truncate(split.section);
                Ok(Some(Parts { section: Cow::Owned(section), body }))
            }
        }
    }

    /// The message ends within its header: what there is of it.
    pub(crate) fn end(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a message in pieces of `size` octets comes to.
    fn in_pieces(message: &[u8], size: usize) -> (Vec<u8>, Vec<u8>) {
        let mut section = Section::default();
        let mut pieces = message.chunks(size);
        while let Some(piece) = pieces.next() {
            if let Some(parts) = section.take(piece).unwrap() {
                let mut body = parts.body.to_vec();
                pieces.for_each(|piece| body.extend_from_slice(piece));
                return (parts.section.into_owned(), body);
            }
        }
        (section.end(), Vec::new())
    }

    #[test]
    fn it_is_the_same_however_it_is_cut() {
        let message = b"A: 1\r\nB: 2\r\n\r\nbody\r\n\r\nmore\r\n";
        for size in 1..=message.len() {
            let expected = (b"A: 1\r\nB: 2\r\n".to_vec(), b"body\r\n\r\nmore\r\n".to_vec());
            assert_eq!(in_pieces(message, size), expected, "{size}");
            assert_eq!(in_pieces(b"\r\nbody", size.min(6)).1, b"body", "{size}");
            assert_eq!(in_pieces(b"A: 1\r\n", size.min(6)).0, b"A: 1\r\n", "{size}");
        }
    }

    #[test]
    fn one_that_never_ends_is_refused_before_it_takes_much_memory() {
        let mut section = Section::default();
        let block = b"X: yyyyyyyyyyyy\r\n".repeat(4096);
        let refused = (0..10).find_map(|_| section.take(&block).err());
        assert_eq!(refused.unwrap().reason, "header-too-large");
        assert!(section.octets.len() <= OCTETS_MAX + block.len());
    }
}
