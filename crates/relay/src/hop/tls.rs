//! TLS towards a next hop: what is demanded of it, and of whose certificate.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use mx::{MxHost, Resolver, Security, StsMode, TlsaSet};
use netio::{PeerName, TlsClient, Trust};
use smtp_proto::client::TlsUse;

use super::failure::HopFailure;
use crate::config::{ConfigError, NextHop, TlsPolicy};
use crate::verdict::code;

/// Hosts of one destination whose sessions by DANE are remembered.
const DANE_CLIENTS_MAX: usize = 10;

/// How strictly what others demand of TLS is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Assurance {
    /// As DANE (RFC 7672) and MTA-STS (RFC 8461) have it.
    #[default]
    Policy,
    /// Only what this host's own configuration demands: for messages with `TLS-Required: no`
    /// (RFC 8689 section 5).
    Relaxed,
}

/// How to shake hands with one host.
#[derive(Clone, Debug)]
pub(super) struct Handshake {
    pub(super) client: TlsClient,
    pub(super) name: PeerName,
}

/// What is demanded of a connection to one host.
#[derive(Clone, Debug)]
pub(super) struct Demand {
    pub(super) wish: TlsUse,
    /// `None` only if TLS is never used.
    pub(super) handshake: Option<Handshake>,
    /// Whether whoever shakes hands has proved to be the right one.
    pub(super) verifies: bool,
}

impl Demand {
    /// No TLS.
    pub(super) const CLEAR: Self = Self { wish: TlsUse::Never, handshake: None, verifies: false };

    /// That of a host of configuration. Blocking: reads certificates.
    pub(super) fn configured(next_hop: &NextHop) -> Result<Self, ConfigError> {
        let (wish, trust) = match (next_hop.tls, &next_hop.ca_file) {
            (TlsPolicy::None, _) => return Ok(Self::CLEAR),
            // Opportunistic TLS (RFC 7435) protects against those who listen, and knows that it
            // does not protect against impostors. By DANE it is where the DNS says nothing.
            (TlsPolicy::Opportunistic | TlsPolicy::Dane, _) => {
                (TlsUse::WhenOffered, Trust::Anybody)
            }
            (policy, file) => {
                let implicit = policy == TlsPolicy::Implicit;
                let wish = if implicit { TlsUse::Established } else { TlsUse::Required };
                let trust = match file {
                    _ if !next_hop.pins.is_empty() => Trust::Pinned(next_hop.pins.clone()),
                    Some(path) => Trust::File(path.clone()),
                    None => Trust::System,
                };
                (wish, trust)
            }
        };
        let identity = next_hop.identity.as_ref();
        let identity = identity.map(|(certificate, key)| (certificate.as_path(), key.as_path()));
        let client = client(&trust, identity, next_hop)?;
        let name = PeerName::parse(&next_hop.host).ok_or_else(|| {
            let expected = "a host name or an address, as the certificate names it";
            ConfigError::new("next_hop.address", format_args!("{:?}", next_hop.host), expected)
        })?;
        let verifies = !matches!(trust, Trust::Anybody);
        Ok(Self { wish, handshake: Some(Handshake { client, name }), verifies })
    }
}

fn client(
    trust: &Trust,
    identity: Option<(&Path, &Path)>,
    next_hop: &NextHop,
) -> Result<TlsClient, ConfigError> {
    TlsClient::with_identity(trust, &[], identity).map_err(|error| match identity {
        Some((certificate, _)) if TlsClient::new(trust, &[]).is_ok() => {
            let expected = format!("a PEM file of a certificate, with its key beside it: {error}");
            ConfigError::new("next_hop.client_certificate", certificate.display(), expected)
        }
        _ => {
            let file = next_hop.ca_file.as_ref().map(|path| path.display().to_string());
            let file = file.unwrap_or_else(|| "nothing".to_owned());
            let expected =
                format!("a PEM file of certificates, or a system that has some: {error}");
            ConfigError::new("next_hop.ca_file", file, expected)
        }
    })
}

/// Clients for hosts whose certificates the DNS vouches for.
#[derive(Debug, Default)]
pub(super) struct DaneClients(Mutex<Vec<(TlsaSet, TlsClient)>>);

impl DaneClients {
    /// That of these records: the same one as before if they are the same, so that sessions can
    /// be resumed, and never one that was made with others.
    fn get(&self, set: &TlsaSet) -> Result<TlsClient, HopFailure> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(known, _)| known == set) {
            return Ok(client.clone());
        }
        let client = TlsClient::new(&set.trust(), &[])
            .map_err(|error| HopFailure::new(code(4, 7, 5), error))?;
        clients.retain(|(known, _)| known.base != set.base);
        if clients.len() >= DANE_CLIENTS_MAX {
            clients.remove(0);
        }
        clients.push((set.clone(), client.clone()));
        Ok(client)
    }

    /// What is demanded of a connection to `host`; `otherwise` where its owner demands nothing.
    pub(super) fn demand(
        &self,
        host: &MxHost,
        resolver: &Resolver,
        assurance: Assurance,
        otherwise: impl FnOnce() -> Demand,
    ) -> Result<Demand, HopFailure> {
        let required = |client, name: &str, verifies| {
            let name = peer_name(name)?;
            let handshake = Some(Handshake { client, name });
            Ok(Demand { wish: TlsUse::Required, handshake, verifies })
        };
        match &host.security {
            Security::None => Ok(otherwise()),
            Security::Unusable { .. } if host.addresses.is_empty() => Err(unusable(host)),
            _ if assurance == Assurance::Relaxed => Ok(otherwise()),
            Security::Sts(policy) if policy.mode == StsMode::Enforce => match resolver.verified() {
                Some(client) => required(client.clone(), &host.name, true),
                None => Err(HopFailure::new(code(4, 7, 5), "no certificate can be checked")),
            },
            Security::Sts(_) => Ok(otherwise()),
            Security::Dane(set) if set.is_usable() => required(self.get(set)?, &set.base, true),
            Security::Dane(set) => required(resolver.unverified().clone(), &set.base, false),
            Security::Unusable { .. } => Err(unusable(host)),
        }
    }
}

/// TLS where it is offered, whatever the certificate says.
pub(super) fn opportunistic(host: &MxHost, resolver: &Resolver) -> Demand {
    let name = host.name.trim_start_matches('[').trim_end_matches(']');
    match PeerName::parse(name) {
        Some(name) => {
            let handshake = Some(Handshake { client: resolver.unverified().clone(), name });
            Demand { wish: TlsUse::WhenOffered, handshake, verifies: false }
        }
        None => Demand::CLEAR,
    }
}

fn peer_name(name: &str) -> Result<PeerName, HopFailure> {
    PeerName::parse(name).ok_or_else(|| {
        HopFailure::new(code(4, 7, 5), format_args!("no certificate can have the name {name}"))
    })
}

fn unusable(host: &MxHost) -> HopFailure {
    match &host.security {
        Security::Unusable { reason, status: (class, subject, detail) } => {
            HopFailure::new(code(*class, *subject, *detail), reason)
        }
        _ => HopFailure::no_answer("the host has no address"),
    }
}
