//! The end of an attempt: log, report, record.

use std::sync::Arc;

use address::Mailbox;
use auth::{Clock, Moment};
use smtp_proto::client::EnhancedCode;
use spool::{Origin, Outcome, Report, Spool};

use crate::RelayStats;
use crate::config::{Language, Settings};
use crate::report::{self, Failure, Original};
use crate::schedule::{self, Next, Schedule};
use crate::task::Task;
use crate::verdict::{Kind, Verdict, code};

/// How long a recipient waits whose report could not be stored.
const REPORT_AGAIN: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);

/// Records what became of recipients, and tells their senders.
pub(crate) struct Registrar {
    spool: Spool,
    clock: Arc<dyn Clock>,
    schedule: Schedule,
    hello: address::Host,
    language: Language,
    stats: Arc<RelayStats>,
}

/// A recipient that is given up.
struct GivenUp {
    index: usize,
    verdict: Verdict,
    expired: bool,
}

impl Registrar {
    pub(crate) fn new(
        spool: Spool,
        clock: Arc<dyn Clock>,
        settings: &Settings,
        stats: Arc<RelayStats>,
    ) -> Self {
        Self {
            spool,
            clock,
            schedule: Schedule::new(settings.retry.clone(), settings.expire_after),
            hello: settings.hello.clone(),
            language: settings.report_language,
            stats,
        }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(crate) fn stats(&self) -> &Arc<RelayStats> {
        &self.stats
    }

    /// As [`Self::conclude`], behind the caller's back: the next delivery need not wait for the
    /// disk. The task's slot bounds how many of these there are.
    pub(crate) fn conclude_soon(self: &Arc<Self>, task: Task, verdicts: Vec<(usize, Verdict)>) {
        let registrar = Arc::clone(self);
        tokio::spawn(async move { registrar.conclude(task, verdicts).await });
    }

    /// One verdict for every recipient of `task`.
    pub(crate) fn conclude_all_soon(self: &Arc<Self>, task: Task, verdict: &Verdict) {
        let verdicts = task.recipients.iter().map(|&index| (index, verdict.clone())).collect();
        self.conclude_soon(task, verdicts);
    }

    /// Logs each verdict, puts a report into the queue for those that are final, and only then
    /// records them: a crash between makes a report twice, never none.
    pub(crate) async fn conclude(&self, task: Task, verdicts: Vec<(usize, Verdict)>) {
        let now = self.clock.now();
        let Task { job, slot, .. } = task;
        let mut outcomes = Vec::with_capacity(verdicts.len());
        let mut given_up = Vec::new();
        for (index, verdict) in verdicts {
            match self.decide(&job, index, &verdict, now) {
                Some(outcome) => outcomes.push((index, outcome)),
                None => {
                    let expired = verdict.kind != Kind::Failed;
                    given_up.push(GivenUp { index, verdict, expired });
                }
            }
        }
        if !given_up.is_empty() {
            let told = self.tell_sender(&job, &given_up, now).await;
            let until = now.wall.saturating_add(REPORT_AGAIN).unwrap_or(now.wall);
            let ends = given_up.into_iter().map(|GivenUp { index, verdict, .. }| {
                let reply = verdict.to_string().into();
                let end = match told {
                    true => Outcome::Failed { reply },
                    false => Outcome::Deferred { until, reply },
                };
                (index, end)
            });
            outcomes.extend(ends);
        }
        if let Err(error) = self.spool.settle(job, outcomes).await {
            tracing::error!(target: "lastpost::relay", %error, "outcome not recorded");
        }
        drop(slot);
    }

    /// The outcome of one recipient and its log line; `None` if it is given up.
    fn decide(
        &self,
        job: &spool::Job,
        index: usize,
        verdict: &Verdict,
        now: Moment,
    ) -> Option<Outcome> {
        match verdict.kind {
            Kind::Delivered => {
                let relayed = verdict.remote.is_some();
                let counter = if relayed { &self.stats.relayed } else { &self.stats.delivered };
                counter.increment();
                log(job, index, verdict, now, "delivered");
                Some(Outcome::Done)
            }
            Kind::Failed => {
                self.stats.failed.increment();
                log(job, index, verdict, now, "failed");
                None
            }
            Kind::Deferred { not_before } => {
                let attempts = 1 + attempts(job, index);
                let received = job.envelope().received_at;
                let random = schedule::random();
                match self.schedule.after(attempts, received, now.wall, not_before, random) {
                    Next::At(until) => {
                        self.stats.deferred.increment();
                        log(job, index, verdict, now, "deferred");
                        Some(Outcome::Deferred { until, reply: verdict.to_string().into() })
                    }
                    Next::Expired => {
                        self.stats.expired.increment();
                        log(job, index, verdict, now, "expired");
                        None
                    }
                }
            }
        }
    }

    /// Puts a report into the queue, if one is due. False if it could not be stored.
    async fn tell_sender(&self, job: &spool::Job, given_up: &[GivenUp], now: Moment) -> bool {
        let sender = match (job.envelope().sender.mailbox(), job.origin()) {
            (Some(sender), Origin::Submitted { .. } | Origin::Inbound { .. }) => sender,
            _ => {
                // RFC 5321 section 6.1: no report about a report.
                self.stats.unreported.add(given_up.len() as u64);
                tracing::error!(
                    target: "lastpost::relay", queue_id = %job.id(), recipients = given_up.len(),
                    "a message without a sender is given up; nobody can be told"
                );
                return true;
            }
        };
        let report = self.report(job, sender, given_up, now).await;
        match self.spool.notify(report).await {
            Ok(id) => {
                self.stats.reports.increment();
                tracing::info!(
                    target: "lastpost::relay", queue_id = %job.id(), report_id = %id,
                    to = ?sender.to_string(), "sender is told"
                );
                true
            }
            Err(error) => {
                tracing::error!(
                    target: "lastpost::relay", queue_id = %job.id(), %error,
                    "report not stored; the message is kept and tried again"
                );
                false
            }
        }
    }

    async fn report(
        &self,
        job: &spool::Job,
        sender: &Mailbox,
        given_up: &[GivenUp],
        now: Moment,
    ) -> Report {
        let failures: Vec<_> = given_up
            .iter()
            .filter_map(|gone| {
                let recipient = job.envelope().recipients.get(gone.index)?;
                let status = if gone.expired { EXPIRED } else { gone.verdict.status };
                Some(Failure {
                    recipient: &recipient.mailbox,
                    status,
                    verdict: &gone.verdict,
                    expired: gone.expired,
                })
            })
            .collect();
        let header = match job.body().await {
            Ok(mut body) => body.next().await.ok().flatten(),
            Err(_) => None,
        };
        let original = Original {
            id: job.id(),
            received_at: job.envelope().received_at,
            start: header.as_deref().unwrap_or_default(),
        };
        let salt = (u64::from(schedule::random()) << 32) | u64::from(schedule::random());
        let place = report::Place { hello: &self.hello, language: self.language, now: now.wall };
        report::compose(&place, sender, &original, &failures, salt)
    }
}

/// RFC 3463: delivery time expired.
const EXPIRED: EnhancedCode = code(4, 4, 7);

/// Attempts on a recipient before this one. The spool lists recipients in order.
fn attempts(job: &spool::Job, index: usize) -> u32 {
    let remaining = job.remaining();
    let place = remaining.binary_search_by_key(&index, |recipient| recipient.index);
    place.ok().and_then(|place| remaining.get(place)).map_or(0, |recipient| recipient.attempts)
}

/// One line for each recipient of each attempt.
fn log(job: &spool::Job, index: usize, verdict: &Verdict, now: Moment, status: &'static str) {
    let envelope = job.envelope();
    let recipient = envelope.recipients.get(index).map(|r| r.mailbox.to_string());
    let delay = now.wall.duration_since(envelope.received_at).as_secs_f64();
    tracing::info!(
        target: "lastpost::relay",
        queue_id = %job.id(),
        recipient = ?recipient.unwrap_or_default(),
        relay = verdict.remote.as_deref().unwrap_or("local"),
        dsn = %verdict.status,
        status,
        delay = format_args!("{delay:.2}"),
        attempts = 1 + attempts(job, index),
        text = ?verdict.text,
        "delivery"
    );
}
