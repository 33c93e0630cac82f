//! The control side's part of the queue: what `lastpost queue` asks for.

use axum::Router;
use axum::extract::{Json, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use spool::{AdminError, Filter, QueueEntry, QueueId, RecipientState, Spool};

/// A queued message, for people and programs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueuedMessage {
    /// Its ID.
    pub id: String,
    /// When it came.
    pub received_at: jiff::Timestamp,
    /// Envelope sender.
    pub sender: String,
    /// Octets.
    pub octets: u64,
    /// `queued`, `held` or `in-delivery`.
    pub state: String,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried next.
    pub next_attempt: Option<jiff::Timestamp>,
    /// How it came: `submitted`, `inbound` or `report`.
    pub origin: String,
    /// The account in whose name it was submitted, and by which authority.
    pub account: Option<String>,
    /// The authority.
    pub authority: Option<String>,
    /// Its recipients.
    pub recipients: Vec<QueuedRecipient>,
}

/// A recipient of a queued message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueuedRecipient {
    /// The address.
    pub address: String,
    /// `pending`, `done` or `failed`.
    pub state: String,
    /// What the last attempt ended with.
    pub last_reply: Option<String>,
}

impl From<QueueEntry> for QueuedMessage {
    fn from(entry: QueueEntry) -> Self {
        let state = match (entry.held, entry.in_delivery) {
            (true, _) => "held",
            (false, true) => "in-delivery",
            (false, false) => "queued",
        };
        let (origin, account, authority) = match entry.origin {
            spool::Origin::Submitted { account, authority, .. } => {
                ("submitted", Some(account.to_string()), Some(authority.into_string()))
            }
            spool::Origin::Inbound { .. } => ("inbound", None, None),
            spool::Origin::Report => ("report", None, None),
        };
        Self {
            id: entry.id.to_string(),
            received_at: entry.received_at,
            sender: entry.sender.to_string(),
            octets: entry.octets,
            state: state.to_owned(),
            attempts: entry.attempts,
            next_attempt: entry.next_attempt,
            origin: origin.to_owned(),
            account,
            authority,
            recipients: entry.recipients.into_iter().map(QueuedRecipient::from).collect(),
        }
    }
}

impl From<spool::QueueRecipient> for QueuedRecipient {
    fn from(recipient: spool::QueueRecipient) -> Self {
        let state = match recipient.state {
            RecipientState::Pending => "pending",
            RecipientState::Done => "done",
            RecipientState::Failed => "failed",
        };
        Self {
            address: recipient.mailbox.to_string(),
            state: state.to_owned(),
            last_reply: recipient.last_reply.map(Into::into),
        }
    }
}

/// Which messages to list.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct QueueQuery {
    /// Only messages behind this one.
    pub after: Option<String>,
    /// Only messages with a recipient at this domain.
    pub domain: Option<String>,
    /// At most so many.
    pub limit: Option<usize>,
}

impl QueueQuery {
    /// As the spool understands it.
    ///
    /// # Errors
    /// If an ID is malformed.
    pub fn filter(&self) -> Result<Filter, String> {
        let after = match &self.after {
            Some(text) => Some(text.parse::<QueueId>().map_err(|error| error.to_string())?),
            None => None,
        };
        Ok(Filter {
            after,
            domain: self.domain.as_ref().map(|domain| domain.to_lowercase()),
            limit: self.limit.unwrap_or(0),
            ..Filter::default()
        })
    }
}

/// The routes below `/queue`.
pub(crate) fn routes(spool: Spool) -> Router {
    Router::new()
        .route("/queue", get(list))
        .route("/queue/flush", post(flush))
        .route("/queue/{id}", get(show))
        .route("/queue/{id}/{action}", post(act))
        .with_state(spool)
}

async fn list(State(spool): State<Spool>, Query(query): Query<QueueQuery>) -> Response {
    match query.filter() {
        Ok(filter) => {
            let entries = spool.list(filter).await;
            Json(entries.into_iter().map(QueuedMessage::from).collect::<Vec<_>>()).into_response()
        }
        Err(message) => (StatusCode::BAD_REQUEST, message).into_response(),
    }
}

async fn show(State(spool): State<Spool>, Path(id): Path<String>) -> Response {
    let id = match id.parse::<QueueId>() {
        Ok(id) => id,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    let found = spool.list(Filter { id: Some(id), ..Filter::default() }).await;
    match found.into_iter().next() {
        Some(entry) => Json(QueuedMessage::from(entry)).into_response(),
        None => refused(AdminError::NotFound(id)),
    }
}

async fn flush(State(spool): State<Spool>) -> Response {
    Json(spool.flush()).into_response()
}

async fn act(State(spool): State<Spool>, Path((id, action)): Path<(String, String)>) -> Response {
    let id = match id.parse::<QueueId>() {
        Ok(id) => id,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    let outcome = match action.as_str() {
        "hold" => spool.hold(id).await,
        "release" => spool.release(id).await,
        "retry" => spool.retry(id),
        "delete" => spool.delete(id).await,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    match outcome {
        Ok(()) => {
            tracing::info!(target: "lastpost::queue", %id, action, "done by command");
            Json(()).into_response()
        }
        Err(error) => refused(error),
    }
}

fn refused(error: AdminError) -> Response {
    let status = match error {
        AdminError::NotFound(_) => StatusCode::NOT_FOUND,
        AdminError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, error.to_string()).into_response()
}
