//! The section `[submission.protocol]`: what is spoken beyond RFC 5321.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::Deserialize;

use super::ConfigError;

/// `[submission.protocol]`: which extensions are offered, and what replies tell.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProtocolConfig {
    /// Whether addresses and headers may be UTF-8: `SMTPUTF8` (RFC 6531).
    pub smtputf8: bool,
    /// Whether messages may come in counted pieces, and hold any octets: `CHUNKING` and
    /// `BINARYMIME` (RFC 3030).
    pub chunking: bool,
    /// Whether senders may say what they want to hear of the delivery: `DSN` (RFC 3461).
    pub dsn: bool,
    /// How long a message may be kept back for its sender: `FUTURERELEASE` (RFC 4865), for those
    /// who have authenticated. `0s`: it is not offered; at most `8784h`, a year, in whole seconds.
    #[serde(with = "duration")]
    pub future_release_max: Duration,
    /// Whether senders may say by when a message must be delivered: `DELIVERBY` (RFC 2852).
    pub deliver_by: bool,
    /// Whether senders may demand verified TLS on all of the way: `REQUIRETLS` (RFC 8689).
    pub require_tls: bool,
    /// Whether the limits of a session are announced: `LIMITS` (RFC 9422).
    pub limits: bool,
    /// Messages of one session, after which the client must begin another. 1 to 1000000.
    pub mails_per_session_max: u32,
    /// Whether an address without a domain gets `accounts.default_domain`, where the address that
    /// comes of it is the sender's own or a mailbox here (RFC 6409 section 4.2).
    pub complete_addresses: bool,
    /// Whether the reply to an accepted message holds its queue ID.
    pub show_queue_id: bool,
    /// A last line for each refusal for good that the daemon words, such as where to find help.
    /// At most 200 octets of printable ASCII.
    pub refusal_note: String,
    /// Networks of proxies whose word is taken (`XCLIENT`) for the address of the client.
    pub xclient_networks: Vec<IpNet>,
}

/// A year, for the longest that a message may be kept back.
const RELEASE_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl Default for ProtocolConfig {
    fn default() -> Self {
        Self {
            smtputf8: true,
            chunking: true,
            dsn: true,
            future_release_max: Duration::from_secs(7 * 24 * 60 * 60),
            deliver_by: true,
            require_tls: true,
            limits: true,
            mails_per_session_max: 10_000,
            complete_addresses: true,
            show_queue_id: true,
            refusal_note: String::new(),
            xclient_networks: Vec::new(),
        }
    }
}

impl ProtocolConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let hold = self.future_release_max;
        if hold > RELEASE_MAX || hold.subsec_nanos() != 0 {
            let problem = format!("{hold:?} is out of range");
            return Err(error("future_release_max", problem, "whole seconds, \"0s\" to \"8784h\""));
        }
        super::within(
            "protocol.mails_per_session_max",
            self.mails_per_session_max.into(),
            1,
            1_000_000,
        )?;
        let printable = |octet: u8| octet == b' ' || octet.is_ascii_graphic();
        if self.refusal_note.len() > 200 || !self.refusal_note.bytes().all(printable) {
            let problem = format!("{:?} cannot be a line of a reply", self.refusal_note);
            return Err(error("refusal_note", problem, "at most 200 printable ASCII characters"));
        }
        match self.xclient_networks.iter().find(|net| net.prefix_len() == 0) {
            Some(everybody) => {
                let problem = format!("{everybody} is everybody, who could then take any address");
                Err(error("xclient_networks", problem, "the networks of your proxies"))
            }
            None => Ok(()),
        }
    }

    /// Whether the client at `address` is a proxy that speaks `XCLIENT`.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.xclient_networks.iter().any(|net| net.contains(&address))
    }

    /// Seconds for which a message may be kept back; `None`: it may not.
    pub(crate) fn future_release(&self) -> Option<u32> {
        let seconds = u32::try_from(self.future_release_max.as_secs()).unwrap_or(u32::MAX);
        (seconds > 0).then_some(seconds)
    }
}

fn error(key: &str, problem: String, expected: &str) -> ConfigError {
    ConfigError::new(format!("submission.protocol.{key}"), problem, expected)
}
