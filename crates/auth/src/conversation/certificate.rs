//! EXTERNAL: the client's certificate, which TLS has verified, says whose account it opens.

mod names;

use std::sync::Arc;

use address::Mailbox;

use super::{Conversation, Turn};
use crate::authenticator::{Case, Outcome, Reason, Shared};
use crate::{Account, Moment, Unavailable};
pub(super) use names::of as names_of;

/// Most names of a certificate that are looked up.
const NAMES_MAX: usize = 8;

impl Conversation {
    pub(super) async fn certificate(&self, authzid: Option<&str>, at: Moment) -> Turn {
        let names = self.certificate.as_deref().map(names_of).unwrap_or_default();
        // Who is meant, for the log and the count, until the account is known.
        let named = authzid.or(names.first().map(String::as_str)).unwrap_or_default();
        let shared = self.shared();
        match shared.open_case(named, &self.origin, at).await {
            Ok(case) => {
                let outcome = shared.decide_certificate(&case, authzid, &names).await;
                self.close(&case, outcome).await
            }
            Err(denied) => Turn::Denied(denied),
        }
    }
}

impl Shared {
    async fn decide_certificate(
        &self,
        case: &Case,
        authzid: Option<&str>,
        names: &[String],
    ) -> Result<Outcome, Unavailable> {
        if names.is_empty() || case.master.is_some() {
            return Ok(Outcome::failed(Reason::Malformed));
        }
        let mut certified = Vec::new();
        for name in names.iter().take(NAMES_MAX) {
            self.add_certified(name, &mut certified).await?;
        }
        if let Some(authzid) = authzid {
            let address = Mailbox::parse(authzid).ok();
            certified.retain(|account| {
                Some(account.key()) == case.key.as_ref()
                    || address.as_ref().is_some_and(|address| account.owns(address))
            });
        }
        // A certificate for several accounts does not say which of them is meant.
        let [account] = &*certified else {
            let reason = if certified.is_empty() { Reason::Unknown } else { Reason::Malformed };
            return Ok(Outcome::failed(reason));
        };
        Ok(match account.is_disabled() {
            true => Outcome::failed(Reason::Disabled),
            false => Outcome::WithoutPassword(Arc::clone(account)),
        })
    }

    /// Adds the account that has `name` as its login, or else those that own it as an address.
    async fn add_certified(
        &self,
        name: &str,
        certified: &mut Vec<Arc<Account>>,
    ) -> Result<(), Unavailable> {
        let by_login = match self.directory.key(name) {
            Ok(key) => self.directory.find(&key).await?,
            Err(_) => None,
        };
        let found = match (by_login, Mailbox::parse(name)) {
            (Some(account), _) => vec![account],
            (None, Ok(address)) => self.directory.owners(&address).await?,
            (None, Err(_)) => Vec::new(),
        };
        for account in found {
            if !certified.iter().any(|known| known.key() == account.key()) {
                certified.push(account);
            }
        }
        Ok(())
    }
}
