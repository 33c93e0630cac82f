//! Mail over one connection: one message behind the other, the next envelope with the end of
//! the body before it.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use smtp_proto::client::{
    Body, Channel, Event, Message, Outcome, Severity, Unfinished, Unsendable, Wait,
};
use spool::{BodyReader, Job};
use tokio::time::Instant;

use super::Hop;
use super::connect::Connection;
use super::failure::HopFailure;
use super::link::Link;
use crate::task::Task;
use crate::verdict::{self, Stage, Verdict, code};

/// Octets that are collected before they are sent.
const BLOCK: usize = 64 * 1024;
/// How long a reply is looked for that may explain why a connection broke.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How often a message is put back because its connection, used before, had been closed.
const REQUEUED_MAX: u8 = 3;

/// How a session came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// There was nothing to send for a while.
    Idle,
    /// It has carried as many messages as a connection may.
    Used,
    /// The connection was lost.
    Broken,
}

/// One connection at work.
pub(super) struct Session<'a> {
    hop: &'a Arc<Hop>,
    link: Link,
    channel: Channel,
    relay: Arc<str>,
    out: Vec<u8>,
    /// Oldest first: at most the one whose last reply is awaited, and one more.
    in_flight: VecDeque<InFlight>,
    begun: u32,
    finished: u32,
}

/// A message whose transaction has begun.
struct InFlight {
    task: Task,
    text: Option<Text>,
}

/// The text of a message, its first block read.
struct Text {
    first: Option<Bytes>,
    rest: BodyReader,
}

impl Text {
    async fn open(job: &Job) -> io::Result<Self> {
        let mut rest = job.body().await?;
        Ok(Self { first: rest.next().await?, rest })
    }
}

impl<'a> Session<'a> {
    pub(super) fn new(hop: &'a Arc<Hop>, connection: Connection) -> Self {
        let Connection { link, channel, relay } = connection;
        tracing::debug!(
            target: "lastpost::relay", relay = &*relay, tls = link.is_secure(), "connected"
        );
        Self {
            hop,
            link,
            channel,
            relay,
            out: Vec::new(),
            in_flight: VecDeque::new(),
            begun: 0,
            finished: 0,
        }
    }

    /// Sends `first` and whatever else waits for the hop.
    pub(super) async fn run(mut self, first: Task) -> Ended {
        match self.serve(first).await {
            Ok(ended) => {
                self.say_goodbye().await;
                ended
            }
            Err(failure) => {
                self.give_up(failure);
                Ended::Broken
            }
        }
    }

    async fn serve(&mut self, first: Task) -> Result<Ended, HopFailure> {
        let mut next = Some(first);
        loop {
            while self.channel.may_begin() {
                let Some(task) = next.take().or_else(|| self.another()) else { break };
                self.begin(task).await;
            }
            if !self.in_flight.is_empty() {
                self.exchange().await?;
            } else if self.begun >= self.hop.limits.messages_per_connection {
                return Ok(Ended::Used);
            } else {
                next = self.idle().await?;
                if next.is_none() {
                    return Ok(Ended::Idle);
                }
            }
        }
    }

    /// Another message for this connection, if there is one and it may carry one more.
    fn another(&self) -> Option<Task> {
        let may = self.begun < self.hop.limits.messages_per_connection;
        may.then(|| self.hop.try_take()).flatten()
    }

    /// Waits for a message; nothing may come from the other side meanwhile but the end.
    async fn idle(&mut self) -> Result<Option<Task>, HopFailure> {
        let patience = self.hop.limits.idle;
        let far = Instant::now() + patience + Duration::from_secs(60);
        tokio::select! {
            biased;
            task = self.hop.take(patience) => Ok(task),
            ended = self.link.fill(far) => {
                ended?;
                Err(HopFailure::lost("the other side spoke out of turn"))
            }
        }
    }

