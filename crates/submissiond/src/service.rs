//! The daemon: its listeners bound, and serving.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use address::Domain;
use auth::{Authenticator, Chain, Clock};
use dkim::Signer;
use filter::{Filters, UnknownFilter};
use ipnet::IpNet;
use limits::Limits;
use netio::{Drain, Gate, Listener, ServeError, ServeOptions, Tls, TlsError, TlsMode};
use smtp_proto::server::{Extensions, LoneLf, Parameters};
use spool::Spool;
use tokio::task::JoinSet;

use crate::ConfigError;
use crate::checks::{Check, Checks};
use crate::config::{LoneLfRule, SubmissionConfig, SubmissionListen, default_postmaster};
use crate::filters::Filtering;
use crate::guard::{self, Guard};
use crate::header_options::HeaderOptions;
use crate::house::{House, Listening, ParametersFor};
use crate::session;
use crate::statistics::{Counters, Statistics};

/// Failed authentications after which a session is closed.
const AUTH_FAILURES_MAX: u32 = 5;

/// ALPN (RFC 7301): a client that names protocols must name one of these, so that no request for
/// another service ends here. None is registered for mail; these are the ones in use.
const ALPN: &[&[u8]] = &[b"smtp", b"esmtp", b"submission", b"submissions"];

/// What a client is told that there is no room for.
const BUSY_LINE: &[u8] = b"421 4.3.2 Too many sessions, try again later\r\n";

/// What the daemon is made of.
pub struct Means {
    /// The host's name: in greetings, `Received` and message IDs.
    pub hostname: String,
    /// How much accounts and addresses may send; `None`: as much as they like.
    pub limits: Option<Limits>,
    /// Milters and policy services, of which a listener names those that it requires.
    pub filters: Filters,
    /// Signs messages, where it has a key for their authors' domains.
    pub signer: Option<Signer>,
    /// What is written into the headers of messages.
    pub header: HeaderOptions,
    /// Verifies passwords, and knows the accounts.
    pub authenticator: Authenticator,
    /// Where accepted messages go.
    pub spool: Spool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Certificates; needed unless every listener's `tls` is `none`.
    pub tls: Option<Tls>,
    /// Domains whose mailboxes are all here: an address in them that no account has is refused.
    pub local_domains: Vec<Domain>,
}

/// Why the daemon cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The section `[submission]` is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The socket could not be bound.
    #[error("submission listener {name}: cannot listen on {address}: {source}")]
    Bind {
        /// The listener.
        name: String,
        /// Its address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A listener lacks something.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The submission daemon, bound and ready to serve.
pub struct Submissiond {
    listeners: Vec<(Listener, Arc<Listening>)>,
    options: ServeOptions,
    house: Arc<House>,
    limits: Option<Limits>,
}

/// Reads the daemon's figures while it serves.
#[derive(Clone)]
pub struct Observer {
    house: Arc<House>,
    gate: Gate,
}

impl Submissiond {
    /// Binds every listener. `chain_of` gives the chain of a listener's authorities, in the
    /// configured order; it is asked once for each.
    ///
    /// # Errors
    /// The first thing that is wrong; then nothing listens.
    pub fn bind(
        config: &SubmissionConfig,
        means: Means,
        mut chain_of: impl FnMut(&SubmissionListen) -> Chain,
    ) -> Result<Self, StartError> {
        config.check()?;
        let limits = config.limits();
        // Its own tickets: no session of another service is resumed here.
        let tls = means.tls.as_ref().map(|tls| tls.with_alpn(ALPN)).transpose()?;
        let handshake_timeout = limits.handshake_timeout;
        let options = ServeOptions {
            gate: Gate::new(limits),
            tls: tls.clone(),
            busy_line: BUSY_LINE,
            trusted_proxies: config.trusted_proxies.iter().copied().collect::<Arc<[IpNet]>>(),
        };
        let postmaster = config.postmaster_address()?;
        let (filters, guards) = (means.filters, means.limits);
        let house = Arc::new(House {
            postmaster: postmaster.or_else(|| default_postmaster(&means.hostname)),
            hostname: means.hostname,
            signer: means.signer,
            header: means.header,
            authenticator: means.authenticator,
            spool: means.spool,
            clock: means.clock,
            local_domains: means.local_domains.iter().collect(),
            command_timeout: config.command_timeout,
            data_timeout: config.data_timeout,
            handshake_timeout,
            cleartext_auth_networks: config.cleartext_auth_networks.clone(),
            protocol: config.protocol.clone(),
            counters: Counters::default(),
        });
        let mut listeners = Vec::with_capacity(config.listen.len());
        for (index, listen) in config.listen.iter().enumerate() {
            let socket = listen.socket();
            options.check(&socket)?;
            let chain = chain_of(listen);
            check_chain(index, listen, &chain)?;
            let checks = checks(index, listen, guards.as_ref(), &filters)?;
            let listener = Listener::bind(&socket).map_err(|source| StartError::Bind {
                name: listen.name.clone(),
                address: listen.address,
                source,
            })?;
            let listening = listening(config, listen, &house, tls.clone(), (chain, checks));
            listeners.push((listener, Arc::new(listening)));
        }
        Ok(Self { listeners, options, house, limits: guards })
    }

    /// Names of the listeners and the addresses in use; a port is known even if port 0 was
    /// configured.
    pub fn local_addrs(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        self.listeners
            .iter()
            .map(|(listener, listening)| (listening.name.as_str(), listener.local_addr()))
    }

    /// For status and metrics while [`serve`](Self::serve) runs.
    #[must_use]
    pub fn observer(&self) -> Observer {
        Observer { house: Arc::clone(&self.house), gate: self.options.gate.clone() }
    }

    /// Serves until `drain` is requested: then the sockets close, while sessions finish the
    /// message they are in.
    ///
    /// # Errors
    /// If a listener cannot serve; the others end with it.
    pub async fn serve(self, drain: Drain) -> Result<(), ServeError> {
        let mut running = JoinSet::new();
        // Ends with the listeners, when it is dropped.
        let mut notices = JoinSet::new();
        if let Some(limits) = self.limits {
            notices.spawn(guard::deliver_notices(limits, self.house));
        }
        for (listener, listening) in self.listeners {
            let sessions_drain = drain.clone();
            let handler = move |connection| {
                session::converse(connection, Arc::clone(&listening), sessions_drain.clone())
            };
            running.spawn(listener.serve(self.options.clone(), drain.clone(), handler));
        }
        while let Some(ended) = running.join_next().await {
            match ended {
                Ok(outcome) => outcome?,
                Err(panicked) if panicked.is_panic() => {
                    std::panic::resume_unwind(panicked.into_panic())
                }
                Err(_) => {}
            }
        }
        Ok(())
    }
}

impl Observer {
    /// What was counted since the start.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.house.counters.read()
    }

    /// The gate that counts the sessions, and holds them to limits that may be changed.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }
}

