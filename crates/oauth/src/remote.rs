//! An issuer's keys from where it publishes them: kept, renewed, and asked for anew when a token
//! names one that is not there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use auth::Clock;
use https::{Client, Settings, Url};
use tokio::sync::watch;

use crate::algorithm::Algorithm;
use crate::config::KeysConfig;
use crate::jwks::{JWKS_MAX, KeySet, Signed};
use crate::jws::Jws;
use crate::verifier::{Failure, OAuthError};

/// Keys that lie behind a URL. The last good set is used as long as there is no better one.
pub(crate) struct Remote {
    client: Client,
    url: Url,
    allowed: Vec<Algorithm>,
    every: Duration,
    least: Duration,
    timeout: Duration,
    clock: Arc<dyn Clock>,
    set: ArcSwapOption<KeySet>,
    state: Mutex<State>,
    /// Counts the requests that have ended.
    ended: watch::Sender<u64>,
    /// Whether the last request brought nothing.
    failing: AtomicBool,
}

#[derive(Default)]
struct State {
    running: bool,
    /// When the last request began.
    last: Option<Duration>,
    /// Why the last request that ended brought nothing.
    problem: Option<String>,
}

/// A URL that may be asked: in clear only on this machine, for whoever can change the answer
/// can make tokens.
pub(crate) fn checked_url(key: &'static str, text: &str) -> Result<Url, OAuthError> {
    const EXPECTED: &str = "a URL such as \"https://id.example.net/keys\"";
    let url =
        Url::parse(text).map_err(|error| OAuthError::new(key, error.to_string(), EXPECTED))?;
    match url.is_https() || url.is_loopback() {
        true => Ok(url),
        false => {
            Err(OAuthError::new(key, "it is not https, and leads to another machine", EXPECTED))
        }
    }
}

impl Remote {
    pub(crate) fn open(
        config: &KeysConfig,
        url: &str,
        allowed: Vec<Algorithm>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OAuthError> {
        let url = checked_url("oauth.keys.url", url)?;
        let settings = Settings {
            ca_file: config.ca_file.clone(),
            connect_timeout: config.timeout,
            timeout: config.timeout,
            answer_max: JWKS_MAX,
            connections_max: 1,
            // It is asked too seldom for that.
            idle_max: 0,
        };
        let wrong = |error: https::HttpsError| {
            OAuthError::new("oauth.keys.ca_file", error.to_string(), "a PEM file with authorities")
        };
        let client = Client::new(&settings).map_err(wrong)?;
        client.can_ask(&url).map_err(wrong)?;
        Ok(Self {
            client,
            url,
            allowed,
            every: config.refresh_every,
            least: config.refresh_least,
            timeout: config.timeout,
            clock,
            set: ArcSwapOption::empty(),
            state: Mutex::default(),
            ended: watch::Sender::new(0),
            failing: AtomicBool::new(false),
        })
    }

    /// Renews the keys at intervals, and soon after a failure.
    pub(crate) async fn keep_fresh(self: &Arc<Self>) {
        loop {
            if let Some(ended) = self.begin(self.clock.now().mono, self.least) {
                self.wait(ended).await;
            }
            let failing = self.failing.load(Ordering::Relaxed);
            tokio::time::sleep(if failing { self.least.min(self.every) } else { self.every }).await;
        }
    }

    pub(crate) async fn check(
        self: &Arc<Self>,
        token: &Jws<'_>,
        now: Duration,
    ) -> Result<Signed, Failure> {
        let first = self.known(token);
        if let Some(signed @ (Signed::Right | Signed::Wrong)) = first {
            return Ok(signed);
        }
        if let Some(ended) = self.begin(now, self.least) {
            self.wait(ended).await;
        }
        match self.known(token) {
            Some(Signed::UnknownKey) if self.failing.load(Ordering::Relaxed) => {
                // It may be one that the issuer has made since.
                Err(Failure::Unavailable)
            }
            Some(signed) => Ok(signed),
            None => Err(Failure::Unavailable),
        }
    }

    /// Asks the issuer now.
    pub(crate) async fn reload(self: &Arc<Self>) -> Result<(), String> {
        if let Some(ended) = self.begin(self.clock.now().mono, Duration::ZERO) {
            self.wait(ended).await;
        }
        self.lock().problem.clone().map_or(Ok(()), Err)
    }

    /// What the keys that are there say; None: there have never been any.
    fn known(&self, token: &Jws<'_>) -> Option<Signed> {
        self.set.load().as_ref().map(|set| set.check(token))
    }

    /// Asks the issuer, unless it was asked within the time `least`; what tells the end of the request that is
    /// now under way. The request goes on whoever stops waiting for it.
    fn begin(self: &Arc<Self>, now: Duration, least: Duration) -> Option<watch::Receiver<u64>> {
        let mut state = self.lock();
        let ended = self.ended.subscribe();
        if state.running {
            return Some(ended);
        }
        if state.last.is_some_and(|last| now.saturating_sub(last) < least) {
            return None;
        }
        (state.running, state.last) = (true, Some(now));
        drop(state);
        let remote = Arc::clone(self);
        tokio::spawn(async move {
            let running = Running(&remote);
            remote.fetch().await;
            drop(running);
        });
        Some(ended)
    }

    async fn wait(&self, mut ended: watch::Receiver<u64>) {
        // The request has a timeout of its own; this one is for a runtime that starves.
        let _ = tokio::time::timeout(self.timeout * 2, ended.changed()).await;
    }

    async fn fetch(&self) {
        let fetched = match self.client.get(&self.url, &[("Accept", b"application/json")]).await {
            Ok(response) if response.status() == 200 => {
                KeySet::parse(response.body(), &self.allowed).map_err(str::to_owned)
            }
            Ok(response) => Err(format!("the status is {} instead of 200", response.status())),
            Err(error) => Err(error.to_string()),
        };
        let url = &self.url;
        match fetched {
            Ok(set) => {
                let keys = set.len();
                self.lock().problem = None;
                self.set.store(Some(Arc::new(set)));
                if self.failing.swap(false, Ordering::Relaxed) {
                    tracing::info!(target: "lastpost::auth", %url, keys, "token keys are fresh again");
                }
            }
            Err(problem) => {
                self.lock().problem = Some(format!("{url}: {problem}"));
                if !self.failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(target: "lastpost::auth", %url, %problem, "token keys not renewed; the last good ones stay");
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way, which ends even if its task does not come to its end.
struct Running<'a>(&'a Remote);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.lock().running = false;
        self.0.ended.send_modify(|ended| *ended = ended.wrapping_add(1));
    }
}
