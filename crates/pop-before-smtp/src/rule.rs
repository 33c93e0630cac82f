//! The bridge as an authority: the consult with its effects on quota, ledger, log and metrics.

use std::sync::Arc;

use address::AccountKey;
use auth::{
    Allowance, Answer, Attempt, Permit, Ruling, Settlement, SubmissionAuthority, Unavailable,
};
use phaseout::{Access, Decision, Entry, Outcome};

use crate::NAME;
use crate::bridge::Bridge;
use crate::config::BridgeConfig;
use crate::consult::{Candidate, Verdict, consult, without_grant};
use crate::network::AddressKey;
use crate::open::Transaction;
use crate::refused::{Refused, Wording};
use crate::window::Unreserved;

/// The grant that allowed an attempt is no more.
struct Gone;

impl Bridge {
    /// The opinion on `attempt`, with its effects.
    pub async fn decide(&self, attempt: &Attempt<'_>) -> Ruling {
        let config = self.config.load_full();
        if !config.enabled {
            return Ruling::Abstain;
        }
        match self.consult(&config, attempt).await {
            Ok(ruling) => ruling,
            // Whatever cannot be decided is refused, for now.
            Err(unavailable) => {
                tracing::warn!(client = %attempt.client, problem = %unavailable, "not decided");
                self.refuse(&config, attempt, Refused::Busy)
            }
        }
    }

    async fn consult(
        &self,
        config: &BridgeConfig,
        attempt: &Attempt<'_>,
    ) -> Result<Ruling, Unavailable> {
        let candidates = self.candidates(config, attempt).await?;
        let helo = self.window.helo_mark(attempt.helo);
        let stranger = match consult(&config.policy, &config.schedule, &candidates, attempt, helo) {
            Verdict::Abstain => return Ok(Ruling::Abstain),
            Verdict::Allow(candidate, decision) => {
                match self.allow(config, candidate, &decision, attempt, helo) {
                    Ok(ruling) => return Ok(ruling),
                    // It was revoked, evicted or used up since it was looked at.
                    Err(Gone) => Refused::NoGrant { ends: None },
                }
            }
            Verdict::Refuse(refused, None) => refused,
            Verdict::Refuse(refused, Some((candidate, decision))) => {
                self.record_refusal(attempt, &candidate.grant.account, &decision, refused);
                return Ok(self.refuse(config, attempt, refused));
            }
        };
        self.refuse_stranger(config, attempt, stranger).await
    }

    async fn candidates(
        &self,
        config: &BridgeConfig,
        attempt: &Attempt<'_>,
    ) -> Result<Vec<Candidate>, Unavailable> {
        let address = AddressKey::new(attempt.client, config.policy.ipv6_prefix);
        let grants = self.window.grants_of(address, attempt.at.mono, config.policy.window);
        let mut candidates = Vec::with_capacity(grants.len());
        for grant in grants {
            let account = self.directory.find(&grant.account).await?;
            let account = account.filter(|account| !account.is_disabled());
            candidates.push(Candidate { grant, account });
        }
        Ok(candidates)
    }

    fn allow(
        &self,
        config: &BridgeConfig,
        candidate: &Candidate,
        decision: &Decision<'_>,
        attempt: &Attempt<'_>,
        helo: u32,
    ) -> Result<Ruling, Gone> {
        let (policy, grant) = (&config.policy, &candidate.grant);
        let refuse = |refused| {
            self.record_refusal(attempt, &grant.account, decision, refused);
            Ok(self.refuse(config, attempt, refused))
        };
        // Whoever owns the sender is an account that exists.
        let Some(account) = candidate.account.clone() else {
            return refuse(Refused::SenderNotOwned);
        };
        let pin = policy.helo_pin.then_some(helo);
        let reserved = match self.window.reserve(grant, &policy.quota, pin) {
            Ok(reserved) => reserved,
            Err(Unreserved::Gone) => return Err(Gone),
            Err(Unreserved::Helo) => return refuse(Refused::HeloChanged),
            Err(Unreserved::Messages) => {
                return refuse(Refused::MessageQuota { limit: policy.quota.messages });
            }
            Err(Unreserved::Recipients) => {
                return refuse(Refused::RecipientQuota { limit: policy.quota.recipients });
            }
        };
        let transaction = Transaction::new(grant.clone(), reserved, attempt, decision);
        if let Err(transaction) = self.open.begin(attempt, transaction) {
            self.window.settle(&transaction.grant, transaction.reserved, None);
            return refuse(Refused::Busy);
        }
        self.counters.allowed();
        tracing::info!(
            client = %attempt.client,
            account = %grant.account,
            sender = ?attempt.sender.to_string(),
            helo = ?attempt.helo,
            cohort = %decision.cohort.name(),
            phase = %decision.phase,
            "submission allowed by a grant"
        );
        Ok(Ruling::Allow(Allowance { account, recipients_max: Some(u32::from(reserved)) }))
    }

