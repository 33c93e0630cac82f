//! What other daemons and hosts tell, and what an admin asks and forgives.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::chronicle::Found;
use super::{Source, Tag, Throttle};
use crate::attack::{AttackEvent, AttackEventKind, AttackedAccount, Block};
use crate::{AccountTag, FailureEvent, FailureShare, Happening, Moment, ShareKey, Statistics};

impl Throttle {
    /// From now on accounts are named by `key`, and failures told to `share`. What was counted
    /// under other names is forgotten in time. Only the first call counts.
    pub(crate) fn set_share(&self, share: Arc<dyn FailureShare>, key: ShareKey) {
        if self.names.set(key).is_ok() {
            let _ = self.share.set(share);
        }
    }

    /// Takes in what happened elsewhere. Never tells it on.
    pub(crate) fn hear(&self, event: &FailureEvent, at: Moment) {
        self.counts.heard.add();
        let now = at.mono;
        let when = now.saturating_sub(event.age);
        match event.happening {
            Happening::Failed { client, account } => {
                if event.age > self.rules.window {
                    return;
                }
                // Not what this host's own configuration exempts.
                let client = client.map(|client| client.to_canonical());
                let exempt = client.is_some_and(|client| self.is_exempt(&IpNet::from(client)));
                let source = client.filter(|_| !exempt).map(Source::from);
                let account = account.map(|AccountTag(tag)| Tag(tag));
                let then = Moment { mono: when, ..at };
                if let Some(source) = source {
                    self.count_network(source, account, false, then);
                    self.count_network(source.wide(), account, false, then);
                }
                if let Some(account) = account {
                    self.count_heard(account, source, when);
                }
            }
            Happening::Succeeded { client, account } => {
                if !self.is_exempt(&IpNet::from(client.to_canonical())) {
                    self.vouch(Source::from(client), Tag(account.0), when, now);
                }
            }
            Happening::Blocked { network, period, strikes, reason } => {
                let Some(source) = Source::of(network) else { return };
                let until = when.saturating_add(period);
                if self.is_exempt(&network)
                    || !self.blocks.learn(source, reason, strikes.max(1), until, now)
                {
                    return;
                }
                tracing::info!(
                    target: "lastpost::auth",
                    %network,
                    reason = reason.as_str(),
                    strikes,
                    seconds = until.saturating_sub(now).as_secs(),
                    "network blocked by another daemon"
                );
                let (failures, accounts) = (0, 0);
                let kind = AttackEventKind::Blocked {
                    network,
                    reason,
                    period,
                    strikes,
                    failures,
                    accounts,
                };
                self.chronicle.note(at.wall, kind, true);
            }
            Happening::Attacked { account, period } => {
                self.learn_attacked(Tag(account.0), when.saturating_add(period), at);
            }
            Happening::NetworkForgiven { network } => {
                if !self.forget_network(&network, now).is_empty() {
                    let kind = AttackEventKind::NetworkForgiven { network };
                    self.chronicle.note(at.wall, kind, true);
                }
            }
            Happening::AccountForgiven { account } => {
                if self.forget_account(Tag(account.0)) {
                    self.chronicle.note(at.wall, AttackEventKind::AccountForgiven, true);
                }
            }
        }
    }

    fn is_exempt(&self, network: &IpNet) -> bool {
        let within = |networks: &[IpNet]| networks.iter().any(|one| one.contains(network));
        within(&self.shared_networks) || within(&self.rules.trusted_networks)
    }

    fn learn_attacked(&self, account: Tag, until: Duration, at: Moment) {
        let until = until.min(at.mono.saturating_add(self.rules.window));
        if self.rules.networks_max == 0 || until <= at.mono {
            return;
        }
        let news = self.accounts.update(account, |of| {
            let news = !of.is_attacked(at.mono);
            of.attacked_until = of.attacked_until.max(until);
            news
        });
        if news {
            let kind = AttackEventKind::Attacked { name: None, networks: 0 };
            self.chronicle.note(at.wall, kind, true);
            self.chronicle.note_attacked(Found { tag: account, name: None, since: at.wall });
        }
    }

