//! Messages of a SASL exchange, as `AUTH` carries them, and who may send them.

use sasl::{Mechanism, Offer, Secret};

/// What the client says in a SASL exchange (RFC 4954): octets, without the base64 around them.
/// The session knows no mechanism; the daemon does.
#[derive(Clone, Debug)]
pub struct SaslMessage {
    /// The mechanism: one of those that are offered.
    pub mechanism: Mechanism,
    /// The octets; `None`: the client began the exchange without an initial response.
    pub message: Option<Secret>,
    /// Whether the exchange begins with this. Whatever went before is over then, also if the
    /// daemon has not heard of its end: a client may give up in between, with `*` or with a
    /// line that is no message.
    pub first: bool,
}

/// The mechanisms of a session. Which they are depends on the client and on what protects the
/// connection, so the daemon tells it anew after STARTTLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mechanisms {
    /// Those that may be used as things stand.
    pub now: Offer,
    /// Those that may be used once TLS is active; as long as it is not, a client that asks for
    /// one of them is told to switch it on (`538`).
    pub under_tls: Offer,
}

impl Mechanisms {
    /// No mechanism, ever: the listener has no use for `AUTH`.
    pub const NONE: Self = Self { now: Offer::NONE, under_tls: Offer::NONE };

    /// What is left of it when TLS begins, as long as nothing better is known.
    pub(crate) fn after_tls(self) -> Self {
        // Nobody has said yet that this connection has a certificate or a channel binding.
        let certain = self.under_tls.without(Mechanism::External);
        let certain = certain.without(Mechanism::ScramSha256Plus);
        Self { now: certain, under_tls: certain }
    }
}
