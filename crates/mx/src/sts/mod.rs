//! MTA-STS (RFC 8461): policies of domains that have no DNSSEC.

mod fetch;
mod policy;
mod store;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use netio::TlsClient;
use tokio::time::Instant;

use crate::{Kind, Lookup, Record};
use fetch::FetchError;
pub use policy::{StsMode, StsPolicy};
use store::{DAY, Held, Store};

/// RFC 8461 section 3.3: a minute for the policy.
const FETCH_MAX: Duration = Duration::from_secs(60);
/// RFC 8461 section 3.3: after a failure it is not tried again for five minutes.
const REST: Duration = Duration::from_secs(5 * 60);
/// Domains at which it rests, or is about to ask.
const ASKED_MAX: usize = 10_000;

/// Finds the policies of domains.
#[derive(Debug)]
pub(crate) struct Sts {
    store: Store,
    client: TlsClient,
    port: u16,
    asked: Mutex<HashMap<String, Arc<Asked>>>,
}

/// What is under way with one domain.
#[derive(Debug, Default)]
struct Asked {
    /// Held by whoever fetches the policy, with when it last failed.
    fetching: tokio::sync::Mutex<Option<Instant>>,
}

impl Sts {
    /// Blocking: reads the directory, and changes it if it `writes`.
    pub(crate) fn open(
        directory: Option<&Path>,
        writes: bool,
        client: TlsClient,
        port: u16,
        now: i64,
    ) -> io::Result<Self> {
        let store = Store::open(directory, writes, now)?;
        Ok(Self { store, client, port, asked: Mutex::default() })
    }

    /// The policy that holds for `domain` (A-labels, lower case), unless its mode is `none`.
    /// `now` is in Unix seconds. What was fetched before holds until its age is over, whatever
    /// the DNS or the policy's host says or does not say meanwhile (RFC 8461 section 5.1).
    pub(crate) async fn policy(
        &self,
        domain: &str,
        lookup: &dyn Lookup,
        now: i64,
    ) -> Option<StsPolicy> {
        let held = self.store.get(domain).await.filter(|held| held.holds(now));
        let current = match announced(domain, lookup).await {
            Some(id) if !held.as_ref().is_some_and(|held| is_fresh(held, &id, now)) => {
                self.renew(domain, id, lookup, now).await.or(held)
            }
            _ => held,
        };
        current.map(|held| held.policy.clone()).filter(|policy| policy.mode != StsMode::None)
    }

    /// Fetches the policy, unless somebody else has meanwhile, or it has failed of late.
    async fn renew(
        &self,
        domain: &str,
        id: String,
        lookup: &dyn Lookup,
        now: i64,
    ) -> Option<Arc<Held>> {
        let asked = self.asked(domain);
        let mut failed_at = asked.fetching.lock().await;
        let known = self.store.get(domain).await;
        if let Some(known) = known.filter(|held| is_fresh(held, &id, now)) {
            return Some(known);
        }
        if failed_at.is_some_and(|at| at.elapsed() < REST) {
            return None;
        }
        let fetched = tokio::time::timeout(FETCH_MAX, self.fetch(domain, lookup)).await;
        let reason = match fetched {
            Ok(Ok(policy)) => {
                tracing::debug!(
                    target: "lastpost::relay", %domain, %id, mode = ?policy.mode,
                    max_age = policy.max_age, "MTA-STS policy fetched"
                );
                self.store.put(domain, Held { id, fetched_at: now, policy }).await;
                *failed_at = None;
                return self.store.get(domain).await;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it took longer than a minute".to_owned(),
        };
        tracing::info!(
            target: "lastpost::relay", %domain, reason = ?reason, "no MTA-STS policy to be had"
        );
        *failed_at = Some(Instant::now());
        None
    }

    async fn fetch(&self, domain: &str, lookup: &dyn Lookup) -> Result<StsPolicy, FetchError> {
        let host = format!("mta-sts.{domain}");
        let (a, aaaa) =
            tokio::join!(lookup.lookup(&host, Kind::A), lookup.lookup(&host, Kind::Aaaa));
        let records = [a, aaaa].into_iter().flatten().flat_map(|answer| answer.records);
        let addresses: Vec<_> = records
            .filter_map(|record| match record {
                Record::Address(ip) => Some(SocketAddr::new(ip, self.port)),
                _ => None,
            })
            .collect();
        let text = fetch::fetch(&self.client, &host, &addresses).await?;
        StsPolicy::parse(&text).ok_or(FetchError::Malformed("the policy is malformed"))
    }

    /// The place of `domain` among those that are asked.
    fn asked(&self, domain: &str) -> Arc<Asked> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= ASKED_MAX {
            // Those at which nothing is under way and that may be asked again are forgotten; if
            // none is such, all at which nothing is under way.
            let rests = |known: &Asked| match known.fetching.try_lock() {
                Ok(failed_at) => failed_at.is_some_and(|at| at.elapsed() < REST),
                Err(_) => true,
            };
            asked.retain(|_, known| rests(known));
            if asked.len() >= ASKED_MAX {
                asked.retain(|_, known| known.fetching.try_lock().is_err());
            }
        }
        Arc::clone(asked.entry(domain.to_owned()).or_default())
    }
}

/// The id that the DNS announces; `None` if it cannot be asked, too.
async fn announced(domain: &str, lookup: &dyn Lookup) -> Option<String> {
    let answer = lookup.lookup(&format!("_mta-sts.{domain}"), Kind::Txt).await.ok()?;
    let texts = answer.records.iter().filter_map(|record| match record {
        Record::Txt(text) => Some(text.as_slice()),
        _ => None,
    });
    policy::announced_id(texts)
}

/// Whether it need not be fetched again: the same id, and not in the second half of its life, in
/// which it is tried once a day (RFC 8461 section 3.3 wants it renewed before it ends).
fn is_fresh(held: &Held, id: &str, now: i64) -> bool {
    let age = now.saturating_sub(held.fetched_at);
    let half = i64::try_from(held.policy.max_age / 2).unwrap_or(i64::MAX);
    held.id == id && held.holds(now) && (age < half || age < DAY)
}

#[cfg(test)]
mod tests;
