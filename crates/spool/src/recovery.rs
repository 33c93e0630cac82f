//! Rebuilds the queue from the log: every segment is read from front to end, in the order in
//! which they were written.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::message::decode_summary;
use crate::note::{Cut, Finished, Seal};
use crate::progress::State;
use crate::queue::{Entry, Marks, Queue};
use crate::record::Kind;
use crate::salvage::Salvage;
use crate::scan::{Found, Gap, Scan, first, scan};
use crate::segment::{Opened, Segment, generation_of};
use crate::segments::Location;
use crate::{Damage, QueueId, RecoveryReport, SpoolError};

/// The queue as the log tells it.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) queue: Queue,
    pub(crate) report: RecoveryReport,
    pub(crate) largest_id: u64,
    pub(crate) last_generation: u32,
    /// What was acknowledged in segments of which no seal tells: for the next one to say.
    pub(crate) seals: Vec<Seal>,
}

/// The newest state of a message.
#[derive(Clone, Copy, Debug)]
struct NewestState {
    location: Location,
    meta_len: u32,
    due: i64,
    held: bool,
}

/// What has been read so far.
#[derive(Debug, Default)]
struct Reader {
    entries: BTreeMap<u64, Entry>,
    states: HashMap<u64, NewestState>,
    /// Sizes of texts that have a file of their own.
    own_files: HashMap<u64, u64>,
    /// Segment and what a note in it is about.
    notes: Vec<(u32, Vec<u32>)>,
    seals: HashMap<u32, Seal>,
    /// Segments with copies of records that lie elsewhere.
    stale: BTreeSet<u32>,
    largest_id: u64,
}

impl Reader {
    /// Takes in a record; `false` if its payload makes no sense.
    fn read(&mut self, generation: u32, found: &Found<'_>) -> bool {
        let location = Location { generation, offset: found.offset as u32 };
        match found.header.kind {
            Kind::Message => self.message(location, found),
            Kind::State => {
                let Ok((id, held, due)) = State::decode_front(found.meta) else {
                    return false;
                };
                let meta_len = found.header.meta_len;
                self.states.insert(id.as_u64(), NewestState { location, meta_len, due, held });
                true
            }
            Kind::Finished => {
                let Ok(Finished { id, targets }) = Finished::decode(found.meta) else {
                    return false;
                };
                self.entries.remove(&id.as_u64());
                self.states.remove(&id.as_u64());
                self.own_files.remove(&id.as_u64());
                self.largest_id = self.largest_id.max(id.as_u64());
                self.notes.push((generation, targets));
                true
            }
            // Read before, since it says how far to read.
            Kind::Cut => true,
            Kind::Seal => {
                let Ok(seal) = Seal::decode(found.meta) else {
                    return false;
                };
                self.notes.push((generation, vec![seal.generation]));
                self.seals.insert(seal.generation, seal);
                true
            }
        }
    }

    fn message(&mut self, location: Location, found: &Found<'_>) -> bool {
        let Ok(summary) = decode_summary(found.meta) else {
            return false;
        };
        let id = summary.id.as_u64();
        self.largest_id = self.largest_id.max(id);
        if summary.external {
            let head = u64::from(found.header.body_len);
            self.own_files.insert(id, summary.octets.saturating_sub(head));
        }
        let entry = Entry {
            due: summary.first_due(),
            message: location,
            state: Location::NOWHERE,
            meta_len: found.header.meta_len,
            body_len: found.header.body_len,
            state_len: 0,
            marks: summary.marks(),
        };
        if let Some(old) = self.entries.insert(id, entry)
            && old.message.generation != location.generation
        {
            self.stale.insert(old.message.generation);
        }
        true
    }
}

/// Reads the spool in `directory`. `salvage`: whether the disk may be changed.
pub(crate) fn recover(directory: &Path, salvage: &Salvage) -> Result<Recovered, SpoolError> {
    let mut report = RecoveryReport::default();
    let (segments, last_generation) = open_all(directory, salvage, &mut report)?;
    let mut cuts: HashMap<u32, u32> = HashMap::new();
    let mut cut_by: Vec<(u32, u32)> = Vec::new();
    for segment in segments.values() {
        let Some((header, meta)) = first(segment) else {
            continue;
        };
        if header.kind == Kind::Cut {
            for Cut { generation, from } in Cut::decode_all(&meta).unwrap_or_default() {
                cuts.entry(generation).and_modify(|at| *at = from.min(*at)).or_insert(from);
                cut_by.push((segment.generation, generation));
            }
        }
    }
    let mut reader = Reader::default();
    let mut scans = BTreeMap::new();
    for (generation, segment) in &segments {
        let limit = cuts.get(generation).map_or(u64::MAX, |from| u64::from(*from));
        let mut senseless = Vec::new();
        let mut found = scan(segment, limit, |found| {
            let (from, until) = (found.offset, found.offset + found.header.span());
            if !reader.read(*generation, &found) {
                senseless.push(Gap { from, until, batch: 0 });
            }
        });
        found.gaps.extend(senseless);
        scans.insert(*generation, found);
    }
    report.segments = segments.len();
    let mut queue = Queue::default();
    for segment in segments.values() {
        report.octets += segment.size;
        queue.segments.add(Arc::clone(segment), true);
    }
    for (generation, found) in &mut scans {
        let seal = reader.seals.get(generation);
        let Some(segment) = segments.get(generation) else {
            continue;
        };
        if judge(segment, found, seal, salvage, &mut report) {
            queue.segments.evacuate(*generation, u64::MAX);
        }
    }
    for (generation, target) in cut_by {
        queue.segments.cut(generation, target);
        let limit = cuts.get(&target).map_or(u64::MAX, |from| u64::from(*from));
        queue.segments.evacuate(target, limit);
    }
    let seals = seal_the_rest(&segments, &scans, &reader.seals, salvage, &mut queue);
    let largest_id = reader.largest_id;
    let own_files = std::mem::take(&mut reader.own_files);
    fill(&mut queue, reader);
    salvage.check_own_files(directory, &mut queue, &own_files, &mut report)?;
    report.queued = queue.len();
    Ok(Recovered { queue, report, largest_id, last_generation, seals })
}

