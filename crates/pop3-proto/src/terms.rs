//! On which terms a client is served: what the driver knows of the connection.

/// Whether the connection is, or can be, under TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsState {
    /// In clear, and it stays so.
    Unavailable,
    /// In clear, and `STLS` is offered (RFC 2595).
    Offered,
    /// Under TLS.
    Active,
}

/// The terms of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// TLS now.
    pub tls: TlsState,
    /// Whether a password may cross the network in clear: loopback, or a network for which
    /// the administrator said so. Under TLS it always may.
    pub cleartext_login: bool,
    /// Bad commands and failed logins together, after which the session ends (at least 1).
    pub errors_before_login: u8,
    /// Bad commands in a row after the login, after which the session ends (at least 1).
    pub errors_after_login: u8,
}

impl Terms {
    /// Whether the client may log in as things stand.
    pub(crate) fn allow_login(self) -> bool {
        self.tls == TlsState::Active || self.cleartext_login
    }
}
