//! `RETR` and `TOP`: a message from its file to the client, block by block.
//!
//! Most messages are small and in memory. What can be read without waiting for a disk is read
//! where the session runs, for the way to another thread costs more than a block does; all else
//! takes a turn where waiting is allowed.

use std::cell::RefCell;
use std::io::{self, Read as _};

use maildrop::{MessageReader, RetrieveError};
use netio::Buffer;
use pop3_proto::{Body, MessageRefusal, Part, PendingMessage, Progress, Session};

use super::ending::Ending;
use super::{Next, Visit};
use crate::held::Held;

/// Octets read at a time: what is read should still be in the processor's cache when it is put
/// into wire form.
const BLOCK: usize = 64 * 1024;
/// The same for the first block of a `TOP`, which seldom wants more than a header.
const TOP_BLOCK: usize = 8 * 1024;
/// So much of a message, or more by one block, is sent at a time.
const SEND: usize = 2 * BLOCK;
/// Each time so much of a message is sent, other sessions have their turn, however fast its
/// client is.
const STRETCH: usize = 256 * 1024;

thread_local! {
    /// Where a block lies between its file and its wire form; one for each thread that reads
    /// files, in use only while nothing is awaited.
    static STORED: RefCell<Box<[u8]>> = RefCell::new(vec![0; BLOCK].into());
}

/// Whether a piece of work may wait for a disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    None,
    Disk,
}

/// What is to be done for a message next.
enum Work {
    Open(PendingMessage<Held>),
    /// It is accepted only when its first block is here: what goes wrong so far can be told.
    Begin(PendingMessage<Held>, MessageReader),
    GoOn(Half),
}

/// A message half sent.
struct Half {
    reader: MessageReader,
    body: Body<Held>,
    part: Part,
}

/// What a piece of work on a message came to.
enum Outcome {
    /// The answer is complete. `None`: the protocol refused the message after a look at it.
    Done(Session<Held>, Option<u64>),
    /// There is more to read once the client has taken this.
    Partly(Half),
    /// The rest cannot be done without waiting for a disk.
    Waits(Work),
    /// It could not be opened, and the client is told.
    Refused(Session<Held>, RetrieveError),
    /// It broke off in the middle.
    Broken(io::Error),
}

impl Visit {
    /// Answers `RETR` or `TOP`. A client that reads slowly holds one block, no more.
    pub(super) async fn send(
        &mut self,
        part: Part,
        pending: PendingMessage<Held>,
        mut out: Buffer,
    ) -> Result<Next, Ending> {
        let index = pending.index();
        let mut work = Work::Open(pending);
        let mut patience = Patience::None;
        let mut stretch = 0;
        loop {
            // However many commands a client sends at once, and however small their replies are.
            tokio::task::coop::consume_budget().await;
            let outcome = match patience {
                Patience::None => work.run(part, patience, &mut out),
                Patience::Disk => {
                    let Ok(turn) = self.shared.messages.turn().await else {
                        return self.give_up(work, index, out).await;
                    };
                    let run = move || (work.run(part, patience, &mut out), out);
                    let ran = turn.run(run).await.map_err(|_| Ending::Defect)?;
                    out = ran.1;
                    ran.0
                }
            };
            let half = match outcome {
                Outcome::Waits(waiting) => {
                    (work, patience) = (waiting, Patience::Disk);
                    continue;
                }
                Outcome::Done(session, octets) => {
                    if let Some(octets) = octets {
                        self.count(part, octets);
                    }
                    return Ok((session, out));
                }
                Outcome::Refused(session, error) => {
                    self.report_unreadable(index, &error);
                    return Ok((session, out));
                }
                Outcome::Broken(error) => {
                    self.report_unreadable(index, &error);
                    return self.break_off(&out).await;
                }
                Outcome::Partly(half) => half,
            };
            stretch += out.len();
            self.write(&out).await?;
            out.clear();
            if stretch >= STRETCH {
                stretch = 0;
                tokio::task::yield_now().await;
            }
            (work, patience) = (Work::GoOn(half), Patience::None);
        }
    }

    /// There was no turn on the disk.
    async fn give_up(&mut self, work: Work, index: usize, mut out: Buffer) -> Result<Next, Ending> {
        match work {
            Work::Open(pending) | Work::Begin(pending, _) => {
                Ok((pending.refuse(MessageRefusal::Unreadable, &mut out), out))
            }
            Work::GoOn(_) => {
                self.report_unreadable(index, &"no turn on the disk within the time allowed");
                self.break_off(&out).await
            }
        }
    }

