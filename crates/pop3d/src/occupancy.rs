//! Who is at which account's maildrop in this process: how many, and the one that holds it.
//!
//! RFC 1939 section 4 wants the maildrop locked by one session. A client that died without a
//! farewell, or that stays connected for nothing, would keep its owner's other devices out until
//! the autologout. So a login that has just proven the password may end a session of the same
//! account whose client has kept it waiting for long enough. It is ended as by an autologout:
//! nothing is removed. The UPDATE state is never interrupted.
//!
//! ```text
//!               take_over, if idle
//!   Opening ─► Serving ─► TakenOver ─┐
//!      │          └─► Updating ──────┼─► Gone (the lock is free, those who wait are woken)
//!      └─────────────────────────────┘
//! ```

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use address::AccountKey;
use netio::Idleness;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// The accounts that somebody is at; no others, so there are at most as many as sessions.
#[derive(Debug, Default)]
pub(crate) struct Occupancy(Mutex<HashMap<AccountKey, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    /// Sessions, and logins whose password was right and that wait for the lock.
    seats: u32,
    /// Who has the maildrop, or is about to.
    holder: Option<Arc<Holder>>,
}

/// There are as many sessions of this account as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Counts as one of an account's sessions while it lives.
#[derive(Debug)]
pub(crate) struct Seat {
    occupancy: Arc<Occupancy>,
    key: AccountKey,
}

/// The one right in this process to have an account's maildrop. To be dropped after the
/// maildrop: those who wait are woken then.
#[derive(Debug)]
pub(crate) struct Tenure {
    holder: Arc<Holder>,
    seat: Seat,
}

/// A session that has a maildrop, as others see it.
#[derive(Debug)]
pub(crate) struct Holder {
    client: IpAddr,
    idleness: Arc<Idleness>,
    stage: Mutex<Stage>,
    /// Woken when the session is to end.
    end: Arc<Notify>,
    free: AtomicBool,
    /// Woken when the maildrop is free.
    freed: Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Opening,
    Serving,
    Updating,
    /// Ended by a login from this address.
    TakenOver(IpAddr),
    Gone,
}

/// Who wants a maildrop that another session has, and on which terms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taker {
    /// Its client's address.
    pub(crate) client: IpAddr,
    /// How long the other session's client must have been idle; zero: it never ends.
    pub(crate) after: Duration,
}

impl Occupancy {
    /// A seat for a login whose password was right, if the account has fewer than `most`. Where
    /// it has not, but the session that holds the maildrop can be taken over, it is, and its
    /// seat stands for this one: otherwise a dead session would keep everybody out.
    pub(crate) fn enter(
        self: &Arc<Self>,
        key: &AccountKey,
        most: u32,
        taker: &Taker,
        now: Instant,
    ) -> Result<Seat, Full> {
        let mut accounts = self.lock();
        let entry = accounts.entry(key.clone()).or_default();
        let room = entry.seats < most
            || entry.holder.as_ref().is_some_and(|holder| holder.take_over(taker, now));
        if !room {
            return Err(Full);
        }
        entry.seats = entry.seats.saturating_add(1);
        Ok(Seat { occupancy: Arc::clone(self), key: key.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountKey, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn accounts(&self) -> usize {
        self.lock().len()
    }
}

impl Seat {
    /// The right to the maildrop, unless another session has it. `end` is woken if this one is
    /// to end; one that is not waited for at that moment keeps it.
    pub(crate) fn hold(
        self,
        client: IpAddr,
        end: &Arc<Notify>,
    ) -> Result<Tenure, (Self, Arc<Holder>)> {
        let mut accounts = self.occupancy.lock();
        let entry = accounts.entry(self.key.clone()).or_default();
        if let Some(holder) = &entry.holder {
            let holder = Arc::clone(holder);
            drop(accounts);
            return Err((self, holder));
        }
        let holder = Arc::new(Holder {
            client,
            idleness: Arc::new(Idleness::new()),
            stage: Mutex::new(Stage::Opening),
            end: Arc::clone(end),
            free: AtomicBool::new(false),
            freed: Notify::new(),
        });
        entry.holder = Some(Arc::clone(&holder));
        drop(accounts);
        Ok(Tenure { holder, seat: self })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut accounts = self.occupancy.lock();
        if let Some(entry) = accounts.get_mut(&self.key) {
            entry.seats = entry.seats.saturating_sub(1);
            if entry.seats == 0 {
                accounts.remove(&self.key);
            }
        }
    }
}

impl Tenure {
    /// The client is told that it is in: from now on it can be idle.
    pub(crate) fn serve(&self) {
        *self.holder.stage() = Stage::Serving;
    }

    /// Enters the UPDATE state; `false` if the session has been taken over, and nothing may be
    /// removed.
    pub(crate) fn begin_update(&self) -> bool {
        let mut stage = self.holder.stage();
        let ours = matches!(*stage, Stage::Opening | Stage::Serving);
        if ours {
            *stage = Stage::Updating;
        }
        ours
    }

    pub(crate) fn holder(&self) -> &Arc<Holder> {
        &self.holder
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        let mut accounts = self.seat.occupancy.lock();
        if let Some(entry) = accounts.get_mut(&self.seat.key) {
            entry.holder = None;
        }
        drop(accounts);
        self.holder.release();
    }
}

impl Holder {
    pub(crate) fn client(&self) -> IpAddr {
        self.client
    }

    pub(crate) fn idleness(&self) -> &Arc<Idleness> {
        &self.idleness
    }

    /// Who has taken this session over, if anybody has.
    pub(crate) fn taken_over_by(&self) -> Option<IpAddr> {
        match *self.stage() {
            Stage::TakenOver(by) => Some(by),
            _ => None,
        }
    }

    /// Ends the session if its client is idle and has been for long enough. `true` for one
    /// taker alone.
    pub(crate) fn take_over(&self, taker: &Taker, now: Instant) -> bool {
        let mut stage = self.stage();
        let idle = !taker.after.is_zero() && self.idleness.lasts(now) >= taker.after;
        if *stage != Stage::Serving || !idle {
            return false;
        }
        *stage = Stage::TakenOver(taker.client);
        self.end.notify_one();
        true
    }

    /// When it could be taken over if its client stays silent; `None`: not by waiting for it.
    pub(crate) fn open_to(&self, taker: &Taker, now: Instant) -> Option<Instant> {
        if *self.stage() != Stage::Serving || taker.after.is_zero() {
            return None;
        }
        now.checked_add(taker.after.saturating_sub(self.idleness.lasts(now)))
    }

    /// Waits until the maildrop is free, at most until `deadline`.
    pub(crate) async fn freed(&self, deadline: Instant) {
        let freed = self.freed.notified();
        tokio::pin!(freed);
        // Enlisted first, so that a release between the look and the wait is not missed.
        freed.as_mut().enable();
        if !self.free.load(Ordering::Acquire) {
            // Who is not woken in time looks for himself.
            let _ = timeout_at(deadline, freed).await;
        }
    }

    fn release(&self) {
        // Kept if it was taken over: the session's last line names who did it.
        let mut stage = self.stage();
        if !matches!(*stage, Stage::TakenOver(_)) {
            *stage = Stage::Gone;
        }
        drop(stage);
        self.free.store(true, Ordering::Release);
        self.freed.notify_waiters();
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
