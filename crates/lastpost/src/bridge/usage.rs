//! retire: whole file
//! What SMTP AUTH does, in the same ledger as the grants: so that it is seen who has moved.

use std::sync::Arc;

use auth::{Attempt, Permit, Refusal, RulingObserver, Settlement, SmtpAuth};
use phaseout::{Access, Outcome, UsageRecorder, Use};

/// Records each message that was accepted by SMTP AUTH.
pub(super) struct AuthUsage {
    recorder: Arc<UsageRecorder>,
}

impl AuthUsage {
    pub(super) fn new(recorder: Arc<UsageRecorder>) -> Self {
        Self { recorder }
    }
}

impl RulingObserver for AuthUsage {
    fn on_ruling(&self, _attempt: &Attempt<'_>, _outcome: Result<&Permit, &Refusal>) {}

    fn on_settlement(&self, permit: &Permit, settlement: Settlement) {
        if permit.authority() != SmtpAuth::NAME || !settlement.accepted {
            return;
        }
        let sender = permit.sender().mailbox().map(ToString::to_string);
        self.recorder.record(&Use {
            at: permit.at().wall,
            client: permit.client(),
            account: permit.account().key(),
            access: Access::Modern,
            method: SmtpAuth::NAME,
            helo: permit.helo(),
            extended: permit.extended(),
            outcome: Outcome::Allowed,
            sender: sender.as_deref(),
        });
    }
}
