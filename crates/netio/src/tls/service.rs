//! What one service shows its clients: for each certificate a configuration of the library.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ProducesTickets, ServerConfig};
use rustls::sign::SingleCertAndKey;
use rustls::version;

use super::certificates::{Certificates, Pair};
use super::provider;
use crate::TlsError;

/// One service.
pub(super) struct Service {
    alpn: Vec<Vec<u8>>,
    faces: ArcSwap<Faces>,
}

/// A certificate as one service shows it.
pub(crate) struct Face {
    pub(super) pair: Arc<Pair>,
    pub(super) server: Arc<ServerConfig>,
    /// Of this certificate alone: whoever comes back with a ticket has seen it.
    tickets: Arc<dyn ProducesTickets>,
    pub(super) clients: Option<Arc<dyn ClientCertVerifier>>,
}

pub(super) struct Faces {
    default: Arc<Face>,
    named: HashMap<String, Arc<Face>>,
}

impl Service {
    pub(super) fn new(alpn: &[&[u8]], certificates: &Certificates) -> Result<Self, TlsError> {
        let alpn: Vec<_> = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let faces = Faces::new(&alpn, certificates, None)?;
        Ok(Self { alpn, faces: ArcSwap::from_pointee(faces) })
    }

    /// What it would show of these certificates. Those that it shows already keep their
    /// tickets.
    pub(super) fn faces_for(&self, certificates: &Certificates) -> Result<Faces, TlsError> {
        Faces::new(&self.alpn, certificates, Some(&self.faces.load()))
    }

    pub(super) fn show(&self, faces: Faces) {
        self.faces.store(Arc::new(faces));
    }

    /// What is for a client that asks for this host.
    pub(super) fn face(&self, server_name: Option<&str>) -> Arc<Face> {
        Arc::clone(self.faces.load().find(server_name))
    }
}

impl Faces {
    fn new(
        alpn: &[Vec<u8>],
        certificates: &Certificates,
        before: Option<&Self>,
    ) -> Result<Self, TlsError> {
        let mut made: Vec<Arc<Face>> = Vec::new();
        let mut face = |pair: &Arc<Pair>| {
            // Several names may have one certificate, from one file or from two.
            if let Some(face) = made.iter().find(|face| face.pair.shows_the_same(pair)) {
                return Ok(Arc::clone(face));
            }
            let known = before.and_then(|before| before.showing(pair));
            let tickets = match known {
                Some(face) => Arc::clone(&face.tickets),
                None => aws_lc_rs::Ticketer::new().map_err(setup)?,
            };
            let face = Arc::new(Face::new(pair, alpn, tickets, certificates.clients.as_ref())?);
            made.push(Arc::clone(&face));
            Ok(face)
        };
        let default = face(&certificates.default)?;
        let named = certificates.named.iter();
        let named = named.map(|(name, pair)| Ok((name.clone(), face(pair)?)));
        Ok(Self { default, named: named.collect::<Result<_, TlsError>>()? })
    }

    fn showing(&self, pair: &Pair) -> Option<&Arc<Face>> {
        let mut faces = std::iter::once(&self.default).chain(self.named.values());
        faces.find(|face| face.pair.shows_the_same(pair))
    }

    fn find(&self, server_name: Option<&str>) -> &Arc<Face> {
        let Some(name) = server_name.filter(|_| !self.named.is_empty()) else {
            return &self.default;
        };
        let name = name.to_ascii_lowercase();
        let wildcard = || name.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        self.named.get(&name).or_else(|| self.named.get(&wildcard()?)).unwrap_or(&self.default)
    }
}

impl Face {
    fn new(
        pair: &Arc<Pair>,
        alpn: &[Vec<u8>],
        tickets: Arc<dyn ProducesTickets>,
        clients: Option<&Arc<dyn ClientCertVerifier>>,
    ) -> Result<Self, TlsError> {
        // The provider is named, never the process's default: a dependency may bring another.
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(setup)?;
        let builder = match clients {
            Some(clients) => builder.with_client_cert_verifier(Arc::clone(clients)),
            None => builder.with_no_client_auth(),
        };
        let shown = SingleCertAndKey::from(Arc::clone(&pair.key));
        let mut server = builder.with_cert_resolver(Arc::new(shown));
        server.alpn_protocols = alpn.to_vec();
        server.ticketer = Arc::clone(&tickets);
        // A mail client opens one connection at a time: a second ticket would never be used.
        server.send_tls13_tickets = 1;
        server.session_storage = Arc::new(NoServerSessionStorage {});
        let (pair, server, clients) = (Arc::clone(pair), Arc::new(server), clients.cloned());
        Ok(Self { pair, server, tickets, clients })
    }
}

impl fmt::Debug for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Face").finish_non_exhaustive()
    }
}

fn setup(error: rustls::Error) -> TlsError {
    TlsError::Setup(error.to_string())
}
