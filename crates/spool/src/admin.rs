//! The administrator's side: list, hold, release, retry, delete, flush.

use address::{Mailbox, ReversePath};
use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::filter::list_page;
use crate::progress::State;
use crate::queue::Marks;
use crate::request::{Effect, Fault, Request};
use crate::{AdminError, BodyReader, Filter, Origin, QueueId, Spool};

/// How far a recipient is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecipientState {
    /// Never tried, or tried and due again at `next_attempt`.
    Pending,
    /// Delivered.
    Done,
    /// Given up.
    Failed,
}

/// One recipient in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueRecipient {
    /// The address.
    pub mailbox: Mailbox,
    /// How far it is.
    pub state: RecipientState,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried next, if it is pending.
    pub next_attempt: Option<Timestamp>,
    /// What the last attempt ended with.
    pub last_reply: Option<Box<str>>,
}

/// One message in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// Its name.
    pub id: QueueId,
    /// When it came; its age is now minus this.
    pub received_at: Timestamp,
    /// Envelope sender.
    pub sender: ReversePath,
    /// Every recipient it ever had.
    pub recipients: Vec<QueueRecipient>,
    /// Where it came from.
    pub origin: Origin,
    /// Size of the text.
    pub octets: u64,
    /// The most attempts any recipient has had.
    pub attempts: u32,
    /// When the message is tried next; `None` while it is held or being delivered.
    pub next_attempt: Option<Timestamp>,
    /// What the last attempt of a pending recipient ended with.
    pub last_reply: Option<Box<str>>,
    /// Not tried until an administrator releases it.
    pub held: bool,
    /// Why it was held for review when it came, if it was.
    pub review: Option<Box<str>>,
    /// Being delivered now.
    pub in_delivery: bool,
    /// Its record or its text does not read; it stays in the queue, untried, until it is
    /// deleted.
    pub damaged: bool,
}

/// Messages hurried before the queue's lock is given to others.
const HURRY: usize = 1024;

/// Attempts at a change while deliveries change the same message.
const TRIES: usize = 16;

impl Spool {
    /// The messages that match, in order of arrival. A message whose record does not read is
    /// logged and left out. Fewer than [`Filter::limit`] may come though there are more, if they
    /// have very many recipients: there are no more when none comes.
    pub async fn list(&self, filter: Filter) -> Vec<QueueEntry> {
        let mut entries = Vec::new();
        let mut after = filter.after;
        loop {
            let page = filter.page(&self.shared.queue(), after);
            after = page.last().map(|view| view.id);
            if page.is_empty() {
                return entries;
            }
            let filter = filter.clone();
            let read = self.shared.blocking(move || {
                let more = list_page(page, &filter, &mut entries);
                Ok((entries, more))
            });
            match read.await {
                Ok((listed, true)) => entries = listed,
                Ok((listed, false)) => return listed,
                Err(_) => return Vec::new(),
            }
        }
    }

    /// The text of a message, whoever delivers it meanwhile.
    ///
    /// # Errors
    /// [`AdminError::NotFound`], or `Failed` if it does not read.
    pub async fn text(&self, id: QueueId) -> Result<BodyReader, AdminError> {
        let view = self.shared.queue().view(id).ok_or(AdminError::NotFound(id))?;
        let opened = BodyReader::of(&self.shared, view).await;
        opened.map_err(|error| {
            tracing::error!(target: "lastpost::spool", %id, %error, "spool: a text does not open");
            AdminError::Failed(id)
        })
    }

    /// Holds a message: it is not tried until released. A delivery under way goes on.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn hold(&self, id: QueueId) -> Result<(), AdminError> {
        self.set_held(id, true).await
    }

    /// Releases a held message; it is due at once.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn release(&self, id: QueueId) -> Result<(), AdminError> {
        self.set_held(id, false).await
    }

    /// Makes a deferred message due at once, every pending recipient of it; a held one stays
    /// held. Not recorded: it only hurries.
    ///
    /// # Errors
    /// [`AdminError::NotFound`].
    pub fn retry(&self, id: QueueId) -> Result<(), AdminError> {
        let now = self.shared.now();
        if !self.shared.queue().hurry(id, now) {
            return Err(AdminError::NotFound(id));
        }
        self.shared.changed.notify_waiters();
        Ok(())
    }

    /// Makes every deferred message that is not held due at once; says how many.
    pub fn flush(&self) -> usize {
        let now = self.shared.now();
        let mut total = 0;
        loop {
            let hurried = self.shared.queue().hurry_some(now, HURRY);
            total += hurried;
            if hurried < HURRY {
                self.shared.changed.notify_waiters();
                return total;
            }
        }
    }

    /// Deletes a message without a report. A delivery under way may still succeed.
    ///
    /// # Errors
    /// [`AdminError`].
    pub async fn delete(&self, id: QueueId) -> Result<(), AdminError> {
        match self.ask(Effect::Delete { id }, Vec::new()).await {
            Ok(()) => Ok(()),
            Err(Fault::NotFound) => Err(AdminError::NotFound(id)),
            Err(_) => Err(AdminError::Failed(id)),
        }
    }

    async fn set_held(&self, id: QueueId, held: bool) -> Result<(), AdminError> {
        for _ in 0..TRIES {
            let view = self.shared.queue().view(id).ok_or(AdminError::NotFound(id))?;
            if view.entry.marks.has(Marks::HELD) == held {
                return Ok(());
            }
            let seen = view.entry.state;
            let read = self.shared.blocking(move || {
                view.read().map(|stored| (stored.payload, stored.message.summary.first_due()))
            });
            let (payload, stored_due) = read.await.map_err(|_| AdminError::Failed(id))?;
            // While nobody has tried it, its time stays the one of its own record.
            let untried =
                || State { id, held, due: stored_due, recipients: Vec::new() }.encode(usize::MAX);
            let payload = payload.unwrap_or_else(untried);
            let due = self.shared.now();
            match self.ask(Effect::Hold { id, held, seen, due }, payload).await {
                Ok(()) => {
                    self.shared.changed.notify_waiters();
                    return Ok(());
                }
                // A delivery has changed it meanwhile.
                Err(Fault::Changed) => tokio::task::yield_now().await,
                Err(Fault::NotFound) => return Err(AdminError::NotFound(id)),
                Err(_) => return Err(AdminError::Failed(id)),
            }
        }
        Err(AdminError::Failed(id))
    }

    async fn ask(&self, effect: Effect, meta: Vec<u8>) -> Result<(), Fault> {
        let (ack, acknowledged) = oneshot::channel();
        let request = Request::new(effect, meta, Some(ack));
        self.requests.send(request).await.map_err(|_| Fault::Failed)?;
        acknowledged.await.unwrap_or(Err(Fault::Failed))
    }
}
