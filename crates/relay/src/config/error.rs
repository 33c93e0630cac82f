//! A value that cannot be used, and what to do about it.

use std::fmt;

/// A value of `[relay]` that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("relay.{key} = {found}: expected {expected}")]
pub struct ConfigError {
    /// The key within `[relay]`.
    pub key: String,
    /// What the file says; never a secret.
    pub found: String,
    /// What it may say.
    pub expected: String,
}

/// What is called otherwise in `[[relay.hop]]` than in `[relay.next_hop]`.
const LOGIN: [(&str, &str); 3] = [
    ("username", "login.username"),
    ("password_file", "login.password_file"),
    ("password_env", "login.password_env"),
];

impl ConfigError {
    pub(crate) fn new(
        key: impl Into<String>,
        found: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Self {
        Self { key: key.into(), found: found.to_string(), expected: expected.to_string() }
    }

    /// The same, said of the section `key` in place of `[relay.next_hop]`.
    pub(crate) fn under(mut self, key: &str) -> Self {
        if let Some(name) = self.key.strip_prefix("next_hop.")
            && key != "next_hop"
        {
            let renamed = LOGIN.iter().find(|(old, _)| *old == name);
            let name = renamed.map_or(name, |(_, new)| new);
            self.key = format!("{key}.{name}");
        }
        self
    }
}
