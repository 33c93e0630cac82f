//! Two POP3 servers that should serve the same mail, seen as a customer's client sees them.
//!
//! For each account both servers are logged in to, STAT, LIST and UIDL are compared, and the
//! octets of some messages. Nothing is deleted: no `DELE` is ever sent. Messages are fetched by
//! `TOP` where the server has it, so that none counts as retrieved.
//!
//! Memory is bounded by [`session::MESSAGES_MAX`] rows for each session and a few blocks for the
//! messages, which are compared while they stream in. Every wait has a limit.

mod accounts;
mod finding;
mod octets;
mod server;
mod session;
mod side;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

pub(crate) use accounts::{Account, read_accounts};
pub(crate) use finding::Finding;
pub(crate) use server::{Address, Security, Server};

use finding::judge;
use octets::compare_message;
use session::{Listing, Session};
use side::{Failure, Side};

/// An account is given up after so many times the limit for one reply.
const PATIENCE_PER_ACCOUNT: u32 = 60;

/// What is compared, and how.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) old: Server,
    pub(crate) new: Server,
    /// Messages of each account whose octets are compared.
    pub(crate) sample: usize,
    /// Fetch them by RETR, as clients do.
    pub(crate) retr: bool,
    /// The longest wait for a server to say anything.
    pub(crate) patience: Duration,
    /// Accounts at a time.
    pub(crate) connections: usize,
}

/// What was found for one account.
#[derive(Debug, Serialize)]
pub(crate) struct Compared {
    pub(crate) login: String,
    /// Messages on the old server.
    pub(crate) old_messages: Option<usize>,
    /// Messages on the new server.
    pub(crate) new_messages: Option<usize>,
    /// Messages whose octets were compared.
    pub(crate) sampled: usize,
    /// What the customer would notice.
    pub(crate) findings: Vec<Finding>,
    /// Why the comparison is not whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
}

impl Compared {
    /// Whether nothing was found, and all was looked at.
    pub(crate) fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.failure.is_none()
    }
}

/// Compares the accounts, some at a time; `done` is called after each. In their order.
pub(crate) async fn compare(
    plan: Plan,
    accounts: Vec<Account>,
    mut done: impl FnMut(),
) -> Vec<Compared> {
    let places = Arc::new(Semaphore::new(plan.connections.max(1)));
    let plan = Arc::new(plan);
    let mut accounts = accounts.into_iter().enumerate();
    let mut running = JoinSet::new();
    let mut results = Vec::new();
    loop {
        // No more tasks than places: passwords wait in one list and not in tasks.
        while running.len() < plan.connections.max(1)
            && let Some((at, account)) = accounts.next()
        {
            let (plan, places) = (Arc::clone(&plan), Arc::clone(&places));
            running.spawn(async move {
                let _place = places.acquire().await;
                (at, compare_account(&plan, &account).await)
            });
        }
        let Some(joined) = running.join_next().await else { break };
        if let Ok(result) = joined {
            results.push(result);
        }
        done();
    }
    results.sort_by_key(|&(at, _)| at);
    results.into_iter().map(|(_, result)| result).collect()
}

async fn compare_account(plan: &Plan, account: &Account) -> Compared {
    let mut result = Compared {
        login: account.login.clone(),
        old_messages: None,
        new_messages: None,
        sampled: 0,
        findings: Vec::new(),
        failure: None,
    };
    let limit = plan.patience * PATIENCE_PER_ACCOUNT;
    let failure = match timeout(limit, look(plan, account, &mut result)).await {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure.to_string()),
        Err(_) => Some(format!("given up after {} s", limit.as_secs())),
    };
    result.failure = failure;
    result
}

async fn look(plan: &Plan, account: &Account, result: &mut Compared) -> Result<(), Failure> {
    let open = |side, server| Session::open(side, server, account, plan.patience);
    let (old, new) = tokio::join!(open(Side::Old, &plan.old), open(Side::New, &plan.new));
    let (mut old, mut new) = (old?, new?);
    let (old_list, new_list) = tokio::join!(old.listing(), new.listing());
    let (old_list, new_list) = (old_list?, new_list?);
    result.old_messages = Some(old_list.messages.len());
    result.new_messages = Some(new_list.messages.len());
    result.findings = judge(&old_list, &new_list);
    for (old_number, new_number) in sample(&old_list, &new_list, plan.sample) {
        old.fetch(old_number, plan.retr).await?;
        new.fetch(new_number, plan.retr).await?;
        let found = compare_message(&mut old, &mut new).await?;
        result.sampled += 1;
        result.findings.extend(found.findings(old_number, new_number, &old_list, &new_list));
    }
    // The comparison is whole: how the servers say goodbye is of no interest.
    let _ = tokio::join!(old.quit(), new.quit());
    Ok(())
}

/// Numbers on both servers of at most `wanted` messages that both have, spread evenly from the
/// first to the last.
fn sample(old: &Listing, new: &Listing, wanted: usize) -> Vec<(usize, usize)> {
    let common = old.common(new);
    let count = wanted.min(common.len());
    let spread = |at: usize| match count {
        0 | 1 => 0,
        _ => at * (common.len() - 1) / (count - 1),
    };
    let numbers = |at| common.get(spread(at)).map(|&(old, new)| (old + 1, new + 1));
    (0..count).filter_map(numbers).collect()
}

#[cfg(test)]
mod tests;
