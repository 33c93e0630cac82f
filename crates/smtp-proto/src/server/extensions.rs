//! Which extensions a listener offers beyond those that it always has.

use super::parameters::Parameters;

/// The extensions that a listener may offer or not. `PIPELINING`, `SIZE`, `8BITMIME` and
/// `ENHANCEDSTATUSCODES` are always offered; the default is none of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// `SMTPUTF8` (RFC 6531).
    pub smtputf8: bool,
    /// `CHUNKING` and `BINARYMIME` (RFC 3030).
    pub chunking: bool,
    /// `DSN` (RFC 3461).
    pub dsn: bool,
    /// `FUTURERELEASE` (RFC 4865), to those who have authenticated: seconds that a message may be
    /// held at most.
    pub future_release: Option<u32>,
    /// `DELIVERBY` (RFC 2852): the least number of seconds that may be asked for with `R`; 0 sets
    /// no bound.
    pub deliver_by: Option<u32>,
    /// `REQUIRETLS` (RFC 8689): offered under TLS alone.
    pub require_tls: bool,
    /// `LIMITS` (RFC 9422), with [`Parameters::recipients_max`] and [`Parameters::mails_max`].
    pub limits: bool,
}

/// Octets by which extensions lengthen a `MAIL` command beyond the 512 of RFC 5321.
const MAIL_ADDS: usize = 26 // SIZE, RFC 1870 section 3
    + 17 // BODY, RFC 6152 section 2 (BINARYMIME is as long as 8BITMIME and 2 more)
    + 2
    + 500 // AUTH, RFC 4954 section 3
    + 10 // SMTPUTF8, RFC 6531 section 3.1
    + 115 // RET and ENVID, RFC 3461 section 4
    + 34 // HOLDFOR or HOLDUNTIL, RFC 4865
    + 17 // BY, RFC 2852 section 3
    + 11; // REQUIRETLS, RFC 8689 section 2

/// The same for `RCPT`.
const RCPT_ADDS: usize = 10 // SMTPUTF8, RFC 6531 section 3.1
    + 535; // NOTIFY and ORCPT, RFC 3461 section 4, 500 of them for ORCPT

// One limit for every command, which holds the longest of them with all of its parameters.
const _: () = assert!(Parameters::COMMAND_OCTETS_MAX >= 512 + MAIL_ADDS);
const _: () = assert!(Parameters::COMMAND_OCTETS_MAX >= 512 + RCPT_ADDS);
