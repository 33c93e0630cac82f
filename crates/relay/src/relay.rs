//! The relay: takes what is due from the spool and finds the way for each recipient.

use std::sync::Arc;
use std::time::Duration;

use auth::Clock;
use netio::Drain;
use spool::{Job, Origin, Spool};
use tokio::sync::Semaphore;

use crate::RelayStats;
use crate::conclude::Registrar;
use crate::config::{ConfigError, Settings};
use crate::hop::Hop;
use crate::local::{self, Destination, LocalDelivery, Place};
use crate::stats::Raised;
use crate::task::{Slot, Task};
use crate::verdict::{Verdict, code};

/// Messages in the relay's hands at the same time: their envelopes are in memory, and small
/// texts, so that this is some tens of MiB.
const IN_FLIGHT_MAX: u32 = 2000;
/// Messages that are claimed at a time.
const BATCH: usize = 256;
/// Pause when the spool calls and then has nothing.
const PAUSE: Duration = Duration::from_millis(50);

/// Delivers what the spool holds.
pub struct Relay {
    spool: Spool,
    local: Arc<dyn LocalDelivery>,
    hop: Option<Arc<Hop>>,
    registrar: Arc<Registrar>,
    stats: Arc<RelayStats>,
    recipients_max: usize,
    congestion: Duration,
    in_flight: Arc<Semaphore>,
    local_deliveries: Arc<Semaphore>,
}

/// Where the recipients of a message go.
#[derive(Default)]
struct Routes {
    local: Vec<(usize, Place)>,
    nowhere: Vec<(usize, Verdict)>,
    next_hop: Vec<usize>,
}

