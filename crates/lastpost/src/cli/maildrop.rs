//! `lastpost maildrop`: what a POP3 client would see.

use clap::Subcommand;

use super::{CliError, CommonArgs};

/// What can be done with maildrops.
#[derive(Debug, Subcommand)]
pub(crate) enum MaildropCommand {
    /// Count an account's messages and octets.
    Show {
        /// Login name.
        login: String,
    },
}

pub(crate) fn run(command: &MaildropCommand, common: &CommonArgs) -> Result<(), CliError> {
    let MaildropCommand::Show { login } = command;
    let config = common.load()?;
    let directory = auth::Directory::load(&config.accounts).map_err(CliError::failed)?;
    let account = directory
        .key(login)
        .ok()
        .and_then(|key| directory.get(&key))
        .ok_or_else(|| CliError::Failed(format!("there is no account {login}")))?;
    let summary = maildrop::summary(account.maildir()).map_err(CliError::failed)?;
    let shown = Summary {
        login: account.key().to_string(),
        maildir: account.maildir().display().to_string(),
        messages: summary.messages.len() as u64,
        octets: summary.octets,
    };
    common.output().show(&shown, |shown| {
        let Summary { login, maildir, messages, octets } = shown;
        format!("{login}  {messages} messages, {octets} octets in {maildir}")
    })
}

#[derive(serde::Serialize)]
struct Summary {
    login: String,
    maildir: String,
    messages: u64,
    octets: u64,
}
