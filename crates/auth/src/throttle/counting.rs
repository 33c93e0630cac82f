//! Failures and successes are counted, and what follows from them: delays, blocks, attacks.

use std::hash::BuildHasher;
use std::time::Duration;

use super::chronicle::Found;
use super::network::{OfNetwork, Offence};
use super::{
    Counted, Failures, PAIR_FAILURES_MAX, Pair, SUCCESS_LASTS, Source, Subject, Tag, Throttle,
};
use super::{Standing, WrongTag};
use crate::attack::{AttackEventKind, BlockReason};
use crate::{AccountTag, FailureEvent, Happening, Moment, Origin};

/// Others are told anew of a pair's success after this time.
const SUCCESS_SHARED_EVERY: Duration = Duration::from_secs(6 * 60 * 60);

impl Throttle {
    /// Counts a failure. `login` is for the log.
    pub(crate) fn failed(
        &self,
        subject: &Subject,
        standing: Standing,
        wrong: Option<&WrongTag>,
        (origin, login): (&Origin, &str),
        at: Moment,
    ) -> Counted {
        let repeated = wrong.is_some_and(|wrong| self.is_known_wrong(subject, wrong));
        if repeated || subject.trusted {
            return Counted { delay: self.delay, repeated };
        }
        let known = standing == Standing::Known;
        let mut longest = self.delay;
        // A customer at his usual place who mistypes is no evidence against the place.
        if let Some(source) = subject.source.filter(|_| !known) {
            longest = longest.max(self.count_network(source, subject.account, true, at));
            longest = longest.max(self.count_network(source.wide(), subject.account, true, at));
        }
        if let Some(account) = subject.account {
            let network = subject.source.filter(|_| !known);
            let remembered = self.count_account(account, network, wrong, at.mono);
            longest = longest.max(remembered.0);
            if let Some(networks) = remembered.1 {
                self.found_attacked(account, login, networks, at);
            }
        }
        let own = self.count_pair(subject);
        let client = subject.source.map(|_| origin.client.to_canonical());
        let account = subject.account.map(|Tag(tag)| AccountTag(tag));
        if !known && (client.is_some() || account.is_some()) {
            self.tell(Happening::Failed { client, account });
        }
        let delay = if known { self.delay_of(own as f32) } else { longest };
        Counted { delay, repeated }
    }

    /// Counts an attempt that its client broke off after its account had been looked up: for its
    /// network a failure, for the account nothing.
    pub(crate) fn abandoned(&self, subject: &Subject, standing: Standing, at: Moment) {
        let Some(source) = subject.source else { return };
        if subject.trusted || standing == Standing::Known {
            return;
        }
        self.count_network(source, None, true, at);
        self.count_network(source.wide(), None, true, at);
    }

    /// Remembers that the account's owner is at this network.
    pub(crate) fn succeeded(&self, subject: &Subject, origin: &Origin, at: Moment) {
        let (Some(source), Some(account)) = (subject.source, subject.account) else { return };
        let now = at.mono;
        let news = self.pairs.update((source, account), |pair| {
            let told = |at| now.saturating_sub(at) < SUCCESS_SHARED_EVERY;
            // Failures elsewhere may have ended what others believe of the pair.
            let news = pair.failures > 0 || !pair.shared.is_some_and(told);
            let shared = if news { Some(now) } else { pair.shared };
            *pair = Pair { last_success: Some(now), shared, failures: 0 };
            news
        });
        self.welcome(source, account, now);
        if news {
            let client = origin.client.to_canonical();
            self.tell(Happening::Succeeded { client, account: AccountTag(account.0) });
        }
    }

    /// A customer makes up for a failure at his network, if failures are counted there.
    pub(super) fn welcome(&self, source: Source, account: Tag, now: Duration) {
        for source in [source, source.wide()] {
            self.networks.update_known(source, |of| of.note_customer(account.0, now, &self.rules));
        }
        self.pressure.update_known(source.fair(), |of| of.level = 0.0);
    }

    /// Counts a failure of a network; its delay. Only what happened here may block it: what is
    /// heard of elsewhere is judged, logged and told there.
    pub(super) fn count_network(
        &self,
        source: Source,
        account: Option<Tag>,
        here: bool,
        at: Moment,
    ) -> Duration {
        let (delay, offence) = self.networks.update(source, |of: &mut OfNetwork| {
            of.note(account.map(|Tag(tag)| tag), at.mono, &self.rules);
            // Neighbours in a /24 do not wait for each other.
            let delay = if source.waits() {
                self.add_failure(&mut of.failures, at.mono);
                let delay = self.delay_of(self.weight_of(source, of, at.mono));
                of.failures.free_at = of.failures.free_at.max(at.mono + delay);
                delay
            } else {
                Duration::ZERO
            };
            let offence = if here { of.offence(source, &self.rules) } else { None };
            (delay, offence)
        });
        if let Some(offence) = offence {
            self.block(source, offence, at);
        }
        delay
    }

