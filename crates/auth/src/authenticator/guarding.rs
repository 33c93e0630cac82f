//! What an admin sees of attacks and can forgive, and what other daemons and hosts tell.

use std::sync::Arc;

use address::AccountKey;
use ipnet::IpNet;

use super::{Authenticator, Case, Shared};
use crate::attack::{AttackEvent, AttackedAccount, Block};
use crate::{FailureEvent, FailureShare, Moment, ShareKey};

impl Authenticator {
    /// Tells `share` of failures from now on, with names of accounts digested by `key`. To be
    /// called before the first login; only the first call counts.
    #[must_use]
    pub fn with_share(self, share: Arc<dyn FailureShare>, key: ShareKey) -> Self {
        self.shared.throttle.set_share(share, key);
        self
    }

    /// Takes in what happened at another daemon or host. It is not told on.
    pub fn hear(&self, event: &FailureEvent, at: Moment) {
        self.shared.throttle.hear(event, at);
    }

    /// What holds at present and others may not know: blocks and attacked accounts, latest
    /// first, at most `most`. Looks at all of them: for a daemon that has just begun.
    #[must_use]
    pub fn holding(&self, at: Moment, most: usize) -> Vec<FailureEvent> {
        self.shared.throttle.holding(at, most)
    }

    /// The networks that are blocked, latest first. Looks at all of them: for an admin.
    #[must_use]
    pub fn blocks(&self, at: Moment) -> Vec<Block> {
        self.shared.throttle.blocked_networks(at)
    }

    /// How many networks are blocked. Looks at all of them: for an admin and for metrics.
    #[must_use]
    pub fn blocks_holding(&self, at: Moment) -> u64 {
        self.shared.throttle.blocks_holding(at)
    }

    /// The accounts that are attacked from many networks, those found latest first.
    #[must_use]
    pub fn attacked(&self, at: Moment) -> Vec<AttackedAccount> {
        self.shared.throttle.attacked_accounts(at)
    }

    /// The latest events, newest first, at most `most` and never more than 500.
    #[must_use]
    pub fn attack_events(&self, most: usize) -> Vec<AttackEvent> {
        self.shared.throttle.events(most)
    }

    /// Ends the blocks of `network`, of all networks within it and of those around it, and
    /// forgets what was counted for them; the networks whose blocks thereby ended. Others are
    /// told.
    pub fn forgive_network(&self, network: &IpNet, at: Moment) -> Vec<IpNet> {
        self.shared.throttle.forgive_network(network, at)
    }

    /// Forgets what was counted for an account; whether anything was. Others are told.
    pub fn forgive_account(&self, account: &AccountKey, at: Moment) -> bool {
        self.shared.throttle.forgive_account(account.as_str(), at)
    }
}

impl Shared {
    /// Counts a case that its client broke off before it was decided, so that looking accounts up
    /// costs as much as guessing does.
    pub(crate) fn abandon_case(&self, case: &Case) {
        self.throttle.abandoned(&case.subject, case.standing, case.at);
    }
}
