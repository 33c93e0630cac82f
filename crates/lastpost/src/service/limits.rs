//! Limits on senders: opened, kept on disk, told of failures, and reachable by commands.

use std::collections::BTreeSet;
use std::sync::Arc;

use address::AccountKey;
use auth::{Account, Moment};
use limits::Limits;
use relay::FailureObserver;

use super::{Building, blocking};
use crate::cli::CliError;
use crate::config::Config;
use crate::control;

/// Tells the limits of mail that was refused for good elsewhere.
struct Failures(Limits);

impl FailureObserver for Failures {
    fn delivery_failed(&self, account: &AccountKey, at: Moment) {
        self.0.delivery_failed(account, at);
    }
}

/// For the relay.
pub(super) fn failure_observer(limits: &Limits) -> Arc<dyn FailureObserver> {
    Arc::new(Failures(limits.clone()))
}

/// What of `[limits]` is allowed but names nothing that exists.
pub(crate) fn warnings(config: &Config, accounts: &[Arc<Account>]) -> Vec<String> {
    let Some(section) = &config.limits else { return Vec::new() };
    let listeners: Vec<_> =
        config.submission.listen.iter().map(|listen| listen.name.as_str()).collect();
    let profiles: BTreeSet<_> =
        accounts.iter().filter_map(|account| account.policy().limits.as_deref()).collect();
    section.warnings(&listeners, &profiles.into_iter().collect::<Vec<_>>())
}

impl Building {
    /// Opens the limits, if there are any.
    pub(super) async fn open_limits(&mut self) -> Result<Option<Limits>, CliError> {
        let section = self.config.limits.clone();
        let directory = self.config.data_directory.join("limits");
        let clock = Arc::clone(&self.clock);
        let opened = blocking(move || {
            let open = |section| Limits::open(&section, &directory, clock);
            section.map(open).transpose().map_err(CliError::failed)
        });
        let limits = opened.await?;
        // Of a database, only `lastpost check` looks at every account.
        let accounts = match self.directory.count() {
            Some(_) => self.directory.all().await.map_err(CliError::failed)?,
            None => Vec::new(),
        };
        for warning in warnings(&self.config, &accounts) {
            tracing::warn!(target: "lastpost::config", "{warning}");
        }
        let routes =
            control::limits_routes(limits.clone(), self.directory.clone(), Arc::clone(&self.clock));
        self.seams.routes = std::mem::take(&mut self.seams.routes).merge(routes);
        if let Some(limits) = &limits {
            self.sources.limits = Some(limits.clone());
            // Until the end; the service writes the counters when the last session is over.
            let keeping = limits.clone().keep(std::future::pending());
            self.seams.background.push(tokio::spawn(keeping));
        }
        Ok(limits)
    }
}
