//! From breaches to what is done: log, notice, suspension, verdict.

use std::sync::Arc;

use address::AccountKey;
use auth::Moment;

use super::{Core, Limits, Who};
use crate::config::Action;
use crate::judge::{Breach, strongest};
use crate::notice::{Happening, Notice};
use crate::suspension::Suspension;
use crate::texts;
use crate::verdict::Verdict;
use crate::window::REFUSED;

/// The reason of accounts that were suspended before.
const SUSPENDED: &str = "suspended";

impl Core {
    /// What a suspended account is told.
    pub(super) fn suspended_verdict(&self, account: &AccountKey) -> Option<Verdict> {
        let suspension = self.suspensions.get(account)?;
        Some(Verdict::Suspend { text: texts::suspended(suspension.since), reason: SUSPENDED })
    }
}

/// Another host took the last place between its answer and ours.
pub(super) fn refused_elsewhere() -> Verdict {
    let text = "A limit of this account is reached; try again in 1 minute".to_owned();
    Verdict::Defer { text, reason: "shared-limit" }
}

/// At which step the limits were asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Mail,
    Recipient,
    Message,
}

impl Limits {
    /// What is done about `breaches` at a step. Before the end of data only what refuses counts:
    /// the rest is judged again there.
    pub(super) async fn conclude(
        &self,
        who: &Who<'_>,
        breaches: Vec<Breach>,
        at: Moment,
        step: Step,
    ) -> Verdict {
        let done = &self.0.done;
        let breach = match strongest(&breaches).copied() {
            Some(breach) if breach.blocks() => breach,
            _ if step != Step::Message => return Verdict::Pass,
            None => {
                done.passed.add_one();
                return Verdict::Pass;
            }
            Some(breach) if breach.action == Action::Log => {
                done.logged.add_one();
                log(who, &breaches);
                return Verdict::Pass;
            }
            Some(breach) => breach,
        };
        let reason = breach.limit.word(breach.scope);
        log(who, std::slice::from_ref(&breach));
        let now = self.0.timeline.at(at);
        let (due, happening) = self.0.accounts.with(who.account, |tally| {
            if step != Step::Recipient && breach.blocks() {
                tally.windows.add_to(REFUSED, 1);
            }
            let happening = match breach.action {
                Action::Suspend => Happening::Suspended,
                Action::Defer => Happening::Deferred,
                Action::Hold | Action::Log => Happening::Held,
            };
            (tally.notice_due(breach.scope, breach.limit, now), happening)
        });
        let (verdict, tell) = match breach.action {
            Action::Suspend => self.suspend_for(who.account, &breach, at).await,
            Action::Defer => {
                done.deferred.add_one();
                (Verdict::Defer { text: texts::deferred(&breach), reason }, due)
            }
            Action::Hold | Action::Log => {
                done.held.add_one();
                (Verdict::Hold { reason }, due)
            }
        };
        if tell {
            self.0.give_notice(Notice {
                account: who.account.clone(),
                happening,
                scope: breach.scope,
                limit: breach.limit,
                most: breach.most,
                at: at.wall,
                language: self.0.language,
                admin: self.0.admin.clone(),
            });
        }
        verdict
    }

    /// Suspends; whether it was not suspended before.
    async fn suspend_for(
        &self,
        account: &AccountKey,
        breach: &Breach,
        at: Moment,
    ) -> (Verdict, bool) {
        let reason = breach.limit.word(breach.scope);
        let why = format!("more than {}", texts::english(breach.limit, breach.most));
        let suspension = Suspension::new(at.wall, &why, Some(reason));
        let text = texts::suspended(suspension.since);
        let new = self.suspend_with(account, suspension).await.unwrap_or_else(|error| {
            tracing::error!(
                target: "lastpost::limits",
                %account,
                %error,
                "a suspension could not be written down; it ends with this process"
            );
            true
        });
        if new {
            self.0.done.suspended.add_one();
        }
        (Verdict::Suspend { text, reason }, new)
    }

    /// Suspends, here and on the hosts that share.
    pub(crate) async fn suspend_with(
        &self,
        account: &AccountKey,
        suspension: Suspension,
    ) -> std::io::Result<bool> {
        let limit = suspension.limit.clone();
        let added = self.0.suspensions.add(account, suspension).await;
        if !matches!(added, Ok(false)) {
            let limit = limit.as_deref().unwrap_or("admin");
            tracing::warn!(target: "lastpost::limits", %account, limit, "account suspended");
        }
        if let Some(shared) = &self.0.shared {
            shared.wake();
        }
        added
    }

    /// The shared counters say that the account was suspended by another host, of which this one
    /// has not been told yet.
    pub(super) async fn suspended_elsewhere(&self, who: &Who<'_>, at: Moment) -> Verdict {
        if let Some(shared) = &self.0.shared {
            shared.wake();
        }
        let suspension = Suspension::new(at.wall, "suspended by another host", None);
        let since = self.0.suspensions.get(who.account).unwrap_or(suspension).since;
        Verdict::Suspend { text: texts::suspended(since), reason: SUSPENDED }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.0
    }
}

fn log(who: &Who<'_>, breaches: &[Breach]) {
    for breach in breaches {
        tracing::info!(
            target: "lastpost::limits",
            account = who.account.as_str(),
            rip = who.client.map(tracing::field::display),
            listener = who.listener,
            limit = breach.limit.word(breach.scope),
            action = %breach.action,
            count = breach.count,
            most = breach.most,
            wait_s = breach.wait,
            "limit reached"
        );
    }
}
