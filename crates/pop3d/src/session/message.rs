//! `RETR` and `TOP`: a message from its file to the client, block by block.

use std::cell::RefCell;
use std::io;

use maildrop::{MessageReader, RetrieveError};
use netio::Buffer;
use pop3_proto::{Body, MessageRefusal, Part, PendingMessage, Progress, REPLY_BLOCK, Session};

use super::ending::Ending;
use super::{Next, Visit};
use crate::held::Held;

thread_local! {
    /// Where a block lies between its file and its wire form; one for each thread that reads
    /// files.
    static STORED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What a piece of work on a message came to.
enum Outcome {
    /// The answer is complete.
    Done(Session<Held>, u64),
    /// There is more to read once the client has taken this.
    Partly(Half),
    /// It could not be opened, and the client is told.
    Refused(Session<Held>, RetrieveError),
    /// It broke off in the middle.
    Broken(io::Error),
}

/// A message half sent.
struct Half {
    reader: MessageReader,
    body: Body<Held>,
}

impl Visit {
    /// Answers `RETR` or `TOP`. A client that reads slowly holds one block, no more.
    pub(super) async fn send(
        &mut self,
        part: Part,
        pending: PendingMessage<Held>,
        mut out: Buffer,
    ) -> Result<Next, Ending> {
        let Ok(turn) = self.shared.messages.turn().await else {
            return Ok((pending.refuse(MessageRefusal::Unreadable, &mut out), out));
        };
        let index = pending.index();
        let begun = turn.run(move || (begin(pending, &mut out), out)).await;
        let (mut outcome, mut out) = begun.map_err(|_| Ending::Defect)?;
        loop {
            let half = match outcome {
                Outcome::Done(session, octets) => {
                    self.count(part, octets);
                    return Ok((session, out));
                }
                Outcome::Refused(session, error) => {
                    self.report_unreadable(index, &error);
                    return Ok((session, out));
                }
                Outcome::Broken(error) => {
                    self.report_unreadable(index, &error);
                    // What there is may go; the dot that would make it look whole may not.
                    self.write(&out).await?;
                    return Err(Ending::MessageBroken);
                }
                Outcome::Partly(half) => half,
            };
            self.write(&out).await?;
            out.clear();
            let Ok(turn) = self.shared.messages.turn().await else {
                self.report_unreadable(index, &"no turn on the disk within the time allowed");
                return Err(Ending::MessageBroken);
            };
            let more = turn.run(move || (go_on(half, &mut out), out)).await;
            (outcome, out) = more.map_err(|_| Ending::Defect)?;
        }
    }

    fn count(&mut self, part: Part, octets: u64) {
        let (tally, counters) = (&mut self.tally, &self.shared.counters);
        counters.octets.add(octets);
        match part {
            Part::Whole => {
                tally.retrieved += 1;
                tally.retrieved_octets += octets;
                counters.retrieved.add(1);
            }
            Part::Top(_) => {
                tally.tops += 1;
                tally.top_octets += octets;
                counters.tops.add(1);
            }
        }
    }

    fn report_unreadable(&self, index: usize, error: &dyn std::fmt::Display) {
        self.shared.counters.unreadable.add(1);
        let user = self.tally.account.as_ref().map(|account| account.key().as_str());
        tracing::error!(
            target: "lastpost::pop3",
            user,
            rip = %self.connection.peer(),
            message = index + 1,
            %error,
            "message unreadable"
        );
    }
}

/// Opens the message and reads its first block: what goes wrong so far can still be told.
fn begin(pending: PendingMessage<Held>, out: &mut Vec<u8>) -> Outcome {
    let mut reader = match pending.messages().0.retrieve(pending.index()) {
        Ok(reader) => reader,
        Err(error) => return refuse(pending, error, out),
    };
    STORED.with_borrow_mut(|stored| {
        stored.clear();
        match reader.read_chunk(stored) {
            Ok(more) => forward(Half { reader, body: pending.accept(out) }, more, stored, out),
            Err(error) => refuse(pending, RetrieveError::Io(error), out),
        }
    })
}

fn refuse(pending: PendingMessage<Held>, error: RetrieveError, out: &mut Vec<u8>) -> Outcome {
    let why = match error {
        RetrieveError::Gone | RetrieveError::NoSuchMessage { .. } => MessageRefusal::Gone,
        RetrieveError::Io(_) => MessageRefusal::Unreadable,
    };
    Outcome::Refused(pending.refuse(why, out), error)
}

/// Reads the next block.
fn go_on(mut half: Half, out: &mut Vec<u8>) -> Outcome {
    STORED.with_borrow_mut(|stored| {
        stored.clear();
        match half.reader.read_chunk(stored) {
            Ok(more) => forward(half, more, stored, out),
            Err(error) => Outcome::Broken(error),
        }
    })
}

/// Puts a block, and those behind it as long as there is room, into wire form.
fn forward(mut half: Half, mut more: bool, stored: &mut Vec<u8>, out: &mut Vec<u8>) -> Outcome {
    loop {
        if half.body.push(stored, out) == Progress::Complete || !more {
            let (session, octets) = half.body.finish(out);
            return Outcome::Done(session, octets);
        }
        if out.len() >= REPLY_BLOCK {
            return Outcome::Partly(half);
        }
        stored.clear();
        more = match half.reader.read_chunk(stored) {
            Ok(more) => more,
            Err(error) => return Outcome::Broken(error),
        };
    }
}
