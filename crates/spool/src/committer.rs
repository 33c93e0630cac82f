//! The one thread that writes: takes all that waits, writes and flushes it as one batch, then
//! changes the index and tells those who wait.
//!
//! There is no timer: the next batch gathers while the last one is flushed. A write or flush
//! that fails is final for its segment, since the kernel may have dropped the pages and would
//! report the next flush as a success.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use crate::apply::{apply, give_up, prepare};
use crate::batch::Batch;
use crate::draft::OwnFile;
use crate::layer::is_full;
use crate::note::{Cut, Seal};
use crate::record::{BATCH_RECORDS, BLOCK, Kind};
use crate::request::{Effect, Fault, Request};
use crate::segment::{FIRST_RECORD, Segment};
use crate::shared::Shared;

/// Octets after which a batch is full: bounds how long its first message waits.
const BATCH_OCTETS: u64 = 8 * 1024 * 1024;

/// Memory for frames and envelopes of a batch that is kept for the next one.
const HEADS_KEPT: usize = 4 * 1024 * 1024;

/// Ends and states that could not be written, kept for later; beyond, they are lost with the
/// process, which means a second delivery.
const UNSAVED_MAX: usize = 65_536;

/// The segment being written.
#[derive(Debug)]
struct Active {
    segment: Arc<Segment>,
    tail: u64,
    /// Batches in it so far.
    batches: u32,
    /// The next segment has been asked for.
    prepared: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Committer {
    shared: Arc<Shared>,
    active: Option<Active>,
    inbox: VecDeque<Request>,
    /// To be said first in the next segment.
    cuts: Vec<Cut>,
    seals: Vec<Seal>,
    /// Notes that could not be written.
    unsaved: VecDeque<Request>,
    /// Files of refused messages whose records may be on disk: as long as no cut makes these
    /// void, a restart would find them, and must not find them without their texts.
    withheld: Vec<OwnFile>,
    heads: Vec<u8>,
}

impl Committer {
    /// `seals`: what the scan found acknowledged in the segment that was written last.
    pub(crate) fn new(shared: Arc<Shared>, seals: Vec<Seal>) -> Self {
        Self {
            shared,
            active: None,
            inbox: VecDeque::new(),
            cuts: Vec::new(),
            seals,
            unsaved: VecDeque::new(),
            withheld: Vec::new(),
            heads: Vec::new(),
        }
    }

    /// Works until every sender has gone and all is written.
    pub(crate) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut taken = Vec::with_capacity(BATCH_RECORDS);
        while requests.blocking_recv_many(&mut taken, BATCH_RECORDS) > 0 {
            self.inbox.extend(taken.drain(..));
            while !self.inbox.is_empty() {
                self.commit();
            }
        }
        self.withheld.drain(..).for_each(OwnFile::keep);
    }

    /// Makes a segment active now instead of with the first batch.
    pub(crate) fn warm_up(&mut self) -> io::Result<()> {
        self.shared.prepare_segment()?;
        while self.shared.polish_ready()? {}
        self.activate()
    }

    fn activate(&mut self) -> io::Result<()> {
        if self.active.is_none() {
            let segment = self.shared.take_segment()?;
            self.shared.queue().segments.add(Arc::clone(&segment), false);
            self.active = Some(Active { segment, tail: FIRST_RECORD, batches: 0, prepared: false });
        }
        Ok(())
    }

    /// Writes one batch from the inbox.
    fn commit(&mut self) {
        if let Err(error) = self.activate() {
            let fault = fault(&error);
            for request in std::mem::take(&mut self.inbox) {
                self.give_up(request, fault);
            }
            return;
        }
        self.recall();
        let Some(mut active) = self.active.take() else {
            return;
        };
        let batch = self.gather(&active);
        if batch.is_idle() && !self.inbox.is_empty() {
            // The next record does not fit: on to the next segment, where it will.
            self.leave(&active);
            return;
        }
        if batch.planned.is_empty() {
            self.active = Some(active);
            return;
        }
        let number = active.batches + 1;
        let written = batch.write(&*self.shared.layer, &active.segment, number, &mut self.heads);
        self.heads.shrink_to(HEADS_KEPT);
        match written {
            Ok(()) => {
                active.tail = batch.end;
                active.batches = number;
                self.conclude(batch, &mut active);
                self.active = Some(active);
            }
            Err(error) => self.poison(batch, &active, &error),
        }
    }

    /// Puts what could not be written before in front of the inbox.
    fn recall(&mut self) {
        while let Some(request) = self.unsaved.pop_back() {
            self.inbox.push_front(request);
        }
        self.shared.counters.kept.store(0, Ordering::Relaxed);
        let queue = self.shared.queue();
        for (id, payload) in &queue.unsaved {
            let effect = Effect::Save { id: crate::QueueId::from_u64(*id) };
            self.inbox.push_front(Request::new(effect, payload.clone(), None));
        }
    }

