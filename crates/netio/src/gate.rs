//! How many sessions there may be, in all and from one place.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use tokio::time::Instant;
use tracing::warn;

/// At most one line about refused sessions in this time.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// Bounds on sessions; those of one [`Gate`] count together.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Sessions at once, connections still in their handshake included.
    pub sessions_max: usize,
    /// Sessions at once from one IPv4 address or one IPv6 /64.
    pub sessions_per_ip_max: u32,
    /// Networks to which `sessions_per_ip_max` does not apply: a webmail host, a carrier's NAT.
    pub per_ip_exempt: Vec<IpNet>,
    /// For a TLS handshake as a whole.
    pub handshake_timeout: Duration,
    /// For a PROXY header as a whole.
    pub proxy_header_timeout: Duration,
}

impl Default for Limits {
    /// 10 000 sessions, 50 from one place, 30 s for TLS and 3 s for a PROXY header.
    fn default() -> Self {
        Self {
            sessions_max: 10_000,
            sessions_per_ip_max: 50,
            per_ip_exempt: Vec::new(),
            handshake_timeout: Duration::from_secs(30),
            proxy_header_timeout: Duration::from_secs(3),
        }
    }
}

/// Counts the sessions of one or several listeners and holds them to their [`Limits`].
#[derive(Clone, Debug)]
pub struct Gate(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: ArcSwap<Limits>,
    sessions: AtomicUsize,
    places: Mutex<HashMap<IpAddr, u32>>,
    accepted: AtomicU64,
    refused_full: AtomicU64,
    refused_per_ip: AtomicU64,
    refused_untrusted: AtomicU64,
    failed_handshakes: AtomicU64,
    report: Mutex<Report>,
}

#[derive(Debug, Default)]
struct Report {
    last: Option<Instant>,
    unreported: u64,
}

/// What a [`Gate`] has counted since it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Sessions at this moment.
    pub sessions: usize,
    /// Connections let in.
    pub accepted: u64,
    /// Connections refused because there were `sessions_max`.
    pub refused_full: u64,
    /// Connections refused because there were `sessions_per_ip_max` from their place.
    pub refused_per_ip: u64,
    /// Connections refused because they came from no trusted proxy where only those may connect.
    pub refused_untrusted: u64,
    /// Connections that failed in a TLS handshake or a PROXY header.
    pub failed_handshakes: u64,
}

/// Why a connection is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There are `sessions_max`.
    Full,
    /// There are `sessions_per_ip_max` from this place.
    PerIp,
    /// No trusted proxy, where only those may connect.
    Untrusted,
}

/// A session's place in the count.
#[derive(Debug)]
pub(crate) struct Seat {
    gate: Gate,
    place: Option<IpAddr>,
}

impl Gate {
    /// A gate without sessions.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Shared {
            limits: ArcSwap::from_pointee(limits),
            sessions: AtomicUsize::new(0),
            places: Mutex::default(),
            accepted: AtomicU64::new(0),
            refused_full: AtomicU64::new(0),
            refused_per_ip: AtomicU64::new(0),
            refused_untrusted: AtomicU64::new(0),
            failed_handshakes: AtomicU64::new(0),
            report: Mutex::default(),
        }))
    }

    /// Replaces the limits for connections to come.
    pub fn set_limits(&self, limits: Limits) {
        self.0.limits.store(Arc::new(limits));
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> Arc<Limits> {
        self.0.limits.load_full()
    }

    /// For metrics.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            sessions: self.0.sessions.load(Ordering::Relaxed),
            accepted: self.0.accepted.load(Ordering::Relaxed),
            refused_full: self.0.refused_full.load(Ordering::Relaxed),
            refused_per_ip: self.0.refused_per_ip.load(Ordering::Relaxed),
            refused_untrusted: self.0.refused_untrusted.load(Ordering::Relaxed),
            failed_handshakes: self.0.failed_handshakes.load(Ordering::Relaxed),
        }
    }

    /// A seat, if there is one.
    pub(crate) fn enter(&self) -> Result<Seat, Refused> {
        let max = self.0.limits.load().sessions_max;
        let before = self.0.sessions.fetch_add(1, Ordering::Relaxed);
        let seat = Seat { gate: self.clone(), place: None };
        if before < max { Ok(seat) } else { Err(Refused::Full) }
    }

    /// Counts a connection that did not get through TLS or the PROXY protocol.
    pub(crate) fn handshake_failed(&self) {
        self.0.failed_handshakes.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a refusal and now and then reports it, for refusals come in floods.
    pub(crate) fn refused(&self, why: Refused, client: IpAddr) {
        let (count, limit) = match why {
            Refused::Full => (&self.0.refused_full, "sessions_max"),
            Refused::PerIp => (&self.0.refused_per_ip, "sessions_per_ip_max"),
            Refused::Untrusted => (&self.0.refused_untrusted, "trusted_proxies"),
        };
        count.fetch_add(1, Ordering::Relaxed);
        let mut report = self.0.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.unreported += 1;
        let now = Instant::now();
        if report.last.is_none_or(|last| now.duration_since(last) >= REPORT_INTERVAL) {
            warn!(%client, limit, refused = report.unreported, "sessions refused");
            *report = Report { last: Some(now), unreported: 0 };
        }
    }
}

