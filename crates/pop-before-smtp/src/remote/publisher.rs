//! The side that sees the logins.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use auth::{Answer, Login, LoginObserver};
use serde::Serialize;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::frame::{Frame, RemoteLogin};

/// How long a login waits for its acknowledgement at most.
const PATIENCE: Duration = Duration::from_millis(50);
/// Logins that may wait to be sent; more are dropped and counted.
const QUEUE: usize = 1024;
/// Logins that may be sent and not acknowledged; with more the connection is given up.
const UNACKNOWLEDGED_MAX: usize = 4096;
/// A connection on which nothing was acknowledged for so long is given up.
const STALLED_AFTER: Duration = Duration::from_secs(2);
/// Pause before the next attempt to connect without a login that asks for it.
const BACKOFF_MIN: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// Pause before logins that were not answered are sent again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(5);
/// Octets that are put together before they are written.
const OUTPUT_MAX: usize = 16 * 1024;

/// What became of the logins since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PublisherCounts {
    /// Acknowledged before the client read its reply.
    pub acknowledged: u64,
    /// Sent, but not acknowledged in time.
    pub late: u64,
    /// Not sent: the other side is away, or too much waits.
    pub unsent: u64,
}

/// Publishes logins to the process that owns the window. One connection serves all sessions.
#[derive(Debug)]
pub struct RemotePublisher {
    queue: mpsc::Sender<Request>,
    patience: Duration,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Set while the other side takes logins and does not answer: then nobody waits.
    stalled: AtomicBool,
    ids: AtomicU64,
    acknowledged: AtomicU64,
    late: AtomicU64,
    unsent: AtomicU64,
}

#[derive(Debug)]
struct Request {
    login: RemoteLogin,
    done: oneshot::Sender<()>,
}

impl RemotePublisher {
    /// Publishes to the socket at `path`, from a task that lives as long as this value. The
    /// other side need not be there yet. Within a runtime.
    #[must_use]
    pub fn start(path: &Path) -> Self {
        Self::start_with_patience(path, PATIENCE)
    }

    /// The same, with another bound on how long a login waits.
    #[must_use]
    pub fn start_with_patience(path: &Path, patience: Duration) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared::default());
        let link = Link {
            path: path.to_owned(),
            requests,
            shared: Arc::clone(&shared),
            backoff: BACKOFF_MIN,
            reported: false,
        };
        tokio::spawn(link.run());
        Self { queue, patience, shared }
    }

    /// What became of the logins so far.
    #[must_use]
    pub fn counts(&self) -> PublisherCounts {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        PublisherCounts {
            acknowledged: read(&self.shared.acknowledged),
            late: read(&self.shared.late),
            unsent: read(&self.shared.unsent),
        }
    }

    async fn publish(&self, login: &Login) {
        let (done, wait) = oneshot::channel();
        let remote = RemoteLogin {
            id: self.shared.ids.fetch_add(1, Ordering::Relaxed),
            at: login.at.wall,
            client: login.client,
            channel: login.channel,
            account: login.account.key().clone(),
        };
        if self.queue.try_send(Request { login: remote, done }).is_err() {
            self.shared.unsent.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if self.shared.stalled.load(Ordering::Relaxed) {
            self.shared.late.fetch_add(1, Ordering::Relaxed);
            return;
        }
        match timeout(self.patience, wait).await {
            Ok(Ok(())) => self.shared.acknowledged.fetch_add(1, Ordering::Relaxed),
            Ok(Err(_)) => self.shared.unsent.fetch_add(1, Ordering::Relaxed),
            Err(_) => {
                if !self.shared.stalled.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "the receiver of grants does not answer: logins do not wait for it"
                    );
                }
                self.shared.late.fetch_add(1, Ordering::Relaxed)
            }
        };
    }
}

impl LoginObserver for RemotePublisher {
    fn on_login<'a>(&'a self, login: &'a Login) -> Answer<'a, ()> {
        Box::pin(self.publish(login))
    }
}

/// The task behind the publisher: connects, sends, hears the acknowledgements.
struct Link {
    path: PathBuf,
    requests: mpsc::Receiver<Request>,
    shared: Arc<Shared>,
    backoff: Duration,
    /// Whether the present absence has been logged.
    reported: bool,
}