    /// What there is of a message may go; the dot that would make it look whole may not.
    async fn break_off(&mut self, out: &Buffer) -> Result<Next, Ending> {
        self.write(out).await?;
        Err(Ending::MessageBroken)
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

impl Work {
    /// Goes on until the answer is complete, or there is a block of it in `out`.
    fn run(self, part: Part, patience: Patience, out: &mut Vec<u8>) -> Outcome {
        let (pending, reader) = match self {
            Self::Open(pending) => match open(&pending, patience) {
                Some(Ok(reader)) => (pending, reader),
                Some(Err(error)) => return refuse(pending, error, out),
                None => return Outcome::Waits(Self::Open(pending)),
            },
            Self::Begin(pending, reader) => (pending, reader),
            Self::GoOn(half) => {
                return STORED.with_borrow_mut(|stored| half.go_on(patience, stored, out));
            }
        };
        STORED.with_borrow_mut(|stored| begin(pending, reader, part, patience, stored, out))
    }
}

fn open(
    pending: &PendingMessage<Held>,
    patience: Patience,
) -> Option<Result<MessageReader, RetrieveError>> {
    let maildrop = &pending.messages().0;
    match patience {
        Patience::None => maildrop.retrieve_cached(pending.index()).map(Ok),
        Patience::Disk => Some(maildrop.retrieve(pending.index())),
    }
}

/// `None`: that would be to wait.
fn read(
    reader: &mut MessageReader,
    patience: Patience,
    block: &mut [u8],
) -> Option<io::Result<usize>> {
    match patience {
        Patience::None => reader.read_cached(block).map(Ok),
        Patience::Disk => Some(reader.read(block)),
    }
}

fn begin(
    pending: PendingMessage<Held>,
    mut reader: MessageReader,
    part: Part,
    patience: Patience,
    stored: &mut [u8],
    out: &mut Vec<u8>,
) -> Outcome {
    let block = match part {
        Part::Whole => &mut *stored,
        Part::Top(_) => stored.get_mut(..TOP_BLOCK).unwrap_or_default(),
    };
    match read(&mut reader, patience, block) {
        Some(Ok(read)) => {
            let mut half = Half { reader, body: pending.accept(out), part };
            match half.push(stored.get(..read).unwrap_or_default(), out) {
                Progress::Complete => half.finish(out),
                Progress::More => half.go_on(patience, stored, out),
            }
        }
        Some(Err(error)) => refuse(pending, RetrieveError::Io(error), out),
        None => Outcome::Waits(Work::Begin(pending, reader)),
    }
}

fn refuse(pending: PendingMessage<Held>, error: RetrieveError, out: &mut Vec<u8>) -> Outcome {
    let why = match error {
        RetrieveError::Gone | RetrieveError::NoSuchMessage { .. } => MessageRefusal::Gone,
        RetrieveError::Io(_) => MessageRefusal::Unreadable,
    };
    Outcome::Refused(pending.refuse(why, out), error)
}

impl Half {
    /// Puts blocks into wire form as long as there is room.
    fn go_on(mut self, patience: Patience, stored: &mut [u8], out: &mut Vec<u8>) -> Outcome {
        while out.len() < SEND {
            match read(&mut self.reader, patience, stored) {
                Some(Ok(read)) => {
                    let block = stored.get(..read).unwrap_or_default();
                    if self.push(block, out) == Progress::Complete {
                        return self.finish(out);
                    }
                }
                Some(Err(error)) => return Outcome::Broken(error),
                None => return Outcome::Waits(Work::GoOn(self)),
            }
        }
        Outcome::Partly(self)
    }

    fn push(&mut self, block: &[u8], out: &mut Vec<u8>) -> Progress {
        match self.body.push(block, out) {
            Progress::More if self.reader.left() > 0 => Progress::More,
            _ => Progress::Complete,
        }
    }

    fn finish(mut self, out: &mut Vec<u8>) -> Outcome {
        let (session, octets) = self.body.finish(out);
        if let (Part::Whole, 0, Some(octets)) = (self.part, self.reader.left(), octets) {
            self.reader.note_octets(octets);
        }
        Outcome::Done(session, octets)
    }
}
