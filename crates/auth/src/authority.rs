//! May this attempt send? An ordered chain of authorities, each of which may abstain, and the
//! permit that only this module makes.

use std::net::IpAddr;
use std::sync::Arc;

use address::{Mailbox, ReversePath};

use crate::{Account, Answer, Login, Moment};

/// One `MAIL FROM`, and all that an authority may know of it.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The client's address (IPv4-mapped IPv6 already turned into IPv4).
    pub client: IpAddr,
    /// As in [`crate::Channel::genuine_address`].
    pub genuine_address: bool,
    /// The session's own SMTP AUTH, if it succeeded.
    pub login: Option<&'a Login>,
    /// Whether an AUTH failed in this session and none succeeded since.
    pub failed_auth: bool,
    /// The envelope sender.
    pub sender: &'a ReversePath,
    /// What the client called itself in HELO or EHLO.
    pub helo: &'a str,
    /// Whether the greeting was EHLO: after HELO there is no AUTH.
    pub extended: bool,
    /// Whether the session is under TLS.
    pub tls: bool,
    /// Name of the listener.
    pub listener: &'a str,
    /// When `MAIL` came.
    pub at: Moment,
}

/// Why an attempt may not send: what the client is told, and what the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// SMTP reply code.
    pub code: u16,
    /// Enhanced status code (RFC 3463), such as `5.7.1`.
    pub enhanced: &'static str,
    /// Text for the customer: what happened, since when, what to switch on. One line or
    /// several separated by `\n`; printable, without CR.
    pub text: String,
    /// A stable word for log and metrics, such as `no-grant`.
    pub reason: &'static str,
}

/// An authority's opinion.
#[derive(Clone, Debug)]
pub enum Ruling {
    /// No opinion: the next one in the chain is asked.
    Abstain,
    /// This account may send.
    Allow(Allowance),
    /// Nobody may: the chain ends here.
    Refuse(Refusal),
}

/// What an authority grants: for which account, and within which bounds.
#[derive(Clone, Debug)]
pub struct Allowance {
    /// The account in whose name the message is sent.
    pub account: Arc<Account>,
    /// At most this many recipients for the message; `None`: the listener's own limit alone.
    pub recipients_max: Option<u32>,
}

/// How a permitted transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Whether the message was accepted (and is on disk).
    pub accepted: bool,
    /// Recipients of the message.
    pub recipients: u32,
    /// Octets of the message as stored.
    pub octets: u64,
}

/// May this attempt send? First opinion wins (RFC 6409 section 3.3: authorized submission).
pub trait SubmissionAuthority: Send + Sync {
    /// The name that configuration, log and envelope use.
    fn name(&self) -> &'static str;

    /// The opinion on `attempt`.
    fn rule<'a>(&'a self, attempt: &'a Attempt<'a>) -> Answer<'a, Ruling>;

    /// Told how the transaction of a permit of this authority ended. Must not block.
    fn settle(&self, _permit: &Permit, _settlement: Settlement) {}
}

/// Told of every ruling that ended a chain: for ledger, log and metrics. Must not block.
pub trait RulingObserver: Send + Sync {
    /// `attempt` was permitted or refused.
    fn on_ruling(&self, attempt: &Attempt<'_>, outcome: Result<&Permit, &Refusal>);

    /// A permitted message was accepted or given up.
    fn on_settlement(&self, _permit: &Permit, _settlement: Settlement) {}
}

/// The right to put one message into the spool. Only [`authorize`] makes one.
#[derive(Debug)]
pub struct Permit {
    account: Arc<Account>,
    authority: &'static str,
    client: IpAddr,
    at: Moment,
    sender: ReversePath,
    helo: Box<str>,
    extended: bool,
    recipients_max: Option<u32>,
}

impl Permit {
    /// The account in whose name the message is sent.
    #[must_use]
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Name of the authority that allowed it.
    #[must_use]
    pub fn authority(&self) -> &'static str {
        self.authority
    }

    /// The client's address.
    #[must_use]
    pub fn client(&self) -> IpAddr {
        self.client
    }

    /// When it was ruled.
    #[must_use]
    pub fn at(&self) -> Moment {
        self.at
    }

    /// The envelope sender that was ruled upon.
    #[must_use]
    pub fn sender(&self) -> &ReversePath {
        &self.sender
    }

    /// What the client called itself in HELO or EHLO.
    #[must_use]
    pub fn helo(&self) -> &str {
        &self.helo
    }

    /// As [`Attempt::extended`].
    #[must_use]
    pub fn extended(&self) -> bool {
        self.extended
    }

    /// At most this many recipients, beside the listener's own limit.
    #[must_use]
    pub fn recipients_max(&self) -> Option<u32> {
        self.recipients_max
    }

