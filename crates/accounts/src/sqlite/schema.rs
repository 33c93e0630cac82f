//! The tables of the file, how they come to be, and what is looked at before a file is trusted.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

/// Says that a file is one of ours: "LPac" (SQLite file format, offset 68).
const APPLICATION_ID: i32 = 0x4c50_6163;

/// The steps from one version of the tables to the next; `user_version` counts those that were
/// taken. None is ever changed once it was released: a change is a new step.
const STEPS: [&str; 1] = [include_str!("schema/1.sql")];

/// How long another writer is waited for.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Memory for pages, per connection, in KiB.
const CACHE_KIB: i64 = 8 * 1024;

/// Why the file cannot be used. Holds no values.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqliteProblem {
    /// It is not there.
    #[error("{}: there is no such file; `lastpost account add` makes it", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
    },
    /// Others could read the hashes.
    #[error("{}: every user of this machine can read or write it (mode {mode:04o}); chmod 0600", file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is something else.
    #[error("{}: it is no database of accounts of ours", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// Its tables are from the future.
    #[error("{}: its tables have version {found}, and this program knows {known}; a newer one made it", file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// The version of its tables.
        found: i64,
        /// The newest that is known.
        known: usize,
    },
    /// It is broken.
    #[error("{}: it is damaged ({problem}); restore it from a backup, or save what can be read by `sqlite3 {} .recover`", file.display(), file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What SQLite says.
        problem: String,
    },
    /// The system refused.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("{}: {problem}", file.display())]
    Refused {
        /// The file.
        file: PathBuf,
        /// What it says.
        problem: String,
    },
}

impl SqliteProblem {
    pub(super) fn of(file: &Path, error: &rusqlite::Error) -> Self {
        let (file, problem) = (file.to_owned(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { file, problem }
            }
            _ => Self::Refused { file, problem },
        }
    }

    fn io(file: &Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::NotFound {
            return Self::Missing { file: file.to_owned() };
        }
        Self::Io { file: file.to_owned(), source }
    }
}

/// Which file a path leads to: another one if somebody put another there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(super) fn of(file: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(file)?;
        Ok(Self { device: metadata.dev(), inode: metadata.ino() })
    }
}

/// Who may read the file: refused if everybody may; a warning if a group may.
pub(super) fn check_mode(file: &Path) -> Result<Option<String>, SqliteProblem> {
    let metadata = std::fs::metadata(file).map_err(|error| SqliteProblem::io(file, error))?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o007 != 0 {
        return Err(SqliteProblem::Open { file: file.to_owned(), mode });
    }
    Ok((mode & 0o070 != 0).then(|| {
        format!("{}: the group {} can read the hashes; chmod 0600", file.display(), metadata.gid())
    }))
}

/// Opens the file for those who look things up.
pub(super) fn open_reader(file: &Path) -> Result<Connection, SqliteProblem> {
    let connection = open(file)?;
    check_version(file, &connection)?;
    let settings = || {
        connection.pragma_update(None, "query_only", true)?;
        // No page is read for nothing when a damaged one could be noticed.
        connection.pragma_update(None, "cell_size_check", true)
    };
    settings().map_err(|error| SqliteProblem::of(file, &error))?;
    Ok(connection)
}

/// Opens the file for those who change it, and brings its tables up to date.
pub(super) fn open_writer(file: &Path) -> Result<Connection, SqliteProblem> {
    let mut connection = open(file)?;
    let failed = |error: &rusqlite::Error| SqliteProblem::of(file, error);
    connection
        .pragma_update(None, "foreign_keys", true)
        .and_then(|()| connection.pragma_update(None, "synchronous", "FULL"))
        .map_err(|error| failed(&error))?;
    migrate(file, &mut connection)?;
    Ok(connection)
}

/// Opens the file as [`open_writer`] does; if it is not there it is made, for its owner alone.
pub(super) fn create_or_open(file: &Path) -> Result<Connection, SqliteProblem> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    match made {
        Ok(made) => {
            // Where root makes it in the directory of the service, it is for the service.
            let directory = file.parent().filter(|path| !path.as_os_str().is_empty());
            let directory = std::fs::metadata(directory.unwrap_or(Path::new(".")));
            let given = directory.and_then(|directory| {
                let own = made.metadata()?;
                if own.uid() == 0 && directory.uid() != 0 {
                    fchown(&made, Some(directory.uid()), Some(directory.gid()))?;
                }
                made.sync_all()
            });
            given.map_err(|error| SqliteProblem::io(file, error))?;
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(SqliteProblem::Io { file: file.to_owned(), source }),
    }
    check_mode(file)?;
    open_writer(file)
}

fn open(file: &Path) -> Result<Connection, SqliteProblem> {
    // SQLite would say no more than that it cannot.
    std::fs::metadata(file).map_err(|error| SqliteProblem::io(file, error))?;
    let failed = |error: rusqlite::Error| SqliteProblem::of(file, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_WAIT).map_err(failed)?;
    connection.pragma_update(None, "trusted_schema", false).map_err(failed)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// The version of the tables; the file must be one of ours.
fn version(file: &Path, connection: &Connection) -> Result<usize, SqliteProblem> {
    let number = |name| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(|error| SqliteProblem::of(file, &error))
    };
    let (application, found) = (number("application_id")?, number("user_version")?);
    if application != i64::from(APPLICATION_ID) {
        return Err(SqliteProblem::Foreign { file: file.to_owned() });
    }
    let known = STEPS.len();
    match usize::try_from(found) {
        Ok(version) if version <= known => Ok(version),
        _ => Err(SqliteProblem::Newer { file: file.to_owned(), found, known }),
    }
}

fn check_version(file: &Path, connection: &Connection) -> Result<(), SqliteProblem> {
    match version(file, connection)? {
        version if version == STEPS.len() => Ok(()),
        _ => Err(SqliteProblem::Foreign { file: file.to_owned() }),
    }
}

/// Takes the steps that are missing, each whole or not at all.
fn migrate(file: &Path, connection: &mut Connection) -> Result<(), SqliteProblem> {
    let failed = |error: rusqlite::Error| SqliteProblem::of(file, &error);
    let pages: i64 =
        connection.pragma_query_value(None, "page_count", |row| row.get(0)).map_err(failed)?;
    if pages == 0 {
        connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
        connection.pragma_update(None, "journal_mode", "wal").map_err(failed)?;
    }
    while version(file, connection)? < STEPS.len() {
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        // Another process may have taken it while we waited.
        let version = version(file, &transaction)?;
        let Some(step) = STEPS.get(version) else { break };
        transaction.execute_batch(step).map_err(failed)?;
        let next = i64::try_from(version.saturating_add(1)).unwrap_or(i64::MAX);
        transaction.pragma_update(None, "user_version", next).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        tracing::info!(target: "lastpost::auth", file = ?file, version = next, "account tables made");
    }
    Ok(())
}
