//! Is this login who it says it is? One question, one answer, and nothing in between for
//! whoever asks without the password.

mod case;
mod decide;
mod guarding;
mod helpers;
#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sasl::{Offer, Secret};

use crate::cache::VerifiedCache;
use crate::master::Masters;
use crate::pool::Pool;
use crate::seal::Seal;
use crate::statistics::Counter;
use crate::throttle::Throttle;
use crate::{
    AccountsError, AuthConfig, Channel, ConfigError, Directory, HashError, Login, Moment,
    SaslConfig, Service, Statistics, UpgradeCounts, Upgrader,
};
pub(crate) use case::Case;
use decide::Proof;
pub(crate) use decide::{Outcome, Reason};
use helpers::Helpers;

/// Longest piece of a login name that a log line shows.
const SHOWN_MAX: usize = 128;

/// Where an attempt came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The client's address.
    pub client: IpAddr,
    /// How it reached us.
    pub channel: Channel,
}

/// Why nobody is logged in. None says whether there is such an account, unless the password was
/// right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Wrong, unknown or disabled: `-ERR [AUTH]` (RFC 3206), `535 5.7.8` (RFC 4954). The
    /// delay for the failure has passed already.
    #[error("authentication failed")]
    Invalid,
    /// Too many attempts wait, here or at the client's network; nothing was looked at:
    /// `-ERR [SYS/TEMP]` (RFC 3206), `454 4.7.0` (RFC 4954).
    #[error("too many logins at the moment, try again in a minute")]
    Busy,
    /// A source of accounts cannot say: `-ERR [SYS/TEMP]` (RFC 3206), `454 4.7.0` (RFC 4954).
    #[error("accounts cannot be looked up at the moment, try again in a minute")]
    Unavailable,
    /// The password is right, but has to be changed before it is good for anything.
    #[error("the password has to be changed first{}", .url.as_deref().map(|url| format!(": {url}")).unwrap_or_default())]
    MustChange {
        /// Where, if the configuration says.
        url: Option<Arc<str>>,
    },
}

