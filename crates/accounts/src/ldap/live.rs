//! A directory as it is configured now: its connections, and the questions that are asked.

use std::sync::Arc;

use address::{AccountKey, Mailbox};
use auth::{Account, PolicySpread, Unavailable, domain_in_ascii};
use netio::{TlsClient, Trust};
use sasl::Secret;

use super::LdapConfig;
use super::attributes::Attribute;
use super::ber::Writer;
use super::config::Plan;
use super::entry::Reading;
use super::filter::Filter;
use super::listing::Listing;
use super::message::{Entry, Outcome, Scope, Search};
use super::pool::{Pool, Servers, Service};
use super::template::Values;
use crate::{AccountsSetupError, Common};

/// Most accounts that may own one address.
const OWNERS_MAX: u32 = 256;

/// What is asked, of whom, and how the answers are read.
pub(super) struct Live {
    name: String,
    plan: Plan,
    scope: Scope,
    /// What every search asks for.
    names: Vec<String>,
    time_limit: u32,
    reading: Reading,
    searches: Pool,
    binds: Pool,
    listing: Option<Listing>,
}

impl Live {
    /// Blocks: reads certificates and the password.
    pub(super) fn open(
        name: &str,
        config: &LdapConfig,
        common: &Common,
    ) -> Result<Self, AccountsSetupError> {
        let mut plan = config.plan()?;
        let trust = match config.ca_file.as_os_str().is_empty() {
            true => Trust::System,
            false => Trust::File(config.ca_file.clone()),
        };
        let tls = TlsClient::new(&trust, &[]).map_err(|error| AccountsSetupError {
            key: "accounts.source.ldap.ca_file".to_owned(),
            problem: error.to_string(),
            expected: "a PEM file with certificates of authorities".to_owned(),
        })?;
        let password = plan.secret.as_ref().map(auth::SecretSource::read).transpose()?;
        let dn = config.bind_dn.clone();
        let service = password.map(|password| Arc::new(Service { dn, password }));
        let (list, timeout) = (std::mem::take(&mut plan.servers), config.timeout);
        let servers = Servers::new(name, list, tls, timeout, Arc::clone(&common.clock));
        let servers = Arc::new(servers);
        let names = Attribute::names_of(&plan.attributes);
        let listing = plan.list.take().map(|(base, filter)| {
            let mut writer = Writer::new();
            // It has no variables, so that nothing can be missing.
            let _ = filter.write(&Values::of_address(""), &mut writer);
            Listing::new(base, writer.finish().to_vec(), names.clone())
        });
        Ok(Self {
            name: name.to_owned(),
            scope: config.search.scope,
            time_limit: u32::try_from(timeout.as_secs().max(1)).unwrap_or(1),
            reading: Reading::new(name, config.mode, std::mem::take(&mut plan.attributes), common),
            plan,
            names,
            searches: Pool::new(Arc::clone(&servers), service, config.connections),
            binds: Pool::new(servers, None, config.connections),
            listing,
        })
    }

    fn unavailable(&self, problem: String) -> Unavailable {
        Unavailable { source_name: self.name.clone(), problem }
    }

    /// The entries that a filter finds, at most `most`; more are an error.
    async fn entries(
        &self,
        filter: &Filter,
        values: &Values<'_>,
        names: &[String],
        most: u32,
    ) -> Result<Vec<Entry>, Unavailable> {
        let Some(base) = self.plan.base.expand(values) else { return Ok(Vec::new()) };
        let mut writer = Writer::new();
        if filter.write(values, &mut writer).is_none() {
            return Ok(Vec::new());
        }
        let search = Search {
            base: &base,
            scope: self.scope,
            // One more than may be, to see that there are too many.
            size_limit: most.saturating_add(1),
            time_limit: self.time_limit,
            filter: &writer.finish(),
            attributes: names,
            page: None,
        };
        let room = usize::try_from(search.size_limit).unwrap_or(usize::MAX);
        let found = self.searches.search(&search, room).await.map_err(|e| self.unavailable(e))?;
        match found.outcome.code {
            Outcome::SUCCESS if found.entries.len() < room => Ok(found.entries),
            Outcome::SUCCESS | Outcome::SIZE_LIMIT_EXCEEDED => {
                tracing::error!(
                    target: "lastpost::auth",
                    source = self.name,
                    asked = ?values.whole(),
                    first = ?found.entries.first().map(|entry| entry.dn.as_str()),
                    "more entries than there may be"
                );
                Err(self.unavailable(format!("more than {most} entries for one question")))
            }
            // A name that depends on the login may well not exist; the place of all accounts may
            // not vanish.
            Outcome::NO_SUCH_OBJECT if self.plan.base.has_variables() => Ok(Vec::new()),
            _ => Err(self.unavailable(found.outcome.describe())),
        }
    }

