//! The daemon: what all sessions share, and the listeners that start them.

use std::io;
use std::sync::Arc;

use auth::{Authenticator, Clock, LoginObserver};
use maildrop::OpenOptions;
use netio::{
    BufferPool, Drain, Gate, ListenConfig, Listener, ServeError, ServeOptions, Tls, TlsError,
};
use tokio::task::JoinSet;

use crate::blocking::Blocking;
use crate::config::Pop3Config;
use crate::counters::{Counters, Pop3Statistics};
use crate::delay::LoginDelays;
use crate::occupancy::Occupancy;
use crate::session::{self, Offer};

/// What a client is told that is turned away for want of room.
pub(crate) const BUSY_LINE: &[u8] = b"-ERR [SYS/TEMP] Too many sessions: try again later\r\n";

/// ALPN (RFC 7301): a client that names a protocol must name this one, so that no request for
/// another service ends here.
const ALPN: &[&[u8]] = &[b"pop3"];

/// A buffer takes a block of replies, a block of a message in wire form behind it, and some.
const BUFFER_OCTETS: usize = 256 * 1024;
/// Buffers kept for the next session that has something to say: 16 MiB at most.
const BUFFERS_KEPT: usize = 64;

/// The POP3 daemon. A handle: clones share everything.
#[derive(Clone)]
pub struct Pop3d {
    pub(crate) shared: Arc<Shared>,
}

/// What all sessions share.
pub(crate) struct Shared {
    pub(crate) config: Pop3Config,
    /// By which APOP's stamps are those of this host.
    pub(crate) hostname: Box<str>,
    pub(crate) authenticator: Authenticator,
    pub(crate) observers: Vec<Arc<dyn LoginObserver>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tls: Option<Tls>,
    /// Opening, updating and closing maildrops.
    pub(crate) maildrops: Blocking,
    /// Reading messages; apart, so that a large maildrop being listed holds up no reader.
    pub(crate) messages: Blocking,
    pub(crate) options: OpenOptions,
    /// Who has which maildrop.
    pub(crate) occupancy: Arc<Occupancy>,
    pub(crate) delays: LoginDelays,
    pub(crate) buffers: BufferPool,
    pub(crate) counters: Counters,
    gate: Gate,
}

impl Pop3d {
    /// A daemon that has not begun to serve. `config` has been [checked](Pop3Config::check).
    /// `hostname`: this host's full name, for the stamps of APOP.
    /// `observers` are told of each login whose maildrop is open. `tls`: certificates; needed
    /// unless every listener says `tls = "none"`.
    ///
    /// # Errors
    /// If TLS cannot be set up for this service.
    pub fn new(
        config: Pop3Config,
        hostname: &str,
        authenticator: Authenticator,
        observers: Vec<Arc<dyn LoginObserver>>,
        clock: Arc<dyn Clock>,
        tls: Option<&Tls>,
    ) -> Result<Self, TlsError> {
        let shared = Shared {
            hostname: hostname.into(),
            occupancy: Arc::default(),
            delays: LoginDelays::new(),
            authenticator,
            observers,
            clock,
            tls: tls.map(|tls| tls.with_alpn(ALPN)).transpose()?,
            maildrops: Blocking::new(config.io_threads),
            messages: Blocking::new(config.io_threads),
            options: config.open_options(),
            buffers: BufferPool::new(BUFFER_OCTETS, BUFFERS_KEPT),
            counters: Counters::default(),
            gate: Gate::new(config.limits()),
            config,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Binds the configured listeners, in their order. Can be done before there is a runtime
    /// and before privileges are given up.
    ///
    /// # Errors
    /// The first listener that cannot be bound, and why.
    pub fn bind(&self) -> Result<Vec<Listener>, ServeError> {
        let bind = |listen: &ListenConfig| {
            Listener::bind(listen)
                .map_err(|source: io::Error| ServeError::Io { address: listen.address, source })
        };
        self.shared.config.listen.iter().map(bind).collect()
    }

    /// Serves until `drain` is requested. `listeners`: what [`bind`](Self::bind) returned.
    /// Sessions under way go on; the trigger of the drain waits for them.
    ///
    /// # Errors
    /// If a listener cannot serve at all; the others are closed then.
    pub async fn serve(&self, listeners: Vec<Listener>, drain: Drain) -> Result<(), ServeError> {
        let mut serving = JoinSet::new();
        for (listener, config) in listeners.into_iter().zip(&self.shared.config.listen) {
            let offer = Offer::from(config.tls);
            let (shared, stop) = (Arc::clone(&self.shared), drain.clone());
            let handler = move |connection| {
                session::serve(Arc::clone(&shared), connection, offer, stop.clone())
            };
            serving.spawn(listener.serve(self.options(), drain.clone(), handler));
        }
        while let Some(ended) = serving.join_next().await {
            // A listener's own task has nothing that panics; were it to, the others go on.
            ended.unwrap_or(Ok(()))?;
        }
        Ok(())
    }

    /// What was counted so far.
    #[must_use]
    pub fn statistics(&self) -> Pop3Statistics {
        self.shared.counters.read()
    }

    /// The gate through which clients come: its counts are for metrics, its limits can be
    /// changed while the daemon runs.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.shared.gate
    }

    fn options(&self) -> ServeOptions {
        ServeOptions {
            gate: self.shared.gate.clone(),
            tls: self.shared.tls.clone(),
            busy_line: BUSY_LINE,
            trusted_proxies: self.shared.config.trusted_proxies.clone().into(),
        }
    }
}

impl std::fmt::Debug for Pop3d {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pop3d").field("config", &self.shared.config).finish_non_exhaustive()
    }
}
