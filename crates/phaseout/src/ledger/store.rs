//! The ledger's file: its schema, what makes it unusable, and writing to it.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, params};

use super::entry::{Access, Entry, Outcome};
use super::{LedgerError, MovedAside, file_error};
use crate::share::{HOUR, hour_of};

/// "LPld": marks the file as a ledger of ours.
const APPLICATION: i32 = 0x4C50_6C64;
/// Version of the schema. A file of a higher one is from the future.
const VERSION: i32 = 1;
/// How long SQLite waits for another process that holds the file.
const BUSY: Duration = Duration::from_secs(5);
/// Files up to this size are searched for damage when they are opened.
const CHECKED_OCTETS_MAX: u64 = 64 << 20;

const SCHEMA: &str = "
CREATE TABLE usage (
    hour     INTEGER NOT NULL, -- since 1970
    account  TEXT    NOT NULL,
    access   TEXT    NOT NULL, -- legacy or modern
    method   TEXT    NOT NULL,
    cohort   TEXT    NOT NULL,
    phase    TEXT    NOT NULL,
    reason   TEXT    NOT NULL, -- of the refusal; empty: allowed
    client   TEXT    NOT NULL,
    helo     TEXT    NOT NULL,
    extended INTEGER NOT NULL,
    count    INTEGER NOT NULL,
    first    INTEGER NOT NULL, -- milliseconds since 1970
    last     INTEGER NOT NULL,
    sender   TEXT,             -- of the last use
    PRIMARY KEY (hour, account, access, method, cohort, phase, reason, client, helo, extended)
) WITHOUT ROWID;
CREATE INDEX usage_by_account ON usage (account, hour);
";

const UPSERT: &str = "
INSERT INTO usage VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1, ?11, ?11, ?12)
ON CONFLICT DO UPDATE SET
    count = count + 1,
    first = min(first, excluded.first),
    last = max(last, excluded.last),
    sender = coalesce(excluded.sender, sender)
";

/// An open ledger file.
#[derive(Debug)]
pub(super) struct Store {
    connection: Connection,
    path: PathBuf,
}

/// Why a file was not opened.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is damaged, foreign or from the future: another file must take its place.
    Unusable(String),
    /// It cannot be reached now.
    Other(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match is_damage(&error) {
            true => Self::Unusable(format!("is damaged ({error})")),
            false => Self::Other(error),
        }
    }
}

/// Whether the error means that the file's content is no good.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

impl Store {
    /// Opens or makes the file; an unusable one is moved aside.
    pub(super) fn open(
        path: &Path,
        at: Timestamp,
    ) -> Result<(Self, Option<MovedAside>), LedgerError> {
        let reason = match Self::try_open(path) {
            Ok(store) => return Ok((store, None)),
            Err(Fault::Unusable(reason)) => reason,
            Err(Fault::Other(error)) => return Err(file_error(path, error)),
        };
        let moved = move_aside(path, &reason, at).map_err(|error| file_error(path, error))?;
        match Self::try_open(path) {
            Ok(store) => Ok((store, Some(moved))),
            Err(Fault::Unusable(reason)) => {
                Err(LedgerError::Unusable { path: path.to_owned(), reason })
            }
            Err(Fault::Other(error)) => Err(file_error(path, error)),
        }
    }

