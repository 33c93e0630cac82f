//! One request at a time, from the wait for a turn to the last octet of the answer.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Uri};
use netio::{TlsClient, Trust};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::connect::{Connection, connect};
use crate::pool::Pool;
use crate::{HttpsError, Request, Response, Url};

/// Requests that may wait for their turn, for each connection that may be used at once.
const WAITING_PER_CONNECTION: usize = 64;
/// Names that are looked up at the same time.
const RESOLVES_MAX: usize = 4;
/// How long a kept connection has to show that it can be used.
const READY_WITHIN: Duration = Duration::from_millis(100);

/// How a client behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// PEM file with the authorities that are believed; None: those of the system.
    pub ca_file: Option<PathBuf>,
    /// Time for the look-up of the name, the connection and the TLS handshake.
    pub connect_timeout: Duration,
    /// Time for the whole: the wait for a turn, connecting, request and answer.
    pub timeout: Duration,
    /// Octets of an answer's body.
    pub answer_max: usize,
    /// Connections that are used at once, 1 or more. Further requests wait for their turn, 64
    /// times as many; beyond that they are refused.
    pub connections_max: usize,
    /// Connections that are kept for the next request; 0 keeps none.
    pub idle_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ca_file: None,
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(5),
            answer_max: 64 * 1024,
            connections_max: 8,
            idle_max: 4,
        }
    }
}

/// A client. Clones share its connections and limits.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    /// What is wrong with the system's authorities concerns only those who need them.
    tls: Result<TlsClient, String>,
    pool: Pool,
    turns: Semaphore,
    waiting: Semaphore,
    resolves: Arc<Semaphore>,
}

