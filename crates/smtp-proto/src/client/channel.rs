//! An open channel to the next hop: mail transactions, one behind the other.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use address::Mailbox;
use textproto::DotStuffer;

use super::transaction::{Ledger, Script, ScriptLine};
use super::{
    ChannelError, Extensions, Message, Outcome, Received, Reply, Severity, Unfinished, Unsendable,
};

/// Octets of commands that may wait for their replies. RFC 2920 section 3.1 leaves it to the
/// client not to fill both directions at once; this much, and the replies to it, fit the
/// buffers of any TCP.
const GROUP_MAX: usize = 8 * 1024;

/// What a reply led to.
#[derive(Debug)]
pub enum Event {
    /// Nothing yet: send what is in `out`, and read on.
    Pending,
    /// The body is awaited.
    SendBody(Body),
    /// The oldest transaction is over.
    Finished(Outcome),
    /// QUIT was answered: close the connection.
    Closed,
}

/// The permission to send one body. It goes to [`Channel::end_body`] when all of the message
/// has gone through it; if it is dropped instead, the channel can send nothing more, for a
/// body that was cut short must not look like a whole one.
#[must_use = "the next hop waits for the body"]
#[derive(Debug)]
pub struct Body {
    stuffer: DotStuffer,
}

impl Body {
    /// Appends the wire form of the next `chunk` of the message to `out`.
    pub fn write(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        self.stuffer.stuff(chunk, out);
    }
}

/// What the next reply is awaited for: each has its own time limit (RFC 5321 section 4.5.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// No reply is awaited.
    Nothing,
    /// MAIL, RCPT, RSET or QUIT.
    Command,
    /// DATA.
    Data,
    /// The dot.
    EndOfData,
}

/// What a reply that is still to come answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Reset,
    Line(ScriptLine),
    /// The dot behind a body.
    EndOfData,
    /// The dot that ends a DATA for which there is no recipient.
    LoneDot,
    Quit,
}

/// The transaction whose envelope or body is going out.
#[derive(Debug)]
struct Open {
    ledger: Ledger,
    /// Whether its [`Body`] is out.
    in_body: bool,
}

/// A channel. `out` in its methods is the driver's buffer of octets to send.
#[derive(Debug)]
pub struct Channel {
    extensions: Extensions,
    script: Script,
    awaited: VecDeque<Awaited>,
    open: Option<Open>,
    /// The transaction whose body is out, and whose last reply is awaited.
    ending: Option<Ledger>,
    /// Whether the next hop still holds the envelope of a transaction that was given up.
    stale_envelope: bool,
    quitting: bool,
}

impl Channel {
    /// A channel without extensions taken for granted: those are what EHLO said.
    pub(super) fn new(extensions: Extensions) -> Self {
        Self {
            extensions,
            script: Script::default(),
            awaited: VecDeque::new(),
            open: None,
            ending: None,
            stale_envelope: false,
            quitting: false,
        }
    }

    /// What the next hop announced.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Whether a transaction may begin now. With PIPELINING that is so as soon as the body of
    /// the one before has gone out (RFC 2920 section 3.1), without it after its last reply.
    #[must_use]
    pub fn may_begin(&self) -> bool {
        let free = self.ending.is_none() || self.extensions.pipelining;
        self.open.is_none() && free && !self.quitting
    }

