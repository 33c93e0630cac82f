//! What each kind of request does to the index: before it is written, once it is durable, and
//! when it could not be written.

use crate::QueueId;
use crate::batch::Planned;
use crate::note::Finished;
use crate::progress::set_held;
use crate::queue::{Entry, Marks, Queue};
use crate::record::Kind;
use crate::request::{Effect, Fault, Request};
use crate::segments::Location;

/// Checks a request against the index and completes its payload. `Ok(None)`: there is nothing
/// to write any more.
pub(crate) fn prepare(queue: &mut Queue, request: &mut Request) -> Result<Option<Kind>, Fault> {
    let write = match &request.effect {
        Effect::Nudge => false,
        Effect::Queue { .. } | Effect::Note { .. } | Effect::Cut { .. } => true,
        Effect::Done { id } | Effect::Delete { id } => {
            let deletes = matches!(request.effect, Effect::Delete { .. });
            match begin_end(queue, *id) {
                Some(payload) => {
                    request.meta = payload;
                    true
                }
                None if deletes => return Err(Fault::NotFound),
                None => false,
            }
        }
        Effect::Progress { id, .. } | Effect::Record { id } => {
            begin_state(queue, *id, &mut request.meta, None)
        }
        Effect::Save { id } => {
            let current = queue.unsaved.get(&id.as_u64()) == Some(&request.meta);
            current && begin_state(queue, *id, &mut request.meta, None)
        }
        Effect::Hold { id, held, seen, .. } => {
            let entry = queue.get(*id).filter(|entry| !entry.marks.has(Marks::ENDING));
            let entry = entry.ok_or(Fault::NotFound)?;
            if entry.state != *seen
                || entry.marks.has(Marks::SAVING)
                || queue.unsaved.contains_key(&id.as_u64())
            {
                return Err(Fault::Changed);
            }
            begin_state(queue, *id, &mut request.meta, Some(*held))
        }
        Effect::MoveMessage { id, from } => {
            queue.get(*id).is_some_and(|e| e.message == *from && !e.marks.has(Marks::ENDING))
        }
        Effect::MoveState { id, from } => queue.get(*id).is_some_and(|e| {
            e.state == *from && !e.marks.has(Marks::ENDING) && !e.marks.has(Marks::SAVING)
        }),
    };
    Ok(if write { request.effect.kind() } else { None })
}

/// Marks the message as ending; gives the payload of its end. Two ends in one batch are both
/// written: either may have to stand alone if writing fails.
fn begin_end(queue: &mut Queue, id: QueueId) -> Option<Vec<u8>> {
    let entry = queue.get(id)?;
    let targets = queue.segments.targets(entry.message);
    queue.change(id, |entry| entry.marks.set(Marks::ENDING, true));
    Some(Finished { id, targets }.encode())
}

fn begin_state(queue: &mut Queue, id: QueueId, payload: &mut [u8], held: Option<bool>) -> bool {
    let Some(entry) = queue.get(id) else {
        return false;
    };
    set_held(payload, held.unwrap_or(entry.marks.has(Marks::HELD)));
    queue.change(id, |entry| entry.marks.set(Marks::SAVING, true));
    true
}

