//! What the operator asks of the window: list and revoke.

use std::net::IpAddr;
use std::ops::ControlFlow;

use address::AccountKey;
use auth::Moment;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::bridge::Bridge;
use crate::network::AddressKey;
use crate::window::Which;

/// A live grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GrantReport {
    /// The client's address; the first of its prefix.
    pub address: IpAddr,
    /// Whose grant it is.
    pub account: String,
    /// When the account last logged in from there.
    pub login: Timestamp,
    /// When the grant ends, if nobody logs in again.
    pub until: Timestamp,
    /// Messages in this period of the quota.
    pub messages: u16,
    /// Recipients in this period of the quota.
    pub recipients: u16,
    /// Whether it is pinned to a HELO.
    pub pinned: bool,
}

/// Live grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GrantList {
    /// The grants, those of one address together, ordered by address and account.
    pub grants: Vec<GrantReport>,
    /// Whether there are more than were asked for.
    pub truncated: bool,
}

/// Which grants to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// Those of one account.
    Account(AccountKey),
    /// Those of one address (of its whole prefix, if it is IPv6 and a prefix is configured).
    Address(IpAddr),
    /// All.
    All,
}

impl Bridge {
    /// At most `limit` live grants.
    #[must_use]
    pub fn grants(&self, now: Moment, limit: usize) -> GrantList {
        let window = self.config.load().policy.window;
        let mut list = GrantList { grants: Vec::new(), truncated: false };
        self.window.visit(|address, grant| {
            if !grant.is_live(now.mono, window) {
                return ControlFlow::Continue(());
            }
            if list.grants.len() >= limit {
                list.truncated = true;
                return ControlFlow::Break(());
            }
            let age = now.mono.saturating_sub(grant.login);
            let left = grant.until(window).saturating_sub(now.mono);
            list.grants.push(GrantReport {
                address: address.address(),
                account: grant.account.to_string(),
                login: shifted(now.wall, -signed(age)),
                until: shifted(now.wall, signed(left)),
                messages: grant.messages,
                recipients: grant.recipients,
                pinned: grant.helo != 0,
            });
            ControlFlow::Continue(())
        });
        list.grants.sort_by(|a, b| (a.address, &a.account).cmp(&(b.address, &b.account)));
        list
    }

    /// Ends grants at once; returns how many. For operators, and for whoever changes a
    /// password or takes an address away.
    pub fn revoke(&self, which: &Revocation) -> usize {
        let revoked = match which {
            Revocation::Account(account) => self.window.revoke(Which::Account(account)),
            Revocation::Address(address) => {
                let prefix = self.config.load().policy.ipv6_prefix;
                self.window.revoke(Which::Address(AddressKey::new(*address, prefix)))
            }
            Revocation::All => self.window.revoke(Which::All),
        };
        tracing::info!(?which, revoked, "grants revoked");
        revoked
    }
}

fn signed(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn shifted(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(at)
}
