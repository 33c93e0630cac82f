//! Recording uses of an access together with the phase in which they happened.

use std::net::IpAddr;
use std::sync::Arc;

use address::AccountKey;
use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;

use crate::ledger::{Access, Entry, Ledger, Outcome};
use crate::schedule::Schedule;

/// A use of an access, to which the recorder adds cohort and phase.
#[derive(Clone, Copy, Debug)]
pub struct Use<'a> {
    /// When.
    pub at: Timestamp,
    /// From where.
    pub client: IpAddr,
    /// By whom.
    pub account: &'a AccountKey,
    /// Old or new.
    pub access: Access,
    /// Name of the access.
    pub method: &'static str,
    /// What the client called itself.
    pub helo: &'a str,
    /// Whether it speaks the extended protocol.
    pub extended: bool,
    /// What came of it.
    pub outcome: Outcome,
    /// The address it was used for.
    pub sender: Option<&'a str>,
}

/// Schedule and ledger in force, shared by all who record. Both can be replaced while it runs;
/// without a ledger it records nothing.
#[derive(Debug)]
pub struct UsageRecorder {
    schedule: ArcSwap<Schedule>,
    ledger: ArcSwapOption<Ledger>,
}

impl UsageRecorder {
    /// A recorder.
    #[must_use]
    pub fn new(schedule: Arc<Schedule>, ledger: Option<Ledger>) -> Self {
        Self { schedule: ArcSwap::new(schedule), ledger: ArcSwapOption::new(ledger.map(Arc::new)) }
    }

    /// Puts another schedule in force.
    pub fn set_schedule(&self, schedule: Arc<Schedule>) {
        self.schedule.store(schedule);
    }

    /// Puts another ledger in force, or none.
    pub fn set_ledger(&self, ledger: Option<Ledger>) {
        self.ledger.store(ledger.map(Arc::new));
    }

    /// The ledger in force.
    #[must_use]
    pub fn ledger(&self) -> Option<Ledger> {
        self.ledger.load().as_deref().cloned()
    }

    /// Records a use with the account's cohort and phase at that time. Never waits.
    pub fn record(&self, used: &Use<'_>) {
        let Some(ledger) = &*self.ledger.load() else { return };
        let schedule = self.schedule.load();
        let decision = schedule.phase_of(used.account, used.at);
        ledger.record(Entry {
            at: used.at,
            client: used.client,
            account: used.account.clone(),
            access: used.access,
            method: used.method,
            helo: used.helo.into(),
            extended: used.extended,
            cohort: Arc::clone(decision.cohort.name()),
            phase: decision.phase,
            outcome: used.outcome,
            sender: used.sender.map(Into::into),
        });
    }

    /// Records an entry that carries its phase already. Never waits.
    pub fn record_entry(&self, entry: Entry) {
        if let Some(ledger) = &*self.ledger.load() {
            ledger.record(entry);
        }
    }
}