    pub(super) async fn find_account(
        &self,
        key: &AccountKey,
    ) -> Result<Option<Arc<Account>>, Unavailable> {
        let values = Values::of_login(key);
        let entries = self.entries(&self.plan.filter, &values, &self.names, 1).await?;
        let Some(entry) = entries.first() else { return Ok(None) };
        self.reading.account(entry).map(Some).map_err(|e| self.unavailable(e))
    }

    pub(super) async fn find_owners(
        &self,
        address: &Mailbox,
    ) -> Result<Vec<Arc<Account>>, Unavailable> {
        let mut owners: Vec<Arc<Account>> = Vec::new();
        for spelling in spellings(address) {
            let values = Values::of_address(&spelling);
            let filter = &self.plan.address_filter;
            let entries = self.entries(filter, &values, &self.names, OWNERS_MAX).await?;
            for entry in &entries {
                let account = self.reading.account(entry).map_err(|e| self.unavailable(e))?;
                // A directory compares more loosely than mail may.
                let known = owners.iter().any(|other| other.key() == account.key());
                if !known && account.owns(address) {
                    owners.push(account);
                }
            }
        }
        owners.sort_by_key(|account| !account.has_as_primary(address));
        Ok(owners)
    }

    pub(super) async fn page(
        &self,
        after: Option<&AccountKey>,
        limit: usize,
    ) -> Result<Option<Vec<Arc<Account>>>, Unavailable> {
        let Some(listing) = &self.listing else { return Ok(None) };
        let page = listing.page(&self.searches, &self.reading, after, limit).await;
        page.map_err(|problem| self.unavailable(problem))
    }

    pub(super) fn policies(&self) -> PolicySpread {
        self.reading.policies()
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let open = self.searches.servers.list.iter().filter(|server| !server.is_protected());
        let what = "passwords and hashes cross the network unprotected; use ldaps:// or start_tls";
        open.map(|server| format!("accounts.source.ldap.servers: {}: {what}", server.name))
            .collect()
    }

    pub(super) async fn verify_by_bind(
        &self,
        key: &AccountKey,
        password: &Secret,
    ) -> Result<bool, Unavailable> {
        // The entry's name is asked for anew: it may have moved, and it is no part of an account.
        let none = ["1.1".to_owned()];
        let values = Values::of_login(key);
        let entries = self.entries(&self.plan.filter, &values, &none, 1).await?;
        let Some(entry) = entries.first().filter(|entry| !entry.dn.is_empty()) else {
            return Ok(false);
        };
        let outcome =
            self.binds.bind(&entry.dn, password).await.map_err(|e| self.unavailable(e))?;
        match outcome.code {
            Outcome::SUCCESS => Ok(true),
            // No such password, or none at all, or one that the directory does not take now:
            // expired, locked, of an entry that may not bind.
            19 | 32 | 48 | 49 | 50 | 53 => {
                tracing::debug!(
                    target: "lastpost::auth",
                    source = self.name,
                    user = ?key.as_str(),
                    outcome = outcome.describe(),
                    "directory refused a bind"
                );
                Ok(false)
            }
            _ => Err(self.unavailable(format!("bind: {}", outcome.describe()))),
        }
    }
}

/// The ways in which a directory may have written an address.
fn spellings(address: &Mailbox) -> Vec<String> {
    let mut spellings = vec![address.to_string()];
    if let Some(domain) = address.domain() {
        let ascii = format!("{}@{}", address.local(), domain_in_ascii(domain.as_str()));
        if !spellings.contains(&ascii) {
            spellings.push(ascii);
        }
    }
    spellings
}