impl Relay {
    /// A relay for `spool`. Blocking: may read certificates.
    ///
    /// # Errors
    /// If the certificates or the name of the next hop cannot be used.
    pub fn new(
        settings: &Settings,
        spool: Spool,
        local: Arc<dyn LocalDelivery>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        let stats = Arc::new(RelayStats::default());
        let registrar = Registrar::new(spool.clone(), clock, settings, Arc::clone(&stats));
        let registrar = Arc::new(registrar);
        let hop = match &settings.next_hop {
            Some(next_hop) => Some(Arc::new(Hop::new(next_hop, settings, Arc::clone(&registrar))?)),
            None => {
                tracing::warn!(
                    target: "lastpost::relay",
                    "no relay.next_hop is configured: mail for others waits in the queue"
                );
                None
            }
        };
        Ok(Self {
            spool,
            local,
            hop,
            registrar,
            stats,
            recipients_max: settings.recipients_max,
            congestion: settings.timeouts.congestion,
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_MAX as usize)),
            local_deliveries: Arc::new(Semaphore::new(settings.local_deliveries_max)),
        })
    }

    /// What it has done; may be kept and read at any time.
    #[must_use]
    pub fn stats(&self) -> Arc<RelayStats> {
        Arc::clone(&self.stats)
    }

    /// Delivers until `drain` is requested; then ends what has begun, and puts the rest back.
    /// What has begun may take as long as a next hop takes to answer: the caller bounds it.
    /// Dropped earlier, it cuts all connections; no mail is lost by that, though what was just
    /// being taken over may be sent twice.
    pub async fn run(self, drain: Drain) {
        let _cut = self.hop.clone().map(Cut);
        tokio::select! {
            biased;
            () = drain.requested() => {}
            () = self.deliver() => {}
        }
        if let Some(hop) = &self.hop {
            hop.stop();
        }
        // Each message in flight holds one; this waits for the last.
        let _all = self.in_flight.acquire_many(IN_FLIGHT_MAX).await;
        if let Some(hop) = &self.hop {
            hop.stopped().await;
        }
    }

    /// Claims and distributes; ends only if its semaphore is closed, which it never is.
    async fn deliver(&self) {
        let mut is_slow = false;
        loop {
            self.spool.due().await;
            let Ok(first) = Arc::clone(&self.in_flight).acquire_owned().await else { return };
            let mut permits = vec![first];
            while permits.len() < BATCH
                && let Ok(permit) = Arc::clone(&self.in_flight).try_acquire_owned()
            {
                permits.push(permit);
            }
            let now = self.registrar.clock().now();
            let jobs = self.spool.claim(now.wall, permits.len()).await;
            if jobs.is_empty() {
                tokio::time::sleep(PAUSE).await;
            }
            for (job, permit) in jobs.into_iter().zip(permits) {
                let gauge = Raised::new(&self.stats, |stats| &stats.in_flight);
                self.dispatch(job, Slot::new(permit, gauge), &mut is_slow).await;
            }
        }
    }

    /// Sends a message on its way. One with recipients here and elsewhere goes to those here
    /// first; it then goes back to the spool, is due at once, and comes again for the others.
    async fn dispatch(&self, job: Job, slot: Slot, is_slow: &mut bool) {
        let Routes { local, mut nowhere, mut next_hop } = self.route(&job);
        if !local.is_empty() {
            let recipients = local.iter().map(|(index, _)| *index).collect();
            self.deliver_here(Task { job, recipients, requeued: 0, slot }, local, nowhere);
            return;
        }
        let task = |job, recipients| Task { job, recipients, requeued: 0, slot };
        match &self.hop {
            Some(hop) if nowhere.is_empty() => {
                next_hop.truncate(self.recipients_max);
                self.hand_over(hop, task(job, next_hop), is_slow).await;
            }
            Some(_) => self.registrar.conclude_soon(task(job, Vec::new()), nowhere),
            None => {
                let verdict = Verdict::deferred(code(4, 3, 5), "no next hop is configured");
                nowhere.extend(next_hop.into_iter().map(|index| (index, verdict.clone())));
                self.registrar.conclude_soon(task(job, Vec::new()), nowhere);
            }
        }
    }

    fn route(&self, job: &Job) -> Routes {
        let mut routes = Routes::default();
        for remaining in job.remaining() {
            let index = remaining.index;
            let Some(recipient) = job.envelope().recipients.get(index) else { continue };
            match self.local.destination(&recipient.mailbox) {
                Destination::Maildir(place) => routes.local.push((index, place)),
                Destination::Unknown => routes.nowhere.push((index, unknown())),
                // What came from outside without a permit must not go out again, even if the
                // account that it was for has gone since.
                Destination::Elsewhere if matches!(job.origin(), Origin::Inbound { .. }) => {
                    routes.nowhere.push((index, unknown()));
                }
                Destination::Elsewhere => routes.next_hop.push(index),
            }
        }
        routes
    }

    fn deliver_here(
        &self,
        task: Task,
        local: Vec<(usize, Place)>,
        mut verdicts: Vec<(usize, Verdict)>,
    ) {
        let registrar = Arc::clone(&self.registrar);
        let places = Arc::clone(&self.local_deliveries);
        tokio::spawn(async move {
            let Ok(_place) = places.acquire().await else { return };
            let deliveries = tokio::task::spawn_blocking(move || {
                for (index, place) in local {
                    if let Some(recipient) = task.job.envelope().recipients.get(index) {
                        let verdict = local::deliver(&task.job, &recipient.mailbox, &place);
                        verdicts.push((index, verdict));
                    }
                }
                (task, verdicts)
            });
            // If the pool is gone the process ends, and the message is back in the queue.
            if let Ok((task, verdicts)) = deliveries.await {
                registrar.conclude(task, verdicts).await;
            }
        });
    }

    /// Gives a message to a next hop. If its queue stays full for a while, messages for it wait
    /// in the spool instead, so that others are not held up.
    async fn hand_over(&self, hop: &Arc<Hop>, mut task: Task, is_slow: &mut bool) {
        loop {
            let Some(refused) = hop.offer(task) else {
                *is_slow = false;
                return;
            };
            task = refused;
            if *is_slow || !hop.room(self.congestion).await {
                *is_slow = true;
                let text = "the next hop takes mail too slowly";
                let verdict = Verdict::deferred(code(4, 4, 5), text);
                self.registrar.conclude_all_soon(task, &verdict);
                return;
            }
        }
    }
}

/// Cuts what is left of the connections when it is dropped.
struct Cut(Arc<Hop>);

impl Drop for Cut {
    fn drop(&mut self) {
        self.0.cut();
    }
}

fn unknown() -> Verdict {
    Verdict::failed(code(5, 1, 1), "there is no such address here")
}