/// What was acknowledged in segments of which no seal tells. Their last records may never have
/// been flushed: they are now.
fn seal_the_rest(
    segments: &BTreeMap<u32, Arc<Segment>>,
    scans: &BTreeMap<u32, Scan>,
    seals: &HashMap<u32, Seal>,
    salvage: &Salvage,
    queue: &mut Queue,
) -> Vec<Seal> {
    let mut unsealed = Vec::new();
    for (generation, found) in scans {
        if found.batches == 0 || seals.contains_key(generation) {
            continue;
        }
        let (mut batches, mut tail) = (found.acknowledged(), found.tail);
        let flush = |segment| salvage.flush(segment, found.last_batch, found.tail);
        if !segments.get(generation).is_none_or(|segment| flush(segment)) {
            queue.segments.distrust(*generation);
            (batches, tail) = (batches.min(found.batches - 1), found.last_batch);
        }
        unsealed.push(Seal { generation: *generation, batches, tail: tail as u32 });
    }
    unsealed
}

/// Opens every segment, sets aside those that are none.
fn open_all(
    directory: &Path,
    salvage: &Salvage,
    report: &mut RecoveryReport,
) -> Result<(BTreeMap<u32, Arc<Segment>>, u32), SpoolError> {
    let mut paths: BTreeMap<u32, PathBuf> = BTreeMap::new();
    let listing = fs::read_dir(directory).map_err(SpoolError::io("read", directory))?;
    for file in listing {
        let file = file.map_err(SpoolError::io("read", directory))?;
        let name = file.file_name();
        let Some(name) = name.to_str() else {
            continue;
        };
        if let Some(generation) = generation_of(name) {
            paths.insert(generation, file.path());
        } else if name.ends_with(".new") {
            salvage.remove_unfinished(&file.path());
        }
    }
    let last = paths.last_key_value().map_or(0, |(generation, _)| *generation);
    let mut segments = BTreeMap::new();
    for (generation, path) in paths {
        let opened = salvage.open(&path, generation).map_err(SpoolError::io("open", &path))?;
        match opened {
            Some(Opened::Retired) => salvage.remove_unfinished(&path),
            Some(Opened::Segment(segment)) => {
                segments.insert(generation, Arc::new(segment));
            }
            None => report.damage.push(salvage.set_aside(&path)),
        }
    }
    Ok((segments, last))
}

/// Tells a torn tail from damage; reports either. `true`: there is damage.
fn judge(
    segment: &Segment,
    found: &mut Scan,
    seal: Option<&Seal>,
    salvage: &Salvage,
    report: &mut RecoveryReport,
) -> bool {
    let sealed = seal.map_or(0, |seal| seal.batches);
    let acknowledged = found.acknowledged().max(sealed);
    if let Some(seal) = seal
        && sealed > found.acknowledged()
        && found.gaps.iter().all(|gap| gap.batch > sealed)
    {
        // Records that were there have become zeros.
        let (from, until) = (found.tail, u64::from(seal.tail).max(found.tail));
        found.gaps.push(Gap { from, until, batch: sealed });
    }
    let mut damaged = false;
    if segment.size < segment.made {
        damaged = true;
        tracing::error!(
            target: "lastpost::spool",
            segment = %segment.path.display(), octets = segment.size, made_with = segment.made,
            "spool: a segment has been cut short; mail or outcomes in the rest are lost"
        );
        let (from, until) = (segment.size, segment.made);
        report.damage.push(Damage { segment: segment.path.clone(), from, until, copy: None });
    }
    for gap in &found.gaps {
        if gap.batch > acknowledged && found.unreadable == 0 {
            report.torn_octets += gap.until - gap.from;
            continue;
        }
        damaged = true;
        let (from, until) = (gap.from, gap.until);
        let copy = salvage.copy_aside(segment, from, until);
        tracing::error!(
            target: "lastpost::spool",
            segment = %segment.path.display(), from, until, copy = ?copy,
            "spool: acknowledged records are damaged; mail or outcomes in them are lost"
        );
        report.damage.push(Damage { segment: segment.path.clone(), from, until, copy });
    }
    damaged
}

/// Joins what was read into the queue.
fn fill(queue: &mut Queue, reader: Reader) {
    let Reader { entries, states, notes, stale, .. } = reader;
    for (id, mut entry) in entries {
        if let Some(state) = states.get(&id) {
            entry.state = state.location;
            entry.state_len = state.meta_len;
            // A state with another time is that of a message which has been tried.
            let waits = entry.marks.has(Marks::FUTURE) && state.due == entry.due;
            entry.marks.set(Marks::FUTURE, waits);
            entry.due = state.due;
            entry.marks.set(Marks::HELD, state.held);
        }
        queue.insert(QueueId::from_u64(id), entry);
    }
    for (generation, targets) in notes {
        queue.segments.note(generation, &targets);
    }
    for generation in stale {
        queue.segments.mark_stale(generation);
        queue.segments.evacuate(generation, u64::MAX);
    }
}
