//! `[submission.header]` in force: its key file read.

use std::io::Read as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use address::AccountKey;

use crate::client_token::TokenKey;
use crate::header_config::{ClientShown, HeaderConfig, NameRule, SenderRule};
use crate::rights::Rights;
use crate::trace::{Origin, Trace};

/// Largest key file in octets.
const KEY_FILE_MAX: u64 = 4096;

/// What is written into headers, ready for use. A clone is cheap.
#[derive(Clone, Debug)]
pub struct HeaderOptions {
    pub(crate) sender: SenderRule,
    pub(crate) authentication_results: bool,
    pub(crate) addresses_in_names: NameRule,
    pub(crate) hops_max: usize,
    pub(crate) fields_max: usize,
    client: ClientShown,
    key: Option<Arc<TokenKey>>,
}

/// Why `[submission.header]` cannot be obeyed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderOptionsError {
    /// A value is wrong.
    #[error(transparent)]
    Config(#[from] crate::ConfigError),
    /// The key file cannot be read.
    #[error("submission.header.client_key_file: {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The key is no key.
    #[error(
        "submission.header.client_key_file: {} holds {octets} octets; expected 32 to 4096 random \
         ones, such as `openssl rand -out FILE 32` makes", file.display()
    )]
    Length {
        /// The file.
        file: PathBuf,
        /// How many it has.
        octets: usize,
    },
}

impl HeaderOptions {
    /// Reads the key file, if tokens are wanted. Blocks.
    ///
    /// # Errors
    /// If a value or the key file is wrong.
    pub fn load(config: &HeaderConfig) -> Result<Self, HeaderOptionsError> {
        config.check()?;
        let mut key = None;
        if config.client == ClientShown::Token
            && let Some(file) = &config.client_key_file
        {
            key = Some(Arc::new(read_key(file.clone())?));
        }
        Ok(Self::with_key(config, key))
    }

    fn with_key(config: &HeaderConfig, key: Option<Arc<TokenKey>>) -> Self {
        Self {
            sender: config.sender,
            authentication_results: config.authentication_results,
            addresses_in_names: config.addresses_in_names,
            hops_max: config.hops_max,
            fields_max: config.fields_max,
            client: config.client,
            key,
        }
    }

    /// Reads the token of a client in the `Received` field with this `id`. It is known to be one
    /// of ours when one of the `accounts` fits it: then that account sent the message, from the
    /// address that is given. Nothing if `client` is not `token`, or no account fits.
    pub fn find_client<'a>(
        &self,
        id: &str,
        token: &str,
        mut accounts: impl Iterator<Item = &'a AccountKey>,
    ) -> Option<(&'a AccountKey, IpAddr)> {
        let key = self.key.as_ref()?;
        let traced = key.read(id, token)?;
        let account = accounts.find(|account| key.is_of(&traced, account.as_str()))?;
        Some((account, traced.client))
    }

    /// What `Received` says of the client. Without an account it is mail from elsewhere, whose
    /// way everybody may know.
    pub(crate) fn origin(&self, trace: &Trace<'_>, rights: Option<&Rights<'_>>) -> Origin {
        match (self.client, &self.key, rights) {
            (ClientShown::Hidden, _, Some(_)) => Origin::Hidden,
            (ClientShown::Token, Some(key), Some(rights)) => {
                let id = trace.token.to_string();
                Origin::Token(key.token(&id, trace.client, rights.login()))
            }
            // A key that is missing must not give away what it was to protect.
            (ClientShown::Token, None, Some(_)) => Origin::Hidden,
            (ClientShown::Shown, ..) | (_, _, None) => Origin::Shown,
        }
    }
}

impl Default for HeaderOptions {
    fn default() -> Self {
        Self::with_key(&HeaderConfig::default(), None)
    }
}

/// Reads a key file.
pub(crate) fn read_key(file: PathBuf) -> Result<TokenKey, HeaderOptionsError> {
    let mut octets = zeroize::Zeroizing::new(Vec::new());
    let read = std::fs::File::open(&file)
        .and_then(|opened| opened.take(KEY_FILE_MAX + 1).read_to_end(&mut octets));
    if let Err(source) = read {
        return Err(HeaderOptionsError::Read { file, source });
    }
    TokenKey::new(&octets).ok_or(HeaderOptionsError::Length { file, octets: octets.len() })
}
