//! A message that was counted before it is certain that it will be taken.

use std::sync::Arc;

use address::AccountKey;

use crate::limits::Core;
use crate::tally::AddressKey;
use crate::window::Addition;

/// What a message added to the counters. Dropped, it is taken back; the people written to stay
/// known, and so they stay counted as first-time recipients: otherwise a message that a filter
/// refuses would be a way to make strangers known for nothing.
pub struct Charge {
    core: Option<Arc<Core>>,
    account: AccountKey,
    address: Option<AddressKey>,
    addition: Addition,
}

impl Charge {
    pub(crate) fn new(
        core: Arc<Core>,
        account: AccountKey,
        address: Option<AddressKey>,
        addition: Addition,
    ) -> Self {
        Self { core: Some(core), account, address, addition }
    }

    /// The message was taken: it counts for good.
    pub fn keep(mut self) {
        self.core = None;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if let Some(core) = self.core.take() {
            let addition = Addition { first_time: 0, ..self.addition };
            core.take_back(&self.account, self.address, &addition);
        }
    }
}

impl std::fmt::Debug for Charge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { account, addition, .. } = self;
        f.debug_struct("Charge").field("account", account).field("addition", addition).finish()
    }
}
