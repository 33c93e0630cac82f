//! One client: reads what it sends, asks the protocol, does what the protocol asks for.

mod ending;
mod exchange;
mod login;
mod message;
mod terms;
mod update;
mod xclient;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use auth::Conversation;
use netio::{Buffer, Connection, Drain, NetError, TlsMode};
use pop3_proto::{PendingTls, Session, Step};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::held::Held;
use crate::occupancy::Holder;
use crate::serve::Shared;
use ending::{Ending, Tally};
use terms::ClientSide;

/// Bad commands in a row after which a client that has logged in is hopeless.
const ERRORS_AFTER_LOGIN: u8 = 20;
/// For a handshake after `STLS`.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client that has logged in may be silent once the daemon wants to stop.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);
/// An unread line of more octets than this is given its own memory, and that back afterwards.
const UNREAD_KEPT: usize = 512;

/// Whether a listener's sessions may ask for TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    Stls,
    Nothing,
}

impl From<TlsMode> for Offer {
    fn from(mode: TlsMode) -> Self {
        match mode {
            TlsMode::Starttls => Self::Stls,
            TlsMode::None | TlsMode::Implicit => Self::Nothing,
        }
    }
}

/// A session and its connection.
struct Visit {
    shared: Arc<Shared>,
    connection: Connection,
    offer: Offer,
    /// What a proxy that named its client said of the client's side.
    client_side: ClientSide,
    /// The SASL exchange that is under way.
    conversation: Option<Box<Conversation>>,
    /// What came and is no whole line yet.
    unread: Vec<u8>,
    /// Until when the client must have said something that moves the session on.
    deadline: Instant,
    /// Whether something was answered since the last read.
    answered: bool,
    /// Woken if another session takes this one's maildrop over.
    end: Arc<Notify>,
    /// How others see this session, once it has logged in.
    holder: Option<Arc<Holder>>,
    tally: Tally,
}

/// What a step of the session leaves: where it goes on, and the replies not yet written.
type Next = (Session<Held>, Buffer);

/// Serves one client to its end.
pub(crate) async fn serve(shared: Arc<Shared>, connection: Connection, offer: Offer, drain: Drain) {
    let mut connection = connection;
    if shared.config.protocol.trusts(connection.peer()) {
        // Until it says whom it stands for, its address must not become the key of anything.
        // That cannot be refused: nobody is counted by it.
        let _ = connection.name_client(None);
    }
    let end = Arc::new(Notify::new());
    let mut visit = Visit {
        deadline: Instant::now() + shared.config.login_timeout,
        tally: Tally::new(connection.peer()),
        shared,
        connection,
        offer,
        client_side: ClientSide::This,
        conversation: None,
        unread: Vec::new(),
        answered: false,
        end: Arc::clone(&end),
        holder: None,
    };
    let ending = tokio::select! {
        biased;
        ended = visit.run(&drain) => ended.unwrap_or_else(|ending| ending),
        // Wherever it waits, it is dropped there, and its lock with it. An UPDATE is not: nobody
        // wakes this while one is under way.
        () = end.notified() => Ending::TakenOver,
    };
    if matches!(ending, Ending::TakenOver) {
        visit.shared.counters.taken_over.add(1);
    }
    let taken_by = visit.holder.as_ref().and_then(|holder| holder.taken_over_by());
    visit.tally.log(&ending, visit.is_secured(), taken_by);
    if ending.is_orderly() {
        visit.connection.close().await;
    }
}

