//! The relay: takes what is due from the spool and sends it on its way.

use std::sync::Arc;
use std::time::Duration;

use auth::Clock;
use netio::Drain;
use spool::Spool;
use tokio::sync::Semaphore;

use crate::conclude::Registrar;
use crate::config::{ConfigError, Settings};
use crate::dispatch::Dispatcher;
use crate::fleet::Fleet;
use crate::here::Here;
use crate::hop::Common;
use crate::local::LocalDelivery;
use crate::parcel::Slot;
use crate::stats::Raised;
use crate::{FailureObserver, RelayStats};

/// Messages in the relay's hands at the same time: their envelopes are in memory, and small
/// texts, so that this is some tens of MiB.
const IN_FLIGHT_MAX: u32 = 2000;
/// Messages that are claimed at a time.
const BATCH: usize = 256;
/// The same while most of them have to wait: those that come back to the queue were read for
/// nothing, and a destination that takes mail has enough of it already.
const BATCH_WHILE_FULL: usize = 128;
/// Pause when the spool calls and then has nothing.
const PAUSE: Duration = Duration::from_millis(50);
/// Pause when most of what was claimed went back to wait. What comes meanwhile is claimed
/// together, and there may be room for it then: neither a dead next hop nor a slow one costs those
/// who hand mail in more than it must.
const BREATH: Duration = Duration::from_millis(10);
/// How often destinations are looked after.
const LOOK: Duration = Duration::from_secs(5);

/// Delivers what the spool holds.
pub struct Relay {
    spool: Spool,
    dispatcher: Dispatcher,
    registrar: Arc<Registrar>,
    stats: Arc<RelayStats>,
    in_flight: Arc<Semaphore>,
}

/// Changes the routes of a relay that runs.
#[derive(Clone)]
pub struct Router(Arc<Fleet>);

impl Router {
    /// Puts the routes and hops of `settings` in force; nothing else of it. What waits for the
    /// old hops is routed anew; what is being sent is ended. Blocking: may read certificates.
    ///
    /// # Errors
    /// If they cannot be used; the old ones stay in force.
    pub fn reload(&self, settings: &Settings) -> Result<(), ConfigError> {
        self.0.reload(settings)
    }

    /// Has destinations tried at once that did not work and are left alone for a while: for
    /// whoever knows that they work again.
    pub fn try_now(&self) {
        self.0.try_now();
    }
}

impl Relay {
    /// A relay for `spool`. Blocking: may read certificates.
    ///
    /// # Errors
    /// If the certificates or the name of a next hop cannot be used.
    pub fn new(
        settings: &Settings,
        spool: Spool,
        local: Arc<dyn LocalDelivery>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        let stats = Arc::new(RelayStats::default());
        let registrar = Registrar::new(spool.clone(), clock, settings, Arc::clone(&stats));
        let registrar = Arc::new(registrar);
        let in_flight = Arc::new(Semaphore::new(IN_FLIGHT_MAX as usize));
        for warning in settings.warnings() {
            tracing::warn!(target: "lastpost::relay", "{warning}");
        }
        let common = Common {
            registrar: Arc::clone(&registrar),
            spool: spool.clone(),
            in_flight: Arc::clone(&in_flight),
        };
        let fleet = Arc::new(Fleet::new(settings, common)?);
        let seen = Arc::downgrade(&fleet);
        stats.overview.set(Box::new(move |max| {
            seen.upgrade().map_or_else(Vec::new, |fleet| fleet.status(max))
        }));
        let deliveries_max = settings.local_deliveries_max;
        let here = Arc::new(Here::new(Arc::clone(&registrar), spool.clone(), deliveries_max));
        let recipients_max = settings.recipients_max;
        let dispatcher =
            Dispatcher { fleet, here, local, registrar: Arc::clone(&registrar), recipients_max };
        Ok(Self { spool, dispatcher, registrar, stats, in_flight })
    }

    /// The same, and `observer` is told of mail that is refused for good.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn FailureObserver>) -> Self {
        self.registrar.set_observer(observer);
        self
    }

    /// What it has done; may be kept and read at any time.
    #[must_use]
    pub fn stats(&self) -> Arc<RelayStats> {
        Arc::clone(&self.stats)
    }

    /// What changes its routes while it runs.
    #[must_use]
    pub fn router(&self) -> Router {
        Router(Arc::clone(&self.dispatcher.fleet))
    }

    /// Delivers until `drain` is requested; then ends what has begun, and puts the rest back.
    /// What has begun may take as long as a next hop takes to answer: the caller bounds it.
    /// Dropped earlier, it cuts all connections; no mail is lost by that, though what was just
    /// being taken over may be sent twice.
    pub async fn run(self, drain: Drain) {
        let fleet = Arc::clone(&self.dispatcher.fleet);
        let _cut = Cut(Arc::clone(&fleet));
        tokio::select! {
            biased;
            () = drain.requested() => {}
            () = self.deliver() => {}
            () = look_after(&fleet) => {}
            () = self.registrar.watch_clock() => {}
        }
        fleet.stop();
        self.dispatcher.here.stop();
        // Each message in flight holds one; this waits for the last.
        let _all = self.in_flight.acquire_many(IN_FLIGHT_MAX).await;
        fleet.stopped().await;
    }

    /// Claims and distributes; ends only if its semaphore is closed, which it never is.
    async fn deliver(&self) {
        let mut is_futile = false;
        let mut batch = BATCH;
        loop {
            self.spool.due().await;
            let Ok(first) = Arc::clone(&self.in_flight).acquire_owned().await else { return };
            let mut permits = vec![first];
            while permits.len() < batch
                && let Ok(permit) = Arc::clone(&self.in_flight).try_acquire_owned()
            {
                permits.push(permit);
            }
            let now = self.registrar.clock().now();
            // Of what will wait, the text need not be read.
            let jobs = match is_futile {
                false => self.spool.claim(now.wall, permits.len()).await,
                true => self.spool.claim_envelopes(now.wall, permits.len()).await,
            };
            if jobs.is_empty() {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let (claimed, mut placed) = (jobs.len(), 0);
            for (job, permit) in jobs.into_iter().zip(permits) {
                let gauge = Raised::new(&self.stats, |stats| &stats.in_flight);
                placed +=
                    usize::from(self.dispatcher.dispatch(job, Slot::new(permit, gauge)).await);
            }
            is_futile = placed == 0;
            batch = BATCH;
            if placed < claimed / 2 || is_futile {
                batch = BATCH_WHILE_FULL;
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

/// Looks after the destinations, for ever.
async fn look_after(fleet: &Fleet) {
    loop {
        tokio::time::sleep(LOOK).await;
        fleet.look_after();
    }
}

/// Cuts what is left of the connections when it is dropped.
struct Cut(Arc<Fleet>);

impl Drop for Cut {
    fn drop(&mut self) {
        self.0.cut();
    }
}