    /// Whether the account may write this address into the envelope or `From`.
    #[must_use]
    pub fn may_send_as(&self, address: &Mailbox) -> bool {
        self.account.may_send_as(address)
    }
}

/// The authorities of one listener in order, and who is told of their rulings.
#[derive(Clone, Default)]
pub struct Chain {
    authorities: Vec<Arc<dyn SubmissionAuthority>>,
    observers: Vec<Arc<dyn RulingObserver>>,
}

impl Chain {
    /// A chain of `authorities`, asked in this order.
    #[must_use]
    pub fn new(
        authorities: Vec<Arc<dyn SubmissionAuthority>>,
        observers: Vec<Arc<dyn RulingObserver>>,
    ) -> Self {
        Self { authorities, observers }
    }

    /// Names of the authorities in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.authorities.iter().map(|authority| authority.name())
    }

    /// Tells the permit's authority and the observers how the transaction ended.
    pub fn settle(&self, permit: &Permit, settlement: Settlement) {
        for authority in self.authorities.iter().filter(|a| a.name() == permit.authority) {
            authority.settle(permit, settlement);
        }
        for observer in &self.observers {
            observer.on_settlement(permit, settlement);
        }
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// Asks the chain, and makes the permit if it allows.
///
/// # Errors
/// The first refusal, or `530 5.7.0` when every authority abstained (RFC 6409 section 4.3).
pub async fn authorize(chain: &Chain, attempt: &Attempt<'_>) -> Result<Permit, Refusal> {
    let outcome = ask(chain, attempt).await;
    for observer in &chain.observers {
        observer.on_ruling(attempt, outcome.as_ref());
    }
    outcome
}

async fn ask(chain: &Chain, attempt: &Attempt<'_>) -> Result<Permit, Refusal> {
    for authority in &chain.authorities {
        match authority.rule(attempt).await {
            Ruling::Abstain => {}
            Ruling::Refuse(refusal) => return Err(refusal),
            Ruling::Allow(Allowance { account, recipients_max }) => {
                return Ok(Permit {
                    account,
                    authority: authority.name(),
                    client: attempt.client,
                    at: attempt.at,
                    sender: attempt.sender.clone(),
                    helo: attempt.helo.into(),
                    extended: attempt.extended,
                    recipients_max,
                });
            }
        }
    }
    Err(Refusal {
        code: 530,
        enhanced: "5.7.0",
        text: "Authentication required: switch on SMTP authentication with your mail address \
               and password in the outgoing server settings"
            .to_owned(),
        reason: "no-authority",
    })
}

/// SMTP AUTH as an authority: the session's own login sends as the account's own addresses.
///
/// It has an opinion wherever somebody tried to authenticate, so that no later authority is
/// asked after a successful login, nor after a failed one.
#[derive(Debug, Default)]
pub struct SmtpAuth;

impl SmtpAuth {
    /// The name in configuration, log and envelope.
    pub const NAME: &'static str = "smtp-auth";
}

impl SubmissionAuthority for SmtpAuth {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn rule<'a>(&'a self, attempt: &'a Attempt<'a>) -> Answer<'a, Ruling> {
        Box::pin(std::future::ready(rule_smtp_auth(attempt)))
    }
}

fn rule_smtp_auth(attempt: &Attempt<'_>) -> Ruling {
    let Some(login) = attempt.login else {
        if !attempt.failed_auth {
            return Ruling::Abstain;
        }
        return Ruling::Refuse(Refusal {
            code: 530,
            enhanced: "5.7.0",
            text: "Authentication failed in this session: check the user name and the password \
                   of the outgoing server"
                .to_owned(),
            reason: "auth-failed-before",
        });
    };
    match attempt.sender {
        // RFC 6409 section 3.2: the null sender must not by itself be refused.
        ReversePath::Null => {}
        ReversePath::Mailbox(mailbox) if login.account.may_send_as(mailbox) => {}
        ReversePath::Mailbox(mailbox) => {
            return Ruling::Refuse(Refusal {
                code: 550,
                enhanced: "5.7.1",
                text: format!("{} may not send as <{mailbox}>", login.account.key()),
                reason: "sender-not-owned",
            });
        }
        // RFC 6409 section 4.2: the envelope has fully qualified domains. The daemon completes
        // what it may before it asks.
        ReversePath::Unqualified(_) => {
            return Ruling::Refuse(Refusal {
                code: 554,
                enhanced: "5.1.8",
                text: "The sender address needs a domain".to_owned(),
                reason: "sender-unqualified",
            });
        }
    }
    Ruling::Allow(Allowance { account: Arc::clone(&login.account), recipients_max: None })
}

#[cfg(test)]
mod tests;
