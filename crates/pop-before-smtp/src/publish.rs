//! The publish: a login becomes a grant, or does not.

use auth::{Answer, Login, LoginObserver, Service};
use phaseout::Phase;

use crate::bridge::Bridge;
use crate::counters::word_of;
use crate::network::AddressKey;
use crate::window::Publication;

/// What came of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// A new grant.
    New,
    /// A live grant begins anew.
    Refreshed,
    /// No grant.
    Not(NotPublished),
}

/// Why a login makes no grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotPublished {
    /// The bridge is off, or the account is disabled.
    Disabled,
    /// It was not a login to fetch mail.
    OtherService,
    /// The client's address is that of an intermediary that did not say whom it carries.
    AddressUnknown,
    /// The address lies in an excluded network.
    ExcludedNetwork,
    /// The account is closed.
    Closed,
    /// The window is full of younger grants.
    Full,
}

impl Bridge {
    /// Makes or renews the grant of a login.
    pub fn publish(&self, login: &Login) -> Published {
        let published = self.try_publish(login);
        self.counters.login(published);
        tracing::debug!(
            account = %login.account.key(),
            client = %login.client,
            outcome = word_of(published),
            "login seen by the bridge"
        );
        published
    }

    fn try_publish(&self, login: &Login) -> Published {
        let config = self.config.load();
        if let Some(not) = self.reason_not(&config, login) {
            return Published::Not(not);
        }
        let address = AddressKey::new(login.client, config.policy.ipv6_prefix);
        let limits = config.policy.limits();
        match self.window.publish(address, login.account.key(), login.at.mono, &limits) {
            Publication::New => Published::New,
            Publication::Refreshed => Published::Refreshed,
            Publication::Full => Published::Not(NotPublished::Full),
        }
    }

    fn reason_not(
        &self,
        config: &crate::config::BridgeConfig,
        login: &Login,
    ) -> Option<NotPublished> {
        let policy = &config.policy;
        if !config.enabled || login.account.is_disabled() {
            return Some(NotPublished::Disabled);
        }
        if login.channel.service != Service::Pop3 {
            return Some(NotPublished::OtherService);
        }
        if !login.channel.genuine_address {
            return Some(NotPublished::AddressUnknown);
        }
        if policy.never.contains(login.client) || policy.excluded.contains(login.client) {
            return Some(NotPublished::ExcludedNetwork);
        }
        let decision = config.schedule.phase_of(login.account.key(), login.at.wall);
        (decision.phase == Phase::Closed).then_some(NotPublished::Closed)
    }
}

impl LoginObserver for Bridge {
    fn on_login<'a>(&'a self, login: &'a Login) -> Answer<'a, ()> {
        self.publish(login);
        Box::pin(std::future::ready(()))
    }
}
