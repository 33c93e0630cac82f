//! Limits on senders over the control side.

use auth::{Account, Moment};
use std::sync::Arc;

use address::AccountKey;
use auth::{Clock, Directory};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use limits::Limits;
use serde::{Deserialize, Serialize};

/// No more accounts are shown at once.
const TOP_MAX: usize = 10_000;

/// Which accounts to show.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct LimitsQuery {
    /// This one.
    pub account: Option<String>,
    /// So many, those nearest to a limit first. Default: 20.
    pub top: Option<usize>,
}

/// What is to be done with an account.
#[derive(Debug, Serialize, Deserialize)]
pub struct LimitsOrder {
    /// The account.
    pub account: String,
    /// Why, for `suspend`.
    #[serde(default)]
    pub reason: String,
}

#[derive(Clone)]
struct Means {
    limits: Option<Limits>,
    directory: Directory,
    clock: Arc<dyn Clock>,
}

/// The routes below `/limits`.
pub(crate) fn routes(
    limits: Option<Limits>,
    directory: Directory,
    clock: Arc<dyn Clock>,
) -> Router {
    Router::new()
        .route("/limits", get(show))
        .route("/limits/suspended", get(suspended))
        .route("/limits/suspend", post(suspend))
        .route("/limits/resume", post(resume))
        .route("/limits/forget", post(forget))
        .with_state(Means { limits, directory, clock })
}

impl Means {
    fn limits(&self) -> Result<&Limits, Box<Response>> {
        self.limits.as_ref().ok_or_else(|| {
            let message = "nothing is limited: the configuration has no [limits] section";
            Box::new((StatusCode::CONFLICT, message).into_response())
        })
    }

    fn account(&self, text: &str) -> Result<AccountKey, Box<Response>> {
        self.directory.key(text).map_err(|error| {
            Box::new((StatusCode::BAD_REQUEST, format!("{text:?}: {error}")).into_response())
        })
    }

    async fn find(&self, account: &AccountKey) -> Result<Option<Arc<Account>>, Box<Response>> {
        self.directory.find(account).await.map_err(|problem| {
            Box::new((StatusCode::SERVICE_UNAVAILABLE, problem.to_string()).into_response())
        })
    }

    /// Of each account its profile is looked up: where that may block.
    async fn top(&self, limits: Limits, top: usize, at: Moment) -> Answered {
        let directory = self.directory.clone();
        let profile = move |account: &AccountKey| {
            let account = directory.blocking().find(account).ok().flatten()?;
            account.policy().limits.clone()
        };
        let looking = tokio::task::spawn_blocking(move || limits.top(top, &profile, at));
        looking.await.map(|top| Json(top).into_response()).map_err(|broken| {
            Box::new((StatusCode::INTERNAL_SERVER_ERROR, broken.to_string()).into_response())
        })
    }

    async fn profile(&self, account: &AccountKey) -> Result<Option<Box<str>>, Box<Response>> {
        let account = self.find(account).await?;
        Ok(account.and_then(|account| account.policy().limits.clone()))
    }
}

/// An answer, or the response that says why there is none.
type Answered = Result<Response, Box<Response>>;

fn answer(answered: Answered) -> Response {
    answered.unwrap_or_else(|refused| *refused)
}

async fn show(State(means): State<Means>, Query(query): Query<LimitsQuery>) -> Response {
    let shown = async {
        let limits = means.limits()?;
        let at = means.clock.now();
        let Some(account) = &query.account else {
            let top = query.top.unwrap_or(20).min(TOP_MAX);
            return means.top(limits.clone(), top, at).await;
        };
        let account = means.account(account)?;
        let profile = means.profile(&account).await?;
        Ok(Json(vec![limits.figures(&account, profile.as_deref(), at)]).into_response())
    };
    answer(shown.await)
}

async fn suspended(State(means): State<Means>) -> Response {
    answer(means.limits().map(|limits| Json(limits.suspended_accounts()).into_response()))
}

async fn suspend(State(means): State<Means>, Json(order): Json<LimitsOrder>) -> Response {
    let done = async {
        let (limits, account) = (means.limits()?, means.account(&order.account)?);
        if means.find(&account).await?.is_none() {
            let message = format!("there is no account {account}");
            return Err(Box::new((StatusCode::NOT_FOUND, message).into_response()));
        }
        let new = limits.suspend(&account, &order.reason, means.clock.now()).await;
        new.map(|new| Json(new).into_response()).map_err(failed)
    };
    answer(done.await)
}

async fn resume(State(means): State<Means>, Json(order): Json<LimitsOrder>) -> Response {
    let done = async {
        let (limits, account) = (means.limits()?, means.account(&order.account)?);
        match limits.resume(&account, means.clock.now()).await.map_err(failed)? {
            true => Ok(Json(()).into_response()),
            false => {
                let message = format!("{account} is not suspended; its counters begin anew");
                Err(Box::new((StatusCode::NOT_FOUND, message).into_response()))
            }
        }
    };
    answer(done.await)
}

async fn forget(State(means): State<Means>, Json(order): Json<LimitsOrder>) -> Response {
    let done = async {
        let (limits, account) = (means.limits()?, means.account(&order.account)?);
        Ok(Json(limits.forget(&account).await).into_response())
    };
    answer(done.await)
}

fn failed(error: std::io::Error) -> Box<Response> {
    let message = format!("it could not be written down, and holds until the next start: {error}");
    Box::new((StatusCode::INTERNAL_SERVER_ERROR, message).into_response())
}
