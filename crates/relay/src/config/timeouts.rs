//! Time limits towards other hosts (RFC 5321 section 4.5.3.2).

use std::time::Duration;

/// Time limits of a conversation with a next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the look-up of its name.
    pub resolve: Duration,
    /// For the connection to one of its addresses.
    pub connect: Duration,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For the greeting (RFC 5321 section 4.5.3.2.1: 5 minutes).
    pub greeting: Duration,
    /// For the replies to EHLO, STARTTLS, AUTH, MAIL, RCPT (sections 4.5.3.2.2 and 3).
    pub command: Duration,
    /// For the reply to DATA (section 4.5.3.2.4: 2 minutes).
    pub data: Duration,
    /// For each block that is sent (section 4.5.3.2.5: 3 minutes).
    pub block: Duration,
    /// For the reply to the dot (section 4.5.3.2.6: 10 minutes).
    pub end_of_data: Duration,
    /// For the reply to QUIT; nothing hangs on it.
    pub farewell: Duration,
    /// For a connection that takes mail, where another hop could be tried instead: nobody waits
    /// five minutes for a greeting while the second next hop is idle.
    pub failover: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            resolve: Duration::from_secs(30),
            connect: Duration::from_secs(30),
            handshake: Duration::from_secs(60),
            greeting: Duration::from_secs(5 * 60),
            command: Duration::from_secs(5 * 60),
            data: Duration::from_secs(2 * 60),
            block: Duration::from_secs(3 * 60),
            end_of_data: Duration::from_secs(10 * 60),
            farewell: Duration::from_secs(5),
            failover: Duration::from_secs(30),
        }
    }
}
