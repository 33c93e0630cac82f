//! The end of an attempt: log, report, record.

mod gather;
mod tell;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use address::Host;
use auth::{Clock, Moment};
use envelope::ByMode;
use jiff::{SignedDuration, Timestamp};
use smtp_proto::client::EnhancedCode;
use spool::{Job, Origin, Outcome, Spool};
use tokio::sync::Semaphore;

use crate::clock::{ClockWatch, Step};
use crate::config::{Language, Settings};
use crate::parcel::Parcel;
use crate::report::{Action, Reports};
use crate::schedule::{self, Attempt, Next, Schedule};
use crate::task::Task;
use crate::verdict::{Kind, Onward, Verdict, code};
use crate::{FailureObserver, RelayStats};
use gather::Gathering;
use tell::{Item, News};

/// Messages that may be in memory at the same time to be returned whole.
const WHOLE_MAX: usize = 8;
/// How often the clock is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// No attempt is planned further ahead than this: a day, and a tenth of it.
const PLAN_MAX: SignedDuration = SignedDuration::from_hours(27);

/// Records what became of recipients, and tells their senders.
pub(crate) struct Registrar {
    spool: Spool,
    clock: Arc<dyn Clock>,
    watch: ClockWatch,
    schedule: Schedule,
    hello: Host,
    language: Language,
    reports: Reports,
    stats: Arc<RelayStats>,
    observer: OnceLock<Arc<dyn FailureObserver>>,
    whole: Semaphore,
    gathering: Gathering,
}

/// What becomes of a recipient now.
enum Fate {
    /// He has it.
    Done,
    /// He never gets it.
    GivenUp {
        /// After too long a time.
        expired: bool,
        status: EnhancedCode,
    },
    /// He is tried again.
    Later(Timestamp),
}

