//! What configuration says of listeners and certificates.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

/// How a listener uses TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// Never: for networks that are protected by other means.
    None,
    /// The session begins in clear and the client may ask for TLS (`STLS`, `STARTTLS`).
    #[default]
    Starttls,
    /// TLS from the first octet (RFC 8314 section 3).
    Implicit,
}

/// One listening socket.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenConfig {
    /// Address and port, such as `192.0.2.1:995`, `0.0.0.0:110` or `[::]:110`. A listener on an
    /// IPv6 address serves IPv6 alone: name both to serve both.
    pub address: SocketAddr,
    /// How TLS is used: `none`, `starttls` (the default) or `implicit`.
    #[serde(default)]
    pub tls: TlsMode,
    /// Whether each connection begins with a PROXY protocol header, version 1 or 2. Then only
    /// the trusted proxies may connect: one port never serves both proxies and clients.
    #[serde(default)]
    pub proxy_protocol: bool,
}

/// Certificates: the section `[tls]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file with the certificate chain, the server's own certificate first. Clients that
    /// name no host, or one not listed in `named`, are shown this one.
    pub certificate: PathBuf,
    /// PEM file with the private key of `certificate`.
    pub key: PathBuf,
    /// PEM file with the authorities that vouch for clients' certificates. Clients are then
    /// asked for one: it is verified if they have one, and nobody must have one. Without it
    /// nobody is asked.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
    /// Further certificates, by the host name that the client asks for.
    #[serde(default)]
    pub named: Vec<NamedCertificate>,
}

/// A certificate that is shown to clients which ask for certain names: `[[tls.named]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedCertificate {
    /// Host names in lower or upper case; `*.example.net` covers one label.
    pub names: Vec<String>,
    /// PEM file with the certificate chain; it must cover all of `names`.
    pub certificate: PathBuf,
    /// PEM file with the private key of `certificate`.
    pub key: PathBuf,
}
