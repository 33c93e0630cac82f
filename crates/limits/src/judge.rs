//! Counters held against bounds.

use crate::config::Action;
use crate::kind::{Limit, Scope};
use crate::networks::Networks;
use crate::rules::Bounds;
use crate::window::{Addition, COUNTERS, Windows};

/// A limit that something would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    pub(crate) scope: Scope,
    pub(crate) limit: Limit,
    pub(crate) action: Action,
    /// In the counter's unit.
    pub(crate) most: u64,
    /// What counts already.
    pub(crate) count: u64,
    /// Seconds until there is room; `None`: there never is, for it is too much in itself.
    pub(crate) wait: Option<u64>,
}

impl Breach {
    /// Whether the message is not taken.
    pub(crate) fn blocks(&self) -> bool {
        self.action >= Action::Defer
    }
}

/// What is judged: counters that have moved on to `now`.
#[derive(Clone, Copy)]
pub(crate) struct Counters<'a> {
    pub(crate) windows: &'a Windows,
    /// Networks, for an account.
    pub(crate) networks: Option<&'a Networks>,
}

/// Adds to `breaches` what `addition` would exceed.
pub(crate) fn judge(
    scope: Scope,
    bounds: &Bounds,
    counters: Counters<'_>,
    addition: &Addition,
    now: u64,
    breaches: &mut Vec<Breach>,
) {
    let additions: [u32; COUNTERS] = addition.by_counter();
    for limit in Limit::ALL {
        let Some(bound) = bounds.get(limit) else { continue };
        let index = limit.index();
        let added = match limit {
            Limit::NetworksPerHour => 0,
            _ => additions.get(index).copied().map_or(0, u64::from),
        };
        let count = match (limit, counters.networks) {
            (Limit::NetworksPerHour, Some(networks)) => networks.count(now),
            (Limit::NetworksPerHour, None) => continue,
            _ => counters.windows.estimate(index, now),
        };
        // What adds nothing to a counter is not held up by it, but for the signs of abuse.
        let is_sign = matches!(limit, Limit::NetworksPerHour | Limit::FailedPerHour);
        if count + added <= bound.most || (added == 0 && !is_sign) {
            continue;
        }
        let wait = bound.most.checked_sub(added).map(|room| match counters.networks {
            Some(networks) if limit == Limit::NetworksPerHour => networks.wait(now, room),
            _ => counters.windows.wait(index, now, room),
        });
        let (action, most) = (bound.action, bound.most);
        breaches.push(Breach { scope, limit, action, most, count, wait });
    }
}

/// The breach that decides: the strongest action, and of these the one that lasts longest.
pub(crate) fn strongest(breaches: &[Breach]) -> Option<&Breach> {
    breaches.iter().max_by_key(|breach| (breach.action, breach.wait.unwrap_or(u64::MAX)))
}