    /// Begins the transaction of `task`, unless the message cannot be read or sent.
    async fn begin(&mut self, task: Task) {
        let (text, eight_bit) = match self.open_text(&task.job).await {
            Ok(opened) => opened,
            Err(error) => return self.unreadable(task, &error),
        };
        let envelope = task.job.envelope();
        let message = Message {
            sender: &envelope.sender,
            octets: task.job.octets(),
            eight_bit,
            utf8_header: envelope.smtputf8 && has_utf8_header(text.first.as_deref()),
        };
        let recipients = task.recipients.iter().filter_map(|&i| envelope.recipients.get(i));
        let recipients = recipients.map(|recipient| &recipient.mailbox);
        match self.channel.begin(&message, recipients, &mut self.out) {
            Ok(()) => {
                self.begun += 1;
                self.in_flight.push_back(InFlight { task, text: Some(text) });
            }
            Err(unsendable) => self.unsendable(task, unsendable),
        }
    }

    /// Opens the text, and says whether to declare it as eight-bit. Many clients declare all
    /// their mail so: where the next hop would not take that, the text itself is asked.
    async fn open_text(&self, job: &Job) -> io::Result<(Text, bool)> {
        let declared = job.envelope().coding != envelope::Coding::SevenBit;
        let eight_bit = match declared && !self.channel.extensions().eight_bit_mime {
            true => !is_ascii(job).await?,
            false => declared,
        };
        Ok((Text::open(job).await?, eight_bit))
    }

    fn unreadable(&self, task: Task, error: &io::Error) {
        tracing::error!(
            target: "lastpost::relay", queue_id = %task.job.id(), %error,
            "the text of a message cannot be read"
        );
        let verdict = Verdict::deferred(code(4, 3, 0), "the stored message cannot be read");
        self.hop.registrar.conclude_all_soon(task, &verdict);
    }

    /// RFC 3463: each reason has its own code. All are final: nothing is converted.
    fn unsendable(&self, task: Task, reason: Unsendable) {
        let status = match reason {
            Unsendable::TooLarge { .. } => code(5, 3, 4),
            Unsendable::EightBit => code(5, 6, 3),
            Unsendable::Utf8 => code(5, 6, 7),
            _ => code(5, 0, 0),
        };
        let verdict = Verdict::failed(status, format!("the next hop {reason}"));
        self.hop.registrar.conclude_all_soon(task, &verdict.about(&self.relay));
    }

    /// Sends what is to be sent and takes replies until something new can begin.
    async fn exchange(&mut self) -> Result<(), HopFailure> {
        loop {
            self.flush().await?;
            let deadline = Instant::now() + self.limit();
            let event = loop {
                if let Some(reply) = self.link.replies.next_reply()? {
                    break self.channel.receive(reply, &mut self.out)?;
                }
                self.link.fill(deadline).await?;
            };
            match event {
                Event::Pending => {}
                Event::SendBody(body) => return self.send_body(body).await,
                Event::Finished(outcome) => {
                    self.conclude(&outcome);
                    return Ok(());
                }
                Event::Closed => return Err(HopFailure::lost("closed")),
            }
        }
    }

    fn limit(&self) -> Duration {
        let timeouts = &self.hop.connector.timeouts;
        match self.channel.waits_for() {
            Wait::Nothing | Wait::Command => timeouts.command,
            Wait::Data => timeouts.data,
            Wait::EndOfData => timeouts.end_of_data,
        }
    }

