//! What sessions share: the daemon's means, and those of the listener.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use address::{ForwardPath, Mailbox, ReversePath};
use auth::{Account, Authenticator, Chain, Clock, DomainSet, Unavailable};
use dkim::Signer;
use ipnet::IpNet;
use netio::Tls;
use smtp_proto::server::{Parameters, Reply};
use spool::Spool;

use crate::ProtocolConfig;
use crate::checks::Checks;
use crate::header_options::HeaderOptions;
use crate::statistics::Counters;

/// The daemon's means.
pub(crate) struct House {
    pub(crate) hostname: String,
    /// Signs what goes out, if keys are there.
    pub(crate) signer: Option<Signer>,
    /// What is written into headers.
    pub(crate) header: HeaderOptions,
    pub(crate) authenticator: Authenticator,
    pub(crate) spool: Spool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) local_domains: DomainSet,
    pub(crate) postmaster: Option<Mailbox>,
    pub(crate) command_timeout: Duration,
    pub(crate) data_timeout: Duration,
    pub(crate) handshake_timeout: Duration,
    pub(crate) cleartext_auth_networks: Vec<IpNet>,
    pub(crate) protocol: ProtocolConfig,
    pub(crate) counters: Counters,
}

/// A listener's means.
pub(crate) struct Listening {
    pub(crate) house: Arc<House>,
    pub(crate) name: String,
    pub(crate) chain: Chain,
    /// Who is asked beside the chain.
    pub(crate) checks: Checks,
    pub(crate) receives_local_mail: bool,
    /// Whether SMTP AUTH can let a message in.
    pub(crate) offers_auth: bool,
    /// Whether a master user may send in a customer's name.
    pub(crate) masters_may_send: bool,
    /// Whether a login that a proxy claims is believed.
    pub(crate) xclient_login: bool,
    pub(crate) tls: Option<Tls>,
    pub(crate) parameters: ParametersFor,
}

/// The limits and offers of a listener, for each kind of client.
pub(crate) struct ParametersFor {
    pub(crate) anybody: Arc<Parameters>,
    /// A proxy that names its client by XCLIENT.
    pub(crate) proxy: Arc<Parameters>,
}

/// Whose mail a recipient is.
#[derive(Debug)]
pub(crate) enum Place {
    /// It goes to this account's maildrop.
    Local(Mailbox, Arc<Account>),
    /// Its domain is ours, but nobody has the address.
    Nowhere,
    /// It has no domain, and none of our mailboxes is meant.
    Unqualified,
    /// The next hop's business.
    Elsewhere(Mailbox),
    /// That cannot be said now: a source of accounts is down.
    Undecided,
}

impl House {
    /// Whose mail `path` is. `<postmaster>`, and the postmaster of a local domain that has no
    /// such mailbox, are the configured postmaster (RFC 5321 section 4.5.1).
    pub(crate) async fn place(&self, path: ForwardPath) -> Place {
        match self.find_place(path).await {
            Ok(place) => place,
            Err(problem) => {
                tracing::warn!(target: "lastpost::submission", %problem, "recipient not decided");
                Place::Undecided
            }
        }
    }

    async fn find_place(&self, path: ForwardPath) -> Result<Place, Unavailable> {
        let mailbox = match path {
            ForwardPath::Mailbox(mailbox) => mailbox,
            ForwardPath::Postmaster => return self.postmaster_place().await,
            ForwardPath::Unqualified(local) => return self.completed_place(&local).await,
        };
        // An account's address at a domain that is not ours is a right to send, not a mailbox.
        if !self.is_local_domain(&mailbox) {
            return Ok(Place::Elsewhere(mailbox));
        }
        if let Some(account) = self.account_of(&mailbox).await? {
            return Ok(Place::Local(mailbox, account));
        }
        let is_postmaster = mailbox.local().eq_ignore_ascii_case("postmaster");
        if is_postmaster { self.postmaster_place().await } else { Ok(Place::Nowhere) }
    }

    /// Only a mailbox that exists completes a recipient (RFC 6409 section 4.2).
    async fn completed_place(&self, local: &str) -> Result<Place, Unavailable> {
        let Some(mailbox) = self.complete(local) else { return Ok(Place::Unqualified) };
        let account = self.account_of(&mailbox).await?;
        Ok(account.map_or(Place::Unqualified, |account| Place::Local(mailbox, account)))
    }

    /// `local` with the default domain, if addresses are completed here and there is one.
    pub(crate) fn complete(&self, local: &str) -> Option<Mailbox> {
        let domain = self.authenticator.directory().default_domain()?;
        let wanted = self.protocol.complete_addresses;
        wanted.then(|| Mailbox::new(local, domain.clone()).ok())?
    }

    /// A refusal with the operator's note, if it is one for good.
    pub(crate) fn worded(&self, reply: Reply) -> Reply {
        let note = &self.protocol.refusal_note;
        if note.is_empty() || !reply.is_permanent() {
            return reply;
        }
        Reply::worded(reply.code(), reply.enhanced(), format!("{}\n{note}", reply.text()))
    }

    /// Whether the sender's address is one of ours, or would be if it existed.
    ///
    /// # Errors
    /// If the accounts cannot be looked up.
    pub(crate) async fn is_local_sender(&self, sender: &ReversePath) -> Result<bool, Unavailable> {
        let Some(mailbox) = sender.mailbox() else { return Ok(false) };
        Ok(self.is_local_domain(mailbox) || self.account_of(mailbox).await?.is_some())
    }

    /// Whether a password may come in clear from `client`. `genuine`: whether the address is its
    /// own.
    pub(crate) fn allows_cleartext(&self, client: IpAddr, genuine: bool) -> bool {
        genuine && self.cleartext_auth_networks.iter().any(|net| net.contains(&client))
    }

    fn is_local_domain(&self, mailbox: &Mailbox) -> bool {
        mailbox.domain().is_some_and(|domain| self.local_domains.contains(domain))
    }

    async fn postmaster_place(&self) -> Result<Place, Unavailable> {
        let Some(mailbox) = self.postmaster.clone() else { return Ok(Place::Nowhere) };
        Ok(match self.account_of(&mailbox).await? {
            Some(account) => Place::Local(mailbox, account),
            None => Place::Elsewhere(mailbox),
        })
    }

    async fn account_of(&self, mailbox: &Mailbox) -> Result<Option<Arc<Account>>, Unavailable> {
        self.authenticator.directory().local_mailbox(mailbox).await
    }
}

impl Listening {
    /// The limits and offers for a client. `proxy`: whether the connection is one of a proxy that
    /// speaks XCLIENT.
    pub(crate) fn parameters_for(&self, proxy: bool) -> Arc<Parameters> {
        let ParametersFor { anybody, proxy: of_proxy } = &self.parameters;
        Arc::clone(if proxy { of_proxy } else { anybody })
    }
}
