//! The control side's part of the queue: what `lastpost queue` asks for.

mod wire;

#[cfg(test)]
mod tests;

use axum::Router;
use axum::extract::{Json, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use spool::{AdminError, Filter, QueueEntry, QueueId, Spool};

pub use wire::{
    LISTED_MAX, QueueAction, QueueDone, QueueFailure, QueueOrder, QueueQuery, QueueShape,
    QueuedMessage, QueuedRecipient, ShapeLine, ShapeOrder,
};

/// Messages changed at the same time: they share flushes.
const TOGETHER: usize = 64;

/// Octets of a text in one answer, at most and if nobody says how many.
const TEXT_MAX: usize = 64 << 20;
const TEXT: usize = 1 << 20;

/// Octets of a header section that are looked through for its end.
const HEADER_MAX: usize = 1 << 20;

/// The routes below `/queue`.
pub(crate) fn routes(spool: Spool) -> Router {
    Router::new()
        .route("/queue", get(list))
        .route("/queue/flush", post(flush))
        .route("/queue/shape", get(shape))
        .route("/queue/order", post(order))
        .route("/queue/{id}", get(show))
        .route("/queue/{id}/text", get(text))
        .with_state(spool)
}

async fn list(State(spool): State<Spool>, Query(query): Query<QueueQuery>) -> Response {
    match query.filter(spool.now()) {
        Ok(mut filter) => {
            filter.limit = filter.limit.clamp(1, LISTED_MAX);
            let entries = spool.list(filter).await;
            let messages: Vec<_> = entries.into_iter().map(QueuedMessage::in_list).collect();
            Json(messages).into_response()
        }
        Err(message) => (StatusCode::BAD_REQUEST, message).into_response(),
    }
}

async fn show(State(spool): State<Spool>, Path(id): Path<String>) -> Response {
    let id = match id.parse::<QueueId>() {
        Ok(id) => id,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    match find(&spool, id).await {
        Some(entry) => Json(QueuedMessage::from(entry)).into_response(),
        None => refused(AdminError::NotFound(id)),
    }
}

async fn find(spool: &Spool, id: QueueId) -> Option<QueueEntry> {
    spool.list(Filter { id: Some(id), ..Filter::default() }).await.into_iter().next()
}

async fn flush(State(spool): State<Spool>) -> Response {
    let hurried = spool.flush();
    tracing::info!(target: "lastpost::queue", hurried, "flushed by command");
    Json(hurried).into_response()
}

async fn shape(State(spool): State<Spool>, Query(order): Query<ShapeOrder>) -> Response {
    match order.query() {
        Ok(query) => Json(QueueShape::from(spool.shape(query).await)).into_response(),
        Err(message) => (StatusCode::BAD_REQUEST, message).into_response(),
    }
}

/// Which part of a text is wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TextQuery {
    /// Only the header section.
    header: bool,
    /// At most so many octets.
    octets: Option<usize>,
}

async fn text(
    State(spool): State<Spool>,
    Path(id): Path<String>,
    Query(query): Query<TextQuery>,
) -> Response {
    let id = match id.parse::<QueueId>() {
        Ok(id) => id,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    let most = query.octets.unwrap_or(TEXT).min(TEXT_MAX);
    match read(&spool, id, query.header, most).await {
        Ok(text) => {
            tracing::info!(
                target: "lastpost::queue", %id, octets = text.len(), "text shown by command"
            );
            ([(header::CONTENT_TYPE, "application/octet-stream")], text).into_response()
        }
        Err(error) => refused(error),
    }
}

/// Up to `most` octets of a text, or of its header section.
async fn read(
    spool: &Spool,
    id: QueueId,
    header: bool,
    most: usize,
) -> Result<Vec<u8>, AdminError> {
    let most = if header { most.min(HEADER_MAX) } else { most };
    let mut reader = spool.text(id).await?;
    let mut text: Vec<u8> = Vec::new();
    while text.len() < most {
        // Where the checksum does not match, what was read before is shown all the same.
        let Ok(Some(block)) = reader.next().await else { break };
        let from = text.len().saturating_sub(3);
        text.extend_from_slice(&block);
        let end = text[from..].windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end.filter(|_| header) {
            text.truncate(from + end + 2);
            break;
        }
    }
    text.truncate(most);
    Ok(text)
}

async fn order(State(spool): State<Spool>, Json(order): Json<QueueOrder>) -> Response {
    let meant = match meant(&spool, &order).await {
        Ok(meant) => meant,
        Err(message) => return (StatusCode::BAD_REQUEST, message).into_response(),
    };
    let Meant { entries, mut failed, next } = meant;
    let mut done = Vec::with_capacity(entries.len());
    let mut entries = entries.into_iter();
    loop {
        let some: Vec<_> = entries.by_ref().take(TOGETHER).collect();
        if some.is_empty() {
            break;
        }
        let mut acting = tokio::task::JoinSet::new();
        for entry in some {
            let (spool, action, dry_run) = (spool.clone(), order.action, order.dry_run);
            acting.spawn(async move {
                let outcome = if dry_run { Ok(()) } else { act(&spool, action, entry.id).await };
                (entry, outcome)
            });
        }
        for (entry, outcome) in acting.join_all().await {
            match outcome {
                Ok(()) => done.push(entry),
                Err(error) => {
                    failed
                        .push(QueueFailure { id: entry.id.to_string(), error: error.to_string() });
                }
            }
        }
    }
    done.sort_unstable_by_key(|entry| entry.id);
    if !order.dry_run {
        done.iter().for_each(|entry| log(&order, entry));
    }
    let done = done.into_iter().map(QueuedMessage::in_list).collect();
    Json(QueueDone { done, failed, next }).into_response()
}

/// The messages of an order.
struct Meant {
    entries: Vec<QueueEntry>,
    failed: Vec<QueueFailure>,
    next: Option<String>,
}

async fn meant(spool: &Spool, order: &QueueOrder) -> Result<Meant, String> {
    if order.ids.len() > LISTED_MAX {
        return Err(format!("at most {LISTED_MAX} messages may be named at once"));
    }
    if order.ids.is_empty() {
        let mut filter = order.query.filter(spool.now())?;
        filter.limit = filter.limit.clamp(1, LISTED_MAX);
        let entries = spool.list(filter).await;
        let next = entries.last().map(|entry| entry.id.to_string());
        return Ok(Meant { entries, failed: Vec::new(), next });
    }
    let (mut entries, mut failed) = (Vec::new(), Vec::new());
    for text in &order.ids {
        let id = text.parse::<QueueId>().map_err(|error| format!("{text}: {error}"))?;
        match find(spool, id).await {
            Some(entry) => entries.push(entry),
            None => {
                let error = AdminError::NotFound(id).to_string();
                failed.push(QueueFailure { id: text.clone(), error });
            }
        }
    }
    Ok(Meant { entries, failed, next: None })
}

async fn act(spool: &Spool, action: QueueAction, id: QueueId) -> Result<(), AdminError> {
    match action {
        QueueAction::Hold => spool.hold(id).await,
        QueueAction::Release => spool.release(id).await,
        QueueAction::Retry => spool.retry(id),
        QueueAction::Delete => spool.delete(id).await,
    }
}

/// Who did what to whose message, and why that had been held.
fn log(order: &QueueOrder, entry: &QueueEntry) {
    let account = match &entry.origin {
        spool::Origin::Submitted { account, .. } => account.as_str(),
        spool::Origin::Inbound { .. } | spool::Origin::Report => "",
    };
    tracing::info!(
        target: "lastpost::queue",
        id = %entry.id,
        action = order.action.name(),
        by = ?order.by,
        ?account,
        sender = ?entry.sender.to_string(),
        review = ?entry.review.as_deref().unwrap_or_default(),
        "done by command"
    );
}

fn refused(error: AdminError) -> Response {
    let status = match error {
        AdminError::NotFound(_) => StatusCode::NOT_FOUND,
        AdminError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, error.to_string()).into_response()
}
