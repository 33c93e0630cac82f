//! PLAIN and LOGIN: a password, and perhaps as whom its owner wants to act.

use std::net::IpAddr;

use sasl::Credentials;

use super::{Conversation, Turn};
use crate::Moment;
use crate::authenticator::{Reason, Shared};

impl Conversation {
    pub(super) async fn password(&self, credentials: Credentials, at: Moment) -> Turn {
        let Credentials { authzid, login, password } = credentials;
        let acting = self.shared().acting(authzid.as_deref(), &login, self.origin.client);
        let Some(acting) = acting else {
            return self.refuse(&login, Reason::Malformed, at).await;
        };
        match self.authenticator.verify(&acting, &password, &self.origin, at).await {
            Ok(login) => Turn::Accepted(Box::new(login)),
            Err(denied) => Turn::Denied(denied),
        }
    }
}

impl Shared {
    /// The login to verify for whoever logs in as `login` and wants to act as `authzid`: the
    /// same account, or one that a master user opens. None: he may not.
    pub(super) fn acting(
        &self,
        authzid: Option<&str>,
        login: &str,
        client: IpAddr,
    ) -> Option<String> {
        let Some(authzid) = authzid else { return Some(login.to_owned()) };
        if self.are_same(authzid, login) {
            return Some(login.to_owned());
        }
        let (masters, client) = (self.masters.as_ref()?, client.to_canonical());
        // `aiko@example.net*help` may say once more that it is Aiko's account.
        if let (customer, Some(_)) = masters.split(login, client)
            && self.are_same(authzid, customer)
        {
            return Some(login.to_owned());
        }
        let joined = masters.join(authzid, login);
        // A name that holds the separator itself would be split elsewhere.
        let (customer, master) = masters.split(&joined, client);
        (customer == authzid && master.is_some()).then_some(joined)
    }

    /// Whether both are spellings of one account's name.
    pub(super) fn are_same(&self, one: &str, other: &str) -> bool {
        match (self.directory.key(one), self.directory.key(other)) {
            (Ok(one), Ok(other)) => one == other,
            _ => one.eq_ignore_ascii_case(other),
        }
    }
}
