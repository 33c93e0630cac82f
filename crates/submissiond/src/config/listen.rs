//! `[[submission.listen]]`: one listening socket, and who may send by it.

use std::collections::HashSet;
use std::net::SocketAddr;

use auth::SmtpAuth;
use netio::{ListenConfig, TlsMode};
use serde::Deserialize;
use spool::Size;

use super::ConfigError;

/// `[[submission.listen]]`: one listening socket, and who may send by it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmissionListen {
    /// A name for log, ledger and replies, such as `submission` or `legacy`: lower-case
    /// letters, digits and hyphens.
    pub name: String,
    /// As [`ListenConfig::address`].
    pub address: SocketAddr,
    /// `starttls` (the default, port 587), `implicit` (port 465) or `none`.
    #[serde(default)]
    pub tls: TlsMode,
    /// As [`ListenConfig::proxy_protocol`].
    #[serde(default)]
    pub proxy_protocol: bool,
    /// The authorities that may let a message in, in the order in which they are asked.
    /// Default: `["smtp-auth"]`, which comes first where it stands at all.
    #[serde(default = "smtp_auth_alone")]
    pub authorities: Vec<String>,
    /// Whether mail from elsewhere for local mailboxes is taken too, without any authority's
    /// leave: for a port 25 that is also the domain's MX.
    #[serde(default)]
    pub receives_local_mail: bool,
    /// What to do with an LF without CR in a message: `normalise` (the default) makes it CRLF,
    /// `reject` refuses the message.
    #[serde(default)]
    pub lone_lf: LoneLfRule,
    /// The filters that look at every message that comes in here, by their names in `[filter]`.
    #[serde(default)]
    pub filters: Vec<String>,
    /// As `submission.message_size_max`, for this listener alone; not more than that.
    #[serde(default)]
    pub message_size_max: Option<Size>,
    /// As `submission.recipients_max`, for this listener alone; not more than that.
    #[serde(default)]
    pub recipients_max: Option<u32>,
    /// Whether a proxy of `submission.protocol.xclient_networks` is believed that its client has
    /// authenticated with it (`XCLIENT LOGIN=`): nobody asks for a password then.
    #[serde(default)]
    pub xclient_login: bool,
    /// Whether a master user (`[auth.master]`) who opens a customer's account may send in the
    /// customer's name. The log says who it was.
    #[serde(default)]
    pub masters_may_send: bool,
}

/// What to do with an LF without CR in a message. A CR without LF is always refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoneLfRule {
    /// It becomes CRLF.
    #[default]
    Normalise,
    /// The message is refused.
    Reject,
}

pub(super) fn smtp_auth_alone() -> Vec<String> {
    vec![SmtpAuth::NAME.to_owned()]
}

impl SubmissionListen {
    /// Whether SMTP AUTH can let a message in here.
    #[must_use]
    pub fn offers_auth(&self) -> bool {
        self.authorities.iter().any(|name| name == SmtpAuth::NAME)
    }

    /// The socket's part of it.
    #[must_use]
    pub fn socket(&self) -> ListenConfig {
        ListenConfig { address: self.address, tls: self.tls, proxy_protocol: self.proxy_protocol }
    }

    pub(super) fn check(&self, key: &dyn Fn(&str) -> String) -> Result<(), ConfigError> {
        let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || self.name.len() > 32 || !self.name.chars().all(named) {
            let problem = format!("{:?} is no name", self.name);
            let expected = "1 to 32 lower-case letters, digits and hyphens";
            return Err(ConfigError::new(key("name"), problem, expected));
        }
        if self.authorities.is_empty() && !self.receives_local_mail {
            let problem = "nobody could send here";
            return Err(ConfigError::new(key("authorities"), problem, "[\"smtp-auth\"]"));
        }
        if self.offers_auth()
            && self.authorities.first().map(String::as_str) != Some(SmtpAuth::NAME)
        {
            let problem = "an authority before \"smtp-auth\" would be asked for those who \
                           authenticated, or failed to";
            return Err(ConfigError::new(key("authorities"), problem, "\"smtp-auth\" first"));
        }
        let distinct: HashSet<_> = self.authorities.iter().collect();
        if distinct.len() < self.authorities.len() {
            let problem = "an authority stands twice";
            return Err(ConfigError::new(key("authorities"), problem, "each authority once"));
        }
        let distinct: HashSet<_> = self.filters.iter().collect();
        if distinct.len() < self.filters.len() {
            let problem = "a filter stands twice";
            return Err(ConfigError::new(key("filters"), problem, "each filter once"));
        }
        Ok(())
    }
}
