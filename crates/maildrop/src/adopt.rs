//! Taking over the unique ids, order and sizes that another server gave a maildrop's messages,
//! so that no client fetches its mail a second time.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;

use crate::ids;
use crate::load::{Loaded, load, note_unwritten};
use crate::lock::Lock;
use crate::record::{self, Counters};
use crate::snapshot::{Rearrangement, Snapshot};
use crate::state::{self, Validity};
use crate::tree::Root;
use crate::uidl;
use crate::{OpenError, OpenOptions};

/// Most conflicts that a report names one by one; all are counted.
const NAMED_MAX: usize = 1000;

/// What another server knew of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptedId {
    /// Base name of its file: all before the `:` of the flags.
    pub base: Vec<u8>,
    /// Its unique id: 1 to 70 octets of 0x21 to 0x7E.
    pub uidl: String,
    /// Its size in CRLF form, if the server knew it. Checked when the message is retrieved.
    pub octets: Option<u64>,
}

/// The counters that ids are made of (RFC 3501 section 2.3.1.1 has the same pair for IMAP).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct UidCounters {
    /// Changes whenever `next` begins anew; never 0.
    pub validity: u32,
    /// The number of the next new message; never 0, and larger than that of any message so far.
    pub next: u32,
}

/// How ids are taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AdoptOptions {
    /// Only tell what would happen.
    pub dry_run: bool,
    /// Also give new ids to messages that clients of this server may have seen under others.
    pub replace: bool,
}

/// A message that did not get the id that was given for it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AdoptConflict {
    /// Base name of the file; octets that are not UTF-8 are replaced.
    pub base: String,
    /// The id that was given.
    pub given: String,
    /// Why it was not taken.
    pub reason: &'static str,
}

/// What [`adopt`] did, or would do.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct AdoptReport {
    /// Messages in the maildrop.
    pub messages: usize,
    /// Ids that were given.
    pub given: usize,
    /// Messages that have the id given for them, whether it is new to them or not.
    pub adopted: usize,
    /// Of these, messages that had another id before.
    pub changed: usize,
    /// Sizes taken over.
    pub sizes: usize,
    /// Ids of messages that are not there any more.
    pub missing: usize,
    /// Messages that no id was given for; they keep theirs and come last.
    pub unlisted: usize,
    /// Given ids that were not taken.
    pub conflicts: usize,
    /// The first thousand of them.
    pub named_conflicts: Vec<AdoptConflict>,
    /// The counters from now on.
    pub counters: Option<UidCounters>,
    /// Whether it is on disk now.
    pub written: bool,
}

/// Why no id was taken over. The maildrop is as it was.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The maildrop could not be locked or read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The counters are impossible.
    #[error(
        "the counters (validity {validity}, next {next}) are impossible: both are expected to be \
         from 1 to 4294967295"
    )]
    Counters {
        /// As given.
        validity: u32,
        /// As given.
        next: u32,
    },
    /// The result could not be written.
    #[error("the ids could not be written: {0}")]
    Write(#[source] io::Error),
}

/// Gives the messages of the Maildir at `path` the ids of another server, which come in order of
/// arrival, and that order; messages not among them come behind. Takes the lock, so no session
/// is disturbed. All is on disk when this returns.
///
/// # Errors
/// [`AdoptError`]; nothing was changed then.
pub fn adopt(
    path: &Path,
    ids: &[AdoptedId],
    counters: Option<UidCounters>,
    options: &AdoptOptions,
) -> Result<AdoptReport, AdoptError> {
    if let Some(UidCounters { validity, next }) = counters
        && (validity == 0 || next == 0)
    {
        return Err(AdoptError::Counters { validity, next });
    }
    let root = Root::open(path, false)?;
    let lock = Lock::take(&root)
        .map_err(|error| root.unavailable("locking", error))?
        .ok_or_else(|| OpenError::InUse { path: path.to_owned() })?;
    let open = OpenOptions { create_missing: false, ..OpenOptions::default() };
    // Without the lock as an argument nothing is written, and what fails later has no trace.
    let Loaded { snapshot, mut book, .. } = load(&root, None, &open)?;
    let mut report =
        AdoptReport { messages: snapshot.entries().len(), given: ids.len(), ..Default::default() };
    let plan = Plan::make(&snapshot, ids, options.replace, &mut report);
    let mut adopted = plan.apply(&snapshot, &mut report);
    book.counters = counters.map(|c| further(book.counters, c)).or(book.counters);
    report.counters = book.counters.map(|c| UidCounters { validity: c.validity, next: c.next });
    if !options.dry_run {
        ids::record_anew(&root, &mut book, &mut adopted).map_err(AdoptError::Write)?;
        // From here on it is done: without the state, sizes are counted again and no more.
        if let Err(error) = state::write(&root, &mut adopted, &Validity::NEVER, &book) {
            note_unwritten(&root, &error);
        }
        report.written = true;
    }
    drop(lock);
    Ok(report)
}

