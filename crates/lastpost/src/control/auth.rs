//! Attacks on passwords over the control side: what was found, what is blocked, and forgiving.

use std::sync::Arc;

use ::auth::{
    AttackEvent, AttackEventKind, AttackedAccount, Authenticator, Block, Clock, Statistics,
};
use auth_share::{Publisher, ShareStatistics};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Events that the status shows.
const EVENTS_SHOWN: usize = 50;

/// How logins go, and who attacks.
#[derive(Debug, Serialize, Deserialize)]
pub struct AuthReport {
    /// Counts and figures, by name, in a fixed order.
    pub figures: Vec<(String, u64)>,
    /// How many networks are blocked.
    pub blocked_networks: u64,
    /// Accounts that are attacked from many networks, those found latest first.
    pub attacked: Vec<AttackedShown>,
    /// The latest events, newest first.
    pub events: Vec<EventShown>,
}

/// A blocked network.
#[derive(Debug, Serialize, Deserialize)]
pub struct BlockShown {
    /// The network.
    pub network: IpNet,
    /// When it began.
    pub since: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// The how manieth in a row.
    pub strikes: u32,
    /// `failures` or `spraying`.
    pub reason: String,
    /// Whether another daemon or host found it.
    pub learned: bool,
}

/// An attacked account.
#[derive(Debug, Serialize, Deserialize)]
pub struct AttackedShown {
    /// The name as it was tried; none if another daemon or host found it.
    pub account: Option<String>,
    /// When it was found.
    pub since: Timestamp,
    /// When it ends, if no more failures come.
    pub until: Timestamp,
}

/// An event.
#[derive(Debug, Serialize, Deserialize)]
pub struct EventShown {
    /// When.
    pub at: Timestamp,
    /// `blocked`, `attacked`, `network-forgiven` or `account-forgiven`.
    pub event: String,
    /// Whether another daemon or host found it.
    pub learned: bool,
    /// The network.
    pub network: Option<IpNet>,
    /// The account's name as it was tried.
    pub account: Option<String>,
    /// `failures` or `spraying`.
    pub reason: Option<String>,
    /// How long the block is, in seconds.
    pub seconds: Option<u64>,
    /// Failures that were counted, about.
    pub failures: Option<u32>,
    /// Different accounts, about.
    pub accounts: Option<u32>,
    /// Different networks, about.
    pub networks: Option<u32>,
}

/// What is to be forgiven: one of the two.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnblockOrder {
    /// A network, with all within it and around it.
    pub network: Option<IpNet>,
    /// What was counted for an account.
    pub account: Option<String>,
}

/// What was forgiven.
#[derive(Debug, Serialize, Deserialize)]
pub struct Unblocked {
    /// Networks whose blocks ended.
    pub networks: Vec<IpNet>,
    /// Whether anything was counted for the account.
    pub account: bool,
}

#[derive(Clone)]
struct Means {
    authenticator: Authenticator,
    share: Option<Arc<Publisher>>,
    clock: Arc<dyn Clock>,
}

/// The routes below `/auth`.
pub(crate) fn routes(
    authenticator: Authenticator,
    share: Option<Arc<Publisher>>,
    clock: Arc<dyn Clock>,
) -> Router {
    Router::new()
        .route("/auth", get(report))
        .route("/auth/blocks", get(blocks))
        .route("/auth/events", get(events))
        .route("/auth/unblock", post(unblock))
        .with_state(Means { authenticator, share, clock })
}

async fn report(State(means): State<Means>) -> Response {
    let at = means.clock.now();
    let auth = &means.authenticator;
    let mut figures = figures_of(&auth.statistics());
    if let Some(share) = &means.share {
        figures.extend(share_of(&share.statistics()));
    }
    let figures = figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Json(AuthReport {
        figures,
        blocked_networks: auth.blocks_holding(at),
        attacked: auth.attacked(at).into_iter().map(AttackedShown::from).collect(),
        events: auth.attack_events(EVENTS_SHOWN).into_iter().map(EventShown::from).collect(),
    })
    .into_response()
}

