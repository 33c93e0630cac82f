//! An open channel to the next hop: mail transactions, one behind the other.

mod receive;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use envelope::Coding;

use super::ledger::Ledger;
use super::text::Body;
use super::transaction::{Script, ScriptLine};
use super::{Extensions, Message, Outcome, Protocol, Recipient, Reply, Unfinished, Unsendable};

/// Octets of commands that may wait for their replies. RFC 2920 section 3.1 leaves it to the
/// client not to fill both directions at once; this much, and the replies to it, fit the
/// buffers of any TCP.
const GROUP_MAX: usize = 8 * 1024;
/// A text of at most this size goes out together with its envelope where the next hop takes
/// chunks: if the envelope is refused, no more than this went out for nothing.
const AT_ONCE_MAX: u64 = 32 * 1024;
/// Octets of a chunk of a larger text.
const CHUNK: usize = 256 * 1024;
/// Chunks that may wait for their replies.
const CHUNKS_UNANSWERED_MAX: usize = 4;
/// Transactions under way: one whose last reply is awaited, and the next.
const TRANSACTIONS_MAX: usize = 2;

/// What a reply led to.
#[derive(Debug)]
pub enum Event {
    /// Nothing yet: send what is in `out`, and read on.
    Pending,
    /// The body is awaited.
    SendBody(Body),
    /// The oldest transaction is over. If its [`Body`] is still out, a chunk of it was refused:
    /// the rest is not wanted, and the body is to be dropped.
    Finished(Outcome),
    /// QUIT was answered: close the connection.
    Closed,
}

/// What the next reply is awaited for: each has its own time limit (RFC 5321 section 4.5.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// No reply is awaited.
    Nothing,
    /// MAIL, RCPT, RSET or QUIT.
    Command,
    /// DATA, or a chunk that is not the last.
    Data,
    /// The dot, or the last chunk.
    EndOfData,
}

/// What a reply that is still to come answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Reset,
    Line(ScriptLine),
    /// A chunk that is not the last.
    Chunk,
    /// The dot behind a body, or the last chunk.
    EndOfData,
    /// The dot that ends a DATA for which there is no recipient.
    LoneDot,
    Quit,
}

/// How much of a transaction has gone out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Envelope,
    /// Its [`Body`] is out.
    Body,
    /// All.
    Ended,
}

#[derive(Debug)]
struct Transaction {
    ledger: Ledger,
    stage: Stage,
    /// The text goes by BDAT.
    chunks: bool,
    binary: bool,
    /// The text goes out with the envelope.
    at_once: bool,
}

impl Transaction {
    fn begin_body(&mut self) -> Body {
        self.stage = Stage::Body;
        if self.chunks { Body::chunks(self.binary) } else { Body::dots() }
    }
}

/// A channel. `out` in its methods is the driver's buffer of octets to send.
#[derive(Debug)]
pub struct Channel {
    extensions: Extensions,
    protocol: Protocol,
    /// This host authenticated itself.
    authenticated: bool,
    script: Script,
    awaited: VecDeque<Awaited>,
    /// Oldest first. Replies belong to the first, commands to the last.
    transactions: VecDeque<Transaction>,
    begun: u32,
    /// Whether the next hop may still hold the envelope of a transaction that was given up.
    stale_envelope: bool,
    quitting: bool,
}

impl Channel {
    /// A channel without extensions taken for granted: those are what EHLO said.
    pub(super) fn new(extensions: Extensions, protocol: Protocol, authenticated: bool) -> Self {
        Self {
            extensions,
            protocol,
            authenticated,
            script: Script::default(),
            awaited: VecDeque::new(),
            transactions: VecDeque::new(),
            begun: 0,
            stale_envelope: false,
            quitting: false,
        }
    }

