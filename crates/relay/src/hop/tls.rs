//! TLS towards a next hop.

use netio::{PeerName, TlsClient, Trust};

use crate::config::{ConfigError, NextHop, TlsPolicy};

/// How to shake hands with one next hop.
#[derive(Clone)]
pub(super) struct Handshake {
    pub(super) client: TlsClient,
    pub(super) name: PeerName,
}

/// The TLS settings for `next_hop`, unless it is to be without. Blocking: reads certificates.
pub(super) fn handshake(next_hop: &NextHop) -> Result<Option<Handshake>, ConfigError> {
    let trust = match (next_hop.tls, &next_hop.ca_file) {
        (TlsPolicy::None, _) => return Ok(None),
        // Opportunistic TLS (RFC 7435) protects against those who listen, and knows that it does
        // not protect against impostors.
        (TlsPolicy::Opportunistic, _) => Trust::Anybody,
        (TlsPolicy::Required | TlsPolicy::Implicit, Some(path)) => Trust::File(path.clone()),
        (TlsPolicy::Required | TlsPolicy::Implicit, None) => Trust::System,
    };
    let client = TlsClient::new(&trust, &[]).map_err(|error| {
        let file = next_hop.ca_file.as_ref().map(|path| path.display().to_string());
        let expected = format!("a PEM file of certificates, or a system that has some: {error}");
        ConfigError::new("next_hop.ca_file", file.unwrap_or_else(|| "nothing".to_owned()), expected)
    })?;
    let name = PeerName::parse(&next_hop.host).ok_or_else(|| {
        let expected = "a host name or an address, as the certificate names it";
        ConfigError::new("next_hop.address", format_args!("{:?}", next_hop.host), expected)
    })?;
    Ok(Some(Handshake { client, name }))
}