    /// Counts a failure of an account: its delay, and from how many networks it is attacked if
    /// that is found now.
    fn count_account(
        &self,
        account: Tag,
        stranger: Option<Source>,
        wrong: Option<&WrongTag>,
        now: Duration,
    ) -> (Duration, Option<u32>) {
        let stranger = stranger.map(|source| self.hasher.hash_one(source.fair()));
        self.accounts.update(account, |of| {
            if let Some(wrong) = wrong {
                of.remember_wrong(wrong);
            }
            let delay = self.delay_of(self.add_failure(&mut of.failures, now));
            of.failures.free_at = of.failures.free_at.max(now + delay);
            let found = stranger.and_then(|network| {
                of.note(network, now, &self.rules);
                of.attack(now, &self.rules)
            });
            (delay, found)
        })
    }

    /// As [`Self::count_account`] for a failure elsewhere.
    pub(super) fn count_heard(&self, account: Tag, stranger: Option<Source>, now: Duration) {
        let stranger = stranger.map(|source| self.hasher.hash_one(source.fair()));
        self.accounts.update(account, |of| {
            let delay = self.delay_of(self.add_failure(&mut of.failures, now));
            of.failures.free_at = of.failures.free_at.max(now + delay);
            if let Some(network) = stranger {
                of.note(network, now, &self.rules);
            }
        });
    }

    /// The weight with one more.
    fn add_failure(&self, of: &mut Failures, now: Duration) -> f32 {
        of.weight = self.decayed(of, now) + 1.0;
        of.last = of.last.max(now);
        of.weight
    }

    /// Failures of the pair since its last success.
    fn count_pair(&self, subject: &Subject) -> u32 {
        let (Some(source), Some(account)) = (subject.source, subject.account) else { return 0 };
        let counted = self.pairs.update_known((source, account), |pair| {
            pair.failures = pair.failures.saturating_add(1);
            pair.failures
        });
        counted.unwrap_or(0)
    }

    /// A success that others saw.
    pub(super) fn vouch(&self, source: Source, account: Tag, when: Duration, now: Duration) {
        if now.saturating_sub(when) >= SUCCESS_LASTS {
            return;
        }
        self.pairs.update((source, account), |pair| {
            let later = pair.last_success.is_none_or(|known| known < when);
            if later {
                pair.last_success = Some(when);
                pair.failures = pair.failures.min(PAIR_FAILURES_MAX - 1);
            }
            pair.shared = pair.shared.max(Some(when));
        });
        self.welcome(source, account, now);
    }

    /// The one line about a network that is blocked.
    pub(super) fn block(&self, source: Source, offence: Offence, at: Moment) {
        let Offence { reason, failures, accounts } = offence;
        let Some((period, strikes)) = self.blocks.add(source, reason, at.mono) else { return };
        self.counts.blocks.add();
        if reason == BlockReason::Spraying {
            self.counts.sprayings.add();
        }
        let network = source.net();
        tracing::warn!(
            target: "lastpost::auth",
            %network,
            reason = reason.as_str(),
            failures,
            accounts,
            strikes,
            seconds = period.as_secs(),
            "network blocked"
        );
        let kind =
            AttackEventKind::Blocked { network, reason, period, strikes, failures, accounts };
        self.chronicle.note(at.wall, kind, false);
        self.tell(Happening::Blocked { network, period, strikes, reason });
    }

    /// The one line about an account that is attacked.
    fn found_attacked(&self, account: Tag, login: &str, networks: u32, at: Moment) {
        self.counts.attacked.add();
        tracing::warn!(
            target: "lastpost::auth",
            user = ?login,
            networks,
            "account attacked from many networks"
        );
        let name = Some(Box::from(login));
        let kind = AttackEventKind::Attacked { name: name.clone(), networks };
        self.chronicle.note(at.wall, kind, false);
        self.chronicle.note_attacked(Found { tag: account, name, since: at.wall });
        let period = self.rules.window;
        self.tell(Happening::Attacked { account: AccountTag(account.0), period });
    }

    pub(super) fn tell(&self, happening: Happening) {
        if let Some(share) = self.share.get() {
            share.publish(FailureEvent { age: Duration::ZERO, happening });
        }
    }
}