/// A name in configuration that no authority answers to must not be passed over: the chain
/// would be another one than its author believes.
fn check_chain(index: usize, listen: &SubmissionListen, chain: &Chain) -> Result<(), ConfigError> {
    if chain.names().eq(listen.authorities.iter().map(String::as_str)) {
        return Ok(());
    }
    let present: Vec<_> = chain.names().collect();
    Err(ConfigError {
        key: format!("submission.listen[{index}].authorities"),
        problem: format!("{:?} asks for an authority that is not here", listen.authorities),
        expected: format!("authorities that this program has, such as {present:?}"),
    })
}

/// Who is asked beside the chain, in this order.
fn checks(
    index: usize,
    listen: &SubmissionListen,
    limits: Option<&Limits>,
    filters: &Filters,
) -> Result<Checks, ConfigError> {
    let mut checks: Vec<Arc<dyn Check>> = Vec::new();
    if let Some(limits) = limits {
        checks.push(Arc::new(Guard::new(limits.clone())));
    }
    let selection = filters.for_listener(&listen.filters).map_err(|UnknownFilter(name)| {
        let key = format!("submission.listen[{index}].filters");
        let problem = format!("no filter is called {name:?}");
        let expected = "names of [[filter.milter]] and [[filter.policy]] tables".to_owned();
        ConfigError { key, problem, expected }
    })?;
    if !selection.is_empty() {
        checks.push(Arc::new(Filtering::new(selection)));
    }
    Ok(Checks::new(checks))
}

fn listening(
    config: &SubmissionConfig,
    listen: &SubmissionListen,
    house: &Arc<House>,
    tls: Option<Tls>,
    (chain, checks): (Chain, Checks),
) -> Listening {
    let parameters = |xclient| Arc::new(parameters(config, listen, house, xclient));
    Listening {
        house: Arc::clone(house),
        name: listen.name.clone(),
        chain,
        checks,
        receives_local_mail: listen.receives_local_mail,
        offers_auth: listen.offers_auth(),
        masters_may_send: listen.masters_may_send,
        xclient_login: listen.xclient_login && listen.offers_auth(),
        tls: tls.filter(|_| listen.tls != TlsMode::None),
        parameters: ParametersFor { anybody: parameters(false), proxy: parameters(true) },
    }
}

fn parameters(
    config: &SubmissionConfig,
    listen: &SubmissionListen,
    house: &House,
    xclient: bool,
) -> Parameters {
    let protocol = &config.protocol;
    Parameters {
        host: house.hostname.clone(),
        message_octets_max: listen.message_size_max.unwrap_or(config.message_size_max).0,
        recipients_max: listen.recipients_max.unwrap_or(config.recipients_max),
        mails_max: protocol.mails_per_session_max,
        errors_max: config.errors_max,
        auth_failures_max: AUTH_FAILURES_MAX,
        lone_lf: match listen.lone_lf {
            LoneLfRule::Normalise => LoneLf::Normalise,
            LoneLfRule::Reject => LoneLf::Reject,
        },
        starttls: listen.tls == TlsMode::Starttls,
        extensions: Extensions {
            smtputf8: protocol.smtputf8,
            chunking: protocol.chunking,
            dsn: protocol.dsn,
            future_release: protocol.future_release(),
            deliver_by: protocol.deliver_by.then_some(0),
            require_tls: protocol.require_tls,
            limits: protocol.limits,
        },
        xclient,
    }
}