/// The record is durable. Gives the message whose own file may go.
pub(crate) fn apply(queue: &mut Queue, planned: &mut Planned, generation: u32) -> Option<QueueId> {
    let location = Location { generation, offset: planned.offset as u32 };
    let meta_len = planned.meta_len();
    let body_len = planned.request.body.octets;
    match &mut planned.request.effect {
        Effect::Queue { id, due, marks, file } => {
            if let Some(file) = file.take() {
                file.keep();
            }
            let (message, state) = (location, Location::NOWHERE);
            let (due, marks) = (*due, *marks);
            queue.insert(
                *id,
                Entry { due, message, state, meta_len, body_len, state_len: 0, marks },
            );
        }
        Effect::Progress { id, due } => {
            end_state(queue, *id, location, meta_len);
            settle(queue, *id, *due);
        }
        Effect::Save { id } | Effect::Record { id } => {
            end_state(queue, *id, location, meta_len);
        }
        Effect::Hold { id, held, due, .. } => {
            end_state(queue, *id, location, meta_len);
            let (held, due) = (*held, *due);
            queue.change(*id, |entry| {
                entry.marks.set(Marks::HELD, held);
                if !held && !entry.marks.has(Marks::FUTURE) {
                    entry.due = entry.due.min(due);
                    entry.marks.set(Marks::HURRIED, true);
                }
            });
        }
        Effect::Done { id } | Effect::Delete { id } => {
            let targets = Finished::decode(&planned.request.meta).map(|f| f.targets);
            queue.segments.note(generation, &targets.unwrap_or_default());
            let entry = queue.remove(*id)?;
            return entry.marks.has(Marks::EXTERNAL).then_some(*id);
        }
        Effect::MoveMessage { id, .. } => queue.set_message(*id, location),
        Effect::MoveState { id, .. } => queue.set_state(*id, location, meta_len),
        Effect::Note { targets, discard, .. } => {
            queue.segments.note(generation, targets);
            return *discard;
        }
        Effect::Cut { targets } => {
            for target in targets {
                queue.segments.cut(generation, *target);
            }
        }
        Effect::Nudge => {}
    }
    None
}

fn end_state(queue: &mut Queue, id: QueueId, location: Location, meta_len: u32) {
    queue.unsaved.remove(&id.as_u64());
    queue.set_state(id, location, meta_len);
    queue.change(id, |entry| entry.marks.set(Marks::SAVING, false));
}

/// A job has come back.
fn settle(queue: &mut Queue, id: QueueId, due: i64) {
    queue.change(id, |entry| {
        entry.due = due;
        entry.marks.set(Marks::CLAIMED, false);
        entry.marks.set(Marks::HURRIED, false);
    });
}

/// The record could not be written. Gives what must be written later in its place: what a
/// delivery has brought about holds all the same.
pub(crate) fn give_up(queue: &mut Queue, request: &mut Request) -> Option<Request> {
    match &request.effect {
        Effect::Progress { id, due } => {
            let (id, due) = (*id, *due);
            if queue.change(id, |entry| entry.marks.set(Marks::SAVING, false)) {
                queue.unsaved.insert(id.as_u64(), std::mem::take(&mut request.meta));
                settle(queue, id, due);
            }
            None
        }
        Effect::Record { id } => {
            let id = *id;
            if queue.change(id, |entry| entry.marks.set(Marks::SAVING, false)) {
                queue.unsaved.insert(id.as_u64(), std::mem::take(&mut request.meta));
            }
            None
        }
        Effect::Done { id } => {
            let id = *id;
            let payload = begin_end(queue, id)?;
            let targets = Finished::decode(&payload).map(|f| f.targets).unwrap_or_default();
            let entry = queue.remove(id)?;
            let discard = entry.marks.has(Marks::EXTERNAL).then_some(id);
            let effect = Effect::Note { kind: Kind::Finished, targets, discard };
            Some(Request::new(effect, payload, None))
        }
        Effect::Delete { id } => {
            queue.change(*id, |entry| entry.marks.set(Marks::ENDING, false));
            None
        }
        Effect::Save { id } | Effect::Hold { id, .. } => {
            queue.change(*id, |entry| entry.marks.set(Marks::SAVING, false));
            None
        }
        // A copy of a note from an old segment is asked for again; one that was kept here
        // has nobody else.
        Effect::Note { kind, targets, discard } if request.ack.is_none() => {
            let (kind, targets, discard) = (*kind, targets.clone(), *discard);
            let effect = Effect::Note { kind, targets, discard };
            (kind == Kind::Finished)
                .then(|| Request::new(effect, std::mem::take(&mut request.meta), None))
        }
        _ => None,
    }
}
