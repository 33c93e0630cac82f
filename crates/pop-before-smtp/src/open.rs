//! Transactions that were allowed and are not settled yet.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use address::AccountKey;
use auth::{Attempt, Permit};
use phaseout::{Decision, Phase};

use crate::window::Grant;

/// Transactions that may be open at once. Every session has at most one, so that the
/// listeners' own limits come first.
const OPEN_MAX: usize = 65_536;
/// An unsettled transaction of this age is forgotten when room is needed: its session died
/// without a word. No transaction lasts as long.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(4 * 60 * 60);

/// What settling a transaction takes.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub(crate) grant: Grant,
    /// Recipients it holds of the grant's quota.
    pub(crate) reserved: u16,
    pub(crate) helo: Box<str>,
    pub(crate) extended: bool,
    pub(crate) sender: Box<str>,
    pub(crate) cohort: Arc<str>,
    pub(crate) phase: Phase,
}

impl Transaction {
    pub(crate) fn new(
        grant: Grant,
        reserved: u16,
        attempt: &Attempt<'_>,
        decision: &Decision<'_>,
    ) -> Self {
        Self {
            grant,
            reserved,
            helo: attempt.helo.into(),
            extended: attempt.extended,
            sender: attempt.sender.mailbox().map(ToString::to_string).unwrap_or_default().into(),
            cohort: Arc::clone(decision.cohort.name()),
            phase: decision.phase,
        }
    }
}

/// What a permit and its attempt have in common. Two transactions may share it, if they began
/// at the very same instant; then either settles for the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    account: AccountKey,
    client: IpAddr,
    at: Duration,
}

/// The open transactions.
#[derive(Debug, Default)]
pub(crate) struct OpenTransactions {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    by_key: HashMap<Key, Vec<Transaction>>,
    open: usize,
}

impl OpenTransactions {
    /// Remembers a transaction; gives it back if there are too many.
    pub(crate) fn begin(
        &self,
        attempt: &Attempt<'_>,
        transaction: Transaction,
    ) -> Result<(), Transaction> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.open >= OPEN_MAX {
            table.forget_old(attempt.at.mono);
        }
        if table.open >= OPEN_MAX {
            return Err(transaction);
        }
        let account = transaction.grant.account.clone();
        let key = Key { account, client: attempt.client, at: attempt.at.mono };
        table.by_key.entry(key).or_default().push(transaction);
        table.open += 1;
        Ok(())
    }

    /// Takes out the transaction of a permit.
    pub(crate) fn end(&self, permit: &Permit) -> Option<Transaction> {
        let key = Key {
            account: permit.account().key().clone(),
            client: permit.client(),
            at: permit.at().mono,
        };
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let transactions = table.by_key.get_mut(&key)?;
        let transaction = transactions.pop();
        if transactions.is_empty() {
            table.by_key.remove(&key);
        }
        table.open -= usize::from(transaction.is_some());
        transaction
    }

    /// How many are open.
    pub(crate) fn len(&self) -> usize {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).open
    }
}

impl Table {
    fn forget_old(&mut self, now: Duration) {
        self.by_key.retain(|key, _| now.saturating_sub(key.at) < FORGOTTEN_AFTER);
        let before = self.open;
        self.open = self.by_key.values().map(Vec::len).sum();
        tracing::warn!(
            forgotten = before - self.open,
            open = self.open,
            "too many transactions are open; old ones were forgotten"
        );
    }
}
