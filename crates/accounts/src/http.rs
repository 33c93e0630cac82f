//! Accounts from a policy hook: a service of the provider's own that is asked over HTTP or
//! HTTPS and answers with JSON.

mod config;
mod exchange;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use address::{AccountKey, Mailbox};
use arc_swap::ArcSwap;
use auth::{Account, AccountSource, Answer, Origin, PolicySpread, Reload, Unavailable};
use https::{Client, HttpsError, Request, Response, Settings, Url};
use sasl::Secret;
use zeroize::Zeroizing;

use crate::breaker::{Breaker, Change};
use crate::{AccountsSetupError, Common};
use config::wrong;
use exchange::{Question, Record, Records, Verdict};

pub use config::{HttpConfig, HttpMode};

/// Octets of an answer.
const ANSWER_MAX: usize = 64 * 1024;
/// Accounts that are asked for at a time: so many fit into an answer.
const PAGE_MAX: usize = 100;
/// Accounts that may own one address.
const OWNERS_MAX: usize = 256;
/// Failures in a row after which nothing is asked for a while.
const FAILURES_MAX: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// A hook.
pub struct HttpSource {
    name: String,
    mode: HttpMode,
    url: Url,
    /// Whether nobody on the way can listen.
    is_protected: bool,
    access: ArcSwap<Access>,
    config: HttpConfig,
    can_list: bool,
    common: Common,
    breaker: Breaker,
}

/// What was read from files, and is read again at a reload.
struct Access {
    client: Client,
    authorization: Option<Zeroizing<Vec<u8>>>,
}

impl Access {
    /// Blocks.
    fn open(config: &HttpConfig, url: &Url) -> Result<Self, AccountsSetupError> {
        let ca_file = &config.ca_file;
        let settings = Settings {
            ca_file: (!ca_file.as_os_str().is_empty()).then(|| ca_file.clone()),
            connect_timeout: config.timeout,
            timeout: config.timeout,
            answer_max: ANSWER_MAX,
            connections_max: config.connections,
            idle_max: config.connections,
        };
        let untrusted = |error: HttpsError| {
            wrong("ca_file", error.to_string(), "a PEM file with certificates of authorities")
        };
        let client = Client::new(&settings).map_err(untrusted)?;
        client.can_ask(url).map_err(untrusted)?;
        let token = config.token()?.map(|source| source.read()).transpose()?;
        let authorization =
            token.map(|token| Zeroizing::new([b"Bearer ", token.expose()].concat()));
        Ok(Self { client, authorization })
    }
}

/// What the hook answered.
enum Said {
    /// 200, with this JSON.
    Yes(Zeroizing<Vec<u8>>),
    /// 404.
    Unknown,
    /// 401.
    No,
}

impl HttpSource {
    /// A source that connects when it is asked for the first time. Blocks: reads certificates
    /// and the secret.
    ///
    /// # Errors
    /// The first value of the configuration that cannot be obeyed.
    pub fn open(
        name: &str,
        config: &HttpConfig,
        common: &Common,
    ) -> Result<Self, AccountsSetupError> {
        config.check()?;
        let url = config.parsed_url()?;
        let access = ArcSwap::from_pointee(Access::open(config, &url)?);
        Ok(Self {
            name: name.to_owned(),
            mode: config.mode,
            url,
            is_protected: config.is_protected(),
            access,
            config: config.clone(),
            can_list: config.list,
            common: common.clone(),
            breaker: Breaker::new(FAILURES_MAX, PAUSE),
        })
    }

    fn unavailable(&self, problem: impl Into<String>) -> Unavailable {
        Unavailable { source_name: self.name.clone(), problem: problem.into() }
    }

    fn now(&self) -> Duration {
        self.common.clock.now().mono
    }

