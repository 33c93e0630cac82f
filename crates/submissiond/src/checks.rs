//! What is asked beside the authorities before a step is granted: limits, filters.
//!
//! Each is a [`Check`]; a listener has a list of them, asked in order. Adding one changes no
//! other, and a listener without any asks nobody.

use std::sync::Arc;

use address::Mailbox;
use auth::{Account, Answer, Login};
use smtp_proto::server::Reply;

use crate::house::Listening;
use crate::letter::Letter;
use crate::transaction::Mail;

/// What a check says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing against it.
    Pass,
    /// It goes on, but the message is held in the queue until somebody has looked at it.
    Hold {
        /// For the log and the queue.
        reason: String,
    },
    /// No.
    Refuse(Refused),
    /// At the end of data alone: the client is told yes, and the message is dropped.
    Discard {
        /// A stable word for the log.
        reason: &'static str,
    },
}

/// A refusal: what the client is told, and what the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// `4xx` or `5xx`.
    pub(crate) reply: Reply,
    /// A stable word for log and metrics.
    pub(crate) reason: &'static str,
}

/// A transaction at one of its steps.
#[derive(Clone, Copy)]
pub(crate) struct Step<'a> {
    /// Where it came in.
    pub(crate) listening: &'a Listening,
    /// What `MAIL` said, and of the client.
    pub(crate) mail: &'a Mail,
    /// In whose name; `None`: mail from elsewhere to mailboxes that are here.
    pub(crate) account: Option<&'a Arc<Account>>,
}

/// Somebody who is asked. Each question that one has no opinion on passes.
pub(crate) trait Check: Send + Sync {
    /// The password was right: may the account use the service? Must not block.
    fn login(&self, _listening: &Listening, _login: &Login) -> Verdict {
        Verdict::Pass
    }

    /// `MAIL`, permitted by an authority.
    fn mail<'a>(&'a self, _step: Step<'a>) -> Answer<'a, Verdict> {
        pass()
    }

    /// `RCPT` of a recipient that would be accepted; `so_far` recipients were.
    fn recipient<'a>(
        &'a self,
        _step: Step<'a>,
        _recipient: &'a Mailbox,
        _so_far: u32,
    ) -> Answer<'a, Verdict> {
        pass()
    }

    /// `RCPT` of an address in a domain of ours that nobody has. Must not block.
    fn recipient_unknown(&self, _step: Step<'_>) {}

    /// The end of data: the message as it will be stored, which may be changed.
    fn message<'a>(&'a self, _step: Step<'a>, _letter: &'a mut Letter) -> Answer<'a, Verdict> {
        pass()
    }
}

/// What a check did for a message that it let pass, and takes back when this is dropped: the
/// message was refused after all, or could not be stored.
pub(crate) trait Charge: Send + Sync {
    /// The message is on disk.
    fn keep(self: Box<Self>);
}

/// No opinion.
pub(crate) fn pass<'a>() -> Answer<'a, Verdict> {
    Box::pin(std::future::ready(Verdict::Pass))
}

/// A listener's checks in order.
#[derive(Clone, Default)]
pub(crate) struct Checks(Arc<[Arc<dyn Check>]>);

/// What the list as a whole says: nobody refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Why it is to be held, if it is; the first reason given.
    pub(crate) hold: Option<String>,
    /// Whether it is to be dropped in silence, and why.
    pub(crate) discard: Option<&'static str>,
}

impl Passed {
    /// Takes a verdict down; whether to ask on.
    fn note(&mut self, verdict: Verdict) -> Result<bool, Refused> {
        match verdict {
            Verdict::Pass => Ok(true),
            Verdict::Hold { reason } => {
                self.hold.get_or_insert(reason);
                Ok(true)
            }
            Verdict::Refuse(refused) => Err(refused),
            Verdict::Discard { reason } => {
                self.discard = Some(reason);
                Ok(false)
            }
        }
    }
}

impl Checks {
    pub(crate) fn new(checks: Vec<Arc<dyn Check>>) -> Self {
        Self(checks.into())
    }

    /// Asks about a login.
    pub(crate) fn login(&self, listening: &Listening, login: &Login) -> Result<(), Refused> {
        let mut passed = Passed::default();
        for check in self.0.iter() {
            passed.note(check.login(listening, login))?;
        }
        Ok(())
    }

    /// Asks about `MAIL`.
    pub(crate) async fn mail(&self, step: Step<'_>) -> Result<Passed, Refused> {
        let mut passed = Passed::default();
        for check in self.0.iter() {
            if !passed.note(check.mail(step).await)? {
                break;
            }
        }
        Ok(passed)
    }

    /// Asks about `RCPT`.
    pub(crate) async fn recipient(
        &self,
        step: Step<'_>,
        recipient: &Mailbox,
        so_far: u32,
    ) -> Result<Passed, Refused> {
        let mut passed = Passed::default();
        for check in self.0.iter() {
            if !passed.note(check.recipient(step, recipient, so_far).await)? {
                break;
            }
        }
        Ok(passed)
    }

    /// Tells of an address that nobody has.
    pub(crate) fn recipient_unknown(&self, step: Step<'_>) {
        for check in self.0.iter() {
            check.recipient_unknown(step);
        }
    }

    /// Asks about the message. Whoever comes later sees what those before have changed.
    pub(crate) async fn message(
        &self,
        step: Step<'_>,
        letter: &mut Letter,
    ) -> Result<Passed, Refused> {
        let mut passed = Passed::default();
        for check in self.0.iter() {
            if !passed.note(check.message(step, letter).await)? {
                break;
            }
        }
        Ok(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO: Refused = Refused { reply: Reply::LOCAL_ERROR, reason: "no" };

    fn hold(reason: &str) -> Verdict {
        Verdict::Hold { reason: reason.to_owned() }
    }

    #[test]
    fn the_first_reason_holds_and_the_others_are_asked_all_the_same() {
        let mut passed = Passed::default();
        for verdict in [Verdict::Pass, hold("first"), hold("second")] {
            assert_eq!(passed.note(verdict), Ok(true));
        }
        assert_eq!(passed, Passed { hold: Some("first".to_owned()), discard: None });
        // Whoever held it does not keep another from refusing it.
        assert_eq!(passed.note(Verdict::Refuse(NO)), Err(NO));
    }

    #[test]
    fn what_is_dropped_is_shown_to_nobody_else() {
        let mut passed = Passed::default();
        assert_eq!(passed.note(hold("spam")), Ok(true));
        assert_eq!(passed.note(Verdict::Discard { reason: "worse" }), Ok(false));
        assert_eq!(passed.discard, Some("worse"));
    }
}
