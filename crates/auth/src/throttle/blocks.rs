//! Networks from which nobody but customers with a recent success logs in for a while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ipnet::IpNet;

use super::source::Source;
use crate::attack::{Block, BlockReason};
use crate::bounded::BoundedTable;
use crate::{AttackConfig, Moment};

#[derive(Clone, Copy, Default)]
struct State {
    since: Duration,
    until: Duration,
    strikes: u32,
    reason: Option<BlockReason>,
    learned: bool,
}

pub(super) struct Blocks {
    table: BoundedTable<Source, State>,
    /// Whether there ever was one: while there was not, nobody looks.
    any: AtomicBool,
    first: Duration,
    longest: Duration,
}

impl Blocks {
    pub(super) fn new(rules: &AttackConfig, entries: usize) -> Self {
        Self {
            table: BoundedTable::new(entries),
            any: AtomicBool::new(false),
            first: rules.block,
            longest: rules.block_max,
        }
    }

    /// Whether `source` or the network around it is blocked.
    pub(super) fn hold(&self, source: Source, now: Duration) -> bool {
        let blocked = |source| self.table.get(&source).is_some_and(|state| now < state.until);
        self.any.load(Ordering::Relaxed) && (blocked(source) || blocked(source.wide()))
    }

    /// Blocks it: for how long, and the how manieth time in a row. `None` if it is blocked
    /// already, or never is.
    pub(super) fn add(
        &self,
        source: Source,
        reason: BlockReason,
        now: Duration,
    ) -> Option<(Duration, u32)> {
        if self.first.is_zero() || source.is_loopback() {
            return None;
        }
        let added = self.table.update(source, |state| {
            if now < state.until {
                return None;
            }
            // After a block as long as the longest, without another, all is forgiven.
            let forgiven = now > state.until.saturating_add(self.longest);
            let strikes = if forgiven { 1 } else { state.strikes.saturating_add(1) };
            let doubled = 1_u32.checked_shl(strikes - 1).unwrap_or(u32::MAX);
            let period = self.first.saturating_mul(doubled).min(self.longest);
            let until = now.saturating_add(period);
            *state = State { since: now, until, strikes, reason: Some(reason), learned: false };
            Some((period, strikes))
        });
        self.any.store(true, Ordering::Relaxed);
        added
    }

    /// Another daemon or host has blocked it; whether that is news.
    pub(super) fn learn(
        &self,
        source: Source,
        reason: BlockReason,
        strikes: u32,
        until: Duration,
        now: Duration,
    ) -> bool {
        let until = until.min(now.saturating_add(self.longest));
        if until <= now || self.first.is_zero() || source.is_loopback() {
            return false;
        }
        let news = self.table.update(source, |state| {
            let news = now >= state.until;
            if news {
                *state = State { since: now, until, strikes, reason: Some(reason), learned: true };
            } else {
                state.until = state.until.max(until);
                state.strikes = state.strikes.max(strikes);
            }
            news
        });
        self.any.store(true, Ordering::Relaxed);
        news
    }

    /// Forgets the blocks that touch `net`: those that held.
    pub(super) fn forgive(&self, net: &IpNet, now: Duration) -> Vec<IpNet> {
        let mut held = Vec::new();
        self.table.retain(|source, state| {
            let touched = source.touches(net);
            if touched && now < state.until {
                held.push(source.net());
            }
            !touched
        });
        held
    }

    /// Those that hold, latest first.
    pub(super) fn list(&self, at: Moment) -> Vec<Block> {
        let mut holding = Vec::new();
        self.table.visit(|source, state| {
            if at.mono < state.until {
                holding.push((*source, *state));
            }
        });
        holding.sort_unstable_by_key(|(_, state)| std::cmp::Reverse(state.since));
        let shown = |(source, state): (Source, State)| {
            let passed = at.mono.saturating_sub(state.since);
            Some(Block {
                network: source.net(),
                since: at.wall.checked_sub(passed).unwrap_or(at.wall),
                until: at.wall.checked_add(state.until.saturating_sub(at.mono)).unwrap_or(at.wall),
                strikes: state.strikes,
                reason: state.reason?,
                learned: state.learned,
            })
        };
        holding.into_iter().filter_map(shown).collect()
    }

    /// How many hold.
    pub(super) fn count(&self, now: Duration) -> u64 {
        let mut count = 0;
        if self.any.load(Ordering::Relaxed) {
            self.table.visit(|_, state| count += u64::from(now < state.until));
        }
        count
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }
}