    /// Forgives a network, all within it and what is around it; the blocks that thereby end.
    pub(crate) fn forgive_network(&self, network: &IpNet, at: Moment) -> Vec<IpNet> {
        let ended = self.forget_network(network, at.mono);
        let kind = AttackEventKind::NetworkForgiven { network: *network };
        self.chronicle.note(at.wall, kind, false);
        self.tell(Happening::NetworkForgiven { network: *network });
        ended
    }

    fn forget_network(&self, network: &IpNet, now: Duration) -> Vec<IpNet> {
        self.networks.retain(|source, _| !source.touches(network));
        self.pressure.retain(|source, _| !source.touches(network));
        self.blocks.forgive(network, now)
    }

    /// Forgives what was counted for the account of this name; whether anything was.
    pub(crate) fn forgive_account(&self, name: &str, at: Moment) -> bool {
        let tag = self.tag(name);
        let counted = self.forget_account(tag);
        self.chronicle.note(at.wall, AttackEventKind::AccountForgiven, false);
        self.tell(Happening::AccountForgiven { account: AccountTag(tag.0) });
        counted
    }

    fn forget_account(&self, tag: Tag) -> bool {
        self.chronicle.forget_attacked(tag);
        self.accounts.remove(&tag).is_some()
    }

    /// Networks that are blocked, latest first.
    pub(crate) fn blocked_networks(&self, at: Moment) -> Vec<Block> {
        self.blocks.list(at)
    }

    /// Accounts that are attacked, those found latest first.
    pub(crate) fn attacked_accounts(&self, at: Moment) -> Vec<AttackedAccount> {
        let shown = |found: Found| {
            let of = self.accounts.get(&found.tag).filter(|of| of.is_attacked(at.mono))?;
            let left = of.attacked_until.saturating_sub(at.mono);
            let until = at.wall.checked_add(left).unwrap_or(at.wall);
            Some(AttackedAccount { name: found.name, since: found.since, until })
        };
        self.chronicle.attacked().into_iter().filter_map(shown).collect()
    }

    /// Blocks and attacked accounts as others are told of them.
    pub(crate) fn holding(&self, at: Moment, most: usize) -> Vec<FailureEvent> {
        let age = Duration::ZERO;
        let blocks = self.blocks.list(at).into_iter().map(|block| {
            let left = block.until.duration_since(at.wall);
            let period = Duration::try_from(left).unwrap_or_default();
            let Block { network, strikes, reason, .. } = block;
            let happening = Happening::Blocked { network, period, strikes, reason };
            FailureEvent { age, happening }
        });
        let attacked = self.chronicle.attacked().into_iter().filter_map(|found| {
            let of = self.accounts.get(&found.tag).filter(|of| of.is_attacked(at.mono))?;
            let period = of.attacked_until.saturating_sub(at.mono);
            let happening = Happening::Attacked { account: AccountTag(found.tag.0), period };
            Some(FailureEvent { age, happening })
        });
        blocks.chain(attacked).take(most).collect()
    }

    /// The latest events, newest first.
    pub(crate) fn events(&self, most: usize) -> Vec<AttackEvent> {
        self.chronicle.events(most)
    }

    /// Writes down what was counted here.
    pub(crate) fn add_to(&self, statistics: &mut Statistics) {
        statistics.delayed = self.counts.delayed.get();
        statistics.blocked = self.counts.blocked.get();
        statistics.blocks = self.counts.blocks.get();
        statistics.sprayings = self.counts.sprayings.get();
        statistics.attacked = self.counts.attacked.get();
        statistics.attacked_refused = self.counts.attacked_refused.get();
        statistics.heard = self.counts.heard.get();
    }

    /// How many networks are blocked.
    pub(crate) fn blocks_holding(&self, at: Moment) -> u64 {
        self.blocks.count(at.mono)
    }
}
