//! What the limits say of a step.

use crate::charge::Charge;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is against it.
    Pass,
    /// Take the message and hold it for review.
    Hold {
        /// A stable word, as [`crate::Limit::word`].
        reason: &'static str,
    },
    /// Not now: `450 4.7.1` (RFC 3463 section 3.8).
    Defer {
        /// For the client: what happened, and when to come back. One line of ASCII.
        text: String,
        /// As in `Hold`.
        reason: &'static str,
    },
    /// The account is suspended: `525 5.7.13` (RFC 5248 section 2.4's registry: user account
    /// disabled).
    Suspend {
        /// For the client, as in `Defer`.
        text: String,
        /// As in `Hold`, or `suspended` if it was before.
        reason: &'static str,
    },
}

/// What was said of a message at the end of its data, and that it was counted, if it was.
#[derive(Debug)]
#[must_use = "a charge that is dropped is taken back"]
pub struct Ruling {
    /// What is to be done.
    pub verdict: Verdict,
    /// Present if the message may be taken: [`Charge::keep`] it once it is on disk.
    pub charge: Option<Charge>,
}
