//! Which mechanisms a client may choose from.

use std::net::IpAddr;

use sasl::{Mechanism, Offer};

use crate::Authenticator;

impl Authenticator {
    /// The mechanisms that are offered by `[auth.sasl]`. `tls`: nobody reads what `client`
    /// sends, or may; `has_certificate`: TLS verified one of his. OAUTHBEARER and XOAUTH2 are
    /// offered only if somebody verifies tokens.
    ///
    /// SCRAM-SHA-256-PLUS is among them wherever there is TLS: a caller whose session has no
    /// channel binding takes it out.
    #[must_use]
    pub fn offer(&self, _client: IpAddr, tls: bool, has_certificate: bool) -> Offer {
        let has_tokens = self.shared.helpers.tokens.get().is_some();
        let possible = |mechanism: &Mechanism| match mechanism {
            Mechanism::OAuthBearer | Mechanism::XOAuth2 => tls && has_tokens,
            Mechanism::External => has_certificate,
            Mechanism::ScramSha256Plus => tls,
            _ => tls || !mechanism.is_cleartext(),
        };
        self.shared.offered.iter().filter(possible).collect()
    }
}
