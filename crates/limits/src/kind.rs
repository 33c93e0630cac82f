//! What is counted, and for whom.

use crate::window::{DAY, HOUR};

/// For whom something is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// An account, wherever its clients are.
    Account,
    /// A client's address: one IPv4 address, or one IPv6 /64, whatever the accounts.
    Address,
}

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Messages accepted in an hour.
    MessagesPerHour,
    /// Their recipients in an hour.
    RecipientsPerHour,
    /// Recipients that failed in an hour: unknown here, or refused for good elsewhere.
    FailedPerHour,
    /// Messages accepted in a day.
    MessagesPerDay,
    /// Their recipients in a day.
    RecipientsPerDay,
    /// Recipients in a day to whom the account had not written before.
    FirstTimePerDay,
    /// Octets in a day, each message rounded up to whole KiB.
    OctetsPerDay,
    /// Networks (IPv4 /24, IPv6 /48) from which an account was used in an hour.
    NetworksPerHour,
}

impl Limit {
    /// Every limit, in the order of [`Limit::index`].
    pub const ALL: [Self; 8] = [
        Self::MessagesPerHour,
        Self::RecipientsPerHour,
        Self::FailedPerHour,
        Self::MessagesPerDay,
        Self::RecipientsPerDay,
        Self::FirstTimePerDay,
        Self::OctetsPerDay,
        Self::NetworksPerHour,
    ];

    /// Position in [`Limit::ALL`], and of its counter.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The key in configuration.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::MessagesPerHour => "messages_per_hour",
            Self::RecipientsPerHour => "recipients_per_hour",
            Self::FailedPerHour => "failed_recipients_per_hour",
            Self::MessagesPerDay => "messages_per_day",
            Self::RecipientsPerDay => "recipients_per_day",
            Self::FirstTimePerDay => "first_time_recipients_per_day",
            Self::OctetsPerDay => "octets_per_day",
            Self::NetworksPerHour => "networks_per_hour",
        }
    }

    /// A stable word for log, queue and metrics.
    #[must_use]
    pub const fn word(self, scope: Scope) -> &'static str {
        match (scope, self) {
            (Scope::Account, Self::MessagesPerHour) => "messages-per-hour",
            (Scope::Account, Self::RecipientsPerHour) => "recipients-per-hour",
            (Scope::Account, Self::FailedPerHour) => "failed-recipients-per-hour",
            (Scope::Account, Self::MessagesPerDay) => "messages-per-day",
            (Scope::Account, Self::RecipientsPerDay) => "recipients-per-day",
            (Scope::Account, Self::FirstTimePerDay) => "first-time-recipients-per-day",
            (Scope::Account, Self::OctetsPerDay) => "octets-per-day",
            (Scope::Account, Self::NetworksPerHour) => "networks-per-hour",
            (Scope::Address, Self::MessagesPerHour) => "address-messages-per-hour",
            (Scope::Address, Self::RecipientsPerHour) => "address-recipients-per-hour",
            (Scope::Address, Self::FailedPerHour) => "address-failed-recipients-per-hour",
            (Scope::Address, Self::MessagesPerDay) => "address-messages-per-day",
            (Scope::Address, Self::RecipientsPerDay) => "address-recipients-per-day",
            (Scope::Address, Self::FirstTimePerDay) => "address-first-time-recipients-per-day",
            (Scope::Address, Self::OctetsPerDay) => "address-octets-per-day",
            (Scope::Address, Self::NetworksPerHour) => "address-networks-per-hour",
        }
    }

    /// The window, in seconds.
    #[must_use]
    pub const fn window(self) -> u64 {
        match self {
            Self::MessagesPerHour
            | Self::RecipientsPerHour
            | Self::FailedPerHour
            | Self::NetworksPerHour => HOUR,
            Self::MessagesPerDay
            | Self::RecipientsPerDay
            | Self::FirstTimePerDay
            | Self::OctetsPerDay => DAY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_positions() {
        for (index, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit.index(), index);
            assert_eq!(limit.word(Scope::Account), limit.key().replace('_', "-"));
            assert_eq!(
                limit.word(Scope::Address),
                format!("address-{}", limit.word(Scope::Account))
            );
        }
    }
}
