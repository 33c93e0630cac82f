//! Failed logins shared with the other daemon of this host, and with other hosts.

use std::path::PathBuf;
use std::sync::Arc;

use auth::ShareKey;
use auth_share::{Publisher, Settings};

use super::{Building, Role, blocking};
use crate::cli::CliError;
use crate::config::{Config, ConfigError};
use crate::control;

/// Where the sockets of this host's daemons lie, in the data directory.
const RUN_DIRECTORY: &str = "run";
const POP3D: &str = "auth-pop3d.sock";
const SUBMISSIOND: &str = "auth-submissiond.sock";

/// The file with the key that all who share have.
fn key_file(config: &Config) -> PathBuf {
    let stated = config.auth.share.key_file.clone();
    stated.unwrap_or_else(|| config.data_directory.join("auth-share.key"))
}

/// The server's password, if there is one.
///
/// # Errors
/// If its file cannot be read, or is empty.
pub(crate) fn share_password(config: &Config) -> Result<Option<String>, ConfigError> {
    let Some(file) = &config.auth.share.password_file else { return Ok(None) };
    let key = "auth.share.password_file";
    let wrong = |problem: String| config.mistake(key, format!("{}: {problem}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(wrong("the file is empty; expected the password".to_owned())),
        password => Ok(Some(password.to_owned())),
    }
}

/// Whether the key can be used, if it has been made yet.
///
/// # Errors
/// If it cannot be read, is readable to others or is no key.
pub(crate) fn check_share_key(config: &Config) -> Result<(), ConfigError> {
    let file = key_file(config);
    if !file.exists() {
        return Ok(());
    }
    let loaded = auth_share::load_or_create_key(&file);
    loaded.map(drop).map_err(|error| config.mistake("auth.share.key_file", error.to_string()))
}

impl Building {
    /// Before the first login: names, and whom to tell.
    pub(super) async fn share_failures(&mut self, role: Role) -> Result<(), CliError> {
        let file = key_file(&self.config);
        let loading =
            blocking(move || Ok(auth_share::load_or_create_key(&file).map_err(|e| e.to_string())));
        let key: ShareKey =
            loading.await?.map_err(|e| self.config.mistake("auth.share.key_file", e))?;
        let password = share_password(&self.config)?;
        // Both daemons, and those of tomorrow, invent the same salts for nobody's passwords.
        self.authenticator = self.authenticator.clone().with_salt_key(key.clone());
        let local = match role {
            Role::Both => None,
            Role::Pop3 => Some((POP3D, SUBMISSIOND)),
            Role::Submission => Some((SUBMISSIOND, POP3D)),
        };
        let directory = self.config.data_directory.join(RUN_DIRECTORY);
        let local = local.map(|(own, peer)| (directory, own.to_owned(), peer.to_owned()));
        let server = self.config.auth.share.url.clone().map(|url| (url, password));
        let mut publisher: Option<Arc<Publisher>> = None;
        if local.is_some() || server.is_some() {
            let clock = Arc::clone(&self.clock);
            let settings = Settings { local, server, key: key.clone(), clock };
            let (opened, courier) = auth_share::open(settings).map_err(CliError::failed)?;
            let authenticator =
                self.authenticator.clone().with_share(Arc::clone(&opened) as _, key);
            self.seams.background.push(tokio::spawn(courier.run(authenticator)));
            self.sources.share = Some(Arc::clone(&opened));
            publisher = Some(opened);
        }
        let routes =
            control::auth_routes(self.authenticator.clone(), publisher, Arc::clone(&self.clock));
        self.seams.routes = std::mem::take(&mut self.seams.routes).merge(routes);
        Ok(())
    }
}
