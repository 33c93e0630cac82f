//! The counters of this host, and judgement by them. Nothing here waits.

use std::collections::HashSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use address::{AccountKey, Mailbox};
use auth::Clock;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::Who;
use crate::config::{Language, LimitsConfig};
use crate::judge::{Breach, Counters, judge};
use crate::kind::Scope;
use crate::notice::Notice;
use crate::rules::{Bounds, Rules};
use crate::shared::{Answer, Later, Shared};
use crate::snapshot::State;
use crate::statistics::Tallies;
use crate::suspension::Suspensions;
use crate::table::Table;
use crate::tally::{AccountTally, AddressKey, AddressTally, day};
use crate::timeline::Timeline;
use crate::window::{Addition, REFUSED, Windows};

/// Notices that wait; more are in the log alone.
const NOTICES_MAX: usize = 1024;
/// Names of profiles that do not exist, of which the log has told.
const UNKNOWN_MAX: usize = 64;

/// What the limits stand on.
pub(crate) struct Means {
    pub(crate) file: PathBuf,
    pub(crate) timeline: Timeline,
    pub(crate) suspensions: Suspensions,
    pub(crate) shared: Option<Shared>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// See the module.
pub(crate) struct Core {
    pub(crate) rules: Rules,
    pub(crate) known_max: usize,
    pub(super) admin: Option<Mailbox>,
    pub(super) language: Language,
    pub(crate) key: [u8; 32],
    pub(crate) accounts: Table<AccountKey, AccountTally>,
    pub(crate) addresses: Table<AddressKey, AddressTally>,
    pub(crate) suspensions: Suspensions,
    pub(crate) timeline: Timeline,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) file: PathBuf,
    pub(crate) shared: Option<Shared>,
    /// Whether something was counted since the last snapshot.
    pub(crate) changed: AtomicBool,
    pub(crate) done: Tallies,
    notices: mpsc::Sender<Notice>,
    waiting: Mutex<Option<mpsc::Receiver<Notice>>>,
    unknown: Mutex<HashSet<String>>,
}

impl Core {
    pub(crate) fn new(
        rules: Rules,
        config: &LimitsConfig,
        admin: Option<Mailbox>,
        state: State,
        means: Means,
    ) -> Self {
        let (notices, waiting) = mpsc::channel(NOTICES_MAX);
        let State { key, accounts, addresses, .. } = state;
        let Means { file, timeline, suspensions, shared, clock } = means;
        Self {
            rules,
            known_max: config.known_recipients_max,
            admin,
            language: config.language,
            key,
            accounts,
            addresses,
            suspensions,
            timeline,
            clock,
            file,
            shared,
            changed: AtomicBool::new(false),
            done: Tallies::default(),
            notices,
            waiting: Mutex::new(Some(waiting)),
            unknown: Mutex::default(),
        }
    }

    pub(super) fn take_notices(&self) -> Option<mpsc::Receiver<Notice>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn give_notice(&self, notice: Notice) {
        if let Err(error) = self.notices.try_send(notice) {
            let (mpsc::error::TrySendError::Full(notice)
            | mpsc::error::TrySendError::Closed(notice)) = error;
            tracing::warn!(
                target: "lastpost::limits",
                account = notice.account.as_str(),
                limit = notice.limit.word(notice.scope),
                "too many notices wait; this one is not sent"
            );
        }
    }

    /// The client's address as a key, unless it has no limits.
    pub(super) fn address_of(&self, who: &Who<'_>) -> Option<(IpAddr, AddressKey)> {
        let client = who.client?.to_canonical();
        let counts = !self.rules.exempts_network(client) && !self.rules.exempts(who.account);
        counts.then(|| (client, AddressKey::of(client)))
    }

    /// The bounds that hold for this sender.
    pub(crate) fn bounds(&self, who: &Who<'_>) -> (Bounds, Bounds) {
        if self.rules.exempts(who.account) {
            return (Bounds::default(), Bounds::default());
        }
        if let Some(name) = who.profile.filter(|name| !self.rules.has_profile(name)) {
            self.warn_of_unknown(name);
        }
        (*self.rules.of(who.profile, who.listener), self.rules.address)
    }

