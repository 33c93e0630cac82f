//! Changing the accounts of a database file: what `lastpost account` does.

use std::path::PathBuf;

use address::AccountKey;
use auth::{Account, NewAccount, StoredHash, parse_password_field};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::config::SqliteConfig;
use super::schema::{self, SqliteProblem};
use super::statements;
use crate::record::parse_switch;
use crate::{Common, Row, RowProblem, UnknownColumn};

/// How often an import tells of its progress.
const PROGRESS_EVERY: u64 = 1000;

/// Why the accounts were not changed. They are as they were.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqliteEditError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] SqliteProblem),
    /// No such account.
    #[error("{}: there is no account {key}", file.display())]
    Unknown {
        /// The file.
        file: PathBuf,
        /// The login.
        key: AccountKey,
    },
    /// There is one already.
    #[error("{}: there is an account {key} already", file.display())]
    Exists {
        /// The file.
        file: PathBuf,
        /// The login.
        key: AccountKey,
    },
    /// It has no password to be enabled with.
    #[error("{key} has no password to be enabled with; set one first")]
    NoPassword {
        /// The login.
        key: AccountKey,
    },
    /// A value that no account can have.
    #[error(transparent)]
    Record(#[from] RowProblem),
    /// A record of an import that no account can be made of.
    #[error("record {number}: {problem}")]
    Import {
        /// Which one, from 1.
        number: u64,
        /// What is wrong with it.
        problem: RowProblem,
    },
    /// No such column.
    #[error(transparent)]
    Column(#[from] UnknownColumn),
}

/// What an import does with an account that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Breaks off; nothing is imported.
    Refuse,
    /// Leaves it as it is.
    Keep,
    /// Puts the new record in its place.
    Replace,
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Accounts that are new.
    pub added: u64,
    /// Accounts whose record is another now.
    pub replaced: u64,
    /// Accounts that were left as they are.
    pub kept: u64,
}

/// The accounts of a file, to be changed. Each change is durable when its call returns, and is
/// seen by running services at once. Blocks; waits up to 5 seconds for another writer.
pub struct SqliteEditor {
    file: PathBuf,
    common: Common,
    connection: Connection,
}

impl SqliteEditor {
    /// Opens the file; if it is not there it is made, for its owner alone (mode 0600).
    ///
    /// # Errors
    /// If it cannot be made or used.
    pub fn create_or_open(config: &SqliteConfig, common: &Common) -> Result<Self, SqliteEditError> {
        let file = config.file(common);
        let connection = schema::create_or_open(&file)?;
        Ok(Self { file, common: common.clone(), connection })
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &std::path::Path {
        &self.file
    }

    /// Adds an account.
    ///
    /// # Errors
    /// If it exists, or a value is wrong.
    pub fn add(&mut self, new: &NewAccount) -> Result<(), SqliteEditError> {
        let row = row_of(new);
        self.change(|editor| {
            if editor.find(&new.key)?.is_some() {
                let file = editor.file.to_owned();
                return Err(SqliteEditError::Exists { file, key: new.key.clone() });
            }
            editor.put(row).map_err(Into::into)
        })
    }

    /// Gives an account another password, which need not be changed any more. A disabled one
    /// stays disabled.
    ///
    /// # Errors
    /// If there is no such account.
    pub fn set_password(
        &mut self,
        key: &AccountKey,
        hash: &StoredHash,
    ) -> Result<(), SqliteEditError> {
        self.edit(key, |row| {
            row.password = Some(hash.to_field());
            row.must_change = None;
            Ok(())
        })
    }

    /// Disables an account or enables it again.
    ///
    /// # Errors
    /// If there is no such account, or it has no password to be enabled with.
    pub fn set_disabled(
        &mut self,
        key: &AccountKey,
        disabled: bool,
    ) -> Result<(), SqliteEditError> {
        self.edit(key, |row| {
            if !disabled && row.password.is_none() {
                return Err(SqliteEditError::NoPassword { key: key.clone() });
            }
            row.disabled = Some(said(disabled));
            Ok(())
        })
    }

    /// Has the password of an account changed before it is good for anything, or not any more.
    ///
    /// # Errors
    /// If there is no such account.
    pub fn set_must_change(
        &mut self,
        key: &AccountKey,
        must_change: bool,
    ) -> Result<(), SqliteEditError> {
        self.set(key, "must_change", Some(&said(must_change)))
    }

    /// Sets any one column but the login; None: nothing is said.
    ///
    /// # Errors
    /// If there is no such account or column, or the value is wrong.
    pub fn set(
        &mut self,
        key: &AccountKey,
        column: &str,
        value: Option<&str>,
    ) -> Result<(), SqliteEditError> {
        if column == "login" {
            return Err(UnknownColumn { name: column.to_owned() }.into());
        }
        self.edit(key, |row| Ok(row.set(column, value.unwrap_or_default())?))
    }

    /// Removes an account; its mail stays where it is.
    ///
    /// # Errors
    /// If there is no such account.
    pub fn delete(&mut self, key: &AccountKey) -> Result<(), SqliteEditError> {
        self.change(|editor| {
            let deleted = statements::delete(editor.transaction, key.as_str());
            match deleted.map_err(|error| editor.failed(&error))? {
                true => Ok(()),
                false => Err(editor.unknown(key)),
            }
        })
    }

    /// Adds many accounts: all, or none if one of them is wrong. `progress` is told how many
    /// were read, now and then and at the end.
    ///
    /// # Errors
    /// The first record that is wrong.
    pub fn import(
        &mut self,
        rows: impl IntoIterator<Item = Row>,
        existing: Existing,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Imported, SqliteEditError> {
        self.change(|editor| {
            let (mut imported, mut number) = (Imported::default(), 0_u64);
            for row in rows {
                number = number.saturating_add(1);
                let wrong = |problem| SqliteEditError::Import { number, problem };
                let key = row.key(editor.common).map_err(wrong)?;
                let known = editor.find(&key)?.is_some();
                match existing {
                    Existing::Refuse if known => {
                        return Err(SqliteEditError::Exists { file: editor.file.to_owned(), key });
                    }
                    Existing::Keep if known => imported.kept += 1,
                    _ => {
                        editor.put(row).map_err(|fault| match fault {
                            Fault::Record(problem) => wrong(problem),
                            Fault::File(problem) => problem.into(),
                        })?;
                        *(if known { &mut imported.replaced } else { &mut imported.added }) += 1;
                    }
                }
                if number.is_multiple_of(PROGRESS_EVERY) {
                    progress(number);
                }
            }
            progress(number);
            Ok(imported)
        })
    }

    /// The account of a login.
    ///
    /// # Errors
    /// If its record is wrong, or the file cannot be read.
    pub fn find(&self, key: &AccountKey) -> Result<Option<Account>, SqliteEditError> {
        let row = statements::find(&self.connection, key.as_str());
        let row = row.map_err(|error| SqliteProblem::of(&self.file, &error))?;
        Ok(row.map(|row| row.into_account(&self.common)).transpose()?)
    }

    /// The next accounts behind `after`, in the order of their logins.
    ///
    /// # Errors
    /// If a record is wrong, or the file cannot be read.
    pub fn page(
        &self,
        after: Option<&AccountKey>,
        limit: u32,
    ) -> Result<Vec<Account>, SqliteEditError> {
        let after = after.map_or("", AccountKey::as_str);
        let rows = statements::page(&self.connection, after, limit);
        let rows = rows.map_err(|error| SqliteProblem::of(&self.file, &error))?;
        let accounts = rows.into_iter().map(|row| row.into_account(&self.common));
        Ok(accounts.collect::<Result<_, _>>()?)
    }

    /// Reads a record, changes it and writes it back.
    fn edit(
        &mut self,
        key: &AccountKey,
        change: impl FnOnce(&mut Row) -> Result<(), SqliteEditError>,
    ) -> Result<(), SqliteEditError> {
        self.change(|editor| {
            let mut row = editor.find(key)?.ok_or_else(|| editor.unknown(key))?;
            change(&mut row)?;
            editor.put(row).map_err(Into::into)
        })
    }

    /// Does `work` whole or not at all.
    fn change<T>(
        &mut self,
        work: impl FnOnce(&Open<'_>) -> Result<T, SqliteEditError>,
    ) -> Result<T, SqliteEditError> {
        let file = self.file.as_path();
        let failed = |error: rusqlite::Error| SqliteProblem::of(file, &error);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let done = work(&Open { file, common: &self.common, transaction: &transaction })?;
        transaction.commit().map_err(failed)?;
        Ok(done)
    }
}

impl std::fmt::Debug for SqliteEditor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteEditor").field("file", &self.file).finish_non_exhaustive()
    }
}

/// A change under way.
struct Open<'a> {
    file: &'a std::path::Path,
    common: &'a Common,
    transaction: &'a Transaction<'a>,
}