fn figures_of(of: &Statistics) -> Vec<(&'static str, u64)> {
    vec![
        ("attempts", of.attempts),
        ("accepted", of.succeeded),
        ("accepted from memory", of.cached),
        ("unknown", of.unknown),
        ("disabled", of.disabled),
        ("wrong", of.wrong),
        ("repeated failures", of.repeated),
        ("busy", of.busy),
        ("unavailable", of.unavailable),
        ("hashes", of.hashes),
        ("waiting for a hash", of.waiting),
        ("most hashes at once", of.running_peak),
        ("most memory of hashes, KiB", of.memory_peak),
        ("gave their place up", of.displaced),
        ("from blocked networks", of.blocked),
        ("blocks", of.blocks),
        ("blocks for spraying", of.sprayings),
        ("accounts found attacked", of.attacked),
        ("strangers put off there", of.attacked_refused),
    ]
}

fn share_of(of: &ShareStatistics) -> [(&'static str, u64); 7] {
    [
        ("told to the other daemon", of.told_daemon),
        ("told to other hosts", of.told_hosts),
        ("told to nobody", of.lost),
        ("heard", of.heard),
        ("malformed messages", of.malformed),
        ("failures of the server", of.failures),
        ("connected to the server", u64::from(of.connected)),
    ]
}

async fn blocks(State(means): State<Means>) -> Response {
    let blocks = means.authenticator.blocks(means.clock.now());
    Json(blocks.into_iter().map(BlockShown::from).collect::<Vec<_>>()).into_response()
}

async fn events(State(means): State<Means>) -> Response {
    let events = means.authenticator.attack_events(usize::MAX);
    Json(events.into_iter().map(EventShown::from).collect::<Vec<_>>()).into_response()
}

async fn unblock(State(means): State<Means>, Json(order): Json<UnblockOrder>) -> Response {
    let at = means.clock.now();
    let auth = &means.authenticator;
    match order {
        UnblockOrder { network: Some(network), account: None } => {
            let network = network.trunc();
            let networks = auth.forgive_network(&network, at);
            tracing::info!(
                target: "lastpost::auth",
                %network,
                ended = networks.len(),
                "network forgiven by an admin"
            );
            Json(Unblocked { networks, account: false }).into_response()
        }
        UnblockOrder { network: None, account: Some(name) } => {
            let key = match auth.directory().key(&name) {
                Ok(key) => key,
                Err(error) => {
                    let message = format!("{name:?}: {error}");
                    return (StatusCode::BAD_REQUEST, message).into_response();
                }
            };
            let account = auth.forgive_account(&key, at);
            tracing::info!(target: "lastpost::auth", account = %key, "account forgiven by an admin");
            Json(Unblocked { networks: Vec::new(), account }).into_response()
        }
        _ => {
            let message = "expected either a network or an account";
            (StatusCode::BAD_REQUEST, message).into_response()
        }
    }
}

impl From<Block> for BlockShown {
    fn from(block: Block) -> Self {
        let Block { network, since, until, strikes, reason, learned } = block;
        Self { network, since, until, strikes, reason: reason.as_str().to_owned(), learned }
    }
}

impl From<AttackedAccount> for AttackedShown {
    fn from(account: AttackedAccount) -> Self {
        let AttackedAccount { name, since, until } = account;
        Self { account: name.map(String::from), since, until }
    }
}

impl From<AttackEvent> for EventShown {
    fn from(event: AttackEvent) -> Self {
        let empty = Self {
            at: event.at,
            event: String::new(),
            learned: event.learned,
            network: None,
            account: None,
            reason: None,
            seconds: None,
            failures: None,
            accounts: None,
            networks: None,
        };
        // What was found elsewhere was counted there.
        let counted = |count: u32| (!event.learned).then_some(count);
        match event.kind {
            AttackEventKind::Blocked {
                network,
                reason,
                period,
                strikes: _,
                failures,
                accounts,
            } => Self {
                event: "blocked".to_owned(),
                network: Some(network),
                reason: Some(reason.as_str().to_owned()),
                seconds: Some(period.as_secs()),
                failures: counted(failures),
                accounts: counted(accounts),
                ..empty
            },
            AttackEventKind::Attacked { name, networks } => Self {
                event: "attacked".to_owned(),
                account: name.map(String::from),
                networks: counted(networks),
                ..empty
            },
            AttackEventKind::NetworkForgiven { network } => {
                Self { event: "network-forgiven".to_owned(), network: Some(network), ..empty }
            }
            AttackEventKind::AccountForgiven => {
                Self { event: "account-forgiven".to_owned(), ..empty }
            }
        }
    }
}
