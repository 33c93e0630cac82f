//! Delivery put in its place: the relay, what a reload changes about it, and what it shows.

use std::path::PathBuf;
use std::sync::Arc;

use relay::{LocalAccounts, Relay, Router};
use spool::Spool;

use super::{Building, blocking, limits};
use crate::cli::CliError;
use crate::config::Config;
use crate::control::{self, Reload};

/// Routes and next hops.
struct ReloadRoutes {
    file: PathBuf,
    router: Router,
}

impl Reload for ReloadRoutes {
    fn name(&self) -> String {
        "routes".to_owned()
    }

    fn reload(&self) -> Result<(), String> {
        let config = Config::load(&self.file).map_err(|error| error.to_string())?;
        let settings = config.relay_settings().map_err(|error| error.to_string())?;
        self.router.reload(&settings).map_err(|error| config.relay_mistake(&error).to_string())?;
        for warning in settings.warnings() {
            tracing::warn!(target: "lastpost::config", "{warning}");
        }
        Ok(())
    }
}

impl Building {
    pub(super) async fn start_relay(&mut self, spool: &Spool) -> Result<(), CliError> {
        let settings = self.config.relay_settings()?;
        let local = LocalAccounts::new(self.directory.clone(), &self.local_domains);
        let (spool, clock) = (spool.clone(), Arc::clone(&self.clock));
        let making = move || Ok(Relay::new(&settings, spool, Arc::new(local), clock));
        let relay = blocking(making).await?.map_err(|error| self.config.relay_mistake(&error))?;
        let relay = match &self.limits {
            Some(limits) => relay.observed_by(limits::failure_observer(limits)),
            None => relay,
        };
        let (file, router) = (self.config.file.clone(), relay.router());
        let routes = control::relay_routes(relay.stats(), router.clone());
        self.seams.reloads.push(Arc::new(ReloadRoutes { file, router }));
        self.seams.routes = std::mem::take(&mut self.seams.routes).merge(routes);
        self.sources.relay = Some(relay.stats());
        self.tasks.push(tokio::spawn(relay.run(self.drain.clone())));
        Ok(())
    }
}
