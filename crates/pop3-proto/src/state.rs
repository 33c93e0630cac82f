//! The states of a session: each is a struct that its handler consumes.

pub(crate) mod authorization;
pub(crate) mod exchange;
pub(crate) mod listing;
pub(crate) mod mode;
pub(crate) mod transaction;

use authorization::Authorization;
use exchange::SaslExchange;
use listing::Listing;
use transaction::Transaction;

/// Where a session stands between two lines. While it waits for the driver it stands in a
/// `Pending` token instead.
pub(crate) enum State<M> {
    /// RFC 1939 section 4: the client has yet to say who it is.
    Authorization(Authorization),
    /// In the middle of `AUTH` (RFC 5034).
    Exchange(SaslExchange),
    /// RFC 1939 section 5: logged in, the maildrop is locked.
    Transaction(Transaction<M>),
    /// The same, with a listing half written.
    Listing(Listing<M>),
    /// The last reply is written.
    Ended,
}