    /// Asks, unless the hook failed too often, and counts how it went.
    async fn ask(&self, question: &Question<'_>) -> Result<Said, Unavailable> {
        self.breaker.admit(self.now()).map_err(|problem| self.unavailable(problem))?;
        match self.exchange(question).await {
            Ok(said) => {
                self.worked();
                Ok(said)
            }
            // That so many ask at once is no fault of the hook's.
            Err(HttpProblem::Busy(problem)) => Err(self.unavailable(problem)),
            Err(HttpProblem::Failed(problem)) => Err(self.failed(problem)),
        }
    }

    fn worked(&self) {
        if self.breaker.succeeded() == Change::Up {
            tracing::info!(
                target: "lastpost::auth", source = self.name, "account source answers again"
            );
        }
    }

    fn failed(&self, problem: String) -> Unavailable {
        if self.breaker.failed(self.now(), &problem) == Change::Down {
            tracing::error!(
                target: "lastpost::auth", source = self.name, problem, "account source down"
            );
        }
        self.unavailable(problem)
    }

    async fn exchange(&self, question: &Question<'_>) -> Result<Said, HttpProblem> {
        let failed = |problem: &str| HttpProblem::Failed(problem.to_owned());
        let body = question.to_json().ok_or_else(|| failed("the question is no JSON"))?;
        let mut request = Request::post_json(body).repeatable();
        let access = self.access.load_full();
        if let Some(authorization) = &access.authorization {
            request = request.field("Authorization", authorization)?;
        }
        let response: Response = access.client.send(&self.url, request).await?;
        match response.status() {
            200 if !response.is_of_type("application/json") => {
                Err(failed("an answer that does not say that it is application/json"))
            }
            200 => Ok(Said::Yes(Zeroizing::new(response.into_body()))),
            404 => Ok(Said::Unknown),
            401 => Ok(Said::No),
            other => Err(HttpProblem::Failed(format!("status {other}"))),
        }
    }

    /// The account of a record; a record that is wrong is the trouble of that account alone.
    fn account(&self, record: Record, login: Option<&str>) -> Result<Arc<Account>, Unavailable> {
        let row = record.into_row(self.mode, login);
        let account = row
            .map_err(str::to_owned)
            .and_then(|row| row.into_account(&self.common).map_err(|problem| problem.to_string()));
        account.map(Arc::new).map_err(|problem| {
            tracing::error!(
                target: "lastpost::auth",
                source = self.name,
                user = ?login.unwrap_or_default(),
                problem,
                "account record is wrong"
            );
            self.unavailable(problem)
        })
    }

    async fn find_account(&self, key: &AccountKey) -> Result<Option<Arc<Account>>, Unavailable> {
        let login = key.as_str();
        match self.ask(&Question::Account { login }).await? {
            Said::Unknown => Ok(None),
            Said::No => Err(self.failed("status 401: the hook does not know our token".into())),
            Said::Yes(body) => {
                let record = exchange::read(&body).map_err(|problem| self.failed(problem))?;
                self.account(record, Some(login)).map(Some)
            }
        }
    }

    /// The records of an answer to `owners` or `list`; none if the hook has none.
    async fn records(&self, question: &Question<'_>) -> Result<Vec<Record>, Unavailable> {
        match self.ask(question).await? {
            Said::Unknown => Ok(Vec::new()),
            Said::No => Err(self.failed("status 401: the hook does not know our token".into())),
            Said::Yes(body) => {
                let records: Records =
                    exchange::read(&body).map_err(|problem| self.failed(problem))?;
                Ok(records.accounts)
            }
        }
    }

    async fn find_owners(&self, address: &Mailbox) -> Result<Vec<Arc<Account>>, Unavailable> {
        let text = address.to_string();
        let records = self.records(&Question::Owners { address: &text }).await?;
        if records.len() > OWNERS_MAX {
            return Err(self.unavailable(format!("more than {OWNERS_MAX} owners of an address")));
        }
        let mut owners = Vec::with_capacity(records.len());
        for record in records {
            let account = self.account(record, None)?;
            if account.owns(address) {
                owners.push(account);
            }
        }
        owners.sort_by_key(|account| !account.has_as_primary(address));
        Ok(owners)
    }

