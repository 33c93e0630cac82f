//! The control side: an HTTP endpoint on loopback for the command line, health checks and
//! whoever watches the daemons.
//!
//! Everything but the health checks wants the bearer token that lies in a file only the
//! daemon's user can read.

mod auth;
mod client;
mod limits;
mod metrics;
mod queue;
mod relay;
mod report;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;

pub(crate) use self::auth::routes as auth_routes;
pub use self::auth::{AttackedShown, AuthReport, BlockShown, EventShown, UnblockOrder, Unblocked};
pub(crate) use self::limits::routes as limits_routes;
pub use self::limits::{LimitsOrder, LimitsQuery};
pub(crate) use self::relay::routes as relay_routes;
pub use client::{ControlClient, ControlError};
pub(crate) use metrics::Figure;
pub(crate) use queue::routes as queue_routes;
pub use queue::{
    LISTED_MAX, QueueAction, QueueDone, QueueFailure, QueueOrder, QueueQuery, QueueShape,
    QueuedMessage, QueuedRecipient, ShapeLine, ShapeOrder,
};
pub use report::{Listening, Reloaded, Status};
pub(crate) use token::Token;

/// Commands are short.
const BODY_OCTETS_MAX: usize = 64 << 10;

/// Something that can be read again while the daemon runs.
pub trait Reload: Send + Sync {
    /// What it is called in messages: a file or a section.
    fn name(&self) -> String;

    /// Reads it again. On failure what was in force stays in force.
    ///
    /// # Errors
    /// The message for the admin.
    fn reload(&self) -> Result<(), String>;
}

/// What the control side can do and show.
pub struct Controls {
    /// What `reload` reads again, in this order.
    pub reloads: Vec<Arc<dyn Reload>>,
    /// Makes the status page.
    pub status: Box<dyn Fn() -> Status + Send + Sync>,
    /// Takes the figures for a scrape of metrics.
    pub(crate) figures: Box<dyn Fn() -> Vec<Figure> + Send + Sync>,
    /// Whether the daemon takes sessions.
    pub ready: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Controls {
    /// Reads everything again; all parts are tried even if one fails.
    ///
    /// # Errors
    /// The messages of the parts that failed and stay as they were.
    pub fn reload(&self) -> Result<Reloaded, String> {
        let mut parts = Vec::new();
        let mut failures = Vec::new();
        for part in &self.reloads {
            match part.reload() {
                Ok(()) => parts.push(part.name()),
                Err(message) => failures.push(message),
            }
        }
        for message in &failures {
            tracing::error!(target: "lastpost::reload", %message, "not reloaded; the old one stays in force");
        }
        if failures.is_empty() {
            tracing::info!(target: "lastpost::reload", parts = parts.join(", "), "reloaded");
            Ok(Reloaded { parts })
        } else {
            Err(failures.join("\n"))
        }
    }
}

/// Serves the control side until `stop` resolves. `extra` are the routes of other rooms,
/// which are guarded by the token too.
///
/// # Errors
/// If the listener breaks.
pub(crate) async fn serve(
    listener: TcpListener,
    controls: Arc<Controls>,
    token: Arc<Token>,
    extra: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let guarded = Router::new()
        .route("/reload", post(reload))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .with_state(Arc::clone(&controls))
        .merge(extra)
        .layer(middleware::from_fn_with_state(token, guard));
    let open = Router::new()
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready))
        .with_state(controls);
    let app = guarded.merge(open).layer(DefaultBodyLimit::max(BODY_OCTETS_MAX));
    axum::serve(listener, app).with_graceful_shutdown(stop).await
}

async fn guard(State(token): State<Arc<Token>>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    match given {
        Some(given) if token.matches(given) => next.run(request).await,
        _ => (StatusCode::UNAUTHORIZED, "the control token is missing or wrong\n").into_response(),
    }
}

async fn ready(State(controls): State<Arc<Controls>>) -> Response {
    if (controls.ready)() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response()
    }
}

async fn status(State(controls): State<Arc<Controls>>) -> Response {
    axum::Json((controls.status)()).into_response()
}

async fn metrics(State(controls): State<Arc<Controls>>) -> Response {
    match metrics::text_of((controls.figures)()) {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn reload(State(controls): State<Arc<Controls>>) -> Response {
    // Files are read: off the async workers.
    let outcome = tokio::task::spawn_blocking(move || controls.reload()).await;
    match outcome {
        Ok(Ok(reloaded)) => axum::Json(reloaded).into_response(),
        Ok(Err(message)) => (StatusCode::UNPROCESSABLE_ENTITY, message).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the reload broke off").into_response(),
    }
}