/// The counters that were given, but never behind those that ids were made of here.
fn further(own: Option<Counters>, given: UidCounters) -> Counters {
    let UidCounters { validity, next } = given;
    record::later(own, Counters { validity, next })
}

/// A message's place in the new order, and what it gets.
struct Place<'a> {
    index: usize,
    /// What was given for it; `None`: nothing.
    given: Option<&'a AdoptedId>,
    /// Whether it takes the given id.
    takes: bool,
}

/// The new order.
struct Plan<'a> {
    places: Vec<Place<'a>>,
}

impl<'a> Plan<'a> {
    fn make(
        snapshot: &Snapshot,
        ids: &'a [AdoptedId],
        replace: bool,
        report: &mut AdoptReport,
    ) -> Self {
        let mut by_base: HashMap<&[u8], usize> = HashMap::with_capacity(snapshot.entries().len());
        for (index, entry) in snapshot.entries().iter().enumerate() {
            by_base.entry(snapshot.base(entry)).or_insert(index);
        }
        let mut listed = vec![false; snapshot.entries().len()];
        let mut uidls = HashSet::with_capacity(ids.len());
        let mut places = Vec::with_capacity(snapshot.entries().len());
        for given in ids {
            let Some(&index) = by_base.get(given.base.as_slice()) else {
                report.missing += 1;
                continue;
            };
            let (Some(seen), Some(entry)) = (listed.get_mut(index), snapshot.entry(index)) else {
                continue;
            };
            if std::mem::replace(seen, true) {
                report.conflict(given, "this message was listed before");
                continue;
            }
            let same = snapshot.uidl(entry) == given.uidl.as_bytes();
            let reason = if !uidl::is_valid(given.uidl.as_bytes()) {
                Some("not 1 to 70 characters of printable ASCII without space")
            } else if !uidls.insert(given.uidl.as_bytes()) {
                Some("this id was given to another message before")
            } else if !same && entry.is_served() && !replace {
                Some("clients may have seen this message under another id")
            } else {
                None
            };
            if let Some(reason) = reason {
                report.conflict(given, reason);
            }
            places.push(Place { index, given: Some(given), takes: reason.is_none() });
        }
        let unlisted = listed.iter().enumerate().filter(|&(_, &listed)| !listed);
        places.extend(unlisted.map(|(index, _)| Place { index, given: None, takes: false }));
        report.unlisted = snapshot.entries().len() - listed.iter().filter(|&&l| l).count();
        let mut plan = Self { places };
        plan.part(snapshot, report);
        plan
    }

    /// A given id that another message keeps is not taken; the message that was to have it keeps
    /// its own then, which may stand in the way of another one.
    fn part(&mut self, snapshot: &Snapshot, report: &mut AdoptReport) {
        let own = |place: &Place<'_>| snapshot.entry(place.index).map(|e| snapshot.uidl(e));
        let takers: HashMap<&[u8], usize> = self
            .places
            .iter()
            .enumerate()
            .filter(|(_, place)| place.takes)
            .filter_map(|(at, place)| place.given.map(|given| (given.uidl.as_bytes(), at)))
            .collect();
        let mut keepers: Vec<usize> = (0..self.places.len())
            .filter(|&at| self.places.get(at).is_some_and(|p| !p.takes))
            .collect();
        while let Some(keeper) = keepers.pop() {
            let kept = self.places.get(keeper).and_then(own);
            let taker = kept.and_then(|kept| takers.get(kept)).copied();
            if let Some(taker) = taker
                && let Some(place) = self.places.get_mut(taker)
                && let (true, Some(given)) = (place.takes, place.given)
            {
                place.takes = false;
                report.conflict(given, "another message keeps this id");
                keepers.push(taker);
            }
        }
    }

    fn apply(&self, snapshot: &Snapshot, report: &mut AdoptReport) -> Snapshot {
        let mut builder = Rearrangement::of(snapshot);
        for place in &self.places {
            let Some(entry) = snapshot.entry(place.index) else { continue };
            let taken = place.given.filter(|_| place.takes).map(|given| given.uidl.as_bytes());
            if let Some(id) = taken {
                report.adopted += 1;
                report.changed += usize::from(id != snapshot.uidl(entry));
            }
            let octets = place.given.and_then(|given| given.octets);
            report.sizes += usize::from(octets.is_some());
            builder.push(entry, taken, octets);
        }
        builder.finish()
    }
}

impl AdoptReport {
    fn conflict(&mut self, given: &AdoptedId, reason: &'static str) {
        self.conflicts += 1;
        if self.named_conflicts.len() < NAMED_MAX {
            self.named_conflicts.push(AdoptConflict {
                base: String::from_utf8_lossy(&given.base).into_owned(),
                given: given.uidl.clone(),
                reason,
            });
        }
    }
}
