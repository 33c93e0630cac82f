//! What a milter says.

use bytes::Bytes;

use crate::error::FilterError;

/// What a milter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Continue,
    /// Nothing more of this message is wanted.
    Accept,
    Reject,
    TemporaryFailure,
    Discard,
    /// The client is to be told this.
    Code(String),
    /// It has seen enough of the body.
    Skip,
    /// It is still at work.
    Progress,
    /// It cannot do its work.
    Failure,
    Change(Change),
}

/// A change, at the end of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Add {
        name: Vec<u8>,
        value: Vec<u8>,
    },
    Insert {
        index: u32,
        name: Vec<u8>,
        value: Vec<u8>,
    },
    Replace {
        nth: u32,
        name: Vec<u8>,
        value: Vec<u8>,
    },
    AddRecipient(String),
    RemoveRecipient(String),
    Sender(String),
    /// A further piece of the new body.
    Body(Bytes),
    Quarantine(String),
}

impl Reply {
    /// Reads the packet `letter` with `data`.
    pub(crate) fn parse(letter: u8, data: Bytes) -> Result<Self, FilterError> {
        let mut rest = &data[..];
        Ok(match letter {
            b'c' => Self::Continue,
            b'a' => Self::Accept,
            b'r' => Self::Reject,
            b't' => Self::TemporaryFailure,
            b'd' => Self::Discard,
            b's' => Self::Skip,
            b'p' => Self::Progress,
            b'f' | b'4' => Self::Failure,
            b'y' => Self::Code(text(&mut rest)?),
            b'h' => {
                let (name, value) = (string(&mut rest)?, string(&mut rest)?);
                Self::Change(Change::Add { name, value })
            }
            b'i' => {
                let index = number(&mut rest)?;
                let (name, value) = (string(&mut rest)?, string(&mut rest)?);
                Self::Change(Change::Insert { index, name, value })
            }
            b'm' => {
                let nth = number(&mut rest)?;
                let (name, value) = (string(&mut rest)?, string(&mut rest)?);
                Self::Change(Change::Replace { nth, name, value })
            }
            // '2' has parameters behind the address; none of ours could be honoured for a
            // recipient that the sender never named.
            b'+' | b'2' => Self::Change(Change::AddRecipient(address(&mut rest)?)),
            b'-' => Self::Change(Change::RemoveRecipient(address(&mut rest)?)),
            b'e' => Self::Change(Change::Sender(address(&mut rest)?)),
            b'b' => Self::Change(Change::Body(data)),
            b'q' => Self::Change(Change::Quarantine(text(&mut rest)?)),
            _ => return Err(FilterError::Nonsense("it sent an answer that nobody knows")),
        })
    }
}

fn number(rest: &mut &[u8]) -> Result<u32, FilterError> {
    let (octets, behind) =
        rest.split_first_chunk().ok_or(FilterError::Nonsense("its answer lacks a number"))?;
    *rest = behind;
    Ok(u32::from_be_bytes(*octets))
}

/// Octets up to a NUL.
fn string(rest: &mut &[u8]) -> Result<Vec<u8>, FilterError> {
    let end = memchr::memchr(0, rest)
        .ok_or(FilterError::Nonsense("its answer has a string without an end"))?;
    let (string, behind) = rest.split_at(end);
    *rest = behind.get(1..).unwrap_or_default();
    Ok(string.to_vec())
}

fn text(rest: &mut &[u8]) -> Result<String, FilterError> {
    let text = string(rest)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn address(rest: &mut &[u8]) -> Result<String, FilterError> {
    let text = text(rest)?;
    let bare = text.trim().strip_prefix('<').and_then(|inner| inner.strip_suffix('>'));
    Ok(bare.unwrap_or(text.trim()).to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(letter: u8, data: &'static [u8]) -> Option<Reply> {
        Reply::parse(letter, Bytes::from_static(data)).ok()
    }

    #[test]
    fn answers_are_read() {
        assert_eq!(parse(b'c', b""), Some(Reply::Continue));
        assert_eq!(parse(b'y', b"550 5.7.1 no\0"), Some(Reply::Code("550 5.7.1 no".to_owned())));
        let change = Change::Replace { nth: 2, name: b"X".into(), value: b"v".into() };
        assert_eq!(parse(b'm', b"\0\0\0\x02X\0v\0"), Some(Reply::Change(change)));
        let added = Change::AddRecipient("a@b.c".to_owned());
        assert_eq!(parse(b'+', b"<a@b.c>\0"), Some(Reply::Change(added)));
        for (letter, data) in
            [(b'h', &b"X"[..]), (b'h', b"X\0v"), (b'm', b"\0\0"), (b'y', b"550"), (b'z', b"")]
        {
            assert_eq!(parse(letter, data), None);
        }
    }

    proptest! {
        #[test]
        fn no_octets_make_a_panic(letter: u8, data: Vec<u8>) {
            let _ = Reply::parse(letter, data.into());
        }
    }
}
