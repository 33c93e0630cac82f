//! `lastpost maildrop show`: one account's messages.

use std::fmt::Write as _;

use clap::Args;
use maildrop::SummaryMessage;
use serde::Serialize;

use crate::cli::accounts::Accounts;
use crate::cli::output::table;
use crate::cli::{CliError, CommonArgs};

/// Whose maildrop, and how much of it.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Login name.
    login: String,
    /// List the messages: number, size, unique id and file.
    #[arg(long)]
    messages: bool,
}

#[derive(Serialize)]
struct Shown {
    login: String,
    maildir: String,
    messages: u64,
    octets: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    list: Option<Vec<SummaryMessage>>,
}

pub(crate) fn run(args: &ShowArgs, common: &CommonArgs) -> Result<(), CliError> {
    let config = common.load()?;
    let account = Accounts::open(&config)?.account(&args.login)?;
    let summary = maildrop::summary(account.maildir()).map_err(CliError::failed)?;
    let shown = Shown {
        login: account.key().to_string(),
        maildir: account.maildir().display().to_string(),
        messages: summary.messages.len() as u64,
        octets: summary.octets,
        list: args.messages.then_some(summary.messages),
    };
    common.output().show(&shown, Shown::describe)
}

impl Shown {
    fn describe(&self) -> String {
        let Self { login, maildir, messages, octets, list } = self;
        let mut text = format!("{login}  {messages} messages, {octets} octets in {maildir}\n");
        if let Some(list) = list.as_ref().filter(|list| !list.is_empty()) {
            let rows = (1_u64..).zip(list).map(|(number, message)| {
                let file = message.file.escape_debug().to_string();
                vec![number.to_string(), message.octets.to_string(), message.uidl.clone(), file]
            });
            // Writing to a String cannot fail.
            let _ = write!(text, "{}", table(&["number", "octets", "uidl", "file"], rows));
        }
        text
    }
}
