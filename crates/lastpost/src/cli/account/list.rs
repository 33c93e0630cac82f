//! `lastpost account list`.

use std::path::PathBuf;

use serde::Serialize;

use crate::cli::accounts::Accounts;
use crate::cli::output::table;
use crate::cli::{CliError, CommonArgs};
use crate::config::Config;

#[derive(Serialize)]
struct ListedAccount {
    login: String,
    addresses: Vec<String>,
    send_as: Vec<String>,
    maildir: PathBuf,
    scheme: String,
    disabled: bool,
    must_change: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cohort: Option<String>,
    /// As the table has it: `quota=1G` and the like.
    policy: Vec<String>,
}

pub(super) fn list(config: &Config, common: &CommonArgs) -> Result<(), CliError> {
    let (found, unlisted) = Accounts::open(config)?.listed()?;
    for source in unlisted {
        // Beside the table, which programs read.
        anstream::eprintln!("warning: the source {source:?} cannot list its accounts");
    }
    let accounts: Vec<ListedAccount> = found
        .iter()
        .map(|account| ListedAccount {
            login: account.key().to_string(),
            addresses: account.addresses().iter().map(ToString::to_string).collect(),
            send_as: account.delegations().iter().map(ToString::to_string).collect(),
            maildir: account.maildir().to_owned(),
            scheme: account.hash().map_or("at source", |hash| hash.scheme().as_str()).to_owned(),
            disabled: account.is_disabled(),
            must_change: account.must_change(),
            cohort: account.cohort().map(str::to_owned),
            policy: account.policy().words(),
        })
        .collect();
    common.output().show(&accounts, |accounts| {
        let rows = accounts.iter().map(|account| {
            let state = match (account.disabled, account.must_change) {
                (true, _) => "disabled",
                (false, true) => "must change",
                (false, false) => "",
            };
            vec![
                account.login.clone(),
                account.scheme.clone(),
                state.to_owned(),
                [&account.addresses[..], &account.send_as].concat().join(","),
                account.maildir.display().to_string(),
                account.policy.join(" "),
            ]
        });
        table(&["login", "scheme", "state", "sends as", "maildir", "policy"], rows)
    })
}
