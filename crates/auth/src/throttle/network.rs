//! What is remembered of a network.

use std::time::Duration;

use super::Failures;
use super::source::Source;
use super::window::Window;
use crate::AttackConfig;
use crate::attack::BlockReason;

/// More customers than this make up for no more failures: their number is not known any better.
const CUSTOMERS_MAX: u32 = 400;

#[derive(Clone, Copy, Default)]
pub(super) struct OfNetwork {
    pub(super) failures: Failures,
    window: Window,
}

/// Why a network has to be blocked, and by which figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offence {
    pub(super) reason: BlockReason,
    pub(super) failures: u32,
    pub(super) accounts: u32,
}

impl OfNetwork {
    /// Notes a failure, or an attempt that was put off because others of its network waited.
    pub(super) fn note(&mut self, account: Option<u64>, now: Duration, rules: &AttackConfig) {
        self.window.turn(now, rules.window);
        self.window.add();
        if let Some(account) = account {
            self.window.note_foe(account);
        }
    }

    /// Somebody has logged in from here.
    pub(super) fn note_customer(&mut self, account: u64, now: Duration, rules: &AttackConfig) {
        self.window.turn(now, rules.window);
        self.window.note_friend(account);
    }

    /// Whether that is too much. Then what speaks against the network is forgotten: after its
    /// block it begins anew.
    pub(super) fn offence(&mut self, source: Source, rules: &AttackConfig) -> Option<Offence> {
        let factor = if source.is_wide() { rules.wide_factor } else { 1 };
        let (failures, accounts) = (self.window.count(), self.window.foes());
        // Where many customers log in, many fail.
        let customers = self.customers();
        let beyond = |count: u32, most: u32, cap: u32| {
            most > 0 && count >= most.saturating_mul(factor).saturating_add(customers).min(cap)
        };
        let reason = if beyond(accounts, rules.accounts_max, CUSTOMERS_MAX) {
            BlockReason::Spraying
        } else if beyond(failures, rules.failures_max, u32::MAX) {
            BlockReason::Failures
        } else {
            return None;
        };
        self.window.forgive();
        Some(Offence { reason, failures, accounts })
    }

    /// Customers who logged in from here within the window, as far as they can be counted.
    pub(super) fn customers(&self) -> u32 {
        self.window.friends().min(CUSTOMERS_MAX)
    }
}
