//! The running service: every room put in its place.

mod delivery;
mod figures;
mod helpers;
mod limits;
mod reloads;
mod seams;
mod share;
mod status;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::limits::Limits;
use address::Domain;
use auth::{Authenticator, Clock, Directory, LastLogins};
use netio::{Drain, DrainTrigger, Tls};
use pop3d::Pop3d;
use spool::Spool;
use submissiond::{Means, Submissiond};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) use self::helpers::token_verifier;
pub(crate) use self::limits::warnings as limits_warnings;
pub(crate) use self::share::check_share_key;
use crate::cli::CliError;
use crate::config::Config;
use crate::control::{self, Controls, Token};
use reloads::{ReloadAccounts, ReloadTls};
use seams::AtEnd;
pub(crate) use seams::{Seams, check_authorities};
pub(crate) use share::share_password;
use status::Sources;

/// How long sessions may go on after the end was asked for.
const DRAIN_PATIENCE: Duration = Duration::from_secs(10);

/// Which of the daemons this process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Both.
    Both,
    /// The POP3 daemon.
    Pop3,
    /// The submission daemon, with spool and delivery.
    Submission,
}

impl Role {
    /// Whether it serves POP3.
    #[must_use]
    pub fn serves_pop3(self) -> bool {
        self != Self::Submission
    }

    /// Whether it takes submissions.
    #[must_use]
    pub fn takes_submissions(self) -> bool {
        self != Self::Pop3
    }
}

/// The daemons, running.
pub struct Service {
    addresses: BTreeMap<String, SocketAddr>,
    controls: Arc<Controls>,
    serving: Arc<AtomicBool>,
    trigger: DrainTrigger,
    tasks: Vec<JoinHandle<()>>,
    background: Vec<JoinHandle<()>>,
    spool: Option<Spool>,
    last_logins: Option<Arc<LastLogins>>,
    limits: Option<Limits>,
    at_end: Vec<AtEnd>,
}

/// What is being put together.
pub(crate) struct Building {
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) directory: Directory,
    authenticator: Authenticator,
    tls: Option<Tls>,
    local_domains: Vec<Domain>,
    pub(crate) seams: Seams,
    drain: Drain,
    addresses: BTreeMap<String, SocketAddr>,
    tasks: Vec<JoinHandle<()>>,
    sources: Sources,
    limits: Option<Limits>,
}

impl Service {
    /// Starts what `role` says. When it returns, every listener takes connections.
    ///
    /// # Errors
    /// If a file is missing or wrong, or an address is taken.
    pub async fn start(
        config: Config,
        role: Role,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CliError> {
        let (trigger, drain) = Drain::new();
        let opening = move || {
            make_data_directory(&config)?;
            // Two daemons share the directory, and the record is the POP3 daemon's.
            let last_logins = match role.serves_pop3() {
                true => Some(LastLogins::open(&config.data_directory).map_err(CliError::failed)?),
                false => None,
            };
            Ok((Building::new(config, clock, drain)?, last_logins.map(Arc::new)))
        };
        let (mut building, last_logins) = blocking(opening).await?;
        building.share_failures(role).await?;
        if let Some(last_logins) = &last_logins {
            building.seams.observers.push(Arc::clone(last_logins) as _);
        }
        #[cfg(feature = "pop-before-smtp")] // retire
        crate::bridge::attach(&mut building, role).await?; // retire

        let mut spool = None;
        if role.takes_submissions() {
            let opened = building.open_spool().await?;
            building.limits = building.open_limits().await?;
            building.start_submission(&opened)?;
            building.start_relay(&opened).await?;
            spool = Some(opened);
        }
        if role.serves_pop3() {
            building.start_pop3()?;
        }
        building.finish(role, trigger, spool, last_logins).await
    }

    /// Where a listener listens: `pop3`, `pop3s`, the name of a submission listener, or
    /// `control`.
    #[must_use]
    pub fn address(&self, listener: &str) -> Option<SocketAddr> {
        self.addresses.get(listener).copied()
    }

    /// What can be asked of it.
    #[must_use]
    pub fn controls(&self) -> &Arc<Controls> {
        &self.controls
    }

    /// Ends: listeners close, sessions finish what they are doing, the spool is written.
    pub async fn stop(mut self) {
        self.serving.store(false, Ordering::Relaxed);
        let left = self.trigger.drain(DRAIN_PATIENCE).await;
        if left > 0 {
            tracing::warn!(target: "lastpost::service", left, "sessions were cut off at the end");
        }
        let abandoned = tokio::time::timeout(DRAIN_PATIENCE, async {
            for task in &mut self.tasks {
                let _ = task.await;
            }
        });
        if abandoned.await.is_err() {
            tracing::warn!(target: "lastpost::service", "deliveries under way were cut off; they are tried again");
        }
        for task in self.tasks.iter().chain(&self.background) {
            task.abort();
        }
        // The controls hold handles of the rooms; a spool closes with its last one.
        drop(self.controls);
        if let Some(spool) = self.spool {
            spool.close().await;
        }
        if let Some(limits) = self.limits {
            let saved = tokio::task::spawn_blocking(move || limits.save()).await;
            if let Ok(Err(error)) = saved {
                tracing::warn!(target: "lastpost::limits", %error, "the counters are lost");
            }
        }
        if let Some(last_logins) = self.last_logins {
            let _ = tokio::task::spawn_blocking(move || last_logins.flush()).await;
        }
        for write in self.at_end {
            let _ = tokio::task::spawn_blocking(write).await;
        }
    }
}

fn make_data_directory(config: &Config) -> Result<(), CliError> {
    std::fs::create_dir_all(&config.data_directory).map_err(|error| {
        config
            .mistake(
                "data_directory",
                format!("{} cannot be made: {error}", config.data_directory.display()),
            )
            .into()
    })
}

/// Runs file work off the async workers.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CliError> + Send + 'static,
) -> Result<T, CliError> {
    tokio::task::spawn_blocking(work).await.map_err(CliError::failed)?
}

