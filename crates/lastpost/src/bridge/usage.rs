//! retire: whole file
//! What SMTP AUTH does, in the same ledger as the grants: so that it is seen who has moved.

use std::sync::Arc;

use auth::{Attempt, Permit, Refusal, RulingObserver, SmtpAuth};
use phaseout::{Access, Outcome, UsageRecorder, Use};

/// Records each message that SMTP AUTH permitted.
pub(super) struct AuthUsage {
    recorder: Arc<UsageRecorder>,
}

impl AuthUsage {
    pub(super) fn new(recorder: Arc<UsageRecorder>) -> Self {
        Self { recorder }
    }
}

impl RulingObserver for AuthUsage {
    fn on_ruling(&self, attempt: &Attempt<'_>, outcome: Result<&Permit, &Refusal>) {
        let Ok(permit) = outcome else { return };
        if permit.authority() != SmtpAuth::NAME {
            return;
        }
        let sender = attempt.sender.to_string();
        self.recorder.record(&Use {
            at: attempt.at.wall,
            client: attempt.client,
            account: permit.account().key(),
            access: Access::Modern,
            method: SmtpAuth::NAME,
            helo: attempt.helo,
            extended: attempt.extended,
            outcome: Outcome::Allowed,
            sender: Some(&sender),
        });
    }
}