    fn warn_of_unknown(&self, name: &str) {
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if unknown.len() < UNKNOWN_MAX && unknown.insert(name.to_owned()) {
            tracing::warn!(
                target: "lastpost::limits",
                profile = ?name,
                "an account names a profile that is not configured; [limits.account] holds for it"
            );
        }
    }

    /// Marks the use of an account, and from where.
    pub(super) fn note(&self, who: &Who<'_>, network: Option<u64>, now: u64) {
        self.changed.store(true, Ordering::Relaxed);
        self.accounts.with(who.account, |tally| {
            tally.touch(now);
            if let Some(network) = network {
                tally.networks.note(network, now);
            }
        });
    }

    pub(super) fn judge_here(&self, who: &Who<'_>, addition: &Addition, now: u64) -> Vec<Breach> {
        let (account, address) = self.bounds(who);
        let mut breaches = Vec::new();
        self.accounts.with(who.account, |tally| {
            tally.touch(now);
            judge_account(&account, tally, addition, now, &mut breaches);
        });
        if let Some((_, key)) = self.address_of(who) {
            self.addresses.with_known(&key, |tally| {
                tally.touch(now);
                judge_address(&address, tally, addition, now, &mut breaches);
            });
        }
        breaches
    }

    /// Judges the recipient that would be number `count` of the message.
    pub(super) fn judge_recipient(
        &self,
        who: &Who<'_>,
        digest: u32,
        count: u32,
        now: u64,
    ) -> Vec<Breach> {
        let new = self.accounts.with(who.account, |tally| {
            tally.touch(now);
            !tally.known.contains(digest)
        });
        let first_time = u32::from(new);
        let addition = Addition { messages: 1, recipients: count, first_time, kib: 0 };
        self.judge_here(who, &addition, now)
    }

    /// Counts and judges in one step: the account's lock is held, and within it the address's
    /// (never the other way round). What was counted, unless it is refused.
    pub(super) fn count_here(
        &self,
        who: &Who<'_>,
        digests: &[u32],
        addition: &Addition,
        now: u64,
    ) -> (Vec<Breach>, Option<Addition>) {
        let (account, address) = self.bounds(who);
        let key = self.address_of(who).map(|(_, key)| key);
        let mut breaches = Vec::new();
        self.changed.store(true, Ordering::Relaxed);
        let counted = self.accounts.with(who.account, |tally| {
            tally.touch(now);
            let first_time = tally.known.strangers(digests);
            let addition = Addition { first_time, ..*addition };
            judge_account(&account, tally, &addition, now, &mut breaches);
            let taken = match key {
                None => !breaches.iter().any(Breach::blocks),
                Some(key) => self.addresses.with(&key, |tally| {
                    tally.touch(now);
                    judge_address(&address, tally, &addition, now, &mut breaches);
                    let taken = !breaches.iter().any(Breach::blocks);
                    if taken {
                        tally.windows.add(&addition);
                    }
                    taken
                }),
            };
            if taken {
                tally.windows.add(&addition);
                tally.known.remember(digests, day(now), self.known_max);
                Some(addition)
            } else {
                None
            }
        });
        (breaches, counted)
    }

    /// Judges by what the shared counters said.
    pub(super) fn judge_answer(
        &self,
        who: &Who<'_>,
        answer: &Answer,
        addition: &Addition,
    ) -> Vec<Breach> {
        let (account, address) = self.bounds(who);
        let mut breaches = Vec::new();
        let counters = Counters { windows: &answer.account, networks: Some(&answer.networks) };
        judge(Scope::Account, &account, counters, addition, answer.now, &mut breaches);
        if self.address_of(who).is_some() {
            let counters = Counters { windows: &answer.address, networks: None };
            judge(Scope::Address, &address, counters, addition, answer.now, &mut breaches);
        }
        breaches
    }

