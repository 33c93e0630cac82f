//! The tables of a database server as a source of accounts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use address::{AccountKey, Mailbox};
use auth::{
    Account, AccountSource, Answer, DecoySample, PolicySpread, Reload, StoredHash, Unavailable,
    address_key,
};

use super::config::Plan;
use super::driver::{Driver, Parameter, Reply, Request};
use super::pool::{Limits, Pool};
use super::query::{Name, Query};
use crate::{Common, Row, RowProblem};

/// Most rows of a query for one login, and most accounts that may own one address.
const ROWS_MAX: usize = 16;
const OWNERS_MAX: usize = 256;
/// Most accounts of a page.
const PAGE_MAX: usize = 1000;
/// How many accounts are looked at to learn what their hashes cost.
const SAMPLE: usize = 500;
/// How often connections that nobody uses are looked at, and a server that was down at the
/// start is asked again.
const TIDY_EVERY: Duration = Duration::from_secs(30);
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// How many ends of pages are remembered.
const ENDS_MAX: usize = 16;

/// A database server.
pub(super) struct SqlSource<D: Driver> {
    name: String,
    common: Common,
    account: Query,
    owners: Option<Query>,
    page: Option<Query>,
    update: Option<Query>,
    warnings: Vec<String>,
    pool: Pool<D>,
    decoys: DecoySample,
    /// How the table spells the login at which a page ended.
    ends: Mutex<VecDeque<(AccountKey, String)>>,
}

/// What the placeholders of one question stand for.
#[derive(Clone, Copy, Default)]
struct Values<'a> {
    /// The login or the address, in its one spelling.
    whole: &'a str,
    after: &'a str,
    limit: usize,
    old: &'a str,
    new: &'a str,
}

impl Values<'_> {
    fn parameters(&self, query: &Query) -> Vec<Parameter> {
        query.parameters.iter().map(|name| self.parameter(*name)).collect()
    }

    fn parameter(&self, name: Name) -> Parameter {
        let halves = self.whole.rsplit_once('@');
        match name {
            Name::Login | Name::Address => Parameter::text(self.whole),
            Name::User => Parameter::text(halves.map_or(self.whole, |(user, _)| user)),
            Name::Domain => {
                halves.map_or(Parameter::Nothing, |(_, domain)| Parameter::text(domain))
            }
            Name::After => Parameter::text(self.after),
            Name::Limit => Parameter::Number(u64::try_from(self.limit).unwrap_or(u64::MAX)),
            Name::Old => Parameter::text(self.old),
            Name::New => Parameter::text(self.new),
        }
    }
}

impl<D: Driver> SqlSource<D> {
    pub(super) fn new(name: &str, driver: D, plan: Plan, common: &Common) -> Self {
        let limits = Limits {
            connections: plan.connections,
            connect_timeout: plan.connect_timeout,
            query_timeout: plan.query_timeout,
        };
        Self {
            name: name.to_owned(),
            common: common.clone(),
            account: plan.account,
            owners: plan.owners,
            page: plan.page,
            update: plan.update,
            warnings: plan.warnings,
            pool: Pool::new(name, driver, limits, Arc::clone(&common.clock)),
            decoys: DecoySample::default(),
            ends: Mutex::default(),
        }
    }

    fn unavailable(&self, problem: String) -> Unavailable {
        Unavailable { source_name: self.name.clone(), problem }
    }

    /// A record of which no account can be made.
    fn wrong_record(&self, problem: &RowProblem) -> Unavailable {
        tracing::error!(
            target: "lastpost::auth",
            source = self.name,
            login = ?problem.login,
            column = problem.column,
            problem = problem.problem,
            "account record is wrong"
        );
        self.unavailable(problem.to_string())
    }

    async fn rows(
        &self,
        query: &Query,
        values: Values<'_>,
        most: usize,
    ) -> Result<Vec<Row>, Unavailable> {
        let parameters = values.parameters(query);
        if parameters.iter().any(Parameter::has_nul) {
            return Ok(Vec::new());
        }
        let request = Request::Select(query, &parameters, most);
        match self.pool.ask(request).await {
            Ok(Reply::Rows(rows)) => Ok(rows),
            Ok(_) => Err(self.unavailable("no rows in answer to a query".to_owned())),
            Err(problem) => Err(self.unavailable(problem)),
        }
    }