impl Client {
    /// A client. Blocking: reads the authorities.
    ///
    /// # Errors
    /// If `ca_file` cannot be used. That the system has no authorities is told by
    /// [`Self::can_ask`].
    pub fn new(settings: &Settings) -> Result<Self, HttpsError> {
        let trust = match &settings.ca_file {
            Some(path) => Trust::File(path.clone()),
            None => Trust::System,
        };
        let tls = TlsClient::new(&trust, &[b"http/1.1"]).map_err(|error| error.to_string());
        if let (Some(_), Err(problem)) = (&settings.ca_file, &tls) {
            return Err(HttpsError::Trust(problem.clone()));
        }
        let turns = settings.connections_max.clamp(1, Semaphore::MAX_PERMITS / 128);
        let shared = Shared {
            settings: settings.clone(),
            tls,
            pool: Pool::new(settings.idle_max),
            turns: Semaphore::new(turns),
            waiting: Semaphore::new(turns + turns * WAITING_PER_CONNECTION),
            resolves: Arc::new(Semaphore::new(RESOLVES_MAX)),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Whether this client could ask that URL at all.
    ///
    /// # Errors
    /// If it needs TLS and the system has no certificate authorities.
    pub fn can_ask(&self, url: &Url) -> Result<(), HttpsError> {
        self.shared.tls_for(url).map(drop)
    }

    /// `GET`, with these fields.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn get(&self, url: &Url, fields: &[(&str, &[u8])]) -> Result<Response, HttpsError> {
        self.with_fields(url, Request::get(), fields).await
    }

    /// `POST` of JSON or of a form, with these fields: see [`Request`].
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn post(
        &self,
        url: &Url,
        request: Request,
        fields: &[(&str, &[u8])],
    ) -> Result<Response, HttpsError> {
        self.with_fields(url, request, fields).await
    }

    async fn with_fields(
        &self,
        url: &Url,
        mut request: Request,
        fields: &[(&str, &[u8])],
    ) -> Result<Response, HttpsError> {
        for (name, value) in fields {
            request = request.field(name, value)?;
        }
        self.send(url, request).await
    }

    /// Asks, and reads the answer, whatever its status. Dropping the future closes its
    /// connection.
    ///
    /// # Errors
    /// If there is no whole answer in time and within the limits.
    pub async fn send(&self, url: &Url, request: Request) -> Result<Response, HttpsError> {
        let shared = &*self.shared;
        let _place = shared.waiting.try_acquire().map_err(|_| HttpsError::Busy)?;
        let after = shared.settings.timeout;
        let late = |_| HttpsError::Timeout { server: url.origin.to_string(), after };
        timeout(after, shared.exchange(url, request)).await.map_err(late)?
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

impl Shared {
    fn tls_for(&self, url: &Url) -> Result<Option<&TlsClient>, HttpsError> {
        match (url.origin.https, &self.tls) {
            (false, _) => Ok(None),
            (true, Ok(tls)) => Ok(Some(tls)),
            (true, Err(problem)) => Err(HttpsError::Trust(problem.clone())),
        }
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, HttpsError> {
        // It is never closed.
        self.turns.acquire().await.map_err(|_| HttpsError::Busy)
    }

    async fn exchange(&self, url: &Url, request: Request) -> Result<Response, HttpsError> {
        let tls = self.tls_for(url)?;
        let _turn = self.turn().await?;
        let message = message(url, &request)?;
        if let Some(kept) = self.pool.take(&url.origin) {
            match self.ask(url, kept, message.clone()).await {
                Err(Failure { unanswered: true, was_sent, .. })
                    if !was_sent || request.repeatable => {}
                other => return other.map_err(|failure| failure.error),
            }
        }
        let after = self.settings.connect_timeout;
        let late = |_| HttpsError::Timeout { server: url.origin.to_string(), after };
        let connecting = connect(&url.origin, tls, &self.resolves);
        let fresh = timeout(after, connecting).await.map_err(late)??;
        self.ask(url, fresh, message).await.map_err(|failure| failure.error)
    }

    async fn ask(
        &self,
        url: &Url,
        mut connection: Connection,
        message: hyper::Request<Full<Bytes>>,
    ) -> Result<Response, Failure> {
        // A kept connection may have died meanwhile, or not have finished what came before.
        let closed = HttpsError::Broken("the connection is closed".to_owned());
        if !matches!(timeout(READY_WITHIN, connection.sender.ready()).await, Ok(Ok(()))) {
            return Err(Failure { error: closed, unanswered: true, was_sent: false });
        }
        let answer = connection.sender.try_send_request(message).await;
        let answer = answer.map_err(|mut error| {
            let was_sent = error.take_message().is_none();
            let error = error.into_error();
            // An answer that is nonsense is an answer, too.
            Failure { error: broken(&error), unanswered: !error.is_parse(), was_sent }
        })?;
        let answered = |error| Failure { error, unanswered: false, was_sent: true };
        let limit = self.settings.answer_max;
        let response = Response::read(answer, limit).await.map_err(answered)?;
        self.pool.put(&url.origin, connection);
        Ok(response)
    }
}

/// Why a connection gave no answer.
struct Failure {
    error: HttpsError,
    /// Whether nothing of an answer had come.
    unanswered: bool,
    /// Whether the server may have seen the request.
    was_sent: bool,
}

fn message(url: &Url, request: &Request) -> Result<hyper::Request<Full<Bytes>>, HttpsError> {
    let target: Uri = url.target.parse().map_err(|_| HttpsError::Request("target"))?;
    let mut message = hyper::Request::new(Full::new(request.body.clone()));
    *message.method_mut() = if request.is_post { Method::POST } else { Method::GET };
    *message.uri_mut() = target;
    let host = HeaderValue::try_from(url.origin.to_string());
    let fields = message.headers_mut();
    fields.insert(HOST, host.map_err(|_| HttpsError::Request("host"))?);
    fields.insert(USER_AGENT, HeaderValue::from_static("lastpost"));
    fields.extend(request.fields.clone());
    Ok(message)
}

/// What hyper found wrong.
pub(crate) fn broken(error: &hyper::Error) -> HttpsError {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    HttpsError::Broken(format!("{error}{}", cause.unwrap_or_default()))
}
