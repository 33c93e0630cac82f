//! What is remembered of an account, whether or not there is one of that name.

use std::time::Duration;

use super::window::Window;
use super::{Failures, WrongTag};
use crate::AttackConfig;

/// How many wrong passwords of an account are remembered: a household's old devices.
const WRONG_KEPT: usize = 4;

#[derive(Clone, Copy, Default)]
pub(super) struct OfAccount {
    pub(super) failures: Failures,
    wrong: [Option<WrongTag>; WRONG_KEPT],
    next: u8,
    window: Window,
    /// Until then strangers wait longer.
    pub(super) attacked_until: Duration,
}

impl OfAccount {
    pub(super) fn knows_wrong(&self, wrong: &WrongTag) -> bool {
        self.wrong.contains(&Some(*wrong))
    }

    pub(super) fn remember_wrong(&mut self, wrong: &WrongTag) {
        self.wrong[usize::from(self.next) % WRONG_KEPT] = Some(*wrong);
        self.next = self.next.wrapping_add(1);
    }

    pub(super) fn is_attacked(&self, now: Duration) -> bool {
        now < self.attacked_until
    }

    /// Notes that a stranger failed, from a network with this hash.
    pub(super) fn note(&mut self, network: u64, now: Duration, rules: &AttackConfig) {
        self.window.turn(now, rules.window);
        self.window.note_foe(network);
        if self.is_attacked(now) {
            self.attacked_until = now.saturating_add(rules.window);
        }
    }

    /// From how many networks it is attacked, if that is found now for the first time.
    pub(super) fn attack(&mut self, now: Duration, rules: &AttackConfig) -> Option<u32> {
        let networks = self.window.foes();
        if rules.networks_max == 0 || networks < rules.networks_max || self.is_attacked(now) {
            return None;
        }
        self.attacked_until = now.saturating_add(rules.window);
        Some(networks)
    }
}
