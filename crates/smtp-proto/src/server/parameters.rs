//! What a listener offers and how far a session may go.

use alloc::string::String;

use textproto::LoneLf;

use super::extensions::Extensions;

/// The limits and offers of a session; shared by all sessions of a listener.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// Our own name, in the greeting and in the reply to EHLO.
    pub host: String,
    /// Octets that a message may have, as announced with SIZE (RFC 1870).
    pub message_octets_max: u64,
    /// Recipients that a message may have (RFC 5321 section 4.5.3.1.8: at least 100).
    pub recipients_max: u32,
    /// Transactions that a session may begin (RFC 9422 section 4.1); 0 for any number.
    pub mails_max: u32,
    /// Commands that may be refused for good before the session is closed.
    pub errors_max: u32,
    /// Failed authentications before the session is closed; from 65536 on, never.
    pub auth_failures_max: u32,
    /// What an LF without CR in a message is.
    pub lone_lf: LoneLf,
    /// Whether STARTTLS is offered as long as TLS is not active.
    pub starttls: bool,
    /// What else is offered.
    pub extensions: Extensions,
    /// Whether the client may say by `XCLIENT` on whose behalf it speaks: for proxies that the
    /// operator names, and for nobody else.
    pub xclient: bool,
}

impl Parameters {
    /// Octets of a command line, its CRLF included; RFC 5321 asks for 512, and extensions add
    /// to it.
    pub const COMMAND_OCTETS_MAX: usize = 2048;

    /// Octets of a line in an AUTH exchange, its CRLF included (RFC 4954 section 4.3).
    pub const AUTH_OCTETS_MAX: usize = 12288 + 2;

    /// Messages that a client may send in one AUTH exchange, whatever the daemon makes of them;
    /// no mechanism needs more than four.
    pub const AUTH_MESSAGES_MAX: u8 = 8;

    /// Commands that lead nowhere (NOOP, RSET and the like) since the last accepted message;
    /// each further one counts as an error.
    pub const IDLE_COMMANDS_MAX: u16 = 100;

    /// Octets that a client may send of one message before the connection is worth more than the
    /// message.
    pub(crate) const fn received_octets_max(&self) -> u64 {
        super::data::received_max(self.message_octets_max)
    }
}