    /// What the next hop announced.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// What is spoken.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether the next hop takes no further message on this connection (RFC 9422: MAILMAX).
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.extensions.limits.mails.is_some_and(|limit| self.begun >= limit)
    }

    /// Whether a transaction may begin now. With PIPELINING that is so as soon as the body of
    /// the one before has gone out (RFC 2920 section 3.1), without it after its last reply.
    #[must_use]
    pub fn may_begin(&self) -> bool {
        let most = if self.extensions.pipelining { TRANSACTIONS_MAX } else { 1 };
        let is_out = self.transactions.back().is_none_or(|last| last.stage == Stage::Ended);
        is_out && self.transactions.len() < most && !self.quitting && !self.is_spent()
    }

    /// Whether no reply is awaited and no transaction is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.awaited.is_empty() && self.transactions.is_empty()
    }

    /// What the next reply is awaited for.
    #[must_use]
    pub fn waits_for(&self) -> Wait {
        match self.awaited.front() {
            None => Wait::Nothing,
            Some(Awaited::Line(ScriptLine::Data) | Awaited::Chunk) => Wait::Data,
            Some(Awaited::EndOfData | Awaited::LoneDot) => Wait::EndOfData,
            Some(Awaited::Reset | Awaited::Line(_) | Awaited::Quit) => Wait::Command,
        }
    }

    /// Begins a transaction: writes its first commands to `out`. A [`Body`] that comes back is
    /// sent at once, behind these. Only when [`may_begin`](Self::may_begin); otherwise it does
    /// nothing, which a debug build reports.
    ///
    /// # Errors
    /// If this next hop cannot take the message. The channel is as it was.
    pub fn begin<'a>(
        &mut self,
        message: &Message<'_>,
        recipients: impl IntoIterator<Item = Recipient<'a>>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Body>, Unsendable> {
        debug_assert!(self.may_begin(), "a transaction is already open");
        if !self.may_begin() {
            return Ok(None);
        }
        let message = &Message { auth: message.auth && self.authenticated, ..*message };
        let recipients = self.script.render(message, recipients, &self.extensions)?;
        // RFC 3030 section 2: what state a refused chunk leaves is anybody's guess.
        let unsure = self.transactions.back().is_some_and(|last| last.chunks);
        if core::mem::take(&mut self.stale_envelope) || unsure {
            out.extend_from_slice(b"RSET\r\n");
            self.awaited.push_back(Awaited::Reset);
        }
        let binary = message.coding == Coding::Binary;
        let smtp = self.protocol == Protocol::Smtp;
        // An LMTP server is near: there is no round trip to be saved, and many know DATA alone.
        let chunks = self.extensions.chunking && (smtp || binary);
        let small = message.octets <= AT_ONCE_MAX;
        let at_once = chunks && smtp && small && self.extensions.pipelining;
        let ledger = Ledger::new(recipients);
        let stage = Stage::Envelope;
        self.transactions.push_back(Transaction { ledger, stage, chunks, binary, at_once });
        self.begun = self.begun.saturating_add(1);
        // After RSET, a next hop without PIPELINING is given time to answer.
        if self.awaited.is_empty() || self.extensions.pipelining {
            return Ok(self.send_group(out));
        }
        Ok(None)
    }

    /// Writes what `body` has collected to `out`, where the text goes in chunks and there is
    /// enough for one. To be called after each [`Body::write`].
    pub fn pass_on(&mut self, body: &mut Body, out: &mut Vec<u8>) {
        if body.held() >= CHUNK && self.is_in_body() && !self.must_listen() {
            body.send_chunk(out);
            self.awaited.push_back(Awaited::Chunk);
        }
    }

    /// Whether no more of the body may go out until a reply has come: too many chunks wait for
    /// theirs, or one was refused.
    #[must_use]
    pub fn must_listen(&self) -> bool {
        let most = if self.extensions.pipelining { CHUNKS_UNANSWERED_MAX } else { 1 };
        let unanswered = self.awaited.iter().filter(|&&awaited| awaited == Awaited::Chunk).count();
        let refused = self.transactions.back().is_some_and(|open| open.ledger.is_chunk_refused());
        self.is_in_body() && (unanswered >= most || refused)
    }

    fn is_in_body(&self) -> bool {
        self.transactions.back().is_some_and(|open| open.stage == Stage::Body)
    }

    /// Ends the body: writes what is missing of it to `out`, and the dot or the last chunk.
    pub fn end_body(&mut self, body: Body, out: &mut Vec<u8>) {
        let Some(open) = self.transactions.back_mut() else { return };
        if open.stage == Stage::Body && !open.ledger.is_chunk_refused() {
            body.finish(out);
            open.stage = Stage::Ended;
            self.awaited.push_back(Awaited::EndOfData);
        }
    }

    /// Says QUIT; no transaction can begin any more. Only when
    /// [`is_idle`](Self::is_idle); otherwise the driver just closes the connection.
    pub fn quit(&mut self, out: &mut Vec<u8>) {
        self.quitting = true;
        if self.is_idle() {
            out.extend_from_slice(b"QUIT\r\n");
            self.awaited.push_back(Awaited::Quit);
        }
    }

    /// The transactions that had not ended, oldest first: at most two.
    #[must_use]
    pub fn into_unfinished(self) -> Vec<Unfinished> {
        let gone = |open: Transaction| open.ledger.unfinished(open.stage == Stage::Ended);
        self.transactions.into_iter().map(gone).collect()
    }

    /// When all replies are in: sends the next group, or gives up a hopeless transaction.
    fn go_on(&mut self, out: &mut Vec<u8>) -> Event {
        let Some(open) = self.transactions.back() else { return Event::Pending };
        if !self.awaited.is_empty() || open.stage != Stage::Envelope {
            return Event::Pending;
        }
        let refused_to_the_end =
            self.script.peek() == Some(ScriptLine::Data) && open.ledger.is_hopeless();
        if open.ledger.mail.is_some() || refused_to_the_end {
            return self.give_up(None);
        }
        match self.send_group(out) {
            Some(body) => Event::SendBody(body),
            None => Event::Pending,
        }
    }

    fn give_up(&mut self, data: Option<Reply>) -> Event {
        self.stale_envelope = true;
        match self.transactions.pop_front() {
            Some(open) => Event::Finished(open.ledger.give_up(data)),
            None => Event::Pending,
        }
    }

    /// Writes as many commands as may go out together: one, or with PIPELINING a group. Where
    /// the text needs no DATA, it is the body's turn when the envelope is known to be taken, or
    /// when the body goes out with it.
    fn send_group(&mut self, out: &mut Vec<u8>) -> Option<Body> {
        let open = self.transactions.back_mut()?;
        let before = out.len();
        while let Some(line) = self.script.peek() {
            if line == ScriptLine::Data && open.chunks {
                let may = self.awaited.is_empty() || open.at_once;
                return may.then(|| {
                    self.script.skip_data();
                    open.begin_body()
                });
            }
            self.script.send_line(out);
            self.awaited.push_back(Awaited::Line(line));
            if !self.extensions.pipelining || out.len() - before > GROUP_MAX {
                break;
            }
        }
        None
    }
}
