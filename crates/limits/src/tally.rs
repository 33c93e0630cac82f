//! What is counted of one account, and of one address.

use std::net::{IpAddr, Ipv6Addr};

use crate::kind::{Limit, Scope};
use crate::known::Known;
use crate::networks::Networks;
use crate::table::Tally;
use crate::window::{DAY, HOUR, Windows};

/// An account's counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AccountTally {
    pub(crate) windows: Windows,
    pub(crate) known: Known,
    pub(crate) networks: Networks,
    /// The minute of the last use.
    pub(crate) seen: u32,
    /// The day that `noticed` is about.
    pub(crate) noticed_day: u32,
    /// The limits of which notice was given on that day, a bit for each.
    pub(crate) noticed: u16,
}

/// An address's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AddressTally {
    pub(crate) windows: Windows,
    /// The minute of the last use.
    pub(crate) seen: u32,
}

impl AccountTally {
    /// Moves on to `now` and marks the use.
    pub(crate) fn touch(&mut self, now: u64) {
        self.windows.roll(now);
        self.known.age(day(now));
        self.seen = self.seen.max(minute(now));
    }

    /// Moves on to `now` to be looked at, which is no use.
    pub(crate) fn touch_silently(&mut self, now: u64) {
        self.windows.roll(now);
        self.known.age(day(now));
    }

    /// Whether notice of the limit is due: at most one on a day.
    pub(crate) fn notice_due(&mut self, scope: Scope, limit: Limit, now: u64) -> bool {
        let today = day(now);
        if today > self.noticed_day {
            (self.noticed_day, self.noticed) = (today, 0);
        }
        let bit = 1 << (limit.index() + if scope == Scope::Address { 8 } else { 0 });
        let due = self.noticed & bit == 0;
        self.noticed |= bit;
        due
    }
}

impl Tally for AccountTally {
    fn seen(&self) -> u32 {
        self.seen
    }

    fn is_idle(&mut self, now: u64) -> bool {
        self.windows.roll(now);
        self.known.age(day(now));
        let quiet = now.saturating_sub(u64::from(self.seen) * 60) > 2 * HOUR;
        quiet && self.windows.is_empty() && self.known.is_empty() && self.noticed_day < day(now)
    }
}

impl AddressTally {
    /// As [`AccountTally::touch`].
    pub(crate) fn touch(&mut self, now: u64) {
        self.windows.roll(now);
        self.seen = self.seen.max(minute(now));
    }
}

impl Tally for AddressTally {
    fn seen(&self) -> u32 {
        self.seen
    }

    fn is_idle(&mut self, now: u64) -> bool {
        self.windows.roll(now);
        self.windows.is_empty()
    }
}

/// One IPv4 address (IPv4-mapped, so that all have one shape), or one IPv6 /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AddressKey(pub(crate) u128);

impl AddressKey {
    pub(crate) fn of(client: IpAddr) -> Self {
        match client.to_canonical() {
            IpAddr::V4(v4) => Self(u128::from(v4.to_ipv6_mapped())),
            IpAddr::V6(v6) => Self(u128::from(v6) >> 64 << 64),
        }
    }
}

impl std::fmt::Display for AddressKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match Ipv6Addr::from(self.0).to_canonical() {
            IpAddr::V4(v4) => v4.fmt(f),
            IpAddr::V6(v6) => write!(f, "{v6}/64"),
        }
    }
}

/// The number of the day of a second.
pub(crate) fn day(now: u64) -> u32 {
    u32::try_from(now / DAY).unwrap_or(u32::MAX)
}

fn minute(now: u64) -> u32 {
    u32::try_from(now / 60).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_of_ipv4_or_a_64_of_ipv6() {
        let key = |text: &str| AddressKey::of(text.parse().unwrap());
        assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1:2:3"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("192.0.2.1").to_string(), "192.0.2.1");
        assert_eq!(key("2001:db8::1").to_string(), "2001:db8::/64");
    }

    #[test]
    fn one_notice_of_a_limit_a_day() {
        let mut tally = AccountTally::default();
        let mut due = |limit, scope, now| tally.notice_due(scope, limit, now);
        assert!(due(Limit::MessagesPerHour, Scope::Account, 10 * DAY));
        assert!(!due(Limit::MessagesPerHour, Scope::Account, 11 * DAY - 1));
        assert!(due(Limit::MessagesPerHour, Scope::Address, 11 * DAY - 1));
        assert!(due(Limit::NetworksPerHour, Scope::Account, 11 * DAY - 1));
        assert!(due(Limit::MessagesPerHour, Scope::Account, 11 * DAY));
        assert!(!due(Limit::MessagesPerHour, Scope::Account, 10 * DAY), "time ran backwards");
    }
}
