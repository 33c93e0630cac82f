//! The limits as the daemon asks them.

mod counting;
mod verdicts;

use std::net::IpAddr;
use std::sync::Arc;

use address::{AccountKey, Mailbox};
use auth::Moment;

use crate::charge::Charge;
use crate::networks::network_of;
use crate::notice::Notice;
use crate::shared::{Mode, Question};
use crate::suspension::Suspension;
use crate::verdict::{Ruling, Verdict};
use crate::window::Addition;

use verdicts::Step;

pub(crate) use counting::{Core, Means, digest};

/// The most recipients of one message that are told apart; further ones count as known.
const DIGESTS_MAX: usize = 10_000;

/// Who sends.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// In whose name.
    pub account: &'a AccountKey,
    /// The client's address; `None` if it is an intermediary's, who did not say whom it carries.
    pub client: Option<IpAddr>,
    /// The listener's name.
    pub listener: &'a str,
    /// The account's own profile, if it has one.
    pub profile: Option<&'a str>,
}

/// Counts what accounts and addresses send, and says what is to be done. A cheap handle.
#[derive(Clone)]
pub struct Limits(pub(crate) Arc<Core>);

impl Limits {
    pub(crate) fn from_core(core: Core) -> Self {
        Self(Arc::new(core))
    }

    /// Whether the account is suspended. Asked when it authenticates, and at `MAIL`.
    #[must_use]
    pub fn suspended(&self, account: &AccountKey) -> Option<Suspension> {
        self.0.suspensions.get(account)
    }

    /// What the client of a suspended account is told, as [`Verdict::Suspend`].
    #[must_use]
    pub fn suspended_text(suspension: &Suspension) -> String {
        crate::texts::suspended(suspension.since)
    }

    /// `MAIL`: whether there is room for one more message. Notes the client's network. Never
    /// [`Verdict::Hold`]: that is said at the end of data.
    pub async fn mail(&self, who: &Who<'_>, at: Moment) -> Verdict {
        if let Some(verdict) = self.0.suspended_verdict(who.account) {
            return verdict;
        }
        let least = Addition { messages: 1, recipients: 1, first_time: 0, kib: 0 };
        let network = self.0.address_of(who).map(|(client, _)| network_of(client));
        let now = self.0.timeline.at(at);
        self.0.note(who, network, now);
        let breaches = match self.ask(who, Mode::Peek, network, &least, &[], at).await {
            Some(answer) if answer.suspended => return self.suspended_elsewhere(who, at).await,
            Some(answer) => {
                self.0.mirror(who, &answer, None, now);
                self.0.judge_answer(who, &answer, &least)
            }
            None => self.0.judge_here(who, &least, now),
        };
        self.conclude(who, breaches, at, Step::Mail).await
    }

    /// `RCPT` of a recipient that would be accepted, after `so_far` of them. Judges by what this
    /// host knows; never [`Verdict::Hold`].
    pub async fn recipient(
        &self,
        who: &Who<'_>,
        recipient: &Mailbox,
        so_far: u32,
        at: Moment,
    ) -> Verdict {
        let now = self.0.timeline.at(at);
        let digest = self.0.digest(recipient);
        let breaches = self.0.judge_recipient(who, digest, so_far.saturating_add(1), now);
        self.conclude(who, breaches, at, Step::Recipient).await
    }

    /// The end of data: counts the message and judges it in one step, so that of two sessions at
    /// the last place one gets it. What is deferred is not counted (but as refused): then
    /// the time that the client is told would not be true.
    pub async fn message<'a>(
        &self,
        who: &Who<'_>,
        recipients: impl IntoIterator<Item = &'a Mailbox>,
        octets: u64,
        at: Moment,
    ) -> Ruling {
        let (texts, count) = texts_of(recipients);
        if let Some(verdict) = self.0.suspended_verdict(who.account) {
            return Ruling { verdict, charge: None };
        }
        let now = self.0.timeline.at(at);
        let kib = u32::try_from(octets.div_ceil(1024)).unwrap_or(u32::MAX);
        let addition = Addition { messages: 1, recipients: count, first_time: 0, kib };
        let digests = self.0.digests(&texts);
        let answer = self.ask(who, Mode::Count, None, &addition, &texts, at).await;
        let (breaches, counted) = match answer {
            Some(answer) if answer.suspended => {
                let verdict = self.suspended_elsewhere(who, at).await;
                return Ruling { verdict, charge: None };
            }
            Some(answer) => {
                let addition = Addition { first_time: answer.first_time, ..addition };
                let counted = answer.counted.then_some(addition);
                self.0.mirror(who, &answer, counted.map(|added| (added, digests.as_slice())), now);
                (self.0.judge_answer(who, &answer, &addition), counted)
            }
            None => self.0.count_here(who, &digests, &addition, now),
        };
        let address = self.0.address_of(who).map(|(_, key)| key);
        let charge = counted.map(|addition| {
            Charge::new(Arc::clone(&self.0), who.account.clone(), address, addition)
        });
        let refused_by_others = charge.is_none() && !breaches.iter().any(|b| b.blocks());
        let verdict = match refused_by_others {
            true => verdicts::refused_elsewhere(),
            false => self.conclude(who, breaches, at, Step::Message).await,
        };
        Ruling { verdict, charge }
    }

    /// A recipient of this sender is unknown here.
    pub fn recipient_failed(&self, who: &Who<'_>, at: Moment) {
        let address = self.0.address_of(who).map(|(_, key)| key);
        self.0.failed(who.account, address, self.0.timeline.at(at));
    }

    /// A recipient of this account's mail was refused for good at the next hop.
    pub fn delivery_failed(&self, account: &AccountKey, at: Moment) {
        self.0.failed(account, None, self.0.timeline.at(at));
    }

    /// Notices as they come up; the first who asks gets the one receiver. While nobody takes
    /// them, at most 1024 wait.
    #[must_use]
    pub fn notices(&self) -> Option<tokio::sync::mpsc::Receiver<Notice>> {
        self.0.take_notices()
    }

    /// Asks the shared counters, if there are any and they answer in time.
    async fn ask(
        &self,
        who: &Who<'_>,
        mode: Mode,
        network: Option<u64>,
        addition: &Addition,
        recipients: &[String],
        at: Moment,
    ) -> Option<crate::shared::Answer> {
        let shared = self.0.shared.as_ref()?;
        let (account_bounds, address_bounds) = self.0.bounds(who);
        let question = Question {
            account: who.account,
            address: self.0.address_of(who).map(|(_, key)| key),
            mode,
            network,
            addition,
            recipients,
            account_bounds,
            address_bounds,
            known_max: self.0.known_max,
        };
        shared.ask(&question, at).await
    }
}

/// Recipients in their one spelling, each once, and how many there were.
fn texts_of<'a>(recipients: impl IntoIterator<Item = &'a Mailbox>) -> (Vec<String>, u32) {
    let (mut texts, mut count) = (Vec::new(), 0_u32);
    for recipient in recipients {
        count = count.saturating_add(1);
        if texts.len() < DIGESTS_MAX {
            texts.push(counting::spelling(recipient));
        }
    }
    if texts.len() > 1 {
        texts.sort_unstable();
        texts.dedup();
    }
    (texts, count)
}

impl std::fmt::Debug for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limits").field("accounts", &self.0.accounts.len()).finish_non_exhaustive()
    }
}