impl Visit {
    async fn run(&mut self, drain: &Drain) -> Result<Ending, Ending> {
        let stop = drain.requested();
        tokio::pin!(stop);
        let mut out = self.shared.buffers.take();
        let mut session = Session::greet(self.terms(), &mut out);
        loop {
            let (done, step) = session.advance(&self.unread, &mut out);
            self.take_off(done);
            (session, out) = match step {
                Step::Continue(session) => {
                    if !session.is_in_exchange() {
                        self.conversation = None;
                    }
                    self.write(&out).await?;
                    // Before the wait, which may be long.
                    drop(out);
                    self.read(&session, drain, stop.as_mut()).await?;
                    (session, self.shared.buffers.take())
                }
                Step::Flush(session) => {
                    self.write(&out).await?;
                    out.clear();
                    (session, out)
                }
                Step::Verify(claim, pending) => Box::pin(self.log_in(claim, pending, out)).await,
                Step::Sasl(said, pending) => Box::pin(self.converse(said, pending, out)).await,
                Step::Xclient(said, pending) => Box::pin(self.believe(&said, pending, out)).await?,
                Step::StartTls(pending) => Box::pin(self.start_tls(pending, out)).await?,
                Step::Send(part, pending) => {
                    self.note_work();
                    Box::pin(self.send(part, pending, out)).await?
                }
                Step::Update { messages, deleted, retrieved, pending } => {
                    if !messages.1.begin_update() {
                        return Err(Ending::TakenOver);
                    }
                    let update = self.update(messages, deleted, retrieved, pending, out);
                    return Ok(Box::pin(update).await);
                }
                Step::Close => {
                    self.write(&out).await?;
                    return Ok(Ending::Closed);
                }
            };
        }
    }

    /// Takes what is answered off the input. Nothing stays behind in memory: it may have been
    /// a password.
    fn take_off(&mut self, done: usize) {
        let rest = self.unread.len().saturating_sub(done);
        self.unread.copy_within(done.., 0);
        if let Some(stale) = self.unread.get_mut(rest..) {
            stale.fill(0);
        }
        self.unread.truncate(rest);
    }

    async fn write(&mut self, out: &Buffer) -> Result<(), Ending> {
        if out.is_empty() {
            return Ok(());
        }
        self.answered = true;
        let timeout = self.shared.config.write_timeout;
        self.connection.write_all(out, timeout).await.map_err(|error| match error {
            NetError::TimedOut => Ending::Unread,
            error => Ending::Broken(error),
        })
    }

    /// Waits for the client. After the login each line that was answered gives it the whole
    /// time anew (RFC 1939 section 3); a line that is not finished does not.
    async fn read(
        &mut self,
        session: &Session<Held>,
        drain: &Drain,
        stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), Ending> {
        if self.unread.is_empty() && self.unread.capacity() > UNREAD_KEPT {
            self.unread = Vec::new();
        }
        if std::mem::take(&mut self.answered) && session.is_logged_in() {
            self.deadline = Instant::now() + self.shared.config.autologout;
        }
        self.note_waiting();
        if !drain.is_requested() {
            tokio::select! {
                biased;
                outcome = self.connection.read_by(&mut self.unread, self.deadline) => {
                    return settle(outcome, Ending::Silent);
                }
                () = stop => {}
            }
        }
        if !session.is_logged_in() {
            return Err(Ending::Drained);
        }
        let deadline = self.deadline.min(Instant::now() + DRAIN_PATIENCE);
        settle(self.connection.read_by(&mut self.unread, deadline).await, Ending::Drained)
    }

    /// The client is waited for since the last line that was answered.
    fn note_waiting(&self) {
        if let Some(holder) = &self.holder
            && let Some(since) = self.deadline.checked_sub(self.shared.config.autologout)
        {
            holder.idleness().begin(since);
        }
    }

    /// The client waits for us: for a disk perhaps.
    fn note_work(&self) {
        if let Some(holder) = &self.holder {
            holder.idleness().end();
        }
    }

    async fn start_tls(&mut self, pending: PendingTls, mut out: Buffer) -> Result<Next, Ending> {
        let Some(tls) = self.shared.tls.clone() else {
            return Ok((pending.refuse(&mut out), out));
        };
        let handshake = pending.accept(&mut out);
        self.write(&out).await?;
        out.clear();
        let timeout = HANDSHAKE_TIMEOUT.min(self.deadline.duration_since(Instant::now()));
        self.connection.start_tls(&tls, &mut self.unread, timeout).await.map_err(Ending::Broken)?;
        Ok((handshake.established(self.mechanisms()), out))
    }
}

fn settle(read: Result<usize, NetError>, silent: Ending) -> Result<(), Ending> {
    match read {
        Ok(0) => Err(Ending::Left),
        Ok(_) => Ok(()),
        Err(NetError::TimedOut) => Err(silent),
        Err(error) => Err(Ending::Broken(error)),
    }
}
