//! The ways of one message: each recipient to his destination, all at the same time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use address::Domain;
use jiff::Timestamp;
use spool::{Job, Origin};

use crate::conclude::Registrar;
use crate::fleet::{Fleet, Routing};
use crate::here::Here;
use crate::local::{Destination, LocalDelivery, Place};
use crate::parcel::{Parcel, Slot};
use crate::route::{Course, Question, Stop};
use crate::task::Task;
use crate::verdict::{Verdict, code};
use crate::way::{self, Way};

/// Ways that one message goes at the same time. Further recipients follow when these are done.
const WAYS_MAX: usize = 1000;
/// How long mail waits for a domain when there are too many destinations.
const CROWD: Duration = Duration::from_secs(60);

/// Sends messages on their ways.
pub(crate) struct Dispatcher {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) here: Arc<Here>,
    pub(crate) local: Arc<dyn LocalDelivery>,
    pub(crate) registrar: Arc<Registrar>,
    pub(crate) recipients_max: usize,
}

/// Where the recipients of a message go.
#[derive(Default)]
struct Sorted {
    here: Vec<(usize, Place)>,
    concluded: Vec<(usize, Verdict)>,
    ways: Vec<(Arc<Way>, Vec<usize>)>,
    /// There is no room for their destinations.
    crowded_out: bool,
}

/// Which recipients go the same way: those of one route, and where it leads to the mail
/// exchangers, of one domain.
type Key<'a> = (usize, Option<&'a Domain>);

impl Dispatcher {
    /// Sends a message on its way, or ways. Waits for nothing but the accounts. False if all it came to was that it
    /// goes back to the spool, to wait there.
    pub(crate) async fn dispatch(&self, job: Job, slot: Slot) -> bool {
        let routing = self.fleet.routing();
        let Sorted { here, concluded, ways, crowded_out } =
            self.sort(&job, &routing, self.destinations(&job).await);
        let parcel = Parcel::new(job, slot);
        let mut tasks = Vec::new();
        for (way, recipients) in ways {
            if recipients.len() <= self.recipients_max {
                tasks.push(Task::bound(parcel.share(), recipients, &way));
                continue;
            }
            for chunk in recipients.chunks(self.recipients_max) {
                tasks.push(Task::bound(parcel.share(), chunk.to_vec(), &way));
            }
        }
        let local = (!here.is_empty()).then(|| {
            let recipients = here.iter().map(|(index, _)| *index).collect();
            Task::new(parcel.share(), recipients)
        });
        let is_idle = tasks.is_empty() && local.is_none();
        let mut progress = local.is_some() || !concluded.is_empty();
        if !concluded.is_empty() || (is_idle && !crowded_out) {
            let recipients = concluded.iter().map(|(index, _)| *index).collect();
            self.registrar.conclude_soon(Task::new(parcel, recipients), concluded);
        } else if crowded_out {
            let now = self.registrar.clock().now().wall;
            parcel.postpone(now.saturating_add(CROWD).unwrap_or(Timestamp::MAX));
        } else {
            // The tasks have it.
            drop(parcel);
        }
        if let Some(task) = local {
            self.here.deliver(task, here);
        }
        for task in tasks {
            progress |= way::place(task);
        }
        progress
    }

    /// Where each recipient that remains is, in their order.
    async fn destinations(&self, job: &Job) -> Vec<Destination> {
        let recipients = &job.envelope().recipients;
        let mut destinations = Vec::with_capacity(job.remaining().len());
        for remaining in job.remaining() {
            destinations.push(match recipients.get(remaining.index) {
                Some(recipient) => self.local.destination(&recipient.mailbox).await,
                None => Destination::Unknown,
            });
        }
        destinations
    }

    fn sort(&self, job: &Job, routing: &Routing, destinations: Vec<Destination>) -> Sorted {
        let mut sorted = Sorted::default();
        let mut places: HashMap<Key<'_>, Option<usize>> = HashMap::new();
        let mut last: Option<(Key<'_>, Option<usize>)> = None;
        let account = match job.origin() {
            Origin::Submitted { account, .. } => Some(account),
            Origin::Inbound { .. } | Origin::Report => None,
        };
        let indices = job.remaining().iter().map(|remaining| remaining.index);
        for (index, destination) in indices.zip(destinations) {
            let Some(recipient) = job.envelope().recipients.get(index) else { continue };
            let recipient = &recipient.mailbox;
            let (is_local, maildir) = match destination {
                Destination::Maildir(place) => (true, Some(place)),
                // What came from outside without a permit must not go out again, even if the
                // account that it was for has gone since.
                Destination::Elsewhere if !matches!(job.origin(), Origin::Inbound { .. }) => {
                    (false, None)
                }
                Destination::Unknown | Destination::Elsewhere => {
                    sorted.concluded.push((index, unknown()));
                    continue;
                }
                Destination::Undecided => {
                    sorted.concluded.push((index, undecided()));
                    continue;
                }
            };
            let sender = &job.envelope().sender;
            let question = Question { recipient, is_local, sender, account };
            let groups = match (routing.routes().find(&question), maildir) {
                (Some((number, Course::Hops(groups))), _) => (number, groups),
                (Some((number, course)), _) => {
                    sorted.concluded.push((index, verdict(number, course)));
                    continue;
                }
                (None, Some(place)) => {
                    sorted.here.push((index, place));
                    continue;
                }
                (None, None) => {
                    sorted.concluded.push((index, self.no_route(routing)));
                    continue;
                }
            };
            let (number, groups) = groups;
            let needs_domain = groups.iter().flatten().any(|stop| *stop == Stop::Mx);
            let domain = recipient.domain().filter(|_| needs_domain);
            if needs_domain && domain.is_none() {
                sorted.concluded.push((index, literal()));
                continue;
            }
            let key = (number, domain);
            let mut find = || match sorted.ways.len() >= WAYS_MAX {
                true => None,
                false => self.fleet.way(routing, number, groups, domain).map(|way| {
                    sorted.ways.push((way, Vec::new()));
                    sorted.ways.len() - 1
                }),
            };
            let place = match last {
                Some((before, place)) if before == key => place,
                None => find(),
                // From the second way on a table is worth its while.
                Some((before, place)) => {
                    places.entry(before).or_insert(place);
                    *places.entry(key).or_insert_with(find)
                }
            };
            last = Some((key, place));
            match place.and_then(|place| sorted.ways.get_mut(place)) {
                Some((_, recipients)) => recipients.push(index),
                None => sorted.crowded_out = true,
            }
        }
        sorted
    }

    fn no_route(&self, routing: &Routing) -> Verdict {
        let text = match routing.routes().is_empty() {
            true => "no next hop is configured",
            false => "no route is configured for this address",
        };
        Verdict::deferred(code(4, 3, 5), text)
    }
}

/// Of a route that leads to no hop.
fn verdict(number: usize, course: &Course) -> Verdict {
    match course {
        Course::Refuse(text) => Verdict::failed(code(5, 7, 1), Arc::clone(text)),
        Course::Discard | Course::Hops(_) => {
            Verdict::delivered(format!("discarded by relay.route[{number}]"))
        }
    }
}

fn unknown() -> Verdict {
    Verdict::failed(code(5, 1, 1), "there is no such address here")
}

/// RFC 5321 section 2.3.5: a domain is what has mail exchangers.
fn literal() -> Verdict {
    Verdict::failed(code(5, 1, 2), "mail to an address in brackets is not sent from here")
}

/// RFC 3463: other or undefined mail system status.
fn undecided() -> Verdict {
    Verdict::deferred(code(4, 3, 0), "whether the address exists cannot be looked up now")
}
