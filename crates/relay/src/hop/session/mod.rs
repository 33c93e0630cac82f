//! Mail over one connection: one message behind the other, the next envelope with the end of
//! the body before it.

mod prepare;
mod text;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use smtp_proto::client::{
    Body, Channel, Event, Outcome, Protocol, Severity, Unfinished, Unsendable, Wait,
};
use tokio::time::Instant;

use self::prepare::{Prepared, Unfit};
use self::text::Text;
use super::Hop;
use super::connect::Connection;
use super::failure::HopFailure;
use super::link::Link;
use crate::task::Task;
use crate::verdict::{self, Onward, Stage, Verdict, code};

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
    /// The other side has proved under TLS who it is.
    verified: bool,
    /// It is for its first message alone.
    alone: bool,
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
    /// The recipients of the transaction, as indices into the envelope.
    sent: Vec<usize>,
    /// Recipients of whom it is known already what becomes of them.
    early: Vec<(usize, Verdict)>,
}

impl<'a> Session<'a> {
    pub(super) fn new(hop: &'a Arc<Hop>, connection: Connection) -> Self {
        let Connection { link, channel, relay, verified, alone } = connection;
        tracing::debug!(
            target: "lastpost::relay", relay = &*relay, tls = link.is_secure(), "connected"
        );
        Self {
            hop,
            link,
            channel,
            relay,
            verified,
            alone,
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
                self.begin(task).await?;
            }
            if !self.in_flight.is_empty() {
                self.exchange().await?;
            } else if self.is_used_up() {
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
        (!self.is_used_up()).then(|| self.hop.try_take()).flatten()
    }

    /// Whether the connection carries no further message: by our rule, or by the next hop's.
    fn is_used_up(&self) -> bool {
        self.alone
            || self.begun >= self.hop.limits.messages_per_connection
            || self.channel.is_spent()
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
    async fn begin(&mut self, task: Task) -> Result<(), HopFailure> {
        let now = self.hop.registrar.clock().now();
        let prepared = Prepared::new(&task, &self.channel, self.verified, now).await;
        let mut prepared = match prepared {
            Ok(prepared) => prepared,
            Err(Unfit::Unreadable(error)) => {
                self.unreadable(task, &error);
                return Ok(());
            }
            Err(Unfit::Never(verdict)) => {
                self.hop.registrar.conclude_all_soon(task, &verdict.about(&self.relay));
                return Ok(());
            }
        };
        for (_, verdict) in &mut prepared.early {
            *verdict = verdict.clone().about(&self.relay);
        }
        if prepared.sent.is_empty() {
            self.hop.registrar.conclude_soon(task, prepared.early);
            return Ok(());
        }
        let envelope = task.job.envelope();
        let message = prepared.message(envelope);
        let begun = self.channel.begin(&message, prepared.recipients(envelope), &mut self.out);
        let body = match begun {
            Ok(body) => body,
            Err(unsendable) => {
                self.unsendable(task, unsendable);
                return Ok(());
            }
        };
        if prepared.converted {
            self.hop.registrar.stats().converted.increment();
        }
        self.begun += 1;
        let Prepared { text, sent, early, .. } = prepared;
        self.in_flight.push_back(InFlight { task, text: Some(text), sent, early });
        match body {
            Some(body) => self.send_body(body).await,
            None => Ok(()),
        }
    }

    fn unreadable(&self, task: Task, error: &io::Error) {
        tracing::error!(
            target: "lastpost::relay", queue_id = %task.job.id(), %error,
            "the text of a message cannot be read"
        );
        let verdict = Verdict::deferred(code(4, 3, 0), "the stored message cannot be read");
        self.hop.registrar.conclude_all_soon(task, &verdict);
    }

    fn unsendable(&self, task: Task, reason: Unsendable) {
        let verdict = prepare::unsendable(reason).about(&self.relay);
        self.hop.registrar.conclude_all_soon(task, &verdict);
    }

    /// Sends what is to be sent and takes replies until something new can begin.
    async fn exchange(&mut self) -> Result<(), HopFailure> {
        loop {
            match self.hear().await? {
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

    /// Sends what is to be sent, and takes one reply.
    async fn hear(&mut self) -> Result<Event, HopFailure> {
        self.flush().await?;
        let deadline = Instant::now() + self.limit();
        loop {
            if let Some(reply) = self.link.replies.next_reply()? {
                return Ok(self.channel.receive(reply, &mut self.out)?);
            }
            self.link.fill(deadline).await?;
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
        // If the text cannot be read to its end, the connection must go without its end.
        let unreadable =
            |error| HopFailure::new(code(4, 3, 0), format_args!("reading the message: {error}"));
        while let Some(octets) = text.next().await.map_err(unreadable)? {
            body.write(&octets, &mut self.out);
            self.channel.pass_on(&mut body, &mut self.out);
            if self.out.len() >= BLOCK {
                self.flush().await?;
            }
            while self.channel.must_listen() {
                match self.hear().await? {
                    Event::Pending => {}
                    // A chunk was refused, and the rest is not wanted.
                    Event::Finished(outcome) => {
                        self.conclude(&outcome);
                        return Ok(());
                    }
                    Event::SendBody(_) | Event::Closed => {
                        return Err(HopFailure::lost("out of step within the text"));
                    }
                }
            }
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
        let Some(InFlight { task, sent, early, .. }) = self.in_flight.pop_front() else { return };
        let mut verdicts = early;
        for (place, &index) in sent.iter().enumerate() {
            if !verdict::is_crowded_out(outcome, place) {
                let verdict = verdict::judge(outcome, place, &self.relay);
                verdicts.push((index, verdict.onward(onward(&self.channel))));
            }
        }
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
        let onward = onward(&channel);
        for (flight, gone) in in_flight.into_iter().zip(channel.into_unfinished()) {
            // A connection that broke before it said anything to the message was as good as gone.
            let untouched = (!gone.body_sent() || !gone.heard()) && gone.results() == 0;
            if finished > 0 && untouched && flight.task.requeued < REQUEUED_MAX {
                let mut task = flight.task;
                task.requeued += 1;
                hop.put_back(task);
                continue;
            }
            if gone.body_sent() {
                hop.registrar.stats().ambiguous.increment();
            }
            let InFlight { task, sent, mut early, .. } = flight;
            early.extend(unfinished_verdicts(&sent, &gone, &failure, &relay, onward));
            hop.registrar.conclude_soon(task, early);
        }
    }
}

fn unfinished_verdicts(
    sent: &[usize],
    gone: &Unfinished,
    failure: &HopFailure,
    relay: &Arc<str>,
    onward: Onward,
) -> Vec<(usize, Verdict)> {
    let lost: Arc<str> = match gone.body_sent() {
        true => format!("{} (after the whole message was sent)", failure.text).into(),
        false => failure.text.clone(),
    };
    let lost = Verdict::deferred(failure.status, lost).about(relay);
    let judge = |(place, &index): (usize, &usize)| {
        let verdict = match gone.result(place) {
            Some(Ok(reply)) => Verdict::from_reply(reply, Stage::EndOfData, relay).onward(onward),
            Some(Err(reply)) => Verdict::from_reply(reply, Stage::Recipient, relay),
            None => lost.clone(),
        };
        (index, verdict)
    };
    sent.iter().enumerate().map(judge).collect()
}

/// Who reports from here on.
fn onward(channel: &Channel) -> Onward {
    match channel.protocol() {
        Protocol::Lmtp => Onward::Delivered,
        Protocol::Smtp => Onward::Relayed {
            dsn: channel.extensions().dsn,
            deliver_by: channel.extensions().deliver_by.is_some(),
        },
    }
}
