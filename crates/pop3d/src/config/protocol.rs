//! The configuration section `[pop3.protocol]`: what is spoken beyond the usual.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

use super::ConfigError;

/// `[pop3.protocol]`: parts of the protocol that are off unless somebody needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProtocolConfig {
    /// Whether `APOP` is offered (RFC 1939 section 7). It digests the password with MD5, and
    /// only accounts whose passwords are stored in clear (`{PLAIN}`) can log in with it.
    pub apop: bool,
    /// Whether `LAST` is answered (RFC 1460): the highest message that was retrieved.
    pub last: bool,
    /// Whether a message whose header is not ASCII is refused (`[UTF8]`) to a client that has
    /// not said `UTF8` (RFC 6856 section 2.1), instead of being sent as it is stored.
    pub utf8_only: bool,
    /// Networks of proxies whose word is taken (`XCLIENT`) for the address of the client.
    pub xclient_networks: Vec<IpNet>,
}

impl ProtocolConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        match self.xclient_networks.iter().find(|net| net.prefix_len() == 0) {
            Some(everybody) => Err(ConfigError {
                key: "pop3.protocol.xclient_networks".to_owned(),
                problem: format!("{everybody} is everybody, who could then take any address"),
                expected: "the networks of your proxies",
            }),
            None => Ok(()),
        }
    }

    /// Whether the client at `address` is a proxy that speaks `XCLIENT`.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.xclient_networks.iter().any(|net| net.contains(&address))
    }
}
