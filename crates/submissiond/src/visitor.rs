//! The client of a session, and how much of what it does wrong is logged.

use netio::Connection;

use crate::transaction::Client;

/// Refusals of one session that the log names one by one. RFC 6409 section 3.3 asks that the log
/// of client errors be bounded.
const LOGGED_MAX: u32 = 50;

/// The client of a session.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) client: Client,
    /// The client's name for itself, where a proxy told it.
    pub(crate) helo: Option<Box<str>>,
    /// Whether the connection is a proxy's that speaks XCLIENT: what TLS says is said of the proxy.
    pub(crate) proxied: bool,
    /// By which mechanism of SASL it has authenticated.
    pub(crate) mechanism: Option<&'static str>,
    refusals: u32,
}

impl Visitor {
    pub(crate) fn new(connection: &Connection, proxied: bool) -> Self {
        let client = Client {
            address: connection.peer(),
            port: connection.peer_addr().port(),
            genuine_address: connection.genuine_address(),
            tls: tls(connection),
        };
        Self { client, helo: None, proxied, mechanism: None, refusals: 0 }
    }

    /// TLS has begun: nothing that was said before counts.
    pub(crate) fn begin_tls(&mut self, connection: &Connection) {
        self.client.tls = tls(connection);
        self.mechanism = None;
    }

    /// A command was refused: whether the log is to say so.
    pub(crate) fn note_refusal(&mut self) -> bool {
        self.refusals = self.refusals.saturating_add(1);
        self.refusals <= LOGGED_MAX
    }

    /// Refusals that the log did not name.
    pub(crate) fn unlogged(&self) -> u32 {
        self.refusals.saturating_sub(LOGGED_MAX)
    }
}

/// Version and cipher suite.
fn tls(connection: &Connection) -> Option<(&'static str, &'static str)> {
    connection.tls_info().map(|tls| (tls.version, tls.cipher))
}