    /// The row of a login: the one that has it, or else the only one that the query gives for
    /// it, so that an account may be known by other names as well.
    async fn row(&self, key: &AccountKey) -> Result<Option<Row>, Unavailable> {
        let values = Values { whole: key.as_str(), ..Values::default() };
        let (mut exact, mut others) = (Vec::new(), Vec::new());
        for row in self.rows(&self.account, values, ROWS_MAX).await? {
            let of = row.key(&self.common).map_err(|problem| self.wrong_record(&problem))?;
            if of == *key { exact.push(row) } else { others.push(row) }
        }
        let mut found = if exact.is_empty() { others } else { exact };
        if found.len() > 1 {
            let problem = format!("{}: more than one row for one login", self.account.key);
            return Err(self.unavailable(problem));
        }
        Ok(found.pop())
    }

    fn account(&self, row: Row) -> Result<Arc<Account>, RowProblem> {
        let account = row.into_account(&self.common)?;
        if let Some(hash) = account.hash().filter(|_| !account.is_disabled()) {
            self.decoys.see(hash);
        }
        Ok(Arc::new(account))
    }

    async fn owners(&self, address: &Mailbox) -> Result<Vec<Arc<Account>>, Unavailable> {
        let Some(query) = &self.owners else { return Ok(Vec::new()) };
        let whole = address_key(address);
        let values = Values { whole: &whole, ..Values::default() };
        let mut owners = Vec::new();
        for row in self.rows(query, values, OWNERS_MAX).await? {
            let account = self.account(row).map_err(|problem| self.wrong_record(&problem))?;
            let is_there = |other: &Arc<Account>| other.key() == account.key();
            if account.owns(address) && !owners.iter().any(is_there) {
                owners.push(account);
            }
        }
        owners.sort_by_key(|account| !account.has_as_primary(address));
        Ok(owners)
    }

    async fn page(
        &self,
        after: Option<&AccountKey>,
        limit: usize,
    ) -> Result<Option<Vec<Arc<Account>>>, Unavailable> {
        let Some(query) = &self.page else { return Ok(None) };
        let limit = limit.clamp(1, PAGE_MAX);
        let mut from = after.map_or_else(String::new, |after| self.spelling(after));
        loop {
            let values = Values { after: &from, limit, ..Values::default() };
            let rows = self.rows(query, values, limit).await?;
            let Some(last) = rows.last().map(|row| row.login.clone()) else {
                return Ok(Some(Vec::new()));
            };
            if last == from {
                let problem = format!(
                    "{}: no progress behind {from:?}; expected rows in the \
                                       order of the logins, all behind :after",
                    query.key
                );
                return Err(self.unavailable(problem));
            }
            let mut accounts = Vec::with_capacity(rows.len());
            for row in rows {
                match self.account(row) {
                    Ok(account) => accounts.push(account),
                    // One wrong record must not hide all others.
                    Err(problem) => drop(self.wrong_record(&problem)),
                }
            }
            if let Some(end) = accounts.last() {
                self.remember(end.key(), last);
                return Ok(Some(accounts));
            }
            from = last;
        }
    }

    /// How the table spells a login at which a page ended.
    fn spelling(&self, key: &AccountKey) -> String {
        let ends = self.ends();
        let known = ends.iter().rev().find(|(other, _)| other == key);
        known.map_or_else(|| key.as_str().to_owned(), |(_, spelling)| spelling.clone())
    }

    fn remember(&self, key: &AccountKey, spelling: String) {
        if spelling == key.as_str() {
            return;
        }
        let mut ends = self.ends();
        if ends.len() >= ENDS_MAX {
            ends.pop_front();
        }
        ends.push_back((key.clone(), spelling));
    }

