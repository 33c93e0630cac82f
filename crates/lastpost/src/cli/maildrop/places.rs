//! Which maildrops a command is about: an account's, a Maildir, all accounts', or a whole tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auth::Account;
use clap::Args;

use crate::cli::accounts::Accounts;
use crate::cli::{CliError, CommonArgs};

/// Directories within directories until a Maildir must be found.
const DEPTH_MAX: usize = 16;

/// Which maildrops.
#[derive(Debug, Default, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Places {
    /// Login name of one account.
    pub(super) login: Option<String>,
    /// One Maildir, whoever's it is.
    #[arg(long, value_name = "MAILDIR")]
    pub(super) path: Option<PathBuf>,
    /// All accounts, also those that are disabled.
    #[arg(long)]
    pub(super) all: bool,
    /// All Maildirs below a directory.
    #[arg(long, value_name = "DIRECTORY")]
    pub(super) tree: Option<PathBuf>,
}

/// One maildrop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The account's login; `None` if the Maildir was named itself.
    pub(super) login: Option<String>,
    /// The Maildir.
    pub(super) path: PathBuf,
}

impl Place {
    /// How a report calls it.
    pub(super) fn name(&self) -> String {
        self.login.clone().unwrap_or_else(|| self.path.display().to_string())
    }

    /// A Maildir that is not there yet: an account that never had mail.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self.path.join("cur").try_exists(), Ok(false))
    }

    /// Whether there is no message in it. What cannot be read counts as mail.
    pub(super) fn is_empty(&self) -> bool {
        ["new", "cur"].iter().all(|name| match fs::read_dir(self.path.join(name)) {
            Ok(mut entries) => entries.all(|entry| {
                entry.is_ok_and(|entry| entry.file_name().as_encoded_bytes().starts_with(b"."))
            }),
            Err(_) => false,
        })
    }
}

impl Places {
    /// Finds the maildrops. Only where accounts are meant is the configuration read.
    pub(super) fn find(&self, common: &CommonArgs) -> Result<Vec<Place>, CliError> {
        if let Some(path) = &self.path {
            return Ok(vec![Place { login: None, path: path.clone() }]);
        }
        if let Some(tree) = &self.tree {
            let mut found = Vec::new();
            walk(tree, 0, &mut found)?;
            return Ok(found);
        }
        let config = common.load()?;
        let accounts = Accounts::open(&config)?;
        let place = |account: &Arc<Account>| Place {
            login: Some(account.key().to_string()),
            path: account.maildir().to_owned(),
        };
        match &self.login {
            Some(login) => Ok(vec![place(&accounts.account(login)?)]),
            None => Ok(accounts.all()?.iter().map(place).collect()),
        }
    }

    /// Whether there can be more than one.
    pub(super) fn are_many(&self) -> bool {
        self.all || self.tree.is_some()
    }
}

/// Finds the Maildirs at `path` and below. A Maildir's own folders (`.Sent`) are no maildrops,
/// and links are not followed. What cannot be read is an error: it may hold customers' mail.
fn walk(path: &Path, depth: usize, found: &mut Vec<Place>) -> Result<(), CliError> {
    let failed =
        |what: &dyn std::fmt::Display| CliError::Failed(format!("{}: {what}", path.display()));
    if depth > DEPTH_MAX {
        return Err(failed(&format!("more than {DEPTH_MAX} directories deep")));
    }
    let is_directory =
        |name: &str| fs::symlink_metadata(path.join(name)).is_ok_and(|metadata| metadata.is_dir());
    if is_directory("cur") && is_directory("new") {
        found.push(Place { login: None, path: path.to_owned() });
        return Ok(());
    }
    let mut below = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?;
        if entry.file_type().map_err(|error| failed(&error))?.is_dir() {
            below.push(entry.path());
        }
    }
    below.sort();
    below.iter().try_for_each(|path| walk(path, depth + 1, found))
}
