//! The status page, from the rooms' own figures.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use auth::{Authenticator, Clock};
use pop3d::Pop3d;
use relay::RelayStats;
use spool::Spool;

use super::figures;
use super::seams::Figures;
use crate::control::{Figure, Listening, Status};

/// Takes the figures.
pub(super) type FiguresView = Box<dyn Fn() -> Vec<Figure> + Send + Sync>;
/// Makes the status page.
pub(super) type StatusView = Box<dyn Fn() -> Status + Send + Sync>;

/// Where the figures come from.
pub(super) struct Sources {
    clock: Arc<dyn Clock>,
    authenticator: Authenticator,
    pub(super) addresses: BTreeMap<String, SocketAddr>,
    pub(super) pop3: Option<Pop3d>,
    pub(super) submission: Option<submissiond::Observer>,
    pub(super) spool: Option<Spool>,
    pub(super) relay: Option<Arc<RelayStats>>,
    pub(super) filters: Option<filter::Filters>,
    pub(super) limits: Option<limits::Limits>,
    pub(super) share: Option<Arc<auth_share::Publisher>>,
    pub(super) figures: Vec<Figures>,
}

impl Sources {
    pub(super) fn new(clock: Arc<dyn Clock>, authenticator: Authenticator) -> Self {
        Self {
            clock,
            authenticator,
            addresses: BTreeMap::new(),
            pop3: None,
            submission: None,
            spool: None,
            relay: None,
            filters: None,
            limits: None,
            share: None,
            figures: Vec::new(),
        }
    }

    /// A function that takes the figures at the moment it is called, and one that makes the
    /// status page of them.
    pub(super) fn into_views(self) -> (FiguresView, StatusView) {
        let begin = self.clock.now().mono;
        let sources = Arc::new(self);
        let counted = Arc::clone(&sources);
        let status = move || Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: sources.clock.now().mono.saturating_sub(begin).as_secs(),
            listeners: sources
                .addresses
                .iter()
                .map(|(name, address)| Listening {
                    name: name.clone(),
                    address: address.to_string(),
                })
                .collect(),
            queued: sources.spool.as_ref().map_or(0, |spool| spool.stats().queued),
            counters: sources.figures().iter().map(|one| (one.title(), one.value)).collect(),
        };
        (Box::new(move || counted.figures()), Box::new(status))
    }

    fn figures(&self) -> Vec<Figure> {
        let mut all = figures::of_auth(&self.authenticator, self.clock.now());
        if let Some(share) = &self.share {
            all.extend(figures::of_share(&share.statistics()));
        }
        if let Some(pop3) = &self.pop3 {
            all.extend(figures::of_pop3(pop3));
        }
        if let Some(submission) = &self.submission {
            all.extend(figures::of_submission(submission));
        }
        if let Some(filters) = &self.filters {
            all.extend(figures::of_filters(filters));
        }
        if let Some(limits) = &self.limits {
            all.extend(figures::of_limits(limits));
        }
        if let Some(spool) = &self.spool {
            all.extend(figures::of_spool(spool));
        }
        if let Some(relay) = &self.relay {
            all.extend(figures::of_relay(relay));
            all.extend(figures::of_hops(relay));
        }
        let others = self.figures.iter().flat_map(|figures| figures());
        all.extend(others.map(|(name, value)| Figure::counter(&name, "Counted by a room", value)));
        all
    }
}
