//! Whoever wants to know of mail that was refused for good.

use address::AccountKey;
use auth::Moment;

/// Told of permanent failures of customers' mail: many of them are the mark of an account in the
/// wrong hands.
pub trait FailureObserver: Send + Sync + 'static {
    /// A recipient of a message that `account` submitted was refused for good by a destination,
    /// or does not exist. Once for each recipient. Must not block.
    fn delivery_failed(&self, account: &AccountKey, at: Moment);
}
