//! From where an account was used within the last hour.

use std::net::IpAddr;

use crate::window::HOUR;

/// More than this are not told apart: every limit is lower.
pub(crate) const NETWORKS_MAX: usize = 256;

/// The network of a client, as its first octets: IPv4 /24, IPv6 /48. Telephones change their
/// addresses within such a network all day; a botnet's clients share none.
pub(crate) fn network_of(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(v4) => u64::from(u32::from(v4) >> 8),
        IpAddr::V6(v6) => (u64::try_from(u128::from(v6) >> 80).unwrap_or(0)) | 1 << 63,
    }
}

/// The networks, each with the second at which it was last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Networks(pub(crate) Vec<(u64, u64)>);

impl Networks {
    /// `network` was seen at `now`.
    pub(crate) fn note(&mut self, network: u64, now: u64) {
        if let Some(seen) = self.0.iter_mut().find(|(known, _)| *known == network) {
            seen.1 = seen.1.max(now);
            return;
        }
        self.0.retain(|(_, seen)| now.saturating_sub(*seen) < HOUR);
        if self.0.len() < NETWORKS_MAX {
            self.0.push((network, now));
        }
    }

    /// Networks of the last hour.
    pub(crate) fn count(&self, now: u64) -> u64 {
        self.0.iter().filter(|(_, seen)| now.saturating_sub(*seen) < HOUR).count() as u64
    }

    /// Seconds until at most `most` count.
    pub(crate) fn wait(&self, now: u64, most: u64) -> u64 {
        let mut ages: Vec<u64> = self.0.iter().map(|(_, seen)| now.saturating_sub(*seen)).collect();
        ages.retain(|age| *age < HOUR);
        ages.sort_unstable();
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        ages.get(most).map_or(0, |age| HOUR - age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_counts_once_and_for_an_hour() {
        let mut networks = Networks::default();
        let at = |text: &str| network_of(text.parse().unwrap());
        networks.note(at("192.0.2.1"), 1000);
        networks.note(at("192.0.2.200"), 1010);
        networks.note(at("::ffff:192.0.2.7"), 1020);
        assert_eq!(networks.count(1020), 1);
        networks.note(at("192.0.3.1"), 2000);
        networks.note(at("2001:db8:1:2::1"), 2000);
        networks.note(at("2001:db8:1:3::1"), 2000);
        assert_eq!(networks.count(2000), 3);
        assert_eq!(networks.wait(2000, 2), HOUR - 980);
        assert_eq!(networks.wait(2000, 3), 0);
        assert_eq!(networks.count(1020 + HOUR), 2);
    }

    #[test]
    fn thousands_of_networks_need_no_more_room() {
        let mut networks = Networks::default();
        for network in 0..10_000 {
            networks.note(network, 5000);
        }
        assert_eq!(networks.0.len(), NETWORKS_MAX);
        networks.note(70_000, 5000 + HOUR);
        assert_eq!(networks.0.len(), 1);
    }
}