    /// Refuses somebody who has no grant here. If the phase of the sender's owner refuses him,
    /// he reads that, for fetching mail would not help. For a sender that is nobody's the
    /// schedule answers as for an account of that name, so that the reply does not tell the
    /// two apart more than it must.
    async fn refuse_stranger(
        &self,
        config: &BridgeConfig,
        attempt: &Attempt<'_>,
        refused: Refused,
    ) -> Result<Ruling, Unavailable> {
        let lacks_grant = matches!(refused, Refused::NoGrant { .. } | Refused::SenderNotOwned);
        let Some(sender) = attempt.sender.mailbox().filter(|_| lacks_grant) else {
            return Ok(self.refuse(config, attempt, refused));
        };
        let in_words_of = |account: &AccountKey| {
            let words = without_grant(&config.schedule, account, attempt);
            match (refused, words) {
                (Refused::SenderNotOwned, Refused::NoGrant { .. }) => refused,
                _ => words,
            }
        };
        let owner = self.directory.owners(sender).await?.into_iter().next();
        let Some(owner) = owner else {
            let name = AccountKey::parse(&sender.to_string(), None);
            let refused = name.map_or(refused, |name| in_words_of(&name));
            return Ok(self.refuse(config, attempt, refused));
        };
        let refused = in_words_of(owner.key());
        let decision = config.schedule.phase_of(owner.key(), attempt.at.wall);
        self.record_refusal(attempt, owner.key(), &decision, refused);
        Ok(self.refuse(config, attempt, refused))
    }

    fn refuse(&self, config: &BridgeConfig, attempt: &Attempt<'_>, refused: Refused) -> Ruling {
        self.counters.refused(&refused);
        tracing::info!(
            client = %attempt.client,
            sender = ?attempt.sender.to_string(),
            helo = ?attempt.helo,
            reason = refused.reason(),
            "submission without authentication refused"
        );
        let wording = Wording {
            zone: config.schedule.zone(),
            window: config.policy.window,
            help_url: config.policy.help_url.as_deref(),
            brownout: config.policy.brownout_reply,
        };
        Ruling::Refuse(refused.reply(&wording))
    }

    fn record_refusal(
        &self,
        attempt: &Attempt<'_>,
        account: &AccountKey,
        decision: &Decision<'_>,
        refused: Refused,
    ) {
        self.recorder.record_entry(Entry {
            at: attempt.at.wall,
            client: attempt.client,
            account: account.clone(),
            access: Access::Legacy,
            method: NAME,
            helo: attempt.helo.into(),
            extended: attempt.extended,
            cohort: Arc::clone(decision.cohort.name()),
            phase: decision.phase,
            outcome: Outcome::Refused(refused.reason()),
            sender: attempt.sender.mailbox().map(|sender| sender.to_string().into()),
        });
    }

    /// Ends a transaction: gives back what it did not use, and records what it did.
    pub fn settle_permit(&self, permit: &Permit, settlement: Settlement) {
        let Some(transaction) = self.open.end(permit) else { return };
        let used = settlement.accepted.then_some(settlement.recipients);
        self.window.settle(&transaction.grant, transaction.reserved, used);
        if !settlement.accepted {
            return;
        }
        self.counters.accepted();
        self.recorder.record_entry(Entry {
            at: permit.at().wall,
            client: permit.client(),
            account: transaction.grant.account,
            access: Access::Legacy,
            method: NAME,
            helo: transaction.helo,
            extended: transaction.extended,
            cohort: transaction.cohort,
            phase: transaction.phase,
            outcome: Outcome::Allowed,
            sender: Some(transaction.sender),
        });
    }
}

impl SubmissionAuthority for Bridge {
    fn name(&self) -> &'static str {
        NAME
    }

    fn rule<'a>(&'a self, attempt: &'a Attempt<'a>) -> Answer<'a, Ruling> {
        Box::pin(self.decide(attempt))
    }

    fn settle(&self, permit: &Permit, settlement: Settlement) {
        self.settle_permit(permit, settlement);
    }
}