    /// Whether no reply is awaited and no transaction is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.awaited.is_empty() && self.open.is_none()
    }

    /// What the next reply is awaited for.
    #[must_use]
    pub fn waits_for(&self) -> Wait {
        match self.awaited.front() {
            None => Wait::Nothing,
            Some(Awaited::Line(ScriptLine::Data)) => Wait::Data,
            Some(Awaited::EndOfData | Awaited::LoneDot) => Wait::EndOfData,
            Some(Awaited::Reset | Awaited::Line(_) | Awaited::Quit) => Wait::Command,
        }
    }

    /// Begins a transaction: writes its first commands to `out`. Only when
    /// [`may_begin`](Self::may_begin); otherwise it does nothing, which a debug build reports.
    ///
    /// # Errors
    /// If this next hop cannot take the message. The channel is as it was.
    pub fn begin<'a>(
        &mut self,
        message: &Message<'_>,
        recipients: impl IntoIterator<Item = &'a Mailbox>,
        out: &mut Vec<u8>,
    ) -> Result<(), Unsendable> {
        debug_assert!(self.may_begin(), "a transaction is already open");
        if !self.may_begin() {
            return Ok(());
        }
        let recipients = self.script.render(message, recipients, &self.extensions)?;
        if core::mem::take(&mut self.stale_envelope) {
            out.extend_from_slice(b"RSET\r\n");
            self.awaited.push_back(Awaited::Reset);
        }
        self.open = Some(Open { ledger: Ledger::new(recipients), in_body: false });
        // After RSET, a next hop without PIPELINING is given time to answer.
        if self.awaited.is_empty() || self.extensions.pipelining {
            self.send_group(out);
        }
        Ok(())
    }

    /// Takes the next reply.
    ///
    /// # Errors
    /// If the channel has come to its end; [`into_unfinished`](Self::into_unfinished) then says
    /// which transactions went down with it.
    pub fn receive(
        &mut self,
        reply: Received<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Event, ChannelError> {
        let awaited = self.awaited.pop_front();
        if reply.code() == 421 {
            self.note_last_words(awaited, reply);
            return Err(ChannelError::Closing(reply.keep()));
        }
        let out_of_step = || ChannelError::OutOfStep(reply.keep());
        match awaited.ok_or_else(out_of_step)? {
            Awaited::Quit => return Ok(Event::Closed),
            Awaited::Reset => {}
            Awaited::Line(ScriptLine::Data) => return self.receive_data(reply, out),
            Awaited::Line(line) => self.note(line, reply)?,
            Awaited::LoneDot => {
                let open = self.open.take().ok_or_else(out_of_step)?;
                return Ok(Event::Finished(open.ledger.give_up(None)));
            }
            Awaited::EndOfData => {
                if reply.severity() == Severity::Intermediate {
                    return Err(out_of_step());
                }
                let ledger = self.ending.take().ok_or_else(out_of_step)?;
                let accepted = reply.severity() == Severity::Success;
                return Ok(Event::Finished(ledger.conclude(reply.keep(), accepted)));
            }
        }
        Ok(self.go_on(out))
    }

    /// Ends the body: writes what is missing of it, and the dot, to `out`.
    pub fn end_body(&mut self, mut body: Body, out: &mut Vec<u8>) {
        body.stuffer.finish(out);
        if let Some(open) = self.open.take() {
            self.ending = Some(open.ledger);
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
        let ending = self.ending.map(|ledger| ledger.unfinished(true));
        let open = self.open.map(|open| open.ledger.unfinished(false));
        ending.into_iter().chain(open).collect()
    }

    /// The reply to MAIL or RCPT.
    fn note(&mut self, line: ScriptLine, reply: Received<'_>) -> Result<(), ChannelError> {
        let refused = match reply.severity() {
            Severity::Success => return Ok(()),
            Severity::Temporary | Severity::Permanent => reply.keep(),
            Severity::Intermediate => return Err(ChannelError::OutOfStep(reply.keep())),
        };
        self.note_refusal(line, refused);
        Ok(())
    }

    fn note_refusal(&mut self, line: ScriptLine, refused: Reply) {
        let Some(open) = &mut self.open else { return };
        match line {
            ScriptLine::Mail => open.ledger.mail = Some(refused),
            ScriptLine::Recipient(index) => open.ledger.refused.push((index, refused)),
            ScriptLine::Data => {}
        }
    }

    /// A 421 in the place of another reply also refuses what that would have answered.
    fn note_last_words(&mut self, awaited: Option<Awaited>, reply: Received<'_>) {
        if let Some(Awaited::Line(line)) = awaited {
            self.note_refusal(line, reply.keep());
        }
    }

    fn receive_data(
        &mut self,
        reply: Received<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Event, ChannelError> {
        let Some(open) = &mut self.open else {
            return Err(ChannelError::OutOfStep(reply.keep()));
        };
        match reply.severity() {
            Severity::Intermediate if open.ledger.is_hopeless() => {
                // RFC 2920 section 3.1: the dot must go out, and will deliver nothing.
                out.extend_from_slice(b".\r\n");
                self.awaited.push_back(Awaited::LoneDot);
                Ok(Event::Pending)
            }
            Severity::Intermediate => {
                open.in_body = true;
                Ok(Event::SendBody(Body { stuffer: DotStuffer::new() }))
            }
            Severity::Temporary | Severity::Permanent => Ok(self.give_up(Some(reply.keep()))),
            Severity::Success => Err(ChannelError::OutOfStep(reply.keep())),
        }
    }

    /// When all replies are in: sends the next group, or gives up a hopeless transaction.
    fn go_on(&mut self, out: &mut Vec<u8>) -> Event {
        let Some(open) = &self.open else { return Event::Pending };
        if !self.awaited.is_empty() || open.in_body {
            return Event::Pending;
        }
        let refused_to_the_end =
            self.script.peek() == Some(ScriptLine::Data) && open.ledger.is_hopeless();
        if open.ledger.mail.is_some() || refused_to_the_end {
            return self.give_up(None);
        }
        self.send_group(out);
        Event::Pending
    }

    fn give_up(&mut self, data: Option<Reply>) -> Event {
        self.stale_envelope = true;
        match self.open.take() {
            Some(open) => Event::Finished(open.ledger.give_up(data)),
            None => Event::Pending,
        }
    }

    /// Writes as many commands as may go out together: one, or with PIPELINING a group.
    fn send_group(&mut self, out: &mut Vec<u8>) {
        let before = out.len();
        while let Some(line) = self.script.peek() {
            self.script.send_line(out);
            self.awaited.push_back(Awaited::Line(line));
            if !self.extensions.pipelining || out.len() - before > GROUP_MAX {
                break;
            }
        }
    }
}