    fn try_open(path: &Path) -> Result<Self, Fault> {
        // Made here so that nobody else reads it: it says who mails when from where.
        // A failure shows again, with its reason, when SQLite opens the file.
        let _made = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        match version_of(&connection)? {
            None => initialise(&connection)?,
            Some(version) => check_version(version).map_err(Fault::Unusable)?,
        }
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
        let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        if size <= CHECKED_OCTETS_MAX {
            search_damage(&connection)?;
        }
        Ok(Self { connection, path: path.to_owned() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the entries, all or none.
    pub(super) fn write(&mut self, entries: &[Entry]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut upsert = transaction.prepare_cached(UPSERT)?;
            for entry in entries {
                let reason = match entry.outcome {
                    Outcome::Allowed => "",
                    Outcome::Refused(reason) => reason,
                };
                upsert.execute(params![
                    hour_of(entry.at),
                    entry.account.as_str(),
                    access_word(entry.access),
                    entry.method,
                    &*entry.cohort,
                    entry.phase.as_str(),
                    reason,
                    entry.client.to_string(),
                    entry.helo_kept(),
                    entry.extended,
                    entry.at.as_millisecond(),
                    entry.sender.as_deref(),
                ])?;
            }
        }
        transaction.commit()
    }

    /// Deletes what is older than `days` before `now`, and the oldest above `rows_max`.
    pub(super) fn prune(
        &mut self,
        now: Timestamp,
        days: u32,
        rows_max: u64,
    ) -> rusqlite::Result<u64> {
        let oldest = hour_of(now) - i64::from(days.max(1)) * 24;
        let mut deleted =
            self.connection.execute("DELETE FROM usage WHERE hour < ?1", [oldest])? as u64;
        let rows: i64 =
            self.connection.query_row("SELECT count(*) FROM usage", [], |row| row.get(0))?;
        let excess = rows.cast_unsigned().saturating_sub(rows_max);
        if excess > 0 {
            // Whole hours go, so that what remains is complete.
            let reaches: i64 = self.connection.query_row(
                "SELECT hour FROM usage ORDER BY hour LIMIT 1 OFFSET ?1",
                [excess.cast_signed() - 1],
                |row| row.get(0),
            )?;
            deleted +=
                self.connection.execute("DELETE FROM usage WHERE hour <= ?1", [reaches])? as u64;
        }
        Ok(deleted)
    }
}

pub(super) fn access_word(access: Access) -> &'static str {
    match access {
        Access::Legacy => "legacy",
        Access::Modern => "modern",
    }
}

/// `None`: an empty database.
fn version_of(connection: &Connection) -> Result<Option<i32>, Fault> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    match (pragma("application_id")?, pragma("user_version")?) {
        (0, 0) if tables == 0 => Ok(None),
        (APPLICATION, version) => Ok(Some(version)),
        _ => Err(Fault::Unusable("is a database of another program".to_owned())),
    }
}

fn check_version(version: i32) -> Result<(), String> {
    match version {
        VERSION => Ok(()),
        _ => Err(format!("has format {version}; this version reads and writes format {VERSION}")),
    }
}

fn initialise(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE;{SCHEMA}PRAGMA application_id = {APPLICATION};\
         PRAGMA user_version = {VERSION};COMMIT;"
    ))
}

fn search_damage(connection: &Connection) -> Result<(), Fault> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    match found.as_str() {
        "ok" => Ok(()),
        found => Err(Fault::Unusable(format!("is damaged ({found})"))),
    }
}

/// Renames the file and its write-ahead log out of the way, with a name that tells when.
pub(super) fn move_aside(path: &Path, reason: &str, at: Timestamp) -> std::io::Result<MovedAside> {
    let stamp = at.strftime("%Y%m%dT%H%M%SZ").to_string();
    let beside = |file: &Path, suffix: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let free = |n: u32| match n {
        0 => beside(path, &format!(".aside-{stamp}")),
        n => beside(path, &format!(".aside-{stamp}.{n}")),
    };
    let to = (0..1000).map(free).find(|to| !to.exists()).unwrap_or_else(|| free(1000));
    std::fs::rename(path, &to)?;
    for suffix in ["-wal", "-shm"] {
        match std::fs::rename(beside(path, suffix), beside(&to, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    tracing::error!(
        ledger = %path.display(),
        moved_to = %to.display(),
        reason,
        "the ledger can't be used: it was moved aside and a new one begins"
    );
    Ok(MovedAside { to, reason: reason.to_owned() })
}

/// Opens the file to read it only.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, LedgerError> {
    let unusable = |reason| LedgerError::Unusable { path: path.to_owned(), reason };
    let fault = |fault: Fault| match fault {
        Fault::Unusable(reason) => unusable(reason),
        Fault::Other(error) => file_error(path, error),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|error| file_error(path, error))?;
    connection.busy_timeout(BUSY).map_err(|error| file_error(path, error))?;
    match version_of(&connection).map_err(fault)? {
        Some(version) => check_version(version).map_err(unusable)?,
        None => return Err(unusable("is empty".to_owned())),
    }
    Ok(connection)
}

/// Milliseconds of the file as an instant.
pub(super) fn instant(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The first hour of a filter.
pub(super) fn first_hour(from: Option<Timestamp>) -> i64 {
    from.map_or(i64::MIN, |from| from.as_second().div_euclid(HOUR))
}
