//! `lastpost check`: everything that a start would read, read now.

use auth::Directory;
use serde::Serialize;

use super::{CliError, CommonArgs};
use crate::config::{Config, warn_of_retired_files};

#[derive(Serialize)]
struct Checked {
    file: String,
    accounts: usize,
    warnings: Vec<String>,
}

pub(crate) fn run(common: &CommonArgs) -> Result<(), CliError> {
    let config = common.load()?;
    let directory = Directory::load(&config.accounts)
        .map_err(|error| config.mistake("accounts.passwd_file", error.to_string()))?;
    #[allow(unused_mut, reason = "the bridge adds its own")]
    let mut warnings = warnings(&config, &directory)?;
    #[cfg(feature = "pop-before-smtp")] // retire
    warnings.extend(crate::bridge::check(&config, &directory)?); // retire
    let checked =
        Checked { file: config.file.display().to_string(), accounts: directory.len(), warnings };
    common.output().show(&checked, |checked| {
        let mut text: String =
            checked.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
        text += &format!("{}: fine, {} accounts", checked.file, checked.accounts);
        text
    })
}

fn warnings(config: &Config, directory: &Directory) -> Result<Vec<String>, CliError> {
    if let Some(tls) = &config.tls {
        netio::Tls::load(tls).map_err(|error| config.mistake("tls", error.to_string()))?;
    }
    let mut warnings = directory.warnings();
    warnings.extend(config.submission.warnings());
    warnings.extend(warn_of_retired_files(&config.file));
    if config.relay.next_hop.is_none() {
        warnings.push(
            "relay.next_hop is not set: mail for others waits in the queue until it expires"
                .to_owned(),
        );
    }
    for address in config.pop3.listen.iter().map(|listen| listen.address) {
        if config
            .submission
            .listen
            .iter()
            .any(|listen| listen.address == address && address.port() != 0)
        {
            return Err(config
                .mistake("pop3.listen", format!("{address} is a submission listener's address too"))
                .into());
        }
    }
    Ok(warnings)
}
