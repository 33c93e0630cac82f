//! A locked maildrop as the session sees it.

use maildrop::Maildrop;
use pop3_proto::Messages;

use crate::occupancy::Tenure;

/// The maildrop of a session that has logged in; dropping it releases the lock, and then the
/// tenure of it: in this order, for those whom the tenure wakes want the lock. Boxed, so that a
/// session that is not logged in stays small.
pub(crate) struct Held(pub(crate) Box<Maildrop>, pub(crate) Tenure);

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

    fn retrieved_before(&self, index: usize) -> bool {
        self.0.message(index).is_some_and(|message| message.retrieved)
    }
}
