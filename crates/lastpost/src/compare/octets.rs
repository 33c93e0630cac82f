//! One message from both servers, compared while it streams in.

use super::finding::Finding;
use super::session::{Listing, Session};
use super::side::{Failure, Side};

/// What came of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Octets {
    /// Octets from the old server, and from the new one.
    pub(super) old: u64,
    pub(super) new: u64,
    /// How many are the same before the first difference; `None` if there is none.
    pub(super) same_until: Option<u64>,
}

/// Reads the messages that both sessions were asked for, to their ends.
pub(super) async fn compare_message(
    old: &mut Session,
    new: &mut Session,
) -> Result<Octets, Failure> {
    let mut result = Octets::default();
    let (mut a, mut b) = (Vec::new(), Vec::new());
    loop {
        let more_old = a.is_empty() && old.body(&mut a).await?;
        let more_new = b.is_empty() && new.body(&mut b).await?;
        let stuck = a.is_empty() && b.is_empty() && !more_old && !more_new;
        if stuck {
            return Ok(result);
        }
        result.take(&mut a, &mut b, !more_old, !more_new);
    }
}

impl Octets {
    /// Takes what is there of both; `old_over` and `new_over` say that the respective side has
    /// nothing more to give if its buffer is empty.
    fn take(&mut self, a: &mut Vec<u8>, b: &mut Vec<u8>, old_over: bool, new_over: bool) {
        if self.same_until.is_some() {
            self.old += a.len() as u64;
            self.new += b.len() as u64;
            a.clear();
            b.clear();
            return;
        }
        let both = a.len().min(b.len());
        let differs = a.iter().zip(b.iter()).position(|(a, b)| a != b);
        let ends = (old_over && a.is_empty() && !b.is_empty())
            || (new_over && b.is_empty() && !a.is_empty());
        if let Some(at) = differs {
            self.same_until = Some(self.old + at as u64);
        } else if ends {
            self.same_until = Some(self.old);
        }
        self.old += both as u64;
        self.new += both as u64;
        a.drain(..both);
        b.drain(..both);
    }

    /// What is to be said of message `old_number` there, which is `new_number` here.
    pub(super) fn findings(
        &self,
        old_number: usize,
        new_number: usize,
        old: &Listing,
        new: &Listing,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(octet) = self.same_until {
            findings.push(Finding::Octets {
                message: new_number,
                octet,
                old: self.old,
                new: self.new,
            });
        }
        for (side, listing, number, octets) in
            [(Side::Old, old, old_number, self.old), (Side::New, new, new_number, self.new)]
        {
            let listed = listing.messages.get(number.wrapping_sub(1)).map(|message| message.octets);
            if let Some(listed) = listed
                && listed != octets
            {
                findings.push(Finding::Size { server: side, message: number, listed, octets });
            }
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares two texts that come in pieces.
    fn compared(old: &[&[u8]], new: &[&[u8]]) -> Octets {
        let mut result = Octets::default();
        let (mut a, mut b) = (Vec::new(), Vec::new());
        let (mut old, mut new) = (old.iter(), new.iter());
        loop {
            let refill = |buffer: &mut Vec<u8>, pieces: &mut std::slice::Iter<'_, &[u8]>| {
                let piece = if buffer.is_empty() { pieces.next() } else { None };
                buffer.extend_from_slice(piece.unwrap_or(&&b""[..]));
                piece.is_some()
            };
            let (more_old, more_new) = (refill(&mut a, &mut old), refill(&mut b, &mut new));
            if a.is_empty() && b.is_empty() && !more_old && !more_new {
                return result;
            }
            result.take(&mut a, &mut b, !more_old, !more_new);
        }
    }

    #[test]
    fn the_first_difference_is_found_however_it_is_cut() {
        let octets = |old, new, same_until| Octets { old, new, same_until };
        assert_eq!(compared(&[b"abc", b"def"], &[b"a", b"bcd", b"", b"ef"]), octets(6, 6, None));
        assert_eq!(compared(&[], &[]), octets(0, 0, None));
        assert_eq!(compared(&[b"abc", b"def"], &[b"ab", b"cdXf"]), octets(6, 6, Some(4)));
        assert_eq!(compared(&[b"abc"], &[b"abcd", b"ef"]), octets(3, 6, Some(3)));
        assert_eq!(compared(&[b"abcdef"], &[b"", b"ab"]), octets(6, 2, Some(2)));
        assert_eq!(compared(&[b"", b"", b"x"], &[]), octets(1, 0, Some(0)));
    }
}
