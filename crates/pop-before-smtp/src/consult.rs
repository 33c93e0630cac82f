//! The consult: may this attempt send by one of the grants of its address? A pure function.

use std::sync::Arc;

use address::AccountKey;
use auth::{Account, Attempt};
use phaseout::{Decision, Exception, Phase, Schedule};

use crate::config::Policy;
use crate::refused::Refused;
use crate::window::Grant;

/// A grant of the attempt's address, and the account as the directory knows it now.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The grant.
    pub grant: Grant,
    /// Its account; `None` if there is none of that name any more, or it is disabled.
    pub account: Option<Arc<Account>>,
}

/// What the consult says.
#[derive(Clone, Copy, Debug)]
pub enum Verdict<'a> {
    /// Somebody authenticated in this session, or tried to: grants have no say.
    Abstain,
    /// By this grant.
    Allow(&'a Candidate, Decision<'a>),
    /// No. With the grant that came nearest, if there is one.
    Refuse(Refused, Option<(&'a Candidate, Decision<'a>)>),
}

/// May `attempt` send by one of `candidates`, the grants of its address? No two of them are
/// of the same account.
///
/// The order: excluded network, live grant, owner of the sender, phase, brownout, sharing,
/// HELO pin, quotas. `helo` is the mark of the attempt's HELO, see
/// [`Window::helo_mark`](crate::Window::helo_mark). The answer about pin and quotas is
/// provisional: the window decides when it reserves.
#[must_use]
pub fn consult<'a>(
    policy: &Policy,
    schedule: &'a Schedule,
    candidates: &'a [Candidate],
    attempt: &Attempt<'_>,
    helo: u32,
) -> Verdict<'a> {
    // A session that authenticated needs no grant; one that failed must not fall back to one.
    if attempt.login.is_some() || attempt.failed_auth {
        return Verdict::Abstain;
    }
    if !attempt.genuine_address {
        return Verdict::Refuse(Refused::AddressUnknown, None);
    }
    if policy.never.contains(attempt.client) || policy.excluded.contains(attempt.client) {
        return Verdict::Refuse(Refused::ExcludedNetwork, None);
    }
    let live = || {
        let is_live = |c: &&Candidate| c.grant.is_live(attempt.at.mono, policy.window);
        candidates.iter().filter(is_live)
    };
    if live().next().is_none() {
        return Verdict::Refuse(Refused::NoGrant { ends: None }, None);
    }
    let Some(sender) = attempt.sender.mailbox() else {
        return Verdict::Refuse(Refused::NullSender, None);
    };
    let owns = |candidate: &&Candidate| {
        candidate.account.as_ref().is_some_and(|account| account.owns(sender))
    };
    let shared = live().count() > usize::from(policy.accounts_per_address);
    // Several accounts may own one address: the first that may send does.
    let mut refused = None;
    for candidate in live().filter(owns) {
        let decision = schedule.phase_of(&candidate.grant.account, attempt.at.wall);
        match refusal_of(policy, candidate, &decision, shared, helo) {
            None => return Verdict::Allow(candidate, decision),
            Some(reason) => _ = refused.get_or_insert((reason, candidate, decision)),
        }
    }
    match refused {
        Some((reason, candidate, decision)) => Verdict::Refuse(reason, Some((candidate, decision))),
        None => Verdict::Refuse(Refused::SenderNotOwned, None),
    }
}

/// Why the grant of the sender's owner does not count.
fn refusal_of(
    policy: &Policy,
    candidate: &Candidate,
    decision: &Decision<'_>,
    shared: bool,
    helo: u32,
) -> Option<Refused> {
    let grant = &candidate.grant;
    if let Some(refused) = phase_refusal(decision) {
        return Some(refused);
    }
    if shared {
        return Some(Refused::SharedAddress { limit: policy.accounts_per_address });
    }
    if policy.helo_pin && grant.helo != 0 && grant.helo != helo {
        return Some(Refused::HeloChanged);
    }
    if grant.messages >= policy.quota.messages {
        return Some(Refused::MessageQuota { limit: policy.quota.messages });
    }
    if grant.recipients >= policy.quota.recipients {
        return Some(Refused::RecipientQuota { limit: policy.quota.recipients });
    }
    None
}

/// Why the account's phase refuses, if it does.
pub(crate) fn phase_refusal(decision: &Decision<'_>) -> Option<Refused> {
    match (decision.phase, decision.brownout) {
        (Phase::Closed, _) => Some(Refused::Closed {
            since: decision.since,
            early: matches!(decision.exception, Some(Exception::EarlyClosing(_))),
        }),
        (Phase::Brownout, Some(brownout)) => {
            Some(Refused::Brownout { until: brownout.until, ends: end_of(decision) })
        }
        _ => None,
    }
}

/// What to say to a sender without a grant: if the phase of his account refuses him, fetching
/// mail first would not help, and he must read that.
pub(crate) fn without_grant(
    schedule: &Schedule,
    owner: &AccountKey,
    attempt: &Attempt<'_>,
) -> Refused {
    let decision = schedule.phase_of(owner, attempt.at.wall);
    phase_refusal(&decision).unwrap_or(Refused::NoGrant { ends: end_of(&decision) })
}

/// When the account is closed, if the file says so.
fn end_of(decision: &Decision<'_>) -> Option<jiff::Timestamp> {
    match decision.exception {
        // Its own end, not its cohort's.
        Some(Exception::Extension(extension)) => {
            let closed = decision.cohort.start_of(Phase::Closed)?;
            Some(closed.max(extension.until))
        }
        _ => decision.cohort.start_of(Phase::Closed),
    }
}
