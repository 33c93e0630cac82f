//! retire: whole file
//! The control side's part of the bridge: grants, and the ledger flushed for a reader.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use auth::Clock;
use axum::Router;
use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use pop_before_smtp::{Bridge, Revocation};
use serde::{Deserialize, Serialize};

/// How long the ledger's writer may take to write what it holds.
const FLUSH_PATIENCE: Duration = Duration::from_secs(5);

/// Grants in one answer.
const GRANTS_MAX: usize = 100_000;

#[derive(Clone)]
struct Shared {
    bridge: Arc<Bridge>,
    clock: Arc<dyn Clock>,
}

/// Whose grants are to end: an account's, an address's, or everybody's.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Revoke {
    pub(super) account: Option<String>,
    pub(super) address: Option<IpAddr>,
    pub(super) all: bool,
}

/// The routes below `/grants`.
pub(super) fn routes(bridge: Arc<Bridge>, clock: Arc<dyn Clock>) -> Router {
    Router::new()
        .route("/grants", get(list))
        .route("/grants/revoke", post(revoke))
        .route("/ledger/flush", post(flush))
        .with_state(Shared { bridge, clock })
}

async fn list(State(shared): State<Shared>) -> Response {
    Json(shared.bridge.grants(shared.clock.now(), GRANTS_MAX)).into_response()
}

async fn revoke(State(shared): State<Shared>, Json(wish): Json<Revoke>) -> Response {
    let which = match (&wish.account, wish.address, wish.all) {
        (Some(login), None, false) => {
            let domain = shared.bridge.config().default_domain.clone();
            match address::AccountKey::parse(login, domain.as_ref()) {
                Ok(key) => Revocation::Account(key),
                Err(error) => {
                    let message = format!("{login:?} is no login: {error}");
                    return (StatusCode::BAD_REQUEST, message).into_response();
                }
            }
        }
        (None, Some(address), false) => Revocation::Address(address.to_canonical()),
        (None, None, true) => Revocation::All,
        _ => {
            let message = "name an account, an address, or all";
            return (StatusCode::BAD_REQUEST, message).into_response();
        }
    };
    Json(shared.bridge.revoke(&which)).into_response()
}

/// Whoever reads the ledger's file next sees everything up to now.
async fn flush(State(shared): State<Shared>) -> Response {
    let recorder = Arc::clone(shared.bridge.recorder());
    let flushed = tokio::task::spawn_blocking(move || {
        if let Some(ledger) = recorder.ledger() {
            return ledger.flush(FLUSH_PATIENCE).is_ok();
        }
        true
    });
    match flushed.await {
        Ok(true) => Json(()).into_response(),
        Ok(false) | Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