/// Why a record was not written.
enum Fault {
    Record(RowProblem),
    File(SqliteProblem),
}

impl From<Fault> for SqliteEditError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Record(problem) => problem.into(),
            Fault::File(problem) => problem.into(),
        }
    }
}

impl Open<'_> {
    fn failed(&self, error: &rusqlite::Error) -> SqliteProblem {
        SqliteProblem::of(self.file, error)
    }

    fn unknown(&self, key: &AccountKey) -> SqliteEditError {
        SqliteEditError::Unknown { file: self.file.to_owned(), key: key.clone() }
    }

    fn find(&self, key: &AccountKey) -> Result<Option<Row>, SqliteProblem> {
        statements::find(self.transaction, key.as_str()).map_err(|error| self.failed(&error))
    }

    /// Writes a record, if an account can be made of it: a lock before the hash becomes a
    /// disabled account, and the hash is written in the one way.
    fn put(&self, mut row: Row) -> Result<(), Fault> {
        let account = row.clone().into_account(self.common).map_err(Fault::Record)?;
        let field = row.password.take();
        let field = field.filter(|field| !field.trim_start_matches(['!', '*']).is_empty());
        row.password = match field.as_deref().map(|field| parse_password_field(field)) {
            Some(Ok((hash, _))) => Some(hash.to_field()),
            _ => None,
        };
        // An account without a password is locked anyway, and not disabled by anybody.
        let disabled = match row.password {
            Some(_) => account.is_disabled(),
            None => row.disabled.as_deref().and_then(parse_switch).unwrap_or(false),
        };
        let switches = [disabled, account.must_change()];
        let (login, addresses) = (account.key().as_str(), account.addresses());
        statements::put(self.transaction, login, &row, switches, addresses)
            .map_err(|error| Fault::File(self.failed(&error)))
    }
}

fn row_of(new: &NewAccount) -> Row {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let mut row = Row {
        login: new.key.as_str().to_owned(),
        password: Some(new.hash.to_field()),
        addresses: new.addresses.iter().map(ToString::to_string).collect(),
        send_as: new.send_as.iter().map(ToString::to_string).collect(),
        maildir: path(&new.maildir),
        home: path(&new.home),
        disabled: Some(said(new.disabled)),
        must_change: Some(said(new.must_change)),
        cohort: new.cohort.clone(),
        ..Row::default()
    };
    for word in new.policy.words() {
        if let Some((column, value)) = word.split_once('=') {
            // The words of a policy are columns.
            let _ = row.set(column, value);
        }
    }
    row
}

fn said(switch: bool) -> String {
    if switch { "1" } else { "0" }.to_owned()
}