impl Building {
    fn new(config: Config, clock: Arc<dyn Clock>, drain: Drain) -> Result<Self, CliError> {
        let directory = config.directory(Arc::clone(&clock))?;
        for warning in directory.warnings() {
            tracing::warn!(target: "lastpost::accounts", "{warning}");
        }
        let authenticator =
            Authenticator::new(&config.auth, directory.clone()).map_err(CliError::failed)?;
        let tls = match &config.tls {
            Some(section) => {
                Some(Tls::load(section).map_err(|error| config.mistake("tls", error.to_string()))?)
            }
            None => None,
        };
        let local_domains = config.relay_settings()?.local_domains;
        let mut seams = Seams::default();
        seams.reloads.push(Arc::new(ReloadAccounts::new(directory.clone())));
        if let Some(tls) = &tls {
            seams.reloads.push(Arc::new(ReloadTls(tls.clone())));
        }
        seams.background.push(tokio::spawn(directory.clone().keep_fresh()));
        let authenticator = helpers::attach(&config, &clock, authenticator, &mut seams)?;
        Ok(Self {
            sources: Sources::new(Arc::clone(&clock), authenticator.clone()),
            config,
            clock,
            directory,
            authenticator,
            tls,
            local_domains,
            seams,
            drain,
            addresses: BTreeMap::new(),
            tasks: Vec::new(),
            limits: None,
        })
    }

    async fn open_spool(&mut self) -> Result<Spool, CliError> {
        let section = self.config.spool.clone();
        let clock = Arc::clone(&self.clock);
        // The spool logs what its recovery found.
        let (spool, _) =
            blocking(move || Spool::open(&section, clock).map_err(CliError::failed)).await?;
        self.seams.routes =
            std::mem::take(&mut self.seams.routes).merge(control::queue_routes(spool.clone()));
        self.sources.spool = Some(spool.clone());
        Ok(spool)
    }

    fn start_submission(&mut self, spool: &Spool) -> Result<(), CliError> {
        for warning in self.config.submission.warnings() {
            tracing::warn!(target: "lastpost::config", "{warning}");
        }
        check_authorities(&self.config, &self.seams.names())?;
        let filters = filter::Filters::new(&self.config.filter).map_err(CliError::failed)?;
        self.sources.filters = Some(filters.clone());
        let means = Means {
            hostname: self.config.hostname.clone(),
            filters,
            limits: self.limits.clone(),
            header: self.config.header_options()?,
            signer: self.signer()?,
            authenticator: self.authenticator.clone(),
            spool: spool.clone(),
            clock: Arc::clone(&self.clock),
            tls: self.tls.clone(),
            local_domains: self.local_domains.clone(),
        };
        let daemon = Submissiond::bind(&self.config.submission, means, |listen| {
            self.seams.chain(&listen.authorities)
        })
        .map_err(CliError::failed)?;
        for (name, address) in daemon.local_addrs() {
            self.addresses.insert(name.to_owned(), address);
        }
        self.sources.submission = Some(daemon.observer());
        let drain = self.drain.clone();
        self.tasks.push(tokio::spawn(async move {
            if let Err(error) = daemon.serve(drain).await {
                tracing::error!(target: "lastpost::submission", %error, "a listener broke");
            }
        }));
        Ok(())
    }