    /// Moves what fits from the inbox into a batch.
    fn gather(&mut self, active: &Active) -> Batch {
        let mut batch = Batch::at(active.tail.next_multiple_of(BLOCK));
        if active.batches == 0 {
            self.introduce(&mut batch);
        }
        let room = active.segment.size;
        let mut queue = self.shared.queue();
        while let Some(request) = self.inbox.front() {
            let end = batch.end + request.span(&queue.segments);
            let full = batch.planned.len() == BATCH_RECORDS
                || (end - batch.start > BATCH_OCTETS && !batch.planned.is_empty());
            let alone = active.batches == 0 && batch.is_idle();
            if full || (end > room && !alone) {
                break;
            }
            let Some(mut request) = self.inbox.pop_front() else {
                break;
            };
            if end > room {
                // Not even an empty segment has room; intake and compaction do not ask this.
                request.answer(Err(Fault::Failed));
                continue;
            }
            match prepare(&mut queue, &mut request) {
                Ok(Some(kind)) => batch.push(request, kind),
                Ok(None) => request.answer(Ok(())),
                Err(fault) => request.answer(Err(fault)),
            }
        }
        batch
    }

    /// The first records of a segment: what the reader must know about those before it.
    fn introduce(&self, batch: &mut Batch) {
        if !self.cuts.is_empty() {
            let targets = self.cuts.iter().map(|cut| cut.generation).collect();
            let meta = Cut::encode_all(&self.cuts);
            batch.push(Request::new(Effect::Cut { targets }, meta, None), Kind::Cut);
        }
        for seal in &self.seals {
            let targets = vec![seal.generation];
            let effect = Effect::Note { kind: Kind::Seal, targets, discard: None };
            batch.push(Request::new(effect, seal.encode(), None), Kind::Seal);
        }
        batch.introduced = batch.planned.len();
    }

    /// The batch is durable: changes the index, tells everybody.
    fn conclude(&mut self, mut batch: Batch, active: &mut Active) {
        let counters = &self.shared.counters;
        counters.octets.fetch_add(batch.end - batch.start, Ordering::Relaxed);
        counters.batches.fetch_add(1, Ordering::Release);
        counters.records.fetch_add(batch.planned.len() as u64, Ordering::Relaxed);
        let mut discards = Vec::new();
        {
            let mut queue = self.shared.queue();
            for planned in &mut batch.planned {
                discards.extend(apply(&mut queue, planned, active.segment.generation));
            }
        }
        if active.batches == 1 {
            self.cuts.clear();
            self.seals.clear();
            self.withheld.clear();
        }
        for planned in &mut batch.planned {
            planned.request.answer(Ok(()));
        }
        self.shared.changed.notify_waiters();
        let prepare = active.tail > active.segment.size / 2 && !active.prepared;
        active.prepared |= prepare;
        if prepare || !discards.is_empty() {
            self.shared.ask(|chores| {
                chores.discards.append(&mut discards);
                chores.prepare |= prepare;
            });
        }
    }

    /// Nothing more goes into this segment.
    fn leave(&mut self, active: &Active) {
        self.shared.queue().segments.seal(active.segment.generation);
        self.seals.push(Seal {
            generation: active.segment.generation,
            batches: active.batches,
            tail: active.tail as u32,
        });
        self.shared.ask(|chores| chores.tidy = true);
    }

    /// The batch may or may not be on disk, in part or whole; nobody may rely on it.
    fn poison(&mut self, batch: Batch, active: &Active, error: &io::Error) {
        tracing::error!(
            target: "lastpost::spool",
            segment = active.segment.generation,
            records = batch.planned.len(),
            %error,
            "spool: a batch could not be written; its senders are told to come again, and the \
             next one goes to a new segment"
        );
        self.shared.counters.failures.fetch_add(1, Ordering::Relaxed);
        self.leave(active);
        self.shared.queue().segments.evacuate(active.segment.generation, batch.start);
        self.cuts.push(Cut { generation: active.segment.generation, from: batch.start as u32 });
        let fault = fault(error);
        for mut planned in batch.planned {
            if let Effect::Queue { file, .. } = &mut planned.request.effect
                && self.withheld.len() < UNSAVED_MAX
            {
                self.withheld.extend(file.take());
            }
            self.give_up(planned.request, fault);
        }
    }

    fn give_up(&mut self, mut request: Request, fault: Fault) {
        let kept = give_up(&mut self.shared.queue(), &mut request);
        request.answer(Err(fault));
        let Some(kept) = kept else {
            return;
        };
        if self.unsaved.len() < UNSAVED_MAX {
            self.unsaved.push_back(kept);
            self.shared.counters.kept.store(self.unsaved.len(), Ordering::Relaxed);
        } else {
            tracing::error!(
                target: "lastpost::spool",
                "spool: an outcome cannot be kept; a crash would repeat a delivery"
            );
        }
        self.shared.changed.notify_waiters();
    }
}

fn fault(error: &io::Error) -> Fault {
    if is_full(error) { Fault::Full } else { Fault::Failed }
}
