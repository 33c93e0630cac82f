//! What was read and not yet used.

/// A buffer that is consumed from its front and holds no memory while it is empty and its
/// owner waits.
#[derive(Debug, Default)]
pub(crate) struct Input {
    octets: Vec<u8>,
    used: usize,
}

/// Room for one read of a message that did not come in one piece.
const DATA_READ_OCTETS: usize = 64 * 1024;

impl Input {
    pub(crate) fn rest(&self) -> &[u8] {
        self.octets.get(self.used..).unwrap_or_default()
    }

    pub(crate) fn take(&mut self, octets: usize) {
        self.used = self.used.saturating_add(octets).min(self.octets.len());
    }

    /// Overwrites what was used: it was a password.
    pub(crate) fn wipe(&mut self) {
        if let Some(used) = self.octets.get_mut(..self.used) {
            used.fill(0);
        }
    }

    /// The vector to read a command to: without room, if nothing is unread.
    pub(crate) fn for_command(&mut self) -> &mut Vec<u8> {
        self.compact();
        if self.octets.is_empty() {
            self.octets = Vec::new();
        }
        &mut self.octets
    }

    /// The vector to read mail data to.
    pub(crate) fn for_data(&mut self) -> &mut Vec<u8> {
        self.compact();
        self.octets.reserve(DATA_READ_OCTETS);
        &mut self.octets
    }

    /// Forgets everything.
    pub(crate) fn discard(&mut self) -> &mut Vec<u8> {
        self.compact();
        &mut self.octets
    }

    fn compact(&mut self) {
        self.octets.drain(..self.used.min(self.octets.len()));
        self.used = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_consumed_from_the_front_and_lets_go_of_memory() {
        let mut input = Input::default();
        input.for_command().extend_from_slice(b"abc");
        input.take(1);
        assert_eq!(input.rest(), b"bc");
        input.for_command().extend_from_slice(b"d");
        assert_eq!(input.rest(), b"bcd");
        input.take(99);
        assert!(input.rest().is_empty());
        assert!(input.for_data().capacity() >= DATA_READ_OCTETS);
        assert_eq!(input.for_command().capacity(), 0);
    }

    #[test]
    fn a_password_is_overwritten_and_what_follows_is_not() {
        let mut input = Input::default();
        input.for_command().extend_from_slice(b"secretQUIT");
        input.take(6);
        input.wipe();
        assert_eq!(input.octets, b"\0\0\0\0\0\0QUIT");
        assert_eq!(input.rest(), b"QUIT");
    }
}
