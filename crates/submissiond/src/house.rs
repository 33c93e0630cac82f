//! What sessions share: the daemon's means, and those of the listener.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use address::{Domain, ForwardPath, Mailbox, ReversePath};
use auth::{Account, Authenticator, Chain, Clock};
use ipnet::IpNet;
use netio::Tls;
use smtp_proto::server::Parameters;
use spool::Spool;

use crate::statistics::Counters;

/// The daemon's means.
pub(crate) struct House {
    pub(crate) hostname: String,
    pub(crate) authenticator: Authenticator,
    pub(crate) spool: Spool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) local_domains: Vec<Domain>,
    pub(crate) postmaster: Option<Mailbox>,
    pub(crate) command_timeout: Duration,
    pub(crate) data_timeout: Duration,
    pub(crate) handshake_timeout: Duration,
    pub(crate) cleartext_auth_networks: Vec<IpNet>,
    pub(crate) counters: Counters,
}

/// A listener's means.
pub(crate) struct Listening {
    pub(crate) house: Arc<House>,
    pub(crate) name: String,
    pub(crate) chain: Chain,
    pub(crate) receives_local_mail: bool,
    pub(crate) tls: Option<Tls>,
    /// For clients that need TLS before they authenticate.
    pub(crate) parameters: Arc<Parameters>,
    /// For those that do not.
    pub(crate) parameters_in_clear: Arc<Parameters>,
}

/// Whose mail a recipient is.
#[derive(Debug)]
pub(crate) enum Place {
    /// It goes to this account's maildrop.
    Local(Mailbox, Arc<Account>),
    /// Its domain is ours, but nobody has the address.
    Nowhere,
    /// The next hop's business.
    Elsewhere(Mailbox),
}

impl House {
    /// Whose mail `path` is. `<postmaster>`, and the postmaster of a local domain that has no
    /// such mailbox, are the configured postmaster (RFC 5321 section 4.5.1).
    pub(crate) fn place(&self, path: ForwardPath) -> Place {
        let mailbox = match path {
            ForwardPath::Mailbox(mailbox) => mailbox,
            ForwardPath::Postmaster => return self.postmaster_place(),
        };
        if let Some(account) = self.account_of(&mailbox) {
            return Place::Local(mailbox, account);
        }
        if !self.is_local_domain(&mailbox) {
            return Place::Elsewhere(mailbox);
        }
        let is_postmaster = mailbox.local().eq_ignore_ascii_case("postmaster");
        if is_postmaster { self.postmaster_place() } else { Place::Nowhere }
    }

    /// Whether the sender's address is one of ours, or would be if it existed.
    pub(crate) fn is_local_sender(&self, sender: &ReversePath) -> bool {
        let local =
            |mailbox: &Mailbox| self.is_local_domain(mailbox) || self.account_of(mailbox).is_some();
        sender.mailbox().is_some_and(local)
    }

    fn is_local_domain(&self, mailbox: &Mailbox) -> bool {
        mailbox.domain().is_some_and(|domain| self.local_domains.contains(domain))
    }

    fn postmaster_place(&self) -> Place {
        match self.postmaster.clone() {
            None => Place::Nowhere,
            Some(mailbox) => match self.account_of(&mailbox) {
                Some(account) => Place::Local(mailbox, account),
                None => Place::Elsewhere(mailbox),
            },
        }
    }

    fn account_of(&self, mailbox: &Mailbox) -> Option<Arc<Account>> {
        self.authenticator.directory().local_mailbox(mailbox)
    }
}

impl Listening {
    /// The limits and offers for a client. `genuine`: whether the address is its own.
    pub(crate) fn parameters_for(&self, client: IpAddr, genuine: bool) -> Arc<Parameters> {
        let networks = &self.house.cleartext_auth_networks;
        let in_clear = genuine && networks.iter().any(|net| net.contains(&client));
        Arc::clone(if in_clear { &self.parameters_in_clear } else { &self.parameters })
    }
}
