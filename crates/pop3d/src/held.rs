//! A locked maildrop as the session sees it.

use maildrop::Maildrop;
use pop3_proto::Messages;

/// The maildrop of a session that has logged in; dropping it releases the lock. Boxed, so that
/// a session that is not logged in stays small.
pub(crate) struct Held(pub(crate) Box<Maildrop>);

impl Messages for Held {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn octets(&self, index: usize) -> u64 {
        self.0.message(index).map_or(0, |message| message.octets)
    }

    fn uidl(&self, index: usize) -> &str {
        self.0.message(index).map_or("", |message| message.uidl)
    }
}
