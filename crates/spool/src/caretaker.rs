//! The thread for everything that is not urgent: room for the next segment, segments that
//! may go, segments worth emptying, files nobody needs, the floors of free space.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::layer::Layer;
use crate::record::Kind;
use crate::request::{Body, Effect, Fault, Request};
use crate::scan::{Found, scan};
use crate::segment::Segment;
use crate::segments::Location;
use crate::shared::{Chores, Shared};
use crate::{QueueId, message, note, progress};

/// How often it looks by itself.
const ROUND: Duration = Duration::from_secs(1);

/// Pause between two pieces of zeros.
const BETWEEN_PIECES: Duration = Duration::from_millis(2);

/// Octets of a batch from which on zeros written ahead cost more than they save: the batch pays
/// once for the change of metadata, the zeros go to the disk as often as the mail.
const WORTH_POLISHING: u64 = 256 * 1024;

/// Octets of records that are copied before the committer has acknowledged the first.
const MOVES_OCTETS: u64 = 4 * 1024 * 1024;

/// Records, likewise.
const MOVES_MAX: usize = 1024;

/// See the module.
#[derive(Debug)]
pub(crate) struct Caretaker {
    shared: Arc<Shared>,
    /// Weak: it must not keep the committer alive.
    requests: mpsc::WeakSender<Request>,
}

impl Caretaker {
    pub(crate) fn new(shared: Arc<Shared>, requests: mpsc::WeakSender<Request>) -> Self {
        Self { shared, requests }
    }

    /// Works until the spool closes.
    pub(crate) fn run(self) {
        let mut clock = None;
        loop {
            self.shared.watch_clock(&mut clock);
            let chores = self.wait();
            let stop = chores.stop;
            self.round(chores, stop);
            if stop {
                return;
            }
        }
    }

    /// Waits for something to do, for a round at most; meanwhile writes zeros to the next
    /// segment, and to those in reserve while nobody else writes.
    fn wait(&self) -> Chores {
        let mut patience = ROUND;
        let mut before = self.written();
        while let Some(left) = patience.checked_sub(BETWEEN_PIECES) {
            let now = self.written();
            let (batches, octets) = (now.0 - before.0, now.1.saturating_sub(before.1));
            before = now;
            // The maker logs why not, and makes another when it is needed.
            let polished = match octets.checked_div(batches) {
                None => self.shared.polish_segment(),
                Some(each) if each < WORTH_POLISHING => self.shared.polish_ready(),
                Some(_) => Ok(true),
            };
            if batches == 0 && !polished.unwrap_or(false) {
                break;
            }
            let chores = self.shared.chores(BETWEEN_PIECES);
            if !chores.is_empty() {
                return chores;
            }
            patience = left;
        }
        self.shared.chores(patience)
    }

    /// Batches so far, and octets in them.
    fn written(&self) -> (u64, u64) {
        let counters = &self.shared.counters;
        let octets = counters.octets.load(Ordering::Relaxed);
        (counters.batches.load(Ordering::Acquire), octets)
    }