impl Seat {
    /// Counts the session as one from `client`.
    pub(crate) fn claim(&mut self, client: IpAddr) -> Result<(), Refused> {
        self.sit_at(client)?;
        self.gate.0.accepted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Counts the session as one from `client` instead of from where it was counted so far; if
    /// there is no room, nothing changes.
    pub(crate) fn sit_at(&mut self, client: IpAddr) -> Result<(), Refused> {
        let limits = self.gate.0.limits.load();
        let exempt = limits.per_ip_exempt.iter().any(|net| net.contains(&client));
        let to = (!exempt).then(|| place(client));
        if to == self.place {
            return Ok(());
        }
        let mut places = self.gate.0.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(to) = to {
            let sessions = places.entry(to).or_insert(0);
            if *sessions >= limits.sessions_per_ip_max {
                if *sessions == 0 {
                    places.remove(&to);
                }
                return Err(Refused::PerIp);
            }
            *sessions += 1;
        }
        if let Some(from) = std::mem::replace(&mut self.place, to) {
            leave(&mut places, from);
        }
        Ok(())
    }

    /// Counts and reports that there was no room for this session.
    pub(crate) fn report_refused(&self, why: Refused, client: IpAddr) {
        self.gate.refused(why, client);
    }
}

/// One session less from `place`.
fn leave(places: &mut HashMap<IpAddr, u32>, place: IpAddr) {
    if let Some(sessions) = places.get_mut(&place) {
        *sessions = sessions.saturating_sub(1);
        if *sessions == 0 {
            places.remove(&place);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.gate.0.sessions.fetch_sub(1, Ordering::Relaxed);
        let Some(place) = self.place else { return };
        let mut places = self.gate.0.places.lock().unwrap_or_else(PoisonError::into_inner);
        leave(&mut places, place);
    }
}

/// What counts as one place: a customer has one IPv4 address, but a whole IPv6 /64.
fn place(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(sessions_max: usize, sessions_per_ip_max: u32, exempt: &[&str]) -> Gate {
        Gate::new(Limits {
            sessions_max,
            sessions_per_ip_max,
            per_ip_exempt: exempt.iter().map(|net| net.parse().unwrap()).collect(),
            ..Limits::default()
        })
    }

    fn enter(gate: &Gate, client: &str) -> Result<Seat, Refused> {
        let mut seat = gate.enter()?;
        seat.claim(client.parse().unwrap())?;
        Ok(seat)
    }

    #[test]
    fn seats_come_back() {
        let gate = gate(2, 2, &[]);
        let first = enter(&gate, "192.0.2.1").unwrap();
        let _second = enter(&gate, "192.0.2.2").unwrap();
        assert_eq!(enter(&gate, "192.0.2.3").unwrap_err(), Refused::Full);
        drop(first);
        assert_eq!(gate.counts().sessions, 1);
        assert!(enter(&gate, "192.0.2.3").is_ok());
        assert_eq!(gate.counts().sessions, 1);
        assert_eq!(gate.0.places.lock().unwrap().len(), 1);
    }

    #[test]
    fn one_place_is_an_ipv4_address_or_an_ipv6_64() {
        let gate = gate(100, 1, &[]);
        let _held = enter(&gate, "192.0.2.1").unwrap();
        assert_eq!(enter(&gate, "192.0.2.1").unwrap_err(), Refused::PerIp);
        assert_eq!(enter(&gate, "::ffff:192.0.2.1").unwrap_err(), Refused::PerIp);
        assert!(enter(&gate, "192.0.2.2").is_ok());
        let _held = enter(&gate, "2001:db8:0:1::1").unwrap();
        assert_eq!(enter(&gate, "2001:db8:0:1:ffff::9").unwrap_err(), Refused::PerIp);
        assert!(enter(&gate, "2001:db8:0:2::1").is_ok());
        assert_eq!(gate.counts().sessions, 2);
    }

    #[test]
    fn a_seat_moves_to_another_place_or_stays() {
        let gate = gate(100, 1, &["10.0.0.0/8"]);
        let at = |client: &str| client.parse::<IpAddr>().unwrap();
        let mut first = enter(&gate, "10.0.0.1").unwrap();
        first.sit_at(at("192.0.2.1")).unwrap();
        assert_eq!(enter(&gate, "192.0.2.1").unwrap_err(), Refused::PerIp);
        first.sit_at(at("192.0.2.1")).unwrap();
        let mut second = enter(&gate, "192.0.2.2").unwrap();
        assert_eq!(second.sit_at(at("192.0.2.1")), Err(Refused::PerIp));
        assert_eq!(enter(&gate, "192.0.2.2").unwrap_err(), Refused::PerIp, "it left its place");
        first.sit_at(at("10.9.9.9")).unwrap();
        second.sit_at(at("::ffff:192.0.2.1")).unwrap();
        assert_eq!(gate.0.places.lock().unwrap().len(), 1);
        assert_eq!((gate.counts().sessions, gate.counts().accepted), (2, 2));
        drop((first, second));
        assert!(gate.0.places.lock().unwrap().is_empty());
    }

    #[test]
    fn exempt_networks_and_new_limits() {
        let gate = gate(100, 0, &["10.0.0.0/8"]);
        let _webmail: Vec<_> = (0..50).map(|_| enter(&gate, "10.1.2.3").unwrap()).collect();
        assert_eq!(enter(&gate, "192.0.2.1").unwrap_err(), Refused::PerIp);
        assert!(gate.0.places.lock().unwrap().is_empty());
        gate.set_limits(Limits::default());
        assert!(enter(&gate, "192.0.2.1").is_ok());
        assert_eq!(gate.counts().accepted, 51);
    }

    #[test]
    fn counts_hold_under_threads() {
        let gate = gate(1000, 1000, &[]);
        std::thread::scope(|scope| {
            for thread in 0..8_u8 {
                let gate = &gate;
                scope.spawn(move || {
                    for round in 0..500_u16 {
                        let client = format!("192.0.{}.{}", thread % 2, round % 5);
                        drop(enter(gate, &client).unwrap());
                    }
                });
            }
        });
        assert_eq!(gate.counts().sessions, 0);
        assert!(gate.0.places.lock().unwrap().is_empty());
    }
}
