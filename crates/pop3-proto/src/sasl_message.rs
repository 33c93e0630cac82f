//! A message of a SASL exchange, as `AUTH` carries it.

use sasl::{Mechanism, Secret};

/// What the client says in a SASL exchange (RFC 5034): octets, without the base64 around them.
/// The session knows no mechanism; the driver does.
#[derive(Clone, Debug)]
pub struct SaslMessage {
    /// The mechanism, one of those that are offered.
    pub mechanism: Mechanism,
    /// The octets; `None`: the client began the exchange without an initial response.
    pub message: Option<Secret>,
    /// Whether the exchange begins with this. Whatever went before is over then, also if the
    /// driver has not heard of its end: a client may give up in between, with `*` or with a
    /// line that is no message.
    pub first: bool,
}
