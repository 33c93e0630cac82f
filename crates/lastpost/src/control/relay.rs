//! Delivery over the control side: how each destination is.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use relay::{HopStatus, RelayStats};
use serde::Deserialize;

/// So many destinations are shown where nobody says how many.
const SHOWN: usize = 1000;
/// No more are shown at once.
const SHOWN_MAX: usize = 20_000;

/// Which destinations to show.
#[derive(Debug, Default, Deserialize)]
struct HopsQuery {
    /// So many: those of the configuration first, then the busiest.
    limit: Option<usize>,
}

/// The routes below `/relay`.
pub(crate) fn routes(stats: Arc<RelayStats>, router: relay::Router) -> Router {
    let tried = Router::new().route("/relay/try", post(try_now)).with_state(router);
    Router::new().route("/relay/hops", get(hops)).with_state(stats).merge(tried)
}

/// Has destinations tried that are left alone.
async fn try_now(State(router): State<relay::Router>) {
    router.try_now();
}

async fn hops(
    State(stats): State<Arc<RelayStats>>,
    Query(query): Query<HopsQuery>,
) -> Json<Vec<HopStatus>> {
    Json(stats.destinations(query.limit.unwrap_or(SHOWN).min(SHOWN_MAX)))
}