impl Registrar {
    pub(crate) fn new(
        spool: Spool,
        clock: Arc<dyn Clock>,
        settings: &Settings,
        stats: Arc<RelayStats>,
    ) -> Self {
        let watch = ClockWatch::new(clock.now());
        Self {
            spool,
            clock,
            watch,
            schedule: Schedule::new(settings.retry.clone(), settings.expire_after),
            hello: settings.hello.clone(),
            language: settings.report_language,
            reports: settings.reports.clone(),
            stats,
            observer: OnceLock::new(),
            whole: Semaphore::new(WHOLE_MAX),
            gathering: Gathering::default(),
        }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(crate) fn stats(&self) -> &Arc<RelayStats> {
        &self.stats
    }

    /// From now on `observer` is told of what is refused for good.
    pub(crate) fn set_observer(&self, observer: Arc<dyn FailureObserver>) {
        // There is one, given before the start.
        let _ = self.observer.set(observer);
    }

    fn tell_observer(&self, job: &Job, now: Moment) {
        if let Origin::Submitted { account, .. } = job.origin()
            && let Some(observer) = self.observer.get()
        {
            observer.delivery_failed(account, now);
        }
    }

    /// When something must be said about the message, even if no attempt was possible.
    pub(crate) fn pressing_at(&self, job: &Job) -> Timestamp {
        let expiry = self.schedule.expiry(born(job));
        let mut first = expiry;
        for remaining in job.remaining() {
            let milestones = self.milestones(job, remaining.index);
            first = milestones.into_iter().flatten().fold(first, Timestamp::min);
        }
        first
    }

    /// Looks at the clock, for ever. If it is set back, what was deferred would wait for as long
    /// again: all of it is due now. That may have happened before the start, too.
    pub(crate) async fn watch_clock(&self) {
        let now = self.clock.now().wall;
        if self.spool.next_due().is_some_and(|due| due.duration_since(now) > PLAN_MAX) {
            self.spool.flush();
        }
        loop {
            self.look_at_clock();
            tokio::time::sleep(LOOK).await;
        }
    }

    fn look_at_clock(&self) -> Moment {
        let now = self.clock.now();
        match self.watch.look(now) {
            Step::None => {}
            Step::Ahead(by) => tracing::warn!(
                target: "lastpost::relay", seconds = by.as_secs(),
                "the clock was set ahead; no mail ages by that"
            ),
            Step::Back(by) => {
                let messages = self.spool.flush();
                tracing::warn!(
                    target: "lastpost::relay", seconds = by.as_secs(), messages,
                    "the clock was set back; what waits is tried now"
                );
            }
        }
        now
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

    /// Logs each verdict, puts the reports that are due into the queue, and only then records
    /// what became of the recipients: a crash between makes a report twice, never none.
    pub(crate) async fn conclude(self: &Arc<Self>, task: Task, verdicts: Vec<(usize, Verdict)>) {
        let now = self.look_at_clock();
        task.count(&verdicts);
        let Task { job, .. } = task;
        let mut outcomes = Vec::with_capacity(verdicts.len());
        let mut news = News::default();
        for (index, verdict) in verdicts {
            let fate = self.decide(&job, index, &verdict, now);
            self.sort(&job, index, verdict, fate, now, &mut outcomes, &mut news);
        }
        if news.has_tidings() && job.is_shared() {
            self.gather(&job, &mut news);
        }
        if !news.is_empty() {
            self.tell(&job, news, now, &mut outcomes).await;
        }
        self.record(job, outcomes).await;
    }

    async fn record(&self, job: Parcel, outcomes: Vec<(usize, Outcome)>) {
        if let Err(error) = job.settle(&self.spool, outcomes).await {
            tracing::error!(target: "lastpost::relay", %error, "outcome not recorded");
        }
    }

    /// What becomes of one recipient.
    fn decide(&self, job: &Job, index: usize, verdict: &Verdict, now: Moment) -> Fate {
        let not_before = match verdict.kind {
            Kind::Delivered => return Fate::Done,
            Kind::Failed => return Fate::GivenUp { expired: false, status: verdict.status },
            Kind::Deferred { not_before } => not_before,
        };
        if is_too_late(job, now) {
            return Fate::GivenUp { expired: true, status: LATE };
        }
        let born = born(job);
        let attempt = Attempt {
            number: attempts(job, index).saturating_add(1),
            born,
            now: now.wall,
            jumped: self.watch.jumped_since(born),
            not_before,
        };
        match self.schedule.after(&attempt, schedule::random()) {
            Next::Expired => Fate::GivenUp { expired: true, status: EXPIRED },
            // What is to be said at a certain time is said then.
            Next::At(until) => {
                let milestones = self.milestones(job, index).into_iter().flatten();
                let coming = milestones.filter(|&at| at > now.wall);
                Fate::Later(coming.fold(until, Timestamp::min))
            }
        }
    }

    /// Logs and counts one recipient, and puts him where he belongs.
    #[expect(clippy::too_many_arguments, reason = "two of them are where he belongs")]
    fn sort(
        &self,
        job: &Job,
        index: usize,
        verdict: Verdict,
        fate: Fate,
        now: Moment,
        outcomes: &mut Vec<(usize, Outcome)>,
        news: &mut News,
    ) {
        match fate {
            Fate::Done => {
                let relayed = verdict.remote.is_some();
                let counter = if relayed { &self.stats.relayed } else { &self.stats.delivered };
                counter.increment();
                log(job, index, &verdict, now, "delivered");
                outcomes.push((index, Outcome::Done));
                if let Some(action) = success(job, index, &verdict) {
                    let status = verdict.status;
                    news.success.push(Item { index, verdict, action, status });
                }
            }
            Fate::GivenUp { expired, status } => {
                let counter = if expired { &self.stats.expired } else { &self.stats.failed };
                counter.increment();
                log(job, index, &verdict, now, if expired { "expired" } else { "failed" });
                let action = Action::Failed { expired };
                news.failed.push(Item { index, verdict, action, status });
            }
            Fate::Later(until) => {
                self.stats.deferred.increment();
                log(job, index, &verdict, now, "deferred");
                let due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now.wall);
                if self.milestones(job, index).into_iter().any(due) {
                    let action = Action::Delayed { until: self.last_attempt(job) };
                    let status = if is_late(job, now) { DELAYED } else { verdict.status };
                    news.delayed.push((Item { index, verdict, action, status }, until));
                } else {
                    let reply = verdict.to_string().into();
                    let later = Outcome::Deferred { until, reply, delay_reported: false };
                    outcomes.push((index, later));
                }
            }
        }
    }

    /// When the sender is to be told of a delay of this recipient, unless he has been: after the
    /// time that is configured, and at the time that the sender set (RFC 2852). With `R` that
    /// is the end, which is no less to be told.
    fn milestones(&self, job: &Job, index: usize) -> [Option<Timestamp>; 2] {
        let envelope = job.envelope();
        let Some(recipient) = envelope.recipients.get(index) else { return [None, None] };
        let told = is_delay_reported(job, index) || !has_reader(job);
        let after = self.reports.delay_after.filter(|_| recipient.notify.on_delay() && !told);
        let delay = after.and_then(|after| born(job).saturating_add(after).ok());
        let by = envelope.wishes.deliver_by.filter(|by| match by.mode {
            ByMode::Return => true,
            ByMode::Notify => !recipient.notify.is_never() && !told,
        });
        [delay, by.map(|by| by.at)]
    }

    /// Until when the message is tried.
    fn last_attempt(&self, job: &Job) -> Timestamp {
        let expiry = self.schedule.expiry(born(job));
        let by = job.envelope().wishes.deliver_by.filter(|by| by.mode == ByMode::Return);
        by.map_or(expiry, |by| by.at.min(expiry))
    }
}

/// RFC 3463: delivery time expired.
const EXPIRED: EnhancedCode = code(4, 4, 7);
const DELAYED: EnhancedCode = code(4, 4, 7);
/// RFC 2852 section 4: the time that the sender set is over.
const LATE: EnhancedCode = code(5, 4, 7);

/// When the message could first be sent (RFC 4865).
fn born(job: &Job) -> Timestamp {
    let envelope = job.envelope();
    envelope.wishes.hold_until.map_or(envelope.received_at, |at| at.max(envelope.received_at))
}

/// Whether the time that the sender set is over.
fn is_late(job: &Job, now: Moment) -> bool {
    job.envelope().wishes.deliver_by.is_some_and(|by| by.at <= now.wall)
}

/// Whether it is, and the message was to come back then (RFC 2852).
pub(crate) fn is_too_late(job: &Job, now: Moment) -> bool {
    let by = job.envelope().wishes.deliver_by;
    is_late(job, now) && by.is_some_and(|by| by.mode == ByMode::Return)
}

/// Whether there is somebody to be told: RFC 5321 section 6.1 knows no report about a report.
fn has_reader(job: &Job) -> bool {
    job.envelope().sender.mailbox().is_some() && !matches!(job.origin(), Origin::Report)
}

/// What the sender is to hear of a success, if anything: what he asked for, as far as nobody
/// else will tell him (RFC 3461 sections 5.2.2 and 5.2.3); and that his time limit goes no
/// further (RFC 2852).
fn success(job: &Job, index: usize, verdict: &Verdict) -> Option<Action> {
    let envelope = job.envelope();
    let notify = envelope.recipients.get(index)?.notify;
    if !has_reader(job) {
        return None;
    }
    match verdict.onward {
        Onward::Delivered => notify.on_success().then_some(Action::Delivered),
        Onward::Relayed { dsn, deliver_by } => {
            let asked = notify.on_success() && !dsn;
            let timed = envelope.wishes.deliver_by.is_some_and(|by| by.trace || !deliver_by);
            (asked || (timed && !notify.is_never())).then_some(Action::Relayed)
        }
    }
}

/// What the spool knows of a recipient. It lists them in order.
fn remaining(job: &Job, index: usize) -> Option<&spool::Remaining> {
    let remaining = job.remaining();
    let place = remaining.binary_search_by_key(&index, |recipient| recipient.index).ok()?;
    remaining.get(place)
}

/// Attempts on a recipient before this one.
fn attempts(job: &Job, index: usize) -> u32 {
    remaining(job, index).map_or(0, |recipient| recipient.attempts)
}

fn is_delay_reported(job: &Job, index: usize) -> bool {
    remaining(job, index).is_some_and(|recipient| recipient.delay_reported)
}

/// One line for each recipient of each attempt.
fn log(job: &Job, index: usize, verdict: &Verdict, now: Moment, status: &'static str) {
    let envelope = job.envelope();
    let recipient = envelope.recipients.get(index).map(|r| r.mailbox.to_string());
    let delay = now.wall.duration_since(envelope.received_at).max(SignedDuration::ZERO);
    tracing::info!(
        target: "lastpost::relay",
        queue_id = %job.id(),
        recipient = ?recipient.unwrap_or_default(),
        relay = verdict.remote.as_deref().unwrap_or("local"),
        dsn = %verdict.status,
        status,
        delay = format_args!("{:.2}", delay.as_secs_f64()),
        attempts = attempts(job, index).saturating_add(1),
        text = ?verdict.text,
        "delivery"
    );
}