impl Link {
    async fn run(mut self) {
        let mut unanswered = Vec::new();
        loop {
            // Those that come while we connect wait for the next attempt: the other side may
            // have come up meanwhile.
            while unanswered.len() < UNACKNOWLEDGED_MAX
                && let Ok(request) = self.requests.try_recv()
            {
                unanswered.push(request);
            }
            match self.connect().await {
                Some(stream) => match self.serve(stream, unanswered).await {
                    Some(left) => unanswered = left,
                    None => return,
                },
                // Nobody waits for those that can't be sent: dropping them tells it.
                None => unanswered = Vec::new(),
            }
            if !unanswered.is_empty() {
                // The other side may just be restarting.
                sleep(RECONNECT_PAUSE).await;
                continue;
            }
            // A login that wants to be sent brings an attempt at once: the first one after
            // the other side is back is not lost to a pause.
            tokio::select! {
                request = self.requests.recv() => match request {
                    Some(request) => unanswered.push(request),
                    None => return,
                },
                () = sleep(self.backoff) => {
                    self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
    }

    async fn connect(&mut self) -> Option<UnixStream> {
        let problem = match timeout(PATIENCE, UnixStream::connect(&self.path)).await {
            Ok(Ok(stream)) => {
                if std::mem::take(&mut self.reported) {
                    tracing::info!(socket = %self.path.display(), "grants are published again");
                }
                return Some(stream);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it does not accept".to_owned(),
        };
        if !std::mem::replace(&mut self.reported, true) {
            tracing::warn!(
                socket = %self.path.display(),
                problem,
                "grants can't be published: who fetches mail can't send by it meanwhile"
            );
        }
        None
    }

    /// Sends and hears until the connection is of no further use; returns the logins for
    /// whose acknowledgement somebody waits still. `None`: the publisher is gone.
    async fn serve(&mut self, stream: UnixStream, first: Vec<Request>) -> Option<Vec<Request>> {
        let mut talk = Talk::default();
        // Its answer tells that a side that was silent is back.
        talk.ping(self.shared.ids.fetch_add(1, Ordering::Relaxed));
        first.into_iter().for_each(|request| talk.send(request));
        loop {
            let stalls_at = talk.heard_at.map(|at| at + STALLED_AFTER);
            tokio::select! {
                request = self.requests.recv(), if talk.has_room() => talk.send(request?),
                ready = stream.writable(), if !talk.output.is_empty() => {
                    if ready.is_err() || !talk.write(&stream) {
                        return Some(talk.unanswered());
                    }
                }
                ready = stream.readable() => {
                    if ready.is_err() || !talk.hear(&stream, &self.shared) {
                        return Some(talk.unanswered());
                    }
                    if talk.answered {
                        self.backoff = BACKOFF_MIN;
                    }
                }
                () = sleep_until(stalls_at.unwrap_or_else(Instant::now)), if stalls_at.is_some() => {
                    tracing::warn!("the receiver of grants acknowledges nothing: reconnecting");
                    return Some(talk.unanswered());
                }
            }
        }
    }
}

/// What is under way on one connection.
#[derive(Default)]
struct Talk {
    output: Vec<u8>,
    input: Vec<u8>,
    /// By id; nobody waits for a ping.
    waiting: HashMap<u64, Option<Request>>,
    /// When the last acknowledgement came, or the first login that waits for one was sent;
    /// `None` while nothing waits.
    heard_at: Option<Instant>,
    /// Whether anything was acknowledged.
    answered: bool,
}

impl Talk {
    fn has_room(&self) -> bool {
        self.output.len() < OUTPUT_MAX && self.waiting.len() < UNACKNOWLEDGED_MAX
    }

    fn ping(&mut self, id: u64) {
        self.heard_at.get_or_insert_with(Instant::now);
        self.waiting.insert(id, None);
        Frame::Ping(id).write(&mut self.output);
    }

    fn send(&mut self, request: Request) {
        self.heard_at.get_or_insert_with(Instant::now);
        Frame::Login(request.login.clone()).write(&mut self.output);
        self.waiting.insert(request.login.id, Some(request));
    }

    fn unanswered(self) -> Vec<Request> {
        let requests = self.waiting.into_values().flatten();
        requests.filter(|request| !request.done.is_closed()).collect()
    }

    /// Whether the connection is still good.
    fn write(&mut self, stream: &UnixStream) -> bool {
        match stream.try_write(&self.output) {
            Ok(written) => {
                self.output.drain(..written);
                true
            }
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }

    /// Whether the connection is still good.
    fn hear(&mut self, stream: &UnixStream, shared: &Shared) -> bool {
        let mut piece = [0; 4096];
        match stream.try_read(&mut piece) {
            Ok(0) => return false,
            Ok(read) => self.input.extend(piece.iter().take(read)),
            Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
        }
        loop {
            match Frame::take(&mut self.input) {
                Ok(None) => return true,
                Ok(Some(Frame::Acknowledgement(id))) => {
                    self.answered = true;
                    if let Some(request) = self.waiting.remove(&id).flatten() {
                        // Who waited may have given up.
                        let _heard = request.done.send(());
                    }
                    self.heard_at = (!self.waiting.is_empty()).then(Instant::now);
                    if shared.stalled.swap(false, Ordering::Relaxed) {
                        tracing::info!("the receiver of grants answers again");
                    }
                }
                Ok(Some(_)) | Err(_) => {
                    tracing::warn!("the receiver of grants talks nonsense: reconnecting");
                    return false;
                }
            }
        }
    }
}
