//! Telling senders what became of their mail.

use address::Mailbox;
use auth::Moment;
use envelope::{Coding, Ret};
use jiff::{SignedDuration, Timestamp};
use smtp_proto::client::EnhancedCode;
use spool::{Job, Outcome};

use super::{Registrar, has_reader};
use crate::convert::{self, Aim};
use crate::report::{self, Action, Entry, Original, Place, Returned, Subject};
use crate::schedule;
use crate::verdict::Verdict;

/// How long a recipient waits whose report could not be stored.
const REPORT_AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// What there is to say of one recipient.
pub(super) struct Item {
    pub(super) index: usize,
    pub(super) verdict: Verdict,
    pub(super) action: Action,
    pub(super) status: EnhancedCode,
}

/// What there is to say after one attempt.
#[derive(Default)]
pub(super) struct News {
    pub(super) failed: Vec<Item>,
    /// And when they are tried again.
    pub(super) delayed: Vec<(Item, Timestamp)>,
    pub(super) success: Vec<Item>,
}

impl News {
    /// Whether there is a failure or a delay.
    pub(super) fn has_tidings(&self) -> bool {
        !(self.failed.is_empty() && self.delayed.is_empty())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.failed.is_empty() && self.delayed.is_empty() && self.success.is_empty()
    }
}

impl Registrar {
    /// Puts the reports that are due into the queue, one of each kind, and says what is to be
    /// recorded.
    pub(super) async fn tell(
        &self,
        job: &Job,
        news: News,
        now: Moment,
        outcomes: &mut Vec<(usize, Outcome)>,
    ) {
        let News { failed, delayed, success } = news;
        if !failed.is_empty() {
            self.tell_failed(job, failed, now, outcomes).await;
        }
        if !delayed.is_empty() {
            let (items, times): (Vec<_>, Vec<_>) = delayed.into_iter().unzip();
            let all: Vec<_> = items.iter().collect();
            let delay_reported = self.report(job, Subject::Delay, &all, now).await;
            for (item, until) in items.into_iter().zip(times) {
                let reply = item.verdict.to_string().into();
                outcomes.push((item.index, Outcome::Deferred { until, reply, delay_reported }));
            }
        }
        if !success.is_empty() {
            // If it cannot be stored the message must not go out again for that.
            let all: Vec<_> = success.iter().collect();
            self.report(job, Subject::Success, &all, now).await;
        }
    }

    async fn tell_failed(
        &self,
        job: &Job,
        failed: Vec<Item>,
        now: Moment,
        outcomes: &mut Vec<(usize, Outcome)>,
    ) {
        let wants = |item: &Item| {
            let recipient = job.envelope().recipients.get(item.index);
            recipient.is_none_or(|recipient| recipient.notify.on_failure())
        };
        let reported: Vec<_> = failed.iter().filter(|item| wants(item)).collect();
        let told = if !has_reader(job) {
            // RFC 5321 section 6.1: no report about a report.
            self.stats.unreported.add(failed.len() as u64);
            tracing::error!(
                target: "lastpost::relay", queue_id = %job.id(), recipients = failed.len(),
                "a message without a sender is given up; nobody can be told"
            );
            true
        } else {
            reported.is_empty() || self.report(job, Subject::Failure, &reported, now).await
        };
        if told {
            self.tell_postmaster(job, &failed, now).await;
        }
        let until = now.wall.saturating_add(REPORT_AGAIN).unwrap_or(now.wall);
        for item in failed {
            let reply = item.verdict.to_string().into();
            let refused = item.action == Action::Failed { expired: false };
            if told && refused {
                self.tell_observer(job, now);
            }
            let end = match told {
                true => Outcome::Failed { reply },
                false => Outcome::Deferred { until, reply, delay_reported: false },
            };
            outcomes.push((item.index, end));
        }
    }

