//! All destinations: those of the configuration, and the mail exchangers of domains, which are
//! made when mail asks for them and forgotten when none does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use address::Domain;

use crate::config::{ConfigError, Settings};
use crate::hop::{Common, Hop};
use crate::route::{Course, Routes, Stop, Target};
use crate::stats::HopStatus;
use crate::way::Way;

/// Domains whose mail exchangers are remembered at the same time, each with about 2 KiB.
const DOMAINS_MAX: usize = 10_000;
/// From this many on, those that nobody needs are looked for.
const SWEEP_MIN: usize = 256;

/// See the module.
pub(crate) struct Fleet {
    common: Common,
    routing: RwLock<Arc<Routing>>,
    domains: Mutex<Domains>,
    /// Hops of earlier routes that have not ended what they had begun.
    retired: Mutex<Vec<Arc<Hop>>>,
}

/// The routes, and the hops that they mean.
pub(crate) struct Routing {
    settings: Settings,
    resolver: Option<mx::Resolver>,
    hops: Vec<Arc<Hop>>,
    /// The way of each route that does not depend on the recipient, by its number.
    ways: Vec<Option<Arc<Way>>>,
}

#[derive(Default)]
struct Domains {
    /// Each with a way that leads there alone.
    known: HashMap<Domain, (Arc<Hop>, Arc<Way>)>,
    /// The number at which they are looked through.
    sweep_at: usize,
}

impl Routing {
    /// Blocking: may read certificates.
    fn new(settings: &Settings, common: &Common) -> Result<Self, ConfigError> {
        let resolver = settings.resolver(common.registrar.clock().now())?;
        let asked = resolver.as_ref();
        let named = settings.hops.iter().map(|hop| Hop::named(hop, settings, asked, common));
        let hops = named.map(|hop| hop.map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        let way = |course: &Course| {
            let Course::Hops(groups) = course else { return None };
            let hop = |stop: &Stop| match stop {
                Stop::Hop(place) => hops.get(*place).cloned(),
                Stop::Mx => None,
            };
            let group = |group: &Vec<Stop>| group.iter().map(hop).collect::<Option<Vec<_>>>();
            let groups = groups.iter().map(group).collect::<Option<Vec<_>>>()?;
            Some(Arc::new(Way::new(groups, Arc::clone(&common.registrar))))
        };
        let ways = settings.routes.courses().map(way).collect();
        Ok(Self { settings: settings.clone(), resolver, hops, ways })
    }

    pub(crate) fn routes(&self) -> &Routes {
        &self.settings.routes
    }
}

impl Fleet {
    /// Blocking: may read certificates.
    pub(crate) fn new(settings: &Settings, common: Common) -> Result<Self, ConfigError> {
        let routing = RwLock::new(Arc::new(Routing::new(settings, &common)?));
        let domains = Domains { sweep_at: SWEEP_MIN, ..Domains::default() };
        Ok(Self { common, routing, domains: Mutex::new(domains), retired: Mutex::default() })
    }

