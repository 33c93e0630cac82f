//! One attempt from its first word to its answer: who it is counted for, when it may begin, and
//! when it is answered.

use std::time::Duration;

use address::AccountKey;
use tokio::time::Instant;

use super::decide::{Outcome, Reason};
use super::{Denied, Origin, Shared, later, service, shown};
use crate::queue::Standing;
use crate::throttle::{Admitted, Counted, PutOff, Source, Subject};
use crate::{Login, Moment};

/// An attempt that was let in.
pub(crate) struct Case {
    /// As it was typed.
    pub(crate) login: String,
    pub(crate) origin: Origin,
    /// When it was let in.
    pub(crate) at: Moment,
    /// The account that is to be opened; none if the name cannot be an account's.
    pub(crate) key: Option<AccountKey>,
    /// Who opens it, if that is not the account itself.
    pub(crate) master: Option<AccountKey>,
    pub(crate) source: Source,
    pub(super) subject: Subject,
    pub(crate) standing: Standing,
    /// From here the answer to a failure is held back, so that it comes at the same time
    /// whatever was computed, asked or not found before.
    pub(crate) begun: Instant,
}

impl Shared {
    /// Counts an attempt and lets it in, at once or after a wait.
    ///
    /// # Errors
    /// [`Denied::Busy`]: too many wait at this network, or altogether.
    pub(crate) async fn open_case(
        &self,
        login: &str,
        origin: &Origin,
        at: Moment,
    ) -> Result<Case, Denied> {
        self.counts.attempts.add();
        let client = origin.client.to_canonical();
        let (name, master) = match &self.masters {
            Some(masters) => masters.split(login, client),
            None => (login, None),
        };
        let key = self.directory.key(name).ok();
        let subject = self.throttle.subject(origin, master.as_ref().or(key.as_ref()));
        let standing = self.throttle.standing(&subject, at.mono);
        let admitted = match self.throttle.admit(&subject, standing, at) {
            Ok(admitted) => admitted,
            Err(why) => return Err(self.put_off(login, origin, why.as_str())),
        };
        let Admitted { wait, place } = admitted;
        if !self.throttle.hold_back(wait).await {
            return Err(self.put_off(login, origin, PutOff::Overloaded.as_str()));
        }
        drop(place);
        Ok(Case {
            login: login.to_owned(),
            origin: Origin { client, ..*origin },
            at: later(at, wait),
            key,
            master,
            source: Source::from(client),
            subject,
            standing,
            begun: Instant::now(),
        })
    }

    /// Answers: counts, logs, and holds a failure back.
    ///
    /// # Errors
    /// Why nobody is logged in.
    pub(crate) async fn close_case(&self, case: &Case, outcome: Outcome) -> Result<Login, Denied> {
        match outcome {
            Outcome::Accepted(account) if account.must_change() && case.master.is_none() => {
                self.throttle.succeeded(&case.subject, &case.origin, case.at);
                self.log_must_change(case);
                Err(Denied::MustChange { url: self.must_change_url.clone() })
            }
            Outcome::Accepted(account) | Outcome::WithoutPassword(account) => {
                self.counts.succeeded.add();
                self.throttle.succeeded(&case.subject, &case.origin, case.at);
                if let Some(master) = &case.master {
                    self.log_master(case, master);
                }
                Ok(Login {
                    account,
                    client: case.origin.client,
                    channel: case.origin.channel,
                    at: case.at,
                    acting: case.master.clone(),
                })
            }
            Outcome::Failed { reason, wrong } => {
                let who = (&case.origin, shown(&case.login));
                let Case { subject, standing, at, .. } = case;
                let counted = self.throttle.failed(subject, *standing, wrong.as_ref(), who, *at);
                let Counted { delay, repeated } = counted;
                self.log_failure(&case.login, &case.origin, reason, repeated);
                let passed = case.begun.elapsed();
                self.throttle.hold_back(delay.saturating_sub(passed)).await;
                Err(Denied::Invalid)
            }
            Outcome::PutOff(why) => Err(self.put_off(&case.login, &case.origin, why)),
            Outcome::Unavailable(why) => {
                self.counts.unavailable.add();
                tracing::warn!(
                    target: "lastpost::auth",
                    user = ?shown(&case.login),
                    rip = %case.origin.client,
                    service = service(&case.origin),
                    problem = %why,
                    "login not decided"
                );
                Err(Denied::Unavailable)
            }
        }
    }

    /// The one line about a failed login, which the shipped fail2ban filter matches; unless it
    /// is repeated: an old password in a telephone must not have a customer banned.
    fn log_failure(&self, login: &str, origin: &Origin, reason: Reason, repeated: bool) {
        match reason {
            Reason::Unknown | Reason::Malformed => self.counts.unknown.add(),
            Reason::Disabled => self.counts.disabled.add(),
            Reason::Wrong | Reason::Changed | Reason::ChannelBinding => self.counts.wrong.add(),
        }
        tracing::info!(
            target: "lastpost::auth",
            user = ?shown(login),
            rip = %origin.client,
            service = service(origin),
            tls = origin.channel.tls,
            reason = reason.as_str(),
            repeated = repeated.then_some(true),
            "login failed"
        );
    }

    fn log_must_change(&self, case: &Case) {
        self.counts.must_change.add();
        tracing::info!(
            target: "lastpost::auth",
            user = ?shown(&case.login),
            rip = %case.origin.client,
            service = service(&case.origin),
            "login refused until the password is changed"
        );
    }

    fn log_master(&self, case: &Case, master: &AccountKey) {
        self.counts.master.add();
        tracing::info!(
            target: "lastpost::auth",
            user = ?shown(&case.login),
            %master,
            rip = %case.origin.client,
            service = service(&case.origin),
            "master user logged in"
        );
    }

    pub(super) fn put_off(&self, login: &str, origin: &Origin, why: &'static str) -> Denied {
        self.counts.busy.add();
        tracing::debug!(
            target: "lastpost::auth",
            user = ?shown(login),
            rip = %origin.client.to_canonical(),
            service = service(origin),
            reason = why,
            "login put off"
        );
        Denied::Busy
    }
}

impl Case {
    /// When it was let in, on the monotonic clock.
    pub(super) fn now(&self) -> Duration {
        self.at.mono
    }
}