    async fn list(
        &self,
        after: Option<&AccountKey>,
        limit: usize,
    ) -> Result<Vec<Arc<Account>>, Unavailable> {
        let limit = limit.clamp(1, PAGE_MAX);
        let mut after = after.map(|key| key.as_str().to_owned());
        // A page of nothing but wrong records is not the end.
        loop {
            let question = Question::List { after: after.as_deref(), limit };
            let records = self.records(&question).await?;
            if records.len() > limit {
                return Err(self.failed(format!("a page of more than {limit} accounts")));
            }
            let last = records.last().and_then(Record::login).map(str::to_owned);
            let page: Vec<_> =
                records.into_iter().filter_map(|record| self.account(record, None).ok()).collect();
            if !page.is_empty() || last.is_none() || last == after {
                return Ok(page);
            }
            after = last;
        }
    }

    async fn verify_there(
        &self,
        key: &AccountKey,
        password: &Secret,
        origin: &Origin,
    ) -> Result<bool, Unavailable> {
        // JSON has no way to say it otherwise, and no hook could know such a password.
        let Ok(password) = std::str::from_utf8(password.expose()) else { return Ok(false) };
        match self.ask(&Question::verify(key.as_str(), password, origin)).await? {
            Said::Unknown | Said::No => Ok(false),
            Said::Yes(body) => {
                let verdict: Verdict =
                    exchange::read(&body).map_err(|problem| self.failed(problem))?;
                Ok(verdict.verified)
            }
        }
    }
}

/// Why there is no answer.
enum HttpProblem {
    Busy(String),
    Failed(String),
}

impl From<HttpsError> for HttpProblem {
    fn from(error: HttpsError) -> Self {
        match error {
            HttpsError::Busy => Self::Busy(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl AccountSource for HttpSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn find<'a>(
        &'a self,
        key: &'a AccountKey,
    ) -> Answer<'a, Result<Option<Arc<Account>>, Unavailable>> {
        Box::pin(self.find_account(key))
    }

    fn owners<'a>(
        &'a self,
        address: &'a Mailbox,
    ) -> Answer<'a, Result<Vec<Arc<Account>>, Unavailable>> {
        Box::pin(self.find_owners(address))
    }

    fn page<'a>(
        &'a self,
        after: Option<&'a AccountKey>,
        limit: usize,
    ) -> Answer<'a, Result<Option<Vec<Arc<Account>>>, Unavailable>> {
        Box::pin(async move {
            if self.can_list { self.list(after, limit).await.map(Some) } else { Ok(None) }
        })
    }

    fn verify<'a>(
        &'a self,
        account: &'a Arc<Account>,
        password: &'a Secret,
        origin: &'a Origin,
    ) -> Answer<'a, Result<bool, Unavailable>> {
        Box::pin(async move {
            if password.is_empty() || self.mode != HttpMode::Verify {
                return Ok(false);
            }
            self.verify_there(account.key(), password, origin).await
        })
    }

    fn policies(&self) -> PolicySpread {
        PolicySpread::ANYTHING
    }

    /// Reads certificates and the token again.
    fn reload(&self) -> Answer<'_, Result<Reload, String>> {
        let (config, url) = (self.config.clone(), self.url.clone());
        Box::pin(async move {
            let open = move || Access::open(&config, &url);
            let opened = tokio::task::spawn_blocking(open).await.map_err(|e| e.to_string())?;
            self.access.store(Arc::new(opened.map_err(|e| e.to_string())?));
            Ok(Reload::Unchanged)
        })
    }

    fn warnings(&self) -> Vec<String> {
        if self.is_protected {
            return Vec::new();
        }
        let what = "what is asked and answered crosses the network unprotected; use https://";
        vec![format!("accounts.source.http.url: {}: {what}", self.name)]
    }
}