    /// The routes in force.
    pub(crate) fn routing(&self) -> Arc<Routing> {
        Arc::clone(&self.routing.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other routes and hops in force. What waits for the old hops is routed anew; what is
    /// being sent is ended. Blocking: may read certificates.
    ///
    /// # Errors
    /// If they cannot be used; the old ones stay.
    pub(crate) fn reload(&self, settings: &Settings) -> Result<(), ConfigError> {
        let new = Arc::new(Routing::new(settings, &self.common)?);
        let mut routing = self.routing.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *routing, new);
        drop(routing);
        for hop in &old.hops {
            hop.stop();
        }
        self.retired().extend(old.hops.iter().cloned());
        Ok(())
    }

    /// The way of a route. `None`: there are too many destinations at present.
    pub(crate) fn way(
        &self,
        routing: &Routing,
        number: usize,
        groups: &[Vec<Stop>],
        domain: Option<&Domain>,
    ) -> Option<Arc<Way>> {
        if let Some(Some(way)) = routing.ways.get(number) {
            return Some(Arc::clone(way));
        }
        let (exchangers, alone) = self.exchangers(routing, domain?)?;
        if let [group] = groups
            && group.len() == 1
        {
            return Some(alone);
        }
        let hop = |stop: &Stop| match stop {
            Stop::Hop(place) => routing.hops.get(*place).cloned(),
            Stop::Mx => Some(Arc::clone(&exchangers)),
        };
        let groups = groups.iter().map(|group| group.iter().filter_map(hop).collect()).collect();
        Some(Arc::new(Way::new(groups, Arc::clone(&self.common.registrar))))
    }

    /// The mail exchangers of `domain`, and the way to them alone.
    fn exchangers(&self, routing: &Routing, domain: &Domain) -> Option<(Arc<Hop>, Arc<Way>)> {
        let mut domains = self.domains();
        if let Some((hop, way)) = domains.known.get(domain) {
            return Some((Arc::clone(hop), Arc::clone(way)));
        }
        if domains.known.len() >= domains.sweep_at {
            domains.sweep();
        }
        if domains.known.len() >= DOMAINS_MAX {
            return None;
        }
        let (target, asked) = (Target::Mx(domain.clone()), routing.resolver.as_ref());
        let hop = match Hop::of_target(&target, &routing.settings, asked, &self.common) {
            Ok(hop) => Arc::new(hop),
            Err(error) => {
                tracing::error!(target: "lastpost::relay", domain = domain.as_str(), %error, "no way to a domain");
                return None;
            }
        };
        let groups = vec![vec![Arc::clone(&hop)]];
        let way = Arc::new(Way::new(groups, Arc::clone(&self.common.registrar)));
        domains.known.insert(domain.clone(), (Arc::clone(&hop), Arc::clone(&way)));
        Some((hop, way))
    }

    /// Calls those in line wherever there is room and nobody did; once in a while.
    pub(crate) fn look_after(&self) {
        self.each(|hop| hop.nudge());
        self.retired().retain(|hop| !hop.has_ended());
        let mut domains = self.domains();
        if domains.known.len() >= SWEEP_MIN {
            domains.sweep();
        }
    }

    /// Has destinations tried that are left alone.
    pub(crate) fn try_now(&self) {
        self.each(|hop| hop.reopen());
    }

    /// All destinations, while none can be added.
    fn each(&self, act: impl Fn(&Arc<Hop>)) {
        self.all().iter().for_each(act);
    }

    fn all(&self) -> Vec<Arc<Hop>> {
        let mut all = self.routing().hops.clone();
        all.extend(self.domains().known.values().map(|(hop, _)| Arc::clone(hop)));
        all.extend(self.retired().iter().cloned());
        all
    }

    pub(crate) fn stop(&self) {
        self.each(|hop| hop.stop());
    }

    pub(crate) fn cut(&self) {
        self.each(|hop| hop.cut());
    }

    /// Ends when the last connection is closed, after [`Self::stop`].
    pub(crate) async fn stopped(&self) {
        for hop in self.all() {
            hop.stopped().await;
        }
    }

    /// As [`crate::RelayStats::destinations`].
    pub(crate) fn status(&self, max: usize) -> Vec<HopStatus> {
        let mut all: Vec<_> = self.routing().hops.iter().map(|hop| hop.status()).collect();
        let known: Vec<_> = self.domains().known.values().map(|(hop, _)| Arc::clone(hop)).collect();
        let mut others: Vec<_> = known.iter().map(|hop| hop.status()).collect();
        let weight = |hop: &HopStatus| (hop.queued + hop.in_line, hop.delivered + hop.deferred);
        others.sort_by(|a, b| weight(b).cmp(&weight(a)).then_with(|| a.name.cmp(&b.name)));
        all.extend(others);
        all.truncate(max);
        all
    }

    fn retired(&self) -> MutexGuard<'_, Vec<Arc<Hop>>> {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn domains(&self) -> MutexGuard<'_, Domains> {
        self.domains.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Domains {
    /// Forgets those that nobody uses and that have nothing to remember.
    fn sweep(&mut self) {
        self.known.retain(|_, (hop, way)| {
            // Its own way holds one, this table another; a message that goes there holds the way.
            let is_held = Arc::strong_count(way) > 1 || Arc::strong_count(hop) > 2;
            is_held || !hop.is_forgettable()
        });
        self.sweep_at = (self.known.len() * 2).clamp(SWEEP_MIN, DOMAINS_MAX);
    }
}