    fn ends(&self) -> MutexGuard<'_, VecDeque<(AccountKey, String)>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn replace(
        &self,
        key: &AccountKey,
        old: &StoredHash,
        new: &StoredHash,
    ) -> Result<bool, Unavailable> {
        let Some(query) = &self.update else { return Ok(false) };
        let Some(row) = self.row(key).await? else { return Ok(false) };
        if !row.open_hash().is_some_and(|now| now.is_same(old)) {
            return Ok(false);
        }
        // As the table spells it, for it is compared there.
        let Some(field) = row.password.as_deref() else { return Ok(false) };
        let new = new.to_field();
        let values = Values { whole: key.as_str(), old: field, new: &new, ..Values::default() };
        match self.pool.ask(Request::Replace(query, &values.parameters(query))).await {
            Ok(Reply::Replaced(replaced)) => Ok(replaced),
            Ok(_) => Err(self.unavailable("no count in answer to an update".to_owned())),
            Err(problem) => Err(self.unavailable(problem)),
        }
    }

    /// Whether the server takes every query.
    async fn check(&self) -> Result<(), String> {
        self.check_query(Some(&self.account)).await?;
        self.check_query(self.owners.as_ref()).await?;
        self.check_query(self.page.as_ref()).await?;
        self.check_query(self.update.as_ref()).await
    }

    async fn check_query(&self, query: Option<&Query>) -> Result<(), String> {
        if let Some(query) = query {
            self.pool.ask(Request::Check(query)).await?;
        }
        Ok(())
    }
}

impl<D: Driver> AccountSource for SqlSource<D> {
    fn name(&self) -> &str {
        &self.name
    }

    fn find<'a>(
        &'a self,
        key: &'a AccountKey,
    ) -> Answer<'a, Result<Option<Arc<Account>>, Unavailable>> {
        Box::pin(async move {
            let Some(row) = self.row(key).await? else { return Ok(None) };
            self.account(row).map(Some).map_err(|problem| self.wrong_record(&problem))
        })
    }

    fn owners<'a>(
        &'a self,
        address: &'a Mailbox,
    ) -> Answer<'a, Result<Vec<Arc<Account>>, Unavailable>> {
        Box::pin(self.owners(address))
    }

    fn page<'a>(
        &'a self,
        after: Option<&'a AccountKey>,
        limit: usize,
    ) -> Answer<'a, Result<Option<Vec<Arc<Account>>>, Unavailable>> {
        Box::pin(self.page(after, limit))
    }

    fn replace_hash<'a>(
        &'a self,
        key: &'a AccountKey,
        old: &'a StoredHash,
        new: &'a StoredHash,
    ) -> Answer<'a, Result<bool, Unavailable>> {
        Box::pin(self.replace(key, old, new))
    }

    fn can_replace_hash(&self) -> bool {
        self.update.is_some()
    }

    fn policies(&self) -> PolicySpread {
        let any = PolicySpread::ANYTHING;
        let may_have = |column| self.account.may_have(column);
        PolicySpread {
            login_delay: any.login_delay.filter(|_| may_have("login_delay")),
            sessions_max: any.sessions_max.filter(|_| may_have("sessions")),
            expire_after_retrieval: any
                .expire_after_retrieval
                .filter(|_| may_have("expire_retrieved")),
            expire_after_arrival: any.expire_after_arrival.filter(|_| may_have("expire_arrived")),
        }
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    fn reload(&self) -> Answer<'_, Result<Reload, String>> {
        self.decoys.forget();
        Box::pin(async move {
            let checked = self.check().await;
            let _ = self.page(None, SAMPLE).await;
            checked
                .map(|()| Reload::Unchanged)
                .map_err(|problem| format!("account source {}: {problem}", self.name))
        })
    }

    fn decoy(&self, seed: u64) -> Option<Arc<StoredHash>> {
        self.decoys.pick(seed)
    }

    fn keep_fresh(self: Arc<Self>) -> Answer<'static, ()> {
        Box::pin(async move {
            let mut said = String::new();
            loop {
                match self.check().await {
                    Ok(()) => break,
                    Err(problem) if problem != said => {
                        tracing::error!(
                            target: "lastpost::auth",
                            source = self.name,
                            problem,
                            "account source not ready"
                        );
                        said = problem;
                    }
                    Err(_) => {}
                }
                tokio::time::sleep(RETRY_EVERY).await;
            }
            tracing::info!(target: "lastpost::auth", source = self.name, "account source ready");
            // What the hashes cost is learnt in passing.
            let _ = self.page(None, SAMPLE).await;
            loop {
                tokio::time::sleep(TIDY_EVERY).await;
                self.pool.tidy();
            }
        })
    }
}