    /// Puts one report to the sender into the queue. False if it could not be stored.
    async fn report(&self, job: &Job, subject: Subject, items: &[&Item], now: Moment) -> bool {
        let Some(sender) = job.envelope().sender.mailbox() else { return true };
        let _place;
        let mut whole = Vec::new();
        let wants_all = subject == Subject::Failure
            && job.envelope().wishes.ret == Some(Ret::Full)
            && !job.envelope().wishes.require_tls
            && job.octets() <= self.reports.full_max;
        if wants_all {
            // The runtime ends before this semaphore does.
            _place = self.whole.acquire().await;
            whole = whole_text(job).await.unwrap_or_default();
        }
        let stored = if whole.is_empty() {
            let start = first_block(job).await;
            self.store(job, sender, subject, Returned::Header(&start), items, now).await
        } else {
            self.store(job, sender, subject, Returned::Whole(&whole), items, now).await
        };
        if stored {
            let counter = match subject {
                Subject::Failure => &self.stats.reports,
                Subject::Delay => &self.stats.delay_reports,
                Subject::Success => &self.stats.success_reports,
            };
            counter.increment();
        }
        stored
    }

    /// A copy of the report of a failure, with the header alone; that nothing more is said if it
    /// cannot be stored is no loss to the sender.
    async fn tell_postmaster(&self, job: &Job, failed: &[Item], now: Moment) {
        let Some(postmaster) = &self.reports.postmaster else { return };
        if matches!(job.origin(), spool::Origin::Report)
            && job.envelope().recipients.iter().any(|recipient| recipient.mailbox == *postmaster)
        {
            return;
        }
        let items: Vec<_> = failed.iter().collect();
        let start = first_block(job).await;
        let returned = Returned::Header(&start);
        self.store(job, postmaster, Subject::Failure, returned, &items, now).await;
    }

    async fn store(
        &self,
        job: &Job,
        to: &Mailbox,
        subject: Subject,
        returned: Returned<'_>,
        items: &[&Item],
        now: Moment,
    ) -> bool {
        let envelope = job.envelope();
        let entries: Vec<_> = items
            .iter()
            .filter_map(|item| {
                Some(Entry {
                    recipient: envelope.recipients.get(item.index)?,
                    action: item.action,
                    status: item.status,
                    verdict: &item.verdict,
                })
            })
            .collect();
        let original = Original {
            id: job.id(),
            received_at: envelope.received_at,
            envid: envelope.wishes.envid.as_ref(),
            returned,
            require_tls: envelope.wishes.require_tls,
        };
        let salt = (u64::from(schedule::random()) << 32) | u64::from(schedule::random());
        let place = Place { hello: &self.hello, language: self.language, now: now.wall };
        let report = report::compose(&place, to, subject, &original, &entries, salt);
        match self.spool.notify(report).await {
            Ok(id) => {
                tracing::info!(
                    target: "lastpost::relay", queue_id = %job.id(), report_id = %id,
                    to = ?to.to_string(), subject = subject.word(), "report"
                );
                true
            }
            Err(error) => {
                tracing::error!(
                    target: "lastpost::relay", queue_id = %job.id(), %error,
                    subject = subject.word(), "report not stored"
                );
                false
            }
        }
    }
}

/// The first octets of the text: its header or a part of it.
async fn first_block(job: &Job) -> bytes::Bytes {
    let block = match job.body().await {
        Ok(mut body) => body.next().await.ok().flatten(),
        Err(_) => None,
    };
    block.unwrap_or_default()
}

/// The whole text, fit to stand in a report: as it is, or converted. `None` if it cannot be.
async fn whole_text(job: &Job) -> Option<Vec<u8>> {
    let mut whole = Vec::with_capacity(usize::try_from(job.octets()).ok()?);
    let mut body = job.body().await.ok()?;
    while let Some(block) = body.next().await.ok()? {
        whole.extend_from_slice(&block);
    }
    if job.envelope().coding != Coding::Binary && convert::is_fit(&whole, Aim::EightBit) {
        return Some(whole);
    }
    let plan = convert::plan(job, Aim::EightBit).await.ok()?;
    let mut converted = convert::Converted::open(job, &plan).await.ok()?;
    whole.clear();
    while let Some(block) = converted.next().await.ok()? {
        whole.extend_from_slice(&block);
    }
    Some(whole)
}
