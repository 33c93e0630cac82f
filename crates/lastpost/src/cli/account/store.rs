//! Where accounts can be changed: passwd-files and database files of the configuration, and for
//! passwords every source that can replace a hash.

use std::sync::Arc;

use accounts::sqlite::{SqliteConfig, SqliteEditError, SqliteEditor};
use accounts::{Common, SourceConfig, SourceKind};
use address::AccountKey;
use auth::{
    Account, AccountSource, AccountsConfig, EditError, NewAccount, PasswdEditor, StoredHash,
    SystemClock,
};
use tokio::runtime::Runtime;

use crate::cli::CliError;
use crate::config::Config;

/// What the one passwd-file is called where there are no sources.
const ONLY: &str = "passwd-file";

/// A place whose accounts can be changed.
pub(super) enum Store {
    /// A file of lines; changes are made with [`Store::finish`].
    Passwd(PasswdEditor),
    /// A database file; changes are made at once.
    Sqlite(SqliteEditor),
}

/// Who has an account.
pub(super) enum Holder {
    Store(Store),
    /// A source that is not edited here.
    Source {
        source: Arc<dyn AccountSource>,
        account: Arc<Account>,
        runtime: Runtime,
    },
}

/// Where a store is.
enum Place {
    Passwd(AccountsConfig),
    Sqlite(SqliteConfig),
}

impl Store {
    /// Opens the source `named`; by default the first in the configuration that can be changed.
    ///
    /// # Errors
    /// If there is none, or it is in use or wrong.
    pub(super) fn open(config: &Config, named: Option<&str>) -> Result<Self, CliError> {
        let places = places(config);
        let found = match named {
            Some(named) => places.into_iter().find(|(name, _)| name == named),
            None => places.into_iter().find(|(_, place)| place.is_some()),
        };
        match found {
            Some((_, Some(place))) => place.open(config),
            Some((name, None)) => Err(CliError::Usage(format!(
                "the source {name:?} is not changed from here; expected one of the kind \
                 \"passwd-file\" or \"sqlite\""
            ))),
            None => Err(CliError::Usage(match named {
                Some(named) => format!("there is no source {named:?}; see [[accounts.source]]"),
                None => "no source of the configuration can be changed from here; expected one of \
                         the kind \"passwd-file\" or \"sqlite\""
                    .to_owned(),
            })),
        }
    }

    /// Whether there is an account with this login.
    pub(super) fn has(&self, key: &AccountKey) -> Result<bool, CliError> {
        match self {
            Self::Passwd(editor) => Ok(editor.has(key)),
            Self::Sqlite(editor) => match editor.find(key) {
                Ok(found) => Ok(found.is_some()),
                // There is one, though nobody can log in with it.
                Err(SqliteEditError::Record(_)) => Ok(true),
                Err(error) => Err(CliError::failed(error)),
            },
        }
    }

    pub(super) fn add(&mut self, new: &NewAccount) -> Result<(), CliError> {
        match self {
            Self::Passwd(editor) => editor.add(new).map_err(CliError::failed),
            Self::Sqlite(editor) => editor.add(new).map_err(CliError::failed),
        }
    }

