//! The section `[submission.header]`: what is written into a message's header.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::ConfigError;

/// `[submission.header]`: what a submitted message's header gets, and what it may say.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderConfig {
    /// When `Sender` is added or replaced by the account's own address (RFC 6409 section 8.1).
    pub sender: SenderRule,
    /// What `Received` tells of the client: its address, nothing, or a token from which its
    /// provider alone finds the customer again.
    pub client: ClientShown,
    /// File with the key of the tokens, at least 32 octets; needed where `client` is `token`.
    pub client_key_file: Option<PathBuf>,
    /// Whether `Authentication-Results` with `auth=pass` is added (RFC 8601).
    pub authentication_results: bool,
    /// What becomes of a message whose `From` or `Sender` shows somebody else's address as the
    /// name of its own: `allow` or `refuse`.
    pub addresses_in_names: NameRule,
    /// `Received` fields after which a message runs in circles. 10 to 1000; RFC 5321 section
    /// 6.3 asks for 100 at least where nothing else tells a loop.
    pub hops_max: usize,
    /// Fields of one header. 100 to 10000.
    pub fields_max: usize,
}

/// When `Sender` is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SenderRule {
    /// Where `From` names several authors, or one that is not the account's own.
    #[default]
    WhenNeeded,
    /// On every message.
    Always,
    /// On none.
    Never,
}

/// What is told of the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientShown {
    /// Its address, and the name it gave itself.
    #[default]
    Shown,
    /// Nothing; the log has it under the transaction.
    Hidden,
    /// A token that `lastpost trace` reads with the key.
    Token,
}

/// Whether a display name may show an address that is somebody else's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameRule {
    /// It may, within quotes.
    #[default]
    Allow,
    /// It may not.
    Refuse,
}

impl Default for HeaderConfig {
    fn default() -> Self {
        Self {
            sender: SenderRule::WhenNeeded,
            client: ClientShown::Shown,
            client_key_file: None,
            authentication_results: false,
            addresses_in_names: NameRule::Allow,
            hops_max: 50,
            fields_max: 1000,
        }
    }
}

impl HeaderConfig {
    /// The same with a relative `client_key_file` counted from `directory`.
    #[must_use]
    pub fn relative_to(mut self, directory: &Path) -> Self {
        self.client_key_file = self.client_key_file.map(|file| directory.join(file));
        self
    }

    /// Checks every value, without looking at the key file.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub fn check(&self) -> Result<(), ConfigError> {
        within("hops_max", self.hops_max, 10, 1000)?;
        within("fields_max", self.fields_max, 100, 10_000)?;
        if self.client == ClientShown::Token && self.client_key_file.is_none() {
            return Err(ConfigError {
                key: "submission.header.client_key_file".to_owned(),
                problem: "client is \"token\", and there is no key to make tokens with".to_owned(),
                expected: "a file with at least 32 random octets, such as \
                           `openssl rand -out FILE 32` makes"
                    .to_owned(),
            });
        }
        Ok(())
    }
}

fn within(key: &str, value: usize, least: usize, most: usize) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(ConfigError {
        key: format!("submission.header.{key}"),
        problem: format!("{value} is out of range"),
        expected: format!("{least} to {most}"),
    })
}
