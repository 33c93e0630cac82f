//! Limits as a check: how much an account or an address may send, and who is told of it.

use std::sync::Arc;

use address::Mailbox;
use auth::{Account, Answer, Login};
use limits::{Limits, Notice, Who};
use smtp_proto::server::Reply;
use spool::Report;

use crate::checks::{Charge, Check, Refused, Step, Verdict};
use crate::house::{House, Listening};
use crate::letter::Letter;

/// The limits of all listeners.
pub(crate) struct Guard {
    limits: Limits,
}

impl Guard {
    /// A check by `limits`.
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits }
    }
}

impl Check for Guard {
    fn login(&self, _listening: &Listening, login: &Login) -> Verdict {
        match self.limits.suspended(login.account.key()) {
            None => Verdict::Pass,
            Some(suspension) => suspended(Limits::suspended_text(&suspension), "suspended"),
        }
    }

    fn mail<'a>(&'a self, step: Step<'a>) -> Answer<'a, Verdict> {
        Box::pin(async move {
            let Some(who) = who(&step) else { return Verdict::Pass };
            of(self.limits.mail(&who, step.mail.at).await)
        })
    }

    fn recipient<'a>(
        &'a self,
        step: Step<'a>,
        recipient: &'a Mailbox,
        so_far: u32,
    ) -> Answer<'a, Verdict> {
        Box::pin(async move {
            let Some(who) = who(&step) else { return Verdict::Pass };
            let at = step.listening.house.clock.now();
            of(self.limits.recipient(&who, recipient, so_far, at).await)
        })
    }

    fn recipient_unknown(&self, step: Step<'_>) {
        if let Some(who) = who(&step) {
            self.limits.recipient_failed(&who, step.listening.house.clock.now());
        }
    }

    fn message<'a>(&'a self, step: Step<'a>, letter: &'a mut Letter) -> Answer<'a, Verdict> {
        Box::pin(async move {
            let Some(who) = who(&step) else { return Verdict::Pass };
            let at = step.listening.house.clock.now();
            let octets = letter.octets();
            let recipients: Vec<_> =
                letter.right.recipients().iter().map(|recipient| &recipient.mailbox).collect();
            let ruling = self.limits.message(&who, recipients, octets, at).await;
            if let Some(charge) = ruling.charge {
                letter.charges.push(Box::new(Kept(charge)));
            }
            of(ruling.verdict)
        })
    }
}

/// What a message counted, until it is on disk.
struct Kept(limits::Charge);

impl Charge for Kept {
    fn keep(self: Box<Self>) {
        self.0.keep();
    }
}

/// Who sends, as the limits see it; nobody's mail from elsewhere has none.
fn who<'a>(step: &Step<'a>) -> Option<Who<'a>> {
    let account = step.account?;
    let client = step.mail.client;
    Some(Who {
        account: account.key(),
        client: client.genuine_address.then_some(client.address),
        listener: &step.listening.name,
        profile: account.policy().limits.as_deref(),
    })
}

fn of(verdict: limits::Verdict) -> Verdict {
    match verdict {
        limits::Verdict::Pass => Verdict::Pass,
        limits::Verdict::Hold { reason } => Verdict::Hold { reason: format!("limit {reason}") },
        limits::Verdict::Defer { text, reason } => {
            Verdict::Refuse(Refused { reply: Reply::new(450, "4.7.1", text), reason })
        }
        limits::Verdict::Suspend { text, reason } => suspended(text, reason),
    }
}

/// RFC 5248: the account is disabled.
fn suspended(text: String, reason: &'static str) -> Verdict {
    Verdict::Refuse(Refused { reply: Reply::new(525, "5.7.13", text), reason })
}

/// Turns notices into mail, as long as it is let: to the customer's mailbox, and to the admin.
/// Another daemon of the house may have taken the notices before; then there is nothing to do.
pub(crate) async fn deliver_notices(limits: Limits, house: Arc<House>) {
    let Some(mut notices) = limits.notices() else { return };
    while let Some(notice) = notices.recv().await {
        let directory = house.authenticator.directory();
        let account = match directory.find(&notice.account).await {
            Ok(account) => account,
            Err(problem) => {
                tracing::warn!(target: "lastpost::limits", %problem, "no notice to the customer");
                None
            }
        };
        let customer = account.as_deref().and_then(|account: &Account| account.addresses().first());
        if let Some(customer) = customer {
            let salt = salt();
            let letter = notice.to_customer(&house.hostname, customer, salt);
            send(&house, &notice, customer.clone(), letter).await;
        }
        if let Some((admin, letter)) = notice.to_admin(&house.hostname, salt()) {
            send(&house, &notice, admin, letter).await;
        }
    }
}

async fn send(house: &House, notice: &Notice, to: Mailbox, letter: Vec<u8>) {
    let report = Report {
        smtputf8: !to.is_ascii(),
        eight_bit: !letter.is_ascii(),
        recipients: vec![to],
        body: letter.into(),
        at: notice.at,
        require_tls: false,
    };
    match house.spool.notify(report).await {
        Ok(queue_id) => tracing::info!(
            target: "lastpost::limits",
            %queue_id,
            account = notice.account.as_str(),
            limit = notice.limit.word(notice.scope),
            "notice queued"
        ),
        Err(error) => tracing::warn!(
            target: "lastpost::limits",
            %error,
            account = notice.account.as_str(),
            limit = notice.limit.word(notice.scope),
            "a notice could not be queued"
        ),
    }
}

/// Makes a Message-ID unlike others; without randomness the date in it must do.
fn salt() -> u64 {
    getrandom::u64().unwrap_or(0)
}