/// Why no authenticator could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The section `[auth]` is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No key for the keyed digests.
    #[error(transparent)]
    Seal(#[from] HashError),
    /// The threads that hash could not be started.
    #[error("cannot start the threads that verify passwords: {0}")]
    Threads(#[from] io::Error),
    /// The file of the master users is wrong.
    #[error(transparent)]
    Masters(#[from] AccountsError),
}

/// Verifies logins against a [`Directory`]. A handle: clones share threads, cache and counts.
#[derive(Clone)]
pub struct Authenticator {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) directory: Directory,
    pub(crate) masters: Option<Masters>,
    must_change_url: Option<Arc<str>>,
    pub(crate) seal: Seal,
    cache: VerifiedCache,
    throttle: Throttle,
    pub(crate) pool: Pool,
    upgrader: Option<Upgrader>,
    counts: Counts,
    pub(crate) helpers: Helpers,
    pub(crate) sasl: SaslConfig,
    pub(crate) offered: Offer,
}

#[derive(Default)]
struct Counts {
    attempts: Counter,
    succeeded: Counter,
    cached: Counter,
    unknown: Counter,
    disabled: Counter,
    wrong: Counter,
    repeated: Counter,
    busy: Counter,
    unavailable: Counter,
    must_change: Counter,
    master: Counter,
    app_password: Counter,
}

impl Authenticator {
    /// Starts the threads that hash. They end with the last clone.
    ///
    /// # Errors
    /// If the configuration cannot be obeyed or the system refuses threads or random bytes.
    pub fn new(config: &AuthConfig, directory: Directory) -> Result<Self, AuthError> {
        config.check()?;
        let threads = match config.verify_threads {
            0 => std::thread::available_parallelism().map_or(2, usize::from),
            stated => stated,
        };
        let seal = Seal::new()?;
        let must_change_url = match config.must_change_url.as_str() {
            "" => None,
            url => Some(url.into()),
        };
        let masters = Masters::load(&config.master)?;
        for warning in masters.iter().flat_map(Masters::warnings) {
            tracing::warn!(target: "lastpost::auth", %warning, "master users loaded with a warning");
        }
        let shared = Shared {
            directory,
            masters,
            must_change_url,
            cache: VerifiedCache::new(seal.clone(), config.cache_entries, config.cache_ttl),
            seal,
            throttle: Throttle::new(config),
            pool: Pool::new(threads, config.verify_queue, config.verify_memory)?,
            upgrader: config.upgrade()?.map(Upgrader::new).transpose()?,
            counts: Counts::default(),
            helpers: Helpers::default(),
            offered: config.sasl.offer(),
            sasl: config.sasl.clone(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The accounts it verifies against.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.shared.directory
    }

    /// Verifies `password` for `login` as it was typed.
    ///
    /// A password that was found right lately is answered within microseconds; any other goes
    /// to a bounded pool of threads. An unknown or disabled account, and a wrong password,
    /// cost the same work and the same delay, which has passed when this returns. Dropping the
    /// future gives its place in the queue up; a failure that was found stays counted.
    ///
    /// # Errors
    /// [`Denied::Invalid`] or [`Denied::Busy`].
    pub async fn verify(
        &self,
        login: &str,
        password: &Secret,
        origin: &Origin,
        at: Moment,
    ) -> Result<Login, Denied> {
        self.attempt(login, Proof::Password(password), origin, at).await
    }

    /// Verifies the digest of `APOP` (RFC 1939 section 7): MD5 over `stamp`, with its angle
    /// brackets, and the password. Only an account whose password is stored itself, `{PLAIN}`,
    /// can be right; all others are refused after the same work, and everything that fails
    /// counts, waits and is logged as a wrong password does.
    ///
    /// Each stamp makes another digest of the same password, so that an old password in a
    /// customer's telephone cannot be known again here: it counts each time.
    ///
    /// # Errors
    /// [`Denied::Invalid`] or [`Denied::Busy`].
    pub async fn verify_digest(
        &self,
        login: &str,
        stamp: &str,
        digest: &[u8; 16],
        origin: &Origin,
        at: Moment,
    ) -> Result<Login, Denied> {
        self.attempt(login, Proof::Digest { stamp, digest }, origin, at).await
    }

    /// Refuses an attempt that can never be right, such as an empty password or one to log in
    /// as somebody else: it waits, counts and is logged as a wrong password of `login` does.
    pub async fn reject(&self, login: Option<&str>, origin: &Origin, at: Moment) -> Denied {
        let attempt = self.attempt(login.unwrap_or_default(), Proof::Void, origin, at);
        // A void attempt has no way to be accepted.
        attempt.await.err().unwrap_or(Denied::Invalid)
    }

    async fn attempt(
        &self,
        login: &str,
        proof: Proof<'_>,
        origin: &Origin,
        at: Moment,
    ) -> Result<Login, Denied> {
        let case = self.shared.open_case(login, origin, at).await?;
        let outcome = self.shared.decide(&case, proof).await;
        self.shared.close_case(&case, outcome).await
    }

    /// What became of the hashes that `auth.upgrade_to` wants replaced; none if it is not set.
    #[must_use]
    pub fn upgrades(&self) -> Option<UpgradeCounts> {
        self.shared.upgrader.as_ref().map(Upgrader::counts)
    }

    /// What was counted so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let Shared { counts, pool, throttle, cache, .. } = &*self.shared;
        let mut statistics = Statistics {
            attempts: counts.attempts.get(),
            succeeded: counts.succeeded.get(),
            cached: counts.cached.get(),
            unknown: counts.unknown.get(),
            disabled: counts.disabled.get(),
            wrong: counts.wrong.get(),
            repeated: counts.repeated.get(),
            busy: counts.busy.get(),
            unavailable: counts.unavailable.get(),
            must_change: counts.must_change.get(),
            master: counts.master.get(),
            app_password: counts.app_password.get(),
            hashes: pool.hashes(),
            displaced: pool.displaced(),
            waiting: pool.waiting() as u64,
            running_peak: pool.running_peak(),
            memory_peak: pool.memory_peak(),
            remembered: cache.len() as u64,
            ..Statistics::default()
        };
        throttle.add_to(&mut statistics);
        statistics
    }
}

/// A login name as far as a log line needs it; `?` escapes what it holds.
fn shown(login: &str) -> &str {
    login.char_indices().nth(SHOWN_MAX).map_or(login, |(at, _)| &login[..at])
}

fn service(origin: &Origin) -> &'static str {
    match origin.channel.service {
        Service::Pop3 => "pop3",
        Service::Submission => "submission",
    }
}

/// `at` after waiting for `wait`.
fn later(at: Moment, wait: Duration) -> Moment {
    Moment { wall: at.wall.checked_add(wait).unwrap_or(at.wall), mono: at.mono + wait }
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator")
            .field("directory", &self.shared.directory)
            .finish_non_exhaustive()
    }
}
