//! The list of all accounts, page by page (RFC 2696).
//!
//! A directory hands out pages one after the other, on one connection, with a cookie for the
//! next; it cannot be asked for "those behind this one". So a list that has begun is kept,
//! under the account at which its last page ended, and goes on when somebody asks for what
//! comes after that. A list that was lost meanwhile is read again from the beginning up to
//! there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use address::AccountKey;
use auth::Account;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::connection::{Connection, Found};
use super::entry::Reading;
use super::message::{Outcome, Scope, Search};
use super::pool::Pool;

/// Lists that are kept, each with its connection, and for how long.
const LISTS_MAX: usize = 4;
const KEPT_FOR: Duration = Duration::from_secs(5 * 60);
/// Most entries of a page.
const PAGE_MAX: usize = 1000;
/// How many times the timeout of a question a page may take that needs reading up to its place.
const PATIENCE: u32 = 30;

pub(super) struct Listing {
    base: String,
    filter: Vec<u8>,
    names: Vec<String>,
    kept: Mutex<Vec<Kept>>,
    turns: Semaphore,
}

/// A list that has begun; none: it ended there.
struct Kept {
    after: AccountKey,
    since: Instant,
    list: Option<List>,
}

struct List {
    connection: Connection,
    cookie: Vec<u8>,
}

/// Accounts, and the list that goes on behind them.
type Page = (Vec<Arc<Account>>, Option<List>);

impl Listing {
    pub(super) fn new(base: String, filter: Vec<u8>, names: Vec<String>) -> Self {
        let turns = Semaphore::new(LISTS_MAX);
        Self { base, filter, names, kept: Mutex::default(), turns }
    }

    /// The accounts behind `after`; none if the directory has no pages. Entries that are no
    /// proper accounts are logged and left out.
    pub(super) async fn page(
        &self,
        pool: &Pool,
        reading: &Reading,
        after: Option<&AccountKey>,
        limit: usize,
    ) -> Result<Option<Vec<Arc<Account>>>, String> {
        let deadline = Instant::now() + pool.servers.timeout * PATIENCE;
        let late = |_| "the list took too long".to_owned();
        let _turn = match timeout_at(deadline, self.turns.acquire()).await {
            Ok(Ok(turn)) => turn,
            _ => return Err("too many lists at once".to_owned()),
        };
        let limit = limit.clamp(1, PAGE_MAX);
        let work = async {
            match after {
                None => self.read(pool, reading, None, limit).await,
                Some(after) => self.behind(pool, reading, after, limit).await,
            }
        };
        let Some((page, list)) = timeout_at(deadline, work).await.map_err(late)?? else {
            return Ok(None);
        };
        if let Some(last) = page.last() {
            self.keep(last.key(), list);
        }
        Ok(Some(page))
    }

    async fn behind(
        &self,
        pool: &Pool,
        reading: &Reading,
        after: &AccountKey,
        limit: usize,
    ) -> Result<Option<Page>, String> {
        match self.take(after) {
            Some(None) => return Ok(Some((Vec::new(), None))),
            Some(list) => return self.read(pool, reading, list, limit).await,
            None => {}
        }
        match self.skip(pool, reading, after, limit).await? {
            Some((page, list)) if !page.is_empty() || list.is_none() => Ok(Some((page, list))),
            Some((_, list)) => self.read(pool, reading, list, limit).await,
            // It is gone: as near as can be is the beginning.
            None => self.read(pool, reading, None, limit).await,
        }
    }

    /// The next page that has an account in it, and the list behind it.
    async fn read(
        &self,
        pool: &Pool,
        reading: &Reading,
        mut list: Option<List>,
        limit: usize,
    ) -> Result<Option<Page>, String> {
        loop {
            let begun = match list.take() {
                Some(list) => list,
                None => List { connection: pool.connect().await?, cookie: Vec::new() },
            };
            let Some((page, rest)) = self.one(pool, reading, begun, limit).await? else {
                return Ok(None);
            };
            if !page.is_empty() || rest.is_none() {
                return Ok(Some((page, rest)));
            }
            list = rest;
        }
    }

    /// Reads from the beginning up to `after`: the accounts behind it in its page, and the list
    /// behind that page. None if it is not there.
    async fn skip(
        &self,
        pool: &Pool,
        reading: &Reading,
        after: &AccountKey,
        limit: usize,
    ) -> Result<Option<Page>, String> {
        let mut list = None;
        loop {
            let Some((mut page, rest)) = self.read(pool, reading, list, limit).await? else {
                return Ok(None);
            };
            if let Some(position) = page.iter().position(|account| account.key() == after) {
                page.drain(..=position);
                return Ok(Some((page, rest)));
            }
            match rest {
                None => return Ok(None),
                rest => list = rest,
            }
        }
    }

    /// One page.
    async fn one(
        &self,
        pool: &Pool,
        reading: &Reading,
        mut list: List,
        limit: usize,
    ) -> Result<Option<Page>, String> {
        let search = Search {
            base: &self.base,
            scope: Scope::Sub,
            size_limit: 0,
            time_limit: 0,
            filter: &self.filter,
            attributes: &self.names,
            page: Some((u32::try_from(limit).unwrap_or(u32::MAX), &list.cookie)),
        };
        let until = Instant::now() + pool.servers.timeout;
        let found = match timeout_at(until, list.connection.search(&search, limit)).await {
            Ok(Ok(found)) => found,
            Ok(Err(problem)) => return Err(problem.to_string()),
            Err(_) => return Err(format!("no page within {:?}", pool.servers.timeout)),
        };
        let Found { entries, outcome, cookie } = found;
        match outcome.code {
            Outcome::SUCCESS => {}
            Outcome::UNAVAILABLE_CRITICAL_EXTENSION => return Ok(None),
            _ => return Err(outcome.describe()),
        }
        // An entry that is no account was logged when it was read.
        let page = entries.iter().filter_map(|entry| reading.account(entry).ok()).collect();
        match cookie.filter(|cookie| !cookie.is_empty()) {
            Some(cookie) => Ok(Some((page, Some(List { cookie, ..list })))),
            None => {
                list.connection.close();
                Ok(Some((page, None)))
            }
        }
    }

    fn take(&self, after: &AccountKey) -> Option<Option<List>> {
        let mut kept = self.lock();
        kept.retain(|list| list.since.elapsed() < KEPT_FOR);
        let position = kept.iter().position(|list| list.after == *after)?;
        Some(kept.swap_remove(position).list)
    }

    fn keep(&self, after: &AccountKey, list: Option<List>) {
        let mut kept = self.lock();
        if kept.len() >= LISTS_MAX
            && let Some(oldest) =
                kept.iter().enumerate().min_by_key(|(_, list)| list.since).map(|(at, _)| at)
        {
            kept.swap_remove(oldest);
        }
        kept.push(Kept { after: after.clone(), since: Instant::now(), list });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