    fn start_pop3(&mut self) -> Result<(), CliError> {
        let daemon = Pop3d::new(
            self.config.pop3.clone(),
            &self.config.hostname,
            self.authenticator.clone(),
            self.seams.observers.clone(),
            Arc::clone(&self.clock),
            self.tls.as_ref(),
        )
        .map_err(CliError::failed)?;
        let listeners = daemon.bind().map_err(CliError::failed)?;
        for (listener, section) in listeners.iter().zip(&self.config.pop3.listen) {
            let name = match section.tls {
                netio::TlsMode::Implicit => "pop3s",
                netio::TlsMode::Starttls | netio::TlsMode::None => "pop3",
            };
            let number = (2..)
                .map(|number| format!("{name}-{number}"))
                .find(|name| !self.addresses.contains_key(name))
                .filter(|_| self.addresses.contains_key(name));
            let name = number.unwrap_or_else(|| name.to_owned());
            self.addresses.insert(name, listener.local_addr());
        }
        self.sources.pop3 = Some(daemon.clone());
        let (keeper, drain) = (daemon.clone(), self.drain.clone());
        let directory = self.config.data_directory.clone();
        self.tasks
            .push(tokio::spawn(async move { keeper.keep_retention(&directory, drain).await }));
        let drain = self.drain.clone();
        self.tasks.push(tokio::spawn(async move {
            if let Err(error) = daemon.serve(listeners, drain).await {
                tracing::error!(target: "lastpost::pop3", %error, "a listener broke");
            }
        }));
        Ok(())
    }

    async fn finish(
        mut self,
        role: Role,
        trigger: DrainTrigger,
        spool: Option<Spool>,
        last_logins: Option<Arc<LastLogins>>,
    ) -> Result<Service, CliError> {
        let serving = Arc::new(AtomicBool::new(true));
        let (key, address) = match role {
            Role::Pop3 => ("control.listen_pop3d", self.config.control.listen_pop3d),
            Role::Both | Role::Submission => ("control.listen", self.config.control.listen),
        };
        let listener = match address {
            Some(address) => {
                let bound = TcpListener::bind(address)
                    .await
                    .map_err(|error| self.config.mistake(key, format!("{address}: {error}")))?;
                self.addresses
                    .insert("control".to_owned(), bound.local_addr().map_err(CliError::failed)?);
                Some(bound)
            }
            None => None,
        };
        self.sources.addresses = self.addresses.clone();
        self.sources.figures = self.seams.figures;
        let ready = Arc::clone(&serving);
        let (figures, status) = self.sources.into_views();
        let controls = Arc::new(Controls {
            reloads: self.seams.reloads,
            status,
            figures,
            ready: Box::new(move || ready.load(Ordering::Relaxed)),
        });
        if let Some(listener) = listener {
            let file = self.config.control_token_file();
            let loading = move || {
                Token::load_or_create(&file)
                    .map_err(|error| CliError::Failed(format!("{}: {error}", file.display())))
            };
            let token = blocking(loading).await?;
            let (controls, drain) = (Arc::clone(&controls), self.drain.clone());
            let routes = self.seams.routes;
            self.tasks.push(tokio::spawn(async move {
                let stop = async move { drain.requested().await };
                let served = control::serve(listener, controls, Arc::new(token), routes, stop);
                if let Err(error) = served.await {
                    tracing::error!(target: "lastpost::control", %error, "the control side broke");
                }
            }));
        }
        for (name, address) in &self.addresses {
            tracing::info!(target: "lastpost::service", name, %address, "listening");
        }
        Ok(Service {
            addresses: self.addresses,
            controls,
            serving,
            trigger,
            tasks: self.tasks,
            background: self.seams.background,
            spool,
            last_logins,
            limits: self.limits,
            at_end: self.seams.at_end,
        })
    }
}