    fn round(&self, chores: Chores, stop: bool) {
        for id in chores.discards {
            self.remove_own_file(id);
        }
        if stop {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let layer: &dyn Layer = &*shared.layer;
        shared.measure();
        if chores.prepare {
            // The maker logs why not; the committer will try again itself.
            let _ = shared.prepare_segment();
        }
        if let Err(error) = shared.numbers.top_up(layer, &shared.names, shared.directory()) {
            tracing::error!(
                target: "lastpost::spool", %error, "spool: no more queue IDs can be reserved"
            );
        }
        self.remind();
        self.remove_segments();
        if self.empty_one() {
            self.remove_segments();
            // There may be another.
            shared.ask(|chores| chores.tidy = true);
        }
    }

    fn remove_own_file(&self, id: QueueId) {
        let path = self.shared.own_file(id);
        if let Err(error) = self.shared.layer.remove(&path) {
            tracing::warn!(
                target: "lastpost::spool", path = %path.display(), %error,
                "spool: a file cannot be removed"
            );
        }
    }

    /// Makes the committer try again what it could not write.
    fn remind(&self) {
        if let Some(requests) = self.requests.upgrade() {
            let _ = requests.try_send(Request::new(Effect::Nudge, Vec::new(), None));
        }
    }

    /// Removes segments that nothing needs, and those that are needed no more once these are
    /// gone. A segment is gone when its own header says so on the medium: notes about it must
    /// not go before.
    fn remove_segments(&self) {
        loop {
            let removable = self.shared.queue().segments.removable();
            if removable.is_empty() {
                return;
            }
            let layer = &*self.shared.layer;
            let retired = removable.iter().try_for_each(|segment| segment.retire(layer));
            if let Err(error) = retired {
                tracing::error!(
                    target: "lastpost::spool", %error, "spool: old segments cannot be removed"
                );
                return;
            }
            let begun = self.shared.names.begin();
            let aside = removable
                .iter()
                .try_for_each(|segment| segment.set_aside(layer))
                .and_then(|()| self.shared.names.flush(layer, begun));
            let mut queue = self.shared.queue();
            for segment in &removable {
                queue.segments.removed(segment.generation);
            }
            drop(queue);
            for segment in removable {
                // A file whose old name may come back is not used again.
                let done = match &aside {
                    Ok(()) => self.shared.recycle(segment),
                    Err(_) => segment.remove(layer),
                };
                if let Err(error) = done {
                    tracing::warn!(
                        target: "lastpost::spool", %error,
                        "spool: the file of an old segment cannot be removed"
                    );
                }
            }
            if let Err(error) = aside {
                tracing::error!(
                    target: "lastpost::spool", %error,
                    "spool: the files of old segments cannot be renamed"
                );
            }
        }
    }

    /// Copies what is live in a sparse segment to the current one. `false`: there was none, or
    /// it could not be emptied now.
    fn empty_one(&self) -> bool {
        let percent = self.shared.config.compact_below;
        let sparse = self.shared.queue().segments.worth_emptying(percent);
        let Some((segment, limit)) = sparse else {
            return false;
        };
        let mut moves = Vec::new();
        scan(&segment, limit, |found| moves.extend(self.live(segment.generation, &found)));
        let (count, result) = self.copy(&segment, moves);
        let mut queue = self.shared.queue();
        let gone = queue.segments.removable().iter().any(|s| s.generation == segment.generation);
        if !gone {
            queue.segments.not_emptied(segment.generation);
        }
        drop(queue);
        tracing::debug!(
            target: "lastpost::spool",
            segment = segment.generation,
            records = count,
            gone,
            ?result,
            "spool: emptied"
        );
        gone
    }

    fn live(&self, generation: u32, found: &Found<'_>) -> Option<Move> {
        let from = Location { generation, offset: found.offset as u32 };
        let queue = self.shared.queue();
        let effect = match found.header.kind {
            Kind::Message => {
                let id = message::decode_summary(found.meta).ok()?.id;
                queue.get(id).filter(|entry| entry.message == from)?;
                Effect::MoveMessage { id, from }
            }
            Kind::State => {
                let (id, ..) = progress::State::decode_front(found.meta).ok()?;
                queue.get(id).filter(|entry| entry.state == from)?;
                Effect::MoveState { id, from }
            }
            Kind::Finished => {
                let targets = note::Finished::decode(found.meta).ok()?.targets;
                let needed = targets.iter().any(|t| *t != generation && queue.segments.exists(*t));
                needed.then_some(Effect::Note { kind: Kind::Finished, targets, discard: None })?
            }
            Kind::Seal => {
                let target = note::Seal::decode(found.meta).ok()?.generation;
                queue.segments.exists(target).then_some(())?;
                Effect::Note { kind: Kind::Seal, targets: vec![target], discard: None }
            }
            // Its segment is not emptied while this has a meaning.
            Kind::Cut => return None,
        };
        let (meta_len, span) = (found.header.meta_len, found.header.span());
        Some(Move { effect, offset: from.offset, meta_len, span })
    }

    /// Reads and sends them a few at a time. The second value: whether the committer took all.
    fn copy(&self, segment: &Segment, moves: Vec<Move>) -> (usize, Result<(), Fault>) {
        let room = Segment::capacity(self.shared.config.segment_size.0) / 2;
        let mut waiting: Vec<oneshot::Receiver<Result<(), Fault>>> = Vec::new();
        let (mut octets, mut count) = (0, 0);
        let mut moves = moves.into_iter().peekable();
        while let Some(next) = moves.next() {
            if self.shared.is_closed() {
                return (count, Err(Fault::Failed));
            }
            octets += next.span;
            if next.span <= room
                && let Some((request, receiver)) = next.read(segment)
            {
                let Some(requests) = self.requests.upgrade() else {
                    return (count, Err(Fault::Failed));
                };
                if requests.blocking_send(request).is_err() {
                    return (count, Err(Fault::Failed));
                }
                waiting.push(receiver);
                count += 1;
            }
            if octets < MOVES_OCTETS && waiting.len() < MOVES_MAX && moves.peek().is_some() {
                continue;
            }
            octets = 0;
            for receiver in waiting.drain(..) {
                if let Err(fault) = receiver.blocking_recv().unwrap_or(Err(Fault::Failed)) {
                    return (count, Err(fault));
                }
            }
        }
        (count, Ok(()))
    }
}

/// A record to be copied.
#[derive(Debug)]
struct Move {
    effect: Effect,
    offset: u32,
    meta_len: u32,
    span: u64,
}

impl Move {
    /// Reads it; `None` if it does not read (any more).
    fn read(self, segment: &Segment) -> Option<(Request, oneshot::Receiver<Result<(), Fault>>)> {
        let (header, meta) = segment.read_meta(self.offset, self.meta_len).ok()?;
        let octets = segment.read_body(self.offset, &header).ok()?;
        let body = Body {
            octets: header.body_len,
            crc: header.body_crc,
            chunks: if octets.is_empty() { Vec::new() } else { vec![octets.into()] },
            _memory: None,
        };
        let (ack, receiver) = oneshot::channel();
        Some((Request { effect: self.effect, meta, body, ack: Some(ack) }, receiver))
    }
}
