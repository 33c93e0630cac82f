//! What the replies of the next hop lead to.

use alloc::vec::Vec;

use super::super::transaction::ScriptLine;
use super::super::{ChannelError, Protocol, Received, Reply, Severity};
use super::{Awaited, Channel, Event};

impl Channel {
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
            Awaited::Chunk => {
                if let Some(end) = self.receive_chunk(reply)? {
                    return Ok(end);
                }
            }
            Awaited::LoneDot => {
                let open = self.transactions.pop_front().ok_or_else(out_of_step)?;
                return Ok(Event::Finished(open.ledger.give_up(None)));
            }
            Awaited::EndOfData => return self.receive_end(reply),
        }
        Ok(self.go_on(out))
    }

    /// The reply to MAIL or RCPT.
    fn note(&mut self, line: ScriptLine, reply: Received<'_>) -> Result<(), ChannelError> {
        let Some(open) = self.transactions.front_mut() else {
            return Err(ChannelError::OutOfStep(reply.keep()));
        };
        open.ledger.heard = true;
        let refused = match reply.severity() {
            Severity::Success => return Ok(()),
            Severity::Temporary | Severity::Permanent => reply.keep(),
            Severity::Intermediate => return Err(ChannelError::OutOfStep(reply.keep())),
        };
        self.note_refusal(line, refused);
        Ok(())
    }

    fn note_refusal(&mut self, line: ScriptLine, refused: Reply) {
        let Some(open) = self.transactions.front_mut() else { return };
        match line {
            ScriptLine::Mail => open.ledger.mail = Some(refused),
            ScriptLine::Recipient(index) => open.ledger.refused.push((index, refused)),
            ScriptLine::Data => {}
        }
    }

    /// A 421 in the place of another reply also refuses what that would have answered.
    fn note_last_words(&mut self, awaited: Option<Awaited>, reply: Received<'_>) {
        if let Some(open) = self.transactions.front_mut() {
            open.ledger.heard = true;
        }
        if let Some(Awaited::Line(line)) = awaited {
            self.note_refusal(line, reply.keep());
        }
    }

    fn receive_data(
        &mut self,
        reply: Received<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Event, ChannelError> {
        let Some(open) = self.transactions.front_mut() else {
            return Err(ChannelError::OutOfStep(reply.keep()));
        };
        match reply.severity() {
            Severity::Intermediate if open.ledger.is_hopeless() => {
                // RFC 2920 section 3.1: the dot must go out, and will deliver nothing.
                out.extend_from_slice(b".\r\n");
                self.awaited.push_back(Awaited::LoneDot);
                Ok(Event::Pending)
            }
            Severity::Intermediate => Ok(Event::SendBody(open.begin_body())),
            Severity::Temporary | Severity::Permanent => Ok(self.give_up(Some(reply.keep()))),
            Severity::Success => Err(ChannelError::OutOfStep(reply.keep())),
        }
    }

    /// The reply to a chunk. After a refusal nothing more of the text goes out (RFC 3030 section
    /// 4.2); the transaction is over when the replies to what is on its way are in.
    fn receive_chunk(&mut self, reply: Received<'_>) -> Result<Option<Event>, ChannelError> {
        let out_of_step = || ChannelError::OutOfStep(reply.keep());
        let open = self.transactions.front_mut().ok_or_else(out_of_step)?;
        match reply.severity() {
            Severity::Success => {}
            Severity::Temporary | Severity::Permanent => open.ledger.refuse_chunk(reply.keep()),
            Severity::Intermediate => return Err(out_of_step()),
        }
        if !open.ledger.is_chunk_refused() || !self.awaited.is_empty() {
            return Ok(None);
        }
        self.stale_envelope = true;
        let open = self.transactions.pop_front();
        Ok(open.map(|open| Event::Finished(open.ledger.end_at_chunk())))
    }

    /// The reply to the dot or the last chunk; in LMTP one of them.
    fn receive_end(&mut self, reply: Received<'_>) -> Result<Event, ChannelError> {
        let out_of_step = || ChannelError::OutOfStep(reply.keep());
        if reply.severity() == Severity::Intermediate {
            return Err(out_of_step());
        }
        let open = self.transactions.front_mut().ok_or_else(out_of_step)?;
        let hopeless = open.ledger.is_hopeless();
        if self.protocol == Protocol::Lmtp && !hopeless && !open.ledger.is_chunk_refused() {
            if !open.ledger.answer(reply.keep()) {
                self.awaited.push_front(Awaited::EndOfData);
                return Ok(Event::Pending);
            }
            let open = self.transactions.pop_front().ok_or_else(out_of_step)?;
            return Ok(Event::Finished(open.ledger.conclude_answered()));
        }
        let open = self.transactions.pop_front().ok_or_else(out_of_step)?;
        // If another transaction has begun, RSET stood at its head.
        let refused = hopeless || reply.severity() != Severity::Success;
        self.stale_envelope |= open.chunks && refused && self.transactions.is_empty();
        let end = match (hopeless, open.ledger.is_chunk_refused()) {
            (true, _) => open.ledger.give_up(None),
            (false, true) => open.ledger.end_at_chunk(),
            (false, false) => open.ledger.conclude(reply.keep()),
        };
        Ok(Event::Finished(end))
    }
}