    /// Takes over what the shared counters said, and what was `counted` there, so that this
    /// host can go on alone at any moment.
    pub(super) fn mirror(
        &self,
        who: &Who<'_>,
        answer: &Answer,
        counted: Option<(Addition, &[u32])>,
        now: u64,
    ) {
        self.changed.store(true, Ordering::Relaxed);
        self.accounts.with(who.account, |tally| {
            tally.touch(now);
            // The buckets here may begin at other moments than there: an error of less than one.
            let (hour, day_here) = (tally.windows.hour, tally.windows.day);
            let refused = tally.windows.counts[REFUSED];
            tally.windows.counts = answer.account.counts;
            (tally.windows.hour, tally.windows.day) = (hour, day_here);
            tally.windows.counts[REFUSED] = refused;
            for (network, seen) in &answer.networks.0 {
                let ago = answer.now.saturating_sub(*seen);
                tally.networks.note(*network, now.saturating_sub(ago));
            }
            if let Some((addition, digests)) = counted {
                tally.windows.add(&addition);
                tally.known.remember(digests, day(now), self.known_max);
            }
        });
        if let Some((_, key)) = self.address_of(who) {
            self.addresses.with(&key, |tally| {
                tally.touch(now);
                tally.windows.counts = answer.address.counts;
                if let Some((addition, _)) = counted {
                    tally.windows.add(&addition);
                }
            });
        }
    }

    pub(crate) fn take_back(
        &self,
        account: &AccountKey,
        address: Option<AddressKey>,
        addition: &Addition,
    ) {
        let now = self.timeline.at(self.clock.now());
        self.accounts.with_known(account, |tally| {
            tally.touch(now);
            tally.windows.take(addition);
        });
        if let Some(key) = address {
            self.addresses.with_known(&key, |tally| {
                tally.touch(now);
                tally.windows.take(addition);
            });
        }
        if let Some(shared) = &self.shared {
            shared.later(Later::TakeBack {
                account: account.clone(),
                address,
                addition: *addition,
            });
        }
    }

    pub(super) fn failed(&self, account: &AccountKey, address: Option<AddressKey>, now: u64) {
        let failed = crate::kind::Limit::FailedPerHour.index();
        self.changed.store(true, Ordering::Relaxed);
        self.accounts.with(account, |tally| {
            tally.touch(now);
            tally.windows.add_to(failed, 1);
        });
        if let Some(key) = address {
            self.addresses.with(&key, |tally| {
                tally.touch(now);
                tally.windows.add_to(failed, 1);
            });
        }
        if let Some(shared) = &self.shared {
            shared.later(Later::Failed { account: account.clone(), address });
        }
    }

    /// Begins an account's counters anew; to whom it has written stays known.
    pub(crate) fn begin_anew(&self, account: &AccountKey) {
        self.accounts.with_known(account, |tally| {
            tally.windows.counts = Windows::default().counts;
            tally.networks.0.clear();
            tally.noticed = 0;
        });
    }

    pub(super) fn digest(&self, recipient: &Mailbox) -> u32 {
        digest(&self.key, &spelling(recipient))
    }

    /// Sorted.
    pub(super) fn digests(&self, texts: &[String]) -> Vec<u32> {
        texts.iter().map(|text| digest(&self.key, text)).collect()
    }
}

/// The one spelling of an address: equal mailboxes have the same.
pub(crate) fn spelling(mailbox: &Mailbox) -> String {
    let mut text = mailbox.to_string();
    if text.is_ascii() {
        text.make_ascii_lowercase();
        return text;
    }
    text.to_lowercase()
}

/// 32 bits of SHA-256 under a key: whoever has the counters but not the key learns no address.
pub(crate) fn digest(key: &[u8; 32], text: &str) -> u32 {
    let digest = Sha256::new().chain_update(key).chain_update(text).finalize();
    digest.first_chunk().map_or(0, |four| u32::from_le_bytes(*four))
}

fn judge_account(
    bounds: &Bounds,
    tally: &AccountTally,
    addition: &Addition,
    now: u64,
    breaches: &mut Vec<Breach>,
) {
    let counters = Counters { windows: &tally.windows, networks: Some(&tally.networks) };
    judge(Scope::Account, bounds, counters, addition, now, breaches);
}

fn judge_address(
    bounds: &Bounds,
    tally: &AddressTally,
    addition: &Addition,
    now: u64,
    breaches: &mut Vec<Breach>,
) {
    let counters = Counters { windows: &tally.windows, networks: None };
    judge(Scope::Address, bounds, counters, addition, now, breaches);
}