    pub(super) fn set_password(
        &mut self,
        key: &AccountKey,
        hash: &StoredHash,
        must_change: bool,
    ) -> Result<(), CliError> {
        match self {
            Self::Passwd(editor) => {
                editor.set_password(key, hash).map_err(CliError::failed)?;
                if must_change {
                    editor.set_must_change(key, true).map_err(CliError::failed)?;
                }
            }
            Self::Sqlite(editor) => {
                editor.set_password(key, hash).map_err(CliError::failed)?;
                if must_change {
                    editor.set_must_change(key, true).map_err(CliError::failed)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn set_disabled(
        &mut self,
        key: &AccountKey,
        disabled: bool,
    ) -> Result<(), CliError> {
        match self {
            Self::Passwd(editor) => editor.set_disabled(key, disabled).map_err(CliError::failed),
            Self::Sqlite(editor) => editor.set_disabled(key, disabled).map_err(CliError::failed),
        }
    }

    /// Writes what was changed.
    pub(super) fn finish(self) -> Result<(), CliError> {
        match self {
            Self::Passwd(editor) => editor.save().map_err(CliError::failed),
            Self::Sqlite(_) => Ok(()),
        }
    }
}

impl Holder {
    /// Who has the account of `key`: the first source, in the order of the configuration, that
    /// knows it.
    ///
    /// # Errors
    /// If none does, or one that is asked before cannot say.
    pub(super) fn of(config: &Config, key: &AccountKey) -> Result<Option<Self>, CliError> {
        let mut runtime = None;
        for (name, place) in places(config) {
            if let Some(place) = place {
                if !place.exists(config)? {
                    continue;
                }
                let store = place.open(config)?;
                if store.has(key)? {
                    return Ok(Some(Self::Store(store)));
                }
                continue;
            }
            let Some(source) = config.accounts.source.iter().find(|s| s.name == name) else {
                continue;
            };
            let waiting = match runtime.take() {
                Some(waiting) => waiting,
                None => new_runtime()?,
            };
            let (source, found) = {
                let _entered = waiting.enter();
                let source = open_source(config, source)?;
                let found = waiting.block_on(source.find(key)).map_err(CliError::failed)?;
                (source, found)
            };
            if let Some(account) = found {
                return Ok(Some(Self::Source { source, account, runtime: waiting }));
            }
            runtime = Some(waiting);
        }
        Ok(None)
    }

    /// As [`Self::of`].
    ///
    /// # Errors
    /// If nobody has the account as well.
    pub(super) fn require(config: &Config, key: &AccountKey) -> Result<Self, CliError> {
        Self::of(config, key)?.ok_or_else(|| match config.accounts.passwd() {
            Some(passwd) => {
                let file = passwd.passwd_file;
                CliError::failed(EditError::Unknown { file, key: key.clone() })
            }
            None => CliError::Failed(format!("no source has an account {key}")),
        })
    }

    pub(super) fn set_password(
        self,
        key: &AccountKey,
        hash: &StoredHash,
        must_change: bool,
    ) -> Result<(), CliError> {
        let (source, account, runtime) = match self {
            Self::Store(mut store) => {
                store.set_password(key, hash, must_change)?;
                return store.finish();
            }
            Self::Source { source, account, runtime } => (source, account, runtime),
        };
        let name = source.name();
        let Some(old) = account.hash().filter(|_| source.can_replace_hash() && !must_change) else {
            let what = if must_change { "--must-change" } else { "passwords" };
            return Err(CliError::Failed(format!(
                "the source {name:?} keeps the account {key}, and {what} cannot be set from here: \
                 change it there"
            )));
        };
        match runtime.block_on(source.replace_hash(key, old, hash)).map_err(CliError::failed)? {
            true => Ok(()),
            false => Err(CliError::Failed(format!(
                "the source {name:?} did not take the new password of {key}: somebody else \
                 changed the record, or its statement changes nothing"
            ))),
        }
    }

    pub(super) fn set_disabled(self, key: &AccountKey, disabled: bool) -> Result<(), CliError> {
        match self {
            Self::Store(mut store) => {
                store.set_disabled(key, disabled)?;
                store.finish()
            }
            Self::Source { source, .. } => Err(CliError::Failed(format!(
                "the source {:?} keeps the account {key}: disable or enable it there",
                source.name()
            ))),
        }
    }

    /// What the source is called, if it is not edited here.
    pub(super) fn source_name(&self) -> Option<&str> {
        match self {
            Self::Store(_) => None,
            Self::Source { source, .. } => Some(source.name()),
        }
    }
}

impl Place {
    fn open(self, config: &Config) -> Result<Store, CliError> {
        match self {
            Self::Passwd(passwd) => {
                PasswdEditor::open(&passwd).map(Store::Passwd).map_err(CliError::failed)
            }
            Self::Sqlite(sqlite) => SqliteEditor::create_or_open(&sqlite, &shared(config)?)
                .map(Store::Sqlite)
                .map_err(CliError::failed),
        }
    }

    /// A database that is only looked into must not be made by that.
    fn exists(&self, config: &Config) -> Result<bool, CliError> {
        match self {
            Self::Passwd(_) => Ok(true),
            Self::Sqlite(sqlite) => Ok(sqlite.file(&shared(config)?).exists()),
        }
    }
}

/// The sources by name, in their order, and where those are that can be changed.
fn places(config: &Config) -> Vec<(String, Option<Place>)> {
    if let Some(passwd) = config.accounts.passwd() {
        return vec![(ONLY.to_owned(), Some(Place::Passwd(passwd)))];
    }
    let place = |source: &SourceConfig| match source.kind {
        SourceKind::PasswdFile => {
            let settings = source.passwd_file.clone().unwrap_or_default();
            Some(Place::Passwd(AccountsConfig {
                passwd_file: settings.path,
                default_domain: config.accounts.default_domain.clone(),
                maildir: config.accounts.maildir.clone(),
                check_every: settings.check_every,
                weak_schemes: config.accounts.weak_schemes,
            }))
        }
        SourceKind::Sqlite => Some(Place::Sqlite(source.sqlite.clone().unwrap_or_default())),
        _ => None,
    };
    config.accounts.source.iter().map(|source| (source.name.clone(), place(source))).collect()
}

/// What all sources need to know.
pub(super) fn shared(config: &Config) -> Result<Common, CliError> {
    let clock = Arc::new(SystemClock::new());
    config.accounts.common(clock, &config.data_directory).map_err(CliError::failed)
}

fn open_source(config: &Config, source: &SourceConfig) -> Result<Arc<dyn AccountSource>, CliError> {
    source.open(&shared(config)?).map_err(CliError::failed)
}

fn new_runtime() -> Result<Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(CliError::failed)
}
