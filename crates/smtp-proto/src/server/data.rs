//! Mail data: handed on in blocks, judged at its true end.

use alloc::vec::Vec;

use textproto::{DataFault, DataStep, DotReader};

use super::parameters::Parameters;
use super::reply::Reply;
use super::state::{Daemon, Greeted};

/// Why a message is refused whose end was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A CR without LF.
    LoneCr,
    /// An LF without CR, where the listener refuses them.
    LoneLf,
    /// More octets than allowed.
    TooLarge,
}

impl Flaw {
    /// A stable word for the log.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::LoneCr => "lone-cr",
            Self::LoneLf => "lone-lf",
            Self::TooLarge => "too-large",
        }
    }

    pub(crate) const fn reply(self) -> Reply {
        match self {
            Self::LoneCr => {
                Reply::fixed(550, "5.5.2", "The message holds a CR that is not followed by LF")
            }
            Self::LoneLf => {
                Reply::fixed(550, "5.5.2", "The message holds an LF that does not follow a CR")
            }
            Self::TooLarge => Reply::MESSAGE_TOO_LARGE,
        }
    }
}

impl From<DataFault> for Flaw {
    fn from(fault: DataFault) -> Self {
        match fault {
            DataFault::LoneCr => Self::LoneCr,
            DataFault::LoneLf => Self::LoneLf,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Reading,
    Ended,
    /// Far too much, and no end in sight.
    Overrun,
}

/// Mail data is coming in.
pub(crate) struct Receiving<D: Daemon> {
    pub(crate) greeted: Greeted<D>,
    pub(crate) message: D::Message,
    pub(crate) flaw: Option<Flaw>,
    pub(crate) progress: Progress,
    reader: DotReader,
    /// Octets that came in, stuffing and all.
    received: u64,
    octets_max: u64,
}

impl<D: Daemon> Receiving<D> {
    pub(crate) fn new(greeted: Greeted<D>, message: D::Message, parameters: &Parameters) -> Self {
        Self {
            greeted,
            message,
            flaw: None,
            progress: Progress::Reading,
            reader: DotReader::new(parameters.lone_lf),
            received: 0,
            octets_max: parameters.message_octets_max,
        }
    }

    /// Octets of the message, once it has ended.
    pub(crate) fn octets(&self) -> u64 {
        self.reader.octets()
    }

    /// What a client may send in all before the connection is worth more than the message.
    fn received_max(&self) -> u64 {
        self.octets_max.saturating_mul(2).saturating_add(1 << 20)
    }

    fn read(&mut self, input: &[u8], block: &mut Vec<u8>) -> usize {
        if self.progress != Progress::Reading {
            return 0;
        }
        let before = block.len();
        let step = self.reader.read(input, block);
        let consumed = match step {
            DataStep::More => input.len(),
            DataStep::End { consumed, .. } => {
                self.progress = Progress::Ended;
                consumed
            }
        };
        if self.flaw.is_none() {
            let too_large = (self.reader.octets() > self.octets_max).then_some(Flaw::TooLarge);
            self.flaw = self.reader.fault().map(Flaw::from).or(too_large);
        }
        if self.flaw.is_some() {
            block.truncate(before);
        }
        self.received = self.received.saturating_add(consumed as u64);
        if self.progress == Progress::Reading && self.received > self.received_max() {
            self.progress = Progress::Overrun;
        }
        consumed
    }
}

/// Mail data lies at the head of the input: to be taken by [`read`](Self::read).
#[must_use]
pub struct Body<'s, D: Daemon> {
    receiving: &'s mut Receiving<D>,
}

impl<'s, D: Daemon> Body<'s, D> {
    pub(crate) fn new(receiving: &'s mut Receiving<D>) -> Self {
        Self { receiving }
    }

    /// Takes mail data off the head of `input` and appends what it decodes to `block`: lines
    /// with CRLF, without dot-stuffing, at most twice as many octets as `input` has. Returns
    /// how many octets of `input` it took; ask the session for its next action afterwards.
    ///
    /// Once the message has a [`Flaw`], nothing more is written, but the data is still read
    /// to its true end.
    pub fn read(&mut self, input: &[u8], block: &mut Vec<u8>) -> usize {
        self.receiving.read(input, block)
    }

    /// The daemon's message.
    pub fn message(&mut self) -> &mut D::Message {
        &mut self.receiving.message
    }
}
