//! Who takes events from the authenticator and hands others' to it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use auth::{Authenticator, Clock, FailureEvent, FailureShare, Happening, ShareKey};
use tokio::sync::mpsc;

use crate::ShareError;
use crate::frame::{self, FRAME, Message, Teller};
use crate::local::Local;
use crate::rate::Rate;
use crate::server::Server;
use crate::statistics::{Counts, ShareStatistics};

/// Events that wait for being told.
const WAITING_MAX: usize = 4096;
/// Failures and successes that are told in a second; more say nothing new.
const RATE: u32 = 1000;
/// The same in a burst.
const BURST: u32 = 2000;
/// How long nothing is read after reading failed.
const PAUSE: Duration = Duration::from_millis(100);
/// Blocks that a daemon is told of when it begins.
const HOLDING_MAX: usize = 1000;

/// With whom to share.
pub struct Settings {
    /// The directory for the sockets of this host's daemons, the name of our socket there and
    /// that of the other daemon's; none if there is one daemon.
    pub local: Option<(PathBuf, String, String)>,
    /// The server's URL and its password; none if this host is alone.
    pub server: Option<(String, Option<String>)>,
    /// The key under which messages are sealed.
    pub key: ShareKey,
    /// By which rates are measured and ages told.
    pub clock: Arc<dyn Clock>,
}

/// Takes events from an authenticator.
pub struct Publisher {
    shared: Arc<Shared>,
    waiting: mpsc::Sender<Told>,
}

/// Tells what the publisher took, and hears what others tell.
pub struct Courier {
    shared: Arc<Shared>,
    waiting: mpsc::Receiver<Told>,
    local: Option<Local>,
    server: Option<Server>,
}

/// An event, and when it was taken.
#[derive(Clone, Copy)]
pub(crate) struct Told {
    event: FailureEvent,
    at: Duration,
}

impl Told {
    /// Whether it matters for longer than a few minutes.
    pub(crate) fn lasts(&self) -> bool {
        !matches!(self.event.happening, Happening::Failed { .. } | Happening::Succeeded { .. })
    }
}

pub(crate) struct Shared {
    key: ShareKey,
    teller: Teller,
    pub(crate) clock: Arc<dyn Clock>,
    rate: Rate,
    pub(crate) counts: Counts,
    /// Whether it was ever said that the server does not answer.
    complained: AtomicBool,
}

/// Opens what `settings` name: makes sockets, connects to nothing yet. Within a runtime. A socket
/// that cannot be made is logged, and this daemon shares without it.
///
/// # Errors
/// If the server's address is none, or the system has no random bytes.
pub fn open(settings: Settings) -> Result<(Arc<Publisher>, Courier), ShareError> {
    let mut teller = Teller::default();
    getrandom::fill(&mut teller).map_err(|error| ShareError::Random(error.into()))?;
    let Settings { local, server, key, clock } = settings;
    let server = match server {
        Some((url, password)) => Some(Server::new(&url, password.as_deref())?),
        None => None,
    };
    let local = local.and_then(|(directory, own, peer)| {
        let bound = Local::bind(&directory, &own, &peer);
        bound
            .inspect_err(|error| {
                tracing::warn!(
                    target: "lastpost::auth",
                    directory = %directory.display(),
                    %error,
                    "failures are not shared with the other daemon of this host"
                );
            })
            .ok()
    });
    let shared = Arc::new(Shared {
        key,
        teller,
        clock,
        rate: Rate::new(RATE, BURST),
        counts: Counts::default(),
        complained: AtomicBool::new(false),
    });
    let (sender, waiting) = mpsc::channel(WAITING_MAX);
    let publisher = Publisher { shared: Arc::clone(&shared), waiting: sender };
    Ok((Arc::new(publisher), Courier { shared, waiting, local, server }))
}

impl FailureShare for Publisher {
    fn publish(&self, event: FailureEvent) {
        let at = self.shared.clock.now().mono;
        let told = Told { event, at };
        if (!told.lasts() && !self.shared.rate.take(at)) || self.waiting.try_send(told).is_err() {
            self.shared.counts.lost.add(1);
        }
    }
}

