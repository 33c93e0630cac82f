//! `lastpost trace`: from the token in a Received field back to the customer.

use crate::cli::accounts::Accounts;
use clap::Args;
use serde::Serialize;
use submissiond::ClientShown;

use super::{CliError, CommonArgs};

/// What a complaint shows of a message.
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// What stands behind "id" in the Received field of this host.
    id: String,
    /// What stands behind "client" there.
    token: String,
}

#[derive(Serialize)]
struct Found {
    account: String,
    client: String,
}

pub(crate) fn run(args: &TraceArgs, common: &CommonArgs) -> Result<(), CliError> {
    let config = common.load()?;
    if config.submission.header.client != ClientShown::Token {
        let message = "no tokens are written here; expected client = \"token\"";
        return Err(config.mistake("submission.header.client", message).into());
    }
    let options = config.header_options()?;
    let accounts = Accounts::open(&config)?.all()?;
    let keys = accounts.iter().map(|account| account.key());
    let found = options.find_client(&args.id, &args.token, keys);
    let Some((account, client)) = found else {
        return Err(CliError::Failed(
            "this token belongs to no account of now: it was not written here, not with this \
             key, not with this id, or its account is gone"
                .to_owned(),
        ));
    };
    let found = Found { account: account.to_string(), client: client.to_string() };
    common.output().show(&found, |found| format!("{} sent it from {}", found.account, found.client))
}