    /// The end of the body stays in `out`: the next envelope may go with it.
    async fn send_body(&mut self, mut body: Body) -> Result<(), HopFailure> {
        let text = self.in_flight.back_mut().and_then(|flight| flight.text.take());
        let Some(mut text) = text else {
            return Err(HopFailure::lost("there is no text to send"));
        };
        let mut block = text.first.take();
        while let Some(octets) = block {
            body.write(&octets, &mut self.out);
            if self.out.len() >= BLOCK {
                self.flush().await?;
            }
            // If the text cannot be read to its end, the connection must go without the dot.
            block = text.rest.next().await.map_err(|error| {
                HopFailure::new(code(4, 3, 0), format_args!("reading the message: {error}"))
            })?;
        }
        self.channel.end_body(body, &mut self.out);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), HopFailure> {
        if self.out.is_empty() {
            return Ok(());
        }
        let limit = self.hop.connector.timeouts.block;
        let sent = self.link.send(&mut self.out, limit).await;
        self.out.shrink_to(2 * BLOCK);
        match sent {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.last_words(failure).await),
        }
    }

    /// A host that breaks the connection may have said why.
    async fn last_words(&mut self, failure: HopFailure) -> HopFailure {
        let deadline = Instant::now() + LAST_WORDS;
        loop {
            match self.link.replies.next_reply() {
                Ok(Some(reply)) if reply.severity() != Severity::Success => {
                    return HopFailure::lost(format_args!("{}: {}", failure.text, reply.keep()));
                }
                Ok(Some(_)) => continue,
                Ok(None) => {}
                Err(_) => return failure,
            }
            if self.link.fill(deadline).await.is_err() {
                return failure;
            }
        }
    }

    fn conclude(&mut self, outcome: &Outcome) {
        self.finished += 1;
        self.hop.note_success();
        let Some(InFlight { task, .. }) = self.in_flight.pop_front() else { return };
        let recipients = task.recipients.iter().enumerate();
        let verdicts = recipients
            .filter(|(place, _)| !verdict::is_crowded_out(outcome, *place))
            .map(|(place, &index)| (index, verdict::judge(outcome, place, &self.relay)))
            .collect();
        self.hop.registrar.conclude_soon(task, verdicts);
    }

    async fn say_goodbye(mut self) {
        let limit = self.hop.connector.timeouts.farewell;
        let deadline = Instant::now() + limit;
        self.channel.quit(&mut self.out);
        let mut answered = self.link.send(&mut self.out, limit).await.is_err();
        while !answered {
            answered = match self.link.replies.next_reply() {
                Ok(None) => self.link.fill(deadline).await.is_err(),
                Ok(Some(_)) | Err(_) => true,
            };
        }
        self.link.close(limit).await;
    }

    /// The connection is lost: what was said stands, the rest is tried again.
    fn give_up(self, failure: HopFailure) {
        let Self { hop, channel, relay, in_flight, finished, .. } = self;
        tracing::debug!(
            target: "lastpost::relay", relay = &*relay, reason = ?failure.text,
            unfinished = in_flight.len(), "connection lost"
        );
        if finished == 0 {
            hop.note_broken(&failure);
        }
        for (InFlight { mut task, .. }, gone) in
            in_flight.into_iter().zip(channel.into_unfinished())
        {
            let untouched = !gone.body_sent() && gone.refusals() == 0;
            if finished > 0 && untouched && task.requeued < REQUEUED_MAX {
                task.requeued += 1;
                hop.put_back(task);
                continue;
            }
            if gone.body_sent() {
                hop.registrar.stats().ambiguous.increment();
            }
            let verdicts = unfinished_verdicts(&task, &gone, &failure, &relay);
            hop.registrar.conclude_soon(task, verdicts);
        }
    }
}

fn unfinished_verdicts(
    task: &Task,
    gone: &Unfinished,
    failure: &HopFailure,
    relay: &Arc<str>,
) -> Vec<(usize, Verdict)> {
    let lost: Arc<str> = match gone.body_sent() {
        true => format!("{} (after the whole message was sent)", failure.text).into(),
        false => failure.text.clone(),
    };
    let lost = Verdict::deferred(failure.status, lost).about(relay);
    let judge = |(place, &index): (usize, &usize)| match gone.refusal(place) {
        Some(reply) => (index, Verdict::from_reply(reply, Stage::Recipient, relay)),
        None => (index, lost.clone()),
    };
    task.recipients.iter().enumerate().map(judge).collect()
}

/// Whether the whole text is seven-bit. Reads it.
async fn is_ascii(job: &Job) -> io::Result<bool> {
    let mut body = job.body().await?;
    while let Some(block) = body.next().await? {
        if !block.is_ascii() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the header, as far as it lies in the first block, is more than ASCII. A client that
/// says SMTPUTF8 always, as some phones do, is not held to it.
fn has_utf8_header(first: Option<&[u8]>) -> bool {
    let text = first.unwrap_or_default();
    let end = text.windows(4).position(|octets| octets == b"\r\n\r\n").unwrap_or(text.len());
    !text[..end].is_ascii()
}
