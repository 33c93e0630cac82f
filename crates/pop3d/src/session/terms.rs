//! On which terms a client is served, by where it is and what protects it.

use pop3_proto::{Internationalised, Terms, TlsState};
use sasl::{Mechanism, Offer as Mechanisms};

use super::{ERRORS_AFTER_LOGIN, Offer, Visit};
use crate::{apop, facts};

/// Whose side of a proxy counts for what a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientSide {
    /// This connection is the client's.
    This,
    /// Behind a proxy that named it and did not say what protects it there: as much as this
    /// connection is.
    Untold,
    /// Behind a proxy that named it, under TLS.
    Secured,
    /// Behind a proxy that named it, in clear, whatever this connection is.
    Clear,
}

impl Visit {
    /// Whether TLS protects what the client sends, as far as its own side goes.
    pub(super) fn is_secured(&self) -> bool {
        match self.client_side {
            ClientSide::This | ClientSide::Untold => self.connection.is_tls(),
            ClientSide::Secured => true,
            ClientSide::Clear => false,
        }
    }

    /// The terms for a client that has just connected.
    pub(super) fn terms(&self) -> Terms {
        let protocol = &self.shared.config.protocol;
        let stamp = || apop::stamp(&self.shared.hostname, self.shared.clock.now());
        Terms {
            apop_stamp: protocol.apop.then(stamp).flatten(),
            xclient: protocol.trusts(self.connection.peer()),
            ..self.terms_of_client()
        }
    }

    /// Whether a password may come as things stand without TLS on this connection.
    fn allows_cleartext(&self) -> bool {
        let connection = &self.connection;
        let by_address =
            self.shared.config.allows_cleartext(connection.peer(), connection.genuine_address());
        by_address || self.client_side == ClientSide::Secured
    }

    /// What `AUTH` offers as things stand. Where a password may come in clear, every mechanism
    /// may that needs nothing of TLS.
    pub(super) fn mechanisms(&self) -> Mechanisms {
        let (connection, own) = (&self.connection, self.client_side == ClientSide::This);
        let safe = self.is_secured() || self.allows_cleartext();
        let certified = own && connection.has_client_certificate();
        let offer = self.shared.authenticator.offer(connection.peer(), safe, certified);
        if own && connection.has_bindings() {
            return offer;
        }
        offer.without(Mechanism::ScramSha256Plus)
    }

    /// The terms for a client that a proxy has named. A proxy is believed once.
    pub(super) fn terms_of_client(&self) -> Terms {
        let (connection, config) = (&self.connection, &self.shared.config);
        let authenticator = &self.shared.authenticator;
        let policies = authenticator.directory().policies();
        Terms {
            tls: match self.offer {
                // The connection's own TLS does nothing for a client in clear.
                _ if self.client_side == ClientSide::Clear => TlsState::Unavailable,
                _ if connection.is_tls() => TlsState::Active,
                Offer::Stls if self.shared.tls.is_some() => TlsState::Offered,
                _ => TlsState::Unavailable,
            },
            cleartext_login: self.allows_cleartext(),
            mechanisms: self.mechanisms(),
            mechanisms_under_tls: authenticator.offer(connection.peer(), true, false),
            errors_before_login: config.errors_max,
            errors_after_login: ERRORS_AFTER_LOGIN,
            login_delay: facts::delay_of_all(config, &policies),
            expire: Some(facts::expire_of_all(config, &policies)),
            last: config.protocol.last,
            internationalised: match config.protocol.utf8_only {
                true => Internationalised::Refused,
                false => Internationalised::AsStored,
            },
            ..Terms::default()
        }
    }
}
