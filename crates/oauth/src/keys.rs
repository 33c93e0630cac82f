//! Where the issuer's keys come from, and which are in use.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use auth::{Clock, SecretSource};

use crate::algorithm::Algorithm;
use crate::config::KeysConfig;
use crate::jwks::{JWKS_MAX, KeySet, Signed};
use crate::jws::Jws;
use crate::key::SHARED_LEAST;
use crate::remote::{Remote, checked_url};
use crate::rules::algorithms;
use crate::verifier::{Failure, OAuthError};

const SECRET: &str = "oauth.keys.secret";
const PLACES: &str = "one of file, url and secret_file, secret_env or secret_credential";

/// How often a file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The keys in use.
pub(crate) struct Keys {
    allowed: Vec<Algorithm>,
    place: Place,
}

enum Place {
    Shared(KeySet),
    File(Arc<KeyFile>),
    Url(Arc<Remote>),
}

impl KeysConfig {
    /// The place of the shared secret, if there is one.
    fn secret(&self) -> Result<Option<SecretSource>, OAuthError> {
        let (env, credential) = (self.secret_env.as_deref(), self.secret_credential.as_deref());
        Ok(SecretSource::choose(SECRET, self.secret_file.as_deref(), env, credential)?)
    }

    pub(crate) fn check(&self) -> Result<(), OAuthError> {
        let secret = self.secret()?;
        let places = [self.file.is_some(), self.url.is_some(), secret.is_some()];
        if places.iter().filter(|place| **place).count() != 1 {
            let problem = "the keys come from nowhere, or from several places";
            return Err(OAuthError::new("oauth.keys", problem, PLACES));
        }
        algorithms(&self.algorithms, secret.is_some())?;
        if let Some(url) = &self.url {
            checked_url("oauth.keys.url", url)?;
        }
        between("oauth.keys.refresh_every", self.refresh_every, 1, 24 * 3600, "\"1s\" to \"24h\"")?;
        between("oauth.keys.refresh_least", self.refresh_least, 1, 3600, "\"1s\" to \"1h\"")?;
        between("oauth.keys.timeout", self.timeout, 1, 60, "\"1s\" to \"60s\"")
    }
}

/// Whether a time is in its range of seconds.
pub(crate) fn between(
    key: &'static str,
    time: Duration,
    least: u64,
    most: u64,
    expected: &'static str,
) -> Result<(), OAuthError> {
    let range = Duration::from_secs(least)..=Duration::from_secs(most);
    match range.contains(&time) {
        true => Ok(()),
        false => Err(OAuthError::new(key, format!("{time:?} is out of range"), expected)),
    }
}

impl Keys {
    pub(crate) fn open(config: &KeysConfig, clock: Arc<dyn Clock>) -> Result<Self, OAuthError> {
        let secret = config.secret()?;
        let allowed = algorithms(&config.algorithms, secret.is_some())?;
        let place = match (&config.file, &config.url, secret) {
            (Some(file), _, _) => {
                Place::File(Arc::new(KeyFile::open(file.clone(), allowed.clone())?))
            }
            (None, Some(url), _) => {
                Place::Url(Arc::new(Remote::open(config, url, allowed.clone(), clock)?))
            }
            (None, None, Some(secret)) => {
                let secret = secret.read()?;
                let octets = secret.expose();
                if octets.len() < SHARED_LEAST {
                    let problem = format!("the secret has {} octets", octets.len());
                    return Err(OAuthError::new(SECRET, problem, "32 octets or more, random ones"));
                }
                let set = KeySet::shared(octets, &allowed);
                let unusable = || OAuthError::new(SECRET, "the secret cannot be used", PLACES);
                Place::Shared(set.ok_or_else(unusable)?)
            }
            (None, None, None) => {
                return Err(OAuthError::new("oauth.keys", "the keys come from nowhere", PLACES));
            }
        };
        Ok(Self { allowed, place })
    }

    pub(crate) fn allows(&self, algorithm: Algorithm) -> bool {
        self.allowed.contains(&algorithm)
    }

    /// What the keys say of a signature. A key that is not known is asked for once.
    pub(crate) async fn check(&self, token: &Jws<'_>, now: Duration) -> Result<Signed, Failure> {
        match &self.place {
            Place::Shared(set) => Ok(set.check(token)),
            Place::File(file) => Ok(file.set.load().check(token)),
            Place::Url(remote) => remote.check(token, now).await,
        }
    }

    /// Gets the keys again now.
    pub(crate) async fn reload(&self) -> Result<(), String> {
        match &self.place {
            Place::Shared(_) => Ok(()),
            Place::File(file) => {
                let file = Arc::clone(file);
                let read = tokio::task::spawn_blocking(move || file.refresh(true)).await;
                read.map_err(|error| error.to_string())?
            }
            Place::Url(remote) => remote.reload().await,
        }
    }

    pub(crate) async fn keep_fresh(&self) {
        match &self.place {
            Place::Shared(_) => {}
            Place::File(file) => file.keep_fresh().await,
            Place::Url(remote) => remote.keep_fresh().await,
        }
    }
}

/// A set of keys in a file.
struct KeyFile {
    path: PathBuf,
    allowed: Vec<Algorithm>,
    set: ArcSwap<KeySet>,
    last: Mutex<Option<Stamp>>,
}

/// What tells one state of the file from another.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: SystemTime,
    inode: u64,
}

impl KeyFile {
    fn open(path: PathBuf, allowed: Vec<Algorithm>) -> Result<Self, OAuthError> {
        let stamp = Stamp::of(&path).ok();
        let set = read(&path, &allowed).map_err(|problem| {
            let problem = format!("{}: {problem}", path.display());
            OAuthError::new("oauth.keys.file", problem, "a file with the issuer's keys (JWKS)")
        })?;
        let set = ArcSwap::from_pointee(set);
        Ok(Self { path, allowed, set, last: Mutex::new(stamp) })
    }

    async fn keep_fresh(self: &Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let file = Arc::clone(self);
            // It has told the log what was wrong, and the keys stay.
            let _ = tokio::task::spawn_blocking(move || file.refresh(false)).await;
        }
    }

    /// Reads the file again if it has changed, or in any case. A file that cannot be used
    /// changes nothing.
    fn refresh(&self, in_any_case: bool) -> Result<(), String> {
        let stamp = Stamp::of(&self.path).ok();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == stamp && !in_any_case {
            return Ok(());
        }
        *last = stamp;
        match read(&self.path, &self.allowed) {
            Ok(set) => {
                tracing::info!(target: "lastpost::auth", keys = set.len(), file = ?self.path, "token keys reloaded");
                self.set.store(Arc::new(set));
                Ok(())
            }
            Err(problem) => {
                tracing::warn!(target: "lastpost::auth", file = ?self.path, %problem, "token keys not reloaded; the last good ones stay");
                Err(format!("{}: {problem}", self.path.display()))
            }
        }
    }
}

impl Stamp {
    fn of(path: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let found = std::fs::metadata(path)?;
        Ok(Self { length: found.len(), modified: found.modified()?, inode: found.ino() })
    }
}

fn read(path: &Path, allowed: &[Algorithm]) -> Result<KeySet, String> {
    use std::io::Read as _;
    let mut octets = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(JWKS_MAX as u64 + 1).read_to_end(&mut octets))
        .map_err(|error| error.to_string())?;
    KeySet::parse(&octets, allowed).map_err(str::to_owned)
}