impl Publisher {
    /// What was told and heard.
    #[must_use]
    pub fn statistics(&self) -> ShareStatistics {
        self.shared.counts.shown()
    }
}

impl Courier {
    /// Tells and hears until it is dropped.
    pub async fn run(self, authenticator: Authenticator) {
        let Self { shared, mut waiting, local, server } = self;
        let (to_server, for_server) = mpsc::channel(WAITING_MAX);
        let telling = async {
            while let Some(told) = waiting.recv().await {
                if let Some(local) = &local {
                    let counts = &shared.counts;
                    match local.tell(&shared.frame(&told)) {
                        true => counts.told_daemon.add(1),
                        false => counts.lost.add(1),
                    }
                }
                if server.is_some() && to_server.try_send(told).is_err() {
                    shared.counts.lost.add(1);
                }
            }
            std::future::pending::<()>().await;
        };
        let hearing = async {
            match &local {
                Some(local) => shared.hear_daemon(local, &authenticator).await,
                None => std::future::pending().await,
            }
        };
        let serving = async {
            match &server {
                Some(server) => server.run(&shared, for_server, &authenticator).await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(telling, hearing, serving);
    }
}

impl Shared {
    /// As it is sent, with its age.
    pub(crate) fn frame(&self, told: &Told) -> [u8; FRAME] {
        let message = Message::Event(FailureEvent { age: self.age(told), ..told.event });
        frame::encode(&self.key, &self.teller, &message)
    }

    /// How long ago it happened.
    pub(crate) fn age(&self, told: &Told) -> Duration {
        let waited = self.clock.now().mono.saturating_sub(told.at);
        told.event.age.saturating_add(waited)
    }

    /// Takes a message in, which travelled for `age`. Our own come back from the server; they
    /// are nothing new.
    pub(crate) fn take_in(
        &self,
        octets: &[u8],
        age: Duration,
        authenticator: &Authenticator,
    ) -> Option<Message> {
        match frame::decode(&self.key, octets) {
            Err(frame::Malformed) => {
                self.counts.malformed.add(1);
                None
            }
            Ok((teller, _)) if teller == self.teller => None,
            Ok((_, message)) => {
                if let Message::Event(event) = &message {
                    let event = FailureEvent { age: event.age.saturating_add(age), ..*event };
                    authenticator.hear(&event, self.clock.now());
                    self.counts.heard.add(1);
                }
                Some(message)
            }
        }
    }

    /// The server answers.
    pub(crate) fn found_server(&self) {
        if !self.counts.connected.swap(true, Ordering::Relaxed) {
            tracing::info!(target: "lastpost::auth", "failures are shared with other hosts");
        }
    }

    /// The server does not answer: said once, until it has answered again.
    pub(crate) fn lost_server(&self, error: &str) {
        self.counts.failures.add(1);
        let first = !self.complained.swap(true, Ordering::Relaxed);
        if self.counts.connected.swap(false, Ordering::Relaxed) || first {
            tracing::warn!(
                target: "lastpost::auth",
                error,
                "the server for shared failures does not answer; this host is alone meanwhile"
            );
        }
    }

    async fn hear_daemon(&self, local: &Local, authenticator: &Authenticator) {
        let greeting = frame::encode(&self.key, &self.teller, &Message::Greeting);
        // If nobody is there, nothing holds there.
        let _ = local.tell(&greeting);
        // One more octet than a message has: a longer one is seen to be none.
        let mut room = [0; FRAME + 1];
        loop {
            let heard = match local.hear(&mut room).await {
                Ok(heard) => room.get(..heard).unwrap_or_default(),
                Err(error) => {
                    tracing::debug!(target: "lastpost::auth", %error, "no datagram");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            if self.take_in(heard, Duration::ZERO, authenticator) == Some(Message::Greeting) {
                self.welcome(local, authenticator);
            }
        }
    }

    /// Tells a daemon that has just begun what holds.
    fn welcome(&self, local: &Local, authenticator: &Authenticator) {
        let at = self.clock.now();
        for event in authenticator.holding(at, HOLDING_MAX) {
            let told = Told { event, at: at.mono };
            match local.tell(&self.frame(&told)) {
                true => self.counts.told_daemon.add(1),
                false => self.counts.lost.add(1),
            }
        }
    }
}
