//! The operator's side: making, listing and revoking app passwords.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use address::AccountKey;
use auth::Service;
use jiff::Timestamp;
use rusqlite::{Row, TransactionBehavior, params};
use zeroize::Zeroizing;

use super::database::{AppPasswordError, Database, Purpose};
use super::secret::AppSecret;
use super::{file_in, service_of, service_word};

/// App passwords of one account.
pub const PER_ACCOUNT_MAX: usize = 50;
/// Characters of a name.
const NAME_MAX: usize = 64;

/// What is known of an app password; the secret itself is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppPassword {
    /// The account's normalised login.
    pub account: String,
    /// Its name.
    pub name: String,
    /// The service that it is limited to.
    pub only: Option<Service>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// When it was used last, if ever.
    pub last_use: Option<LastUse>,
}

/// The last login by an app password, some seconds late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// When, to the second.
    pub at: Timestamp,
    /// From where.
    pub client: IpAddr,
    /// To which service.
    pub service: Service,
}

/// Changes the app passwords in a data directory. Each change is on disk when it returns, and
/// counts at the next login, in whichever process.
pub struct AppPasswordEditor {
    path: PathBuf,
    database: Database,
}

impl AppPasswordEditor {
    /// Opens the file in this directory, and makes it if it is not there. Blocks, as all of
    /// this does.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn open(directory: &Path) -> Result<Self, AppPasswordError> {
        let path = file_in(directory);
        match Database::open(&path, Purpose::Edit)? {
            Some(database) => Ok(Self { path, database }),
            None => Err(AppPasswordError::Foreign { path }),
        }
    }

    /// The same, without making a file that is not there.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn open_existing(directory: &Path) -> Result<Option<Self>, AppPasswordError> {
        let path = file_in(directory);
        let there = path.try_exists();
        match there.map_err(|source| AppPasswordError::Io { path, source })? {
            true => Self::open(directory).map(Some),
            false => Ok(None),
        }
    }

    /// Makes an app password and says it, which nobody can do again.
    ///
    /// # Errors
    /// If the name is taken or is none, the account has too many, or it cannot be written.
    pub fn add(
        &mut self,
        account: &AccountKey,
        name: &str,
        only: Option<Service>,
        expires: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Zeroizing<String>, AppPasswordError> {
        check_name(name)?;
        if expires.is_some_and(|expires| expires <= now) {
            return Err(AppPasswordError::Expired);
        }
        let secret = AppSecret::random().map_err(|_| AppPasswordError::NoRandomness)?;
        let key = account.as_str();
        let path = self.path.clone();
        let failed = |source| AppPasswordError::Database { path: path.clone(), source };
        let connection = &mut self.database.connection;
        let change =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let counted = change.query_row(
            "SELECT count(*), coalesce(sum(name = ?2), 0) FROM app_password WHERE account = ?1",
            params![key, name],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
        );
        let (count, same) = counted.map_err(failed)?;
        if same > 0 {
            return Err(AppPasswordError::Taken { account: key.to_owned(), name: name.to_owned() });
        }
        if usize::try_from(count).is_ok_and(|count| count >= PER_ACCOUNT_MAX) {
            let account = key.to_owned();
            return Err(AppPasswordError::TooMany { account, most: PER_ACCOUNT_MAX });
        }
        let values = params![
            key,
            name,
            secret.digest(key),
            only.map(service_word),
            now.as_second(),
            expires.map(Timestamp::as_second),
        ];
        change
            .execute(
                "INSERT INTO app_password (account, name, digest, only_service, created, expires)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                values,
            )
            .and_then(|_| change.commit())
            .map_err(failed)?;
        Ok(secret.shown())
    }

    /// The next at most `limit` app passwords behind `after` (account and name), of one account
    /// or of all, in the order of accounts and names.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn page(
        &self,
        account: Option<&AccountKey>,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<AppPassword>, AppPasswordError> {
        let (after_account, after_name) = after.unwrap_or_default();
        let read = || {
            let mut statement = self.database.connection.prepare_cached(
                "SELECT account, name, only_service, created, expires,
                        used_at, used_client, used_service
                 FROM app_password
                 WHERE (account, name) > (?1, ?2) AND (?3 IS NULL OR account = ?3)
                 ORDER BY account, name LIMIT ?4",
            )?;
            let account = account.map(AccountKey::as_str);
            let rows = statement
                .query_map(params![after_account, after_name, account, limit], described)?;
            rows.collect::<rusqlite::Result<_>>()
        };
        read().map_err(|source| self.failed(source))
    }

    /// Revokes an app password; whether there was one.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn revoke(&mut self, account: &AccountKey, name: &str) -> Result<bool, AppPasswordError> {
        let sql = "DELETE FROM app_password WHERE account = ?1 AND name = ?2";
        let done = self.database.connection.execute(sql, params![account.as_str(), name]);
        done.map(|count| count > 0).map_err(|source| self.failed(source))
    }

    /// Revokes all app passwords of an account; how many there were.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn revoke_all(&mut self, account: &str) -> Result<usize, AppPasswordError> {
        let sql = "DELETE FROM app_password WHERE account = ?1";
        let done = self.database.connection.execute(sql, params![account]);
        done.map_err(|source| self.failed(source))
    }

    /// The next accounts that have app passwords behind `after`, at most `limit`, in order.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn accounts(&self, after: &str, limit: u32) -> Result<Vec<String>, AppPasswordError> {
        let read = || {
            let mut statement = self.database.connection.prepare_cached(
                "SELECT DISTINCT account FROM app_password WHERE account > ?1
                 ORDER BY account LIMIT ?2",
            )?;
            let rows = statement.query_map(params![after, limit], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<_>>()
        };
        read().map_err(|source| self.failed(source))
    }

    #[cfg(test)]
    pub(super) fn database(&self) -> &rusqlite::Connection {
        &self.database.connection
    }

    fn failed(&self, source: rusqlite::Error) -> AppPasswordError {
        AppPasswordError::Database { path: self.path.clone(), source }
    }
}

impl std::fmt::Debug for AppPasswordEditor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppPasswordEditor").field("path", &self.path).finish_non_exhaustive()
    }
}

fn check_name(name: &str) -> Result<(), AppPasswordError> {
    let length = name.chars().count();
    let is_good = (1..=NAME_MAX).contains(&length)
        && name.trim() == name
        && !name.chars().any(char::is_control);
    match is_good {
        true => Ok(()),
        false => Err(AppPasswordError::Name { name: name.to_owned() }),
    }
}

fn described(row: &Row<'_>) -> rusqlite::Result<AppPassword> {
    let instant = |seconds: i64| Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    let service = |word: Option<String>| word.as_deref().and_then(service_of);
    let (client, used_service): (Option<String>, _) = (row.get(6)?, service(row.get(7)?));
    let last_use = match (row.get(5)?, client.map(|client| client.parse()), used_service) {
        (Some(at), Some(Ok(client)), Some(service)) => {
            Some(LastUse { at: instant(at), client, service })
        }
        _ => None,
    };
    Ok(AppPassword {
        account: row.get(0)?,
        name: row.get(1)?,
        only: service(row.get(2)?),
        created: instant(row.get(3)?),
        expires: row.get::<_, Option<i64>>(4)?.map(instant),
        last_use,
    })
}
