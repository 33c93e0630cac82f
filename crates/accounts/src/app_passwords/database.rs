//! The file: one table, opened with care.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// `LPap`: whose file it is.
const APPLICATION_ID: i32 = 0x4c50_6170;
/// How the table is made.
const VERSION: i32 = 1;

const TABLE: &str = "
    CREATE TABLE app_password (
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        digest BLOB NOT NULL,
        only_service TEXT,
        created INTEGER NOT NULL,
        expires INTEGER,
        used_at INTEGER,
        used_client TEXT,
        used_service TEXT,
        PRIMARY KEY (account, name)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX app_password_digest ON app_password (account, digest);
";

/// Why app passwords cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppPasswordError {
    /// The file cannot be made.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be used.
    #[error("{}: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The file is another program's, or a later version's.
    #[error("{} is not a file of app passwords that this version knows", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The account has one of that name.
    #[error(
        "{account} has an app password called {name:?} already: revoke it, or use another name"
    )]
    Taken {
        /// The account.
        account: String,
        /// The name.
        name: String,
    },
    /// The account has as many as it may have.
    #[error("{account} has {most} app passwords, which is the most: revoke one first")]
    TooMany {
        /// The account.
        account: String,
        /// The limit.
        most: usize,
    },
    /// The name cannot be one.
    #[error(
        "{name:?} cannot be a name: expected 1 to 64 characters without control characters or spaces around them"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// It would have ended before it began.
    #[error("the app password would have expired already")]
    Expired,
    /// The system gives no random octets.
    #[error("the system gives no random octets")]
    NoRandomness,
}

/// An open file.
pub(super) struct Database {
    pub(super) connection: Connection,
    /// Which file it is: another may be put in its place.
    inode: (u64, u64),
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To look things up at each login.
    Read,
    /// To note uses, which may be lost with the power.
    Note,
    /// To change what is valid, on disk before anybody is told.
    Edit,
}

impl Database {
    /// Opens the file. None: it is not there, and the purpose is none that makes it.
    pub(super) fn open(path: &Path, purpose: Purpose) -> Result<Option<Self>, AppPasswordError> {
        let failed = |source| AppPasswordError::Io { path: path.to_owned(), source };
        let Some(inode) = inode(path).map_err(failed)? else {
            if purpose != Purpose::Edit {
                return Ok(None);
            }
            make(path).map_err(failed)?;
            return Self::open(path, purpose);
        };
        let database = Self::connect(path, purpose)
            .map_err(|source| AppPasswordError::Database { path: path.to_owned(), source })?;
        match database {
            Some(connection) => Ok(Some(Self { connection, inode })),
            // It was made a moment ago, and its table is not there yet.
            None if purpose != Purpose::Edit => Ok(None),
            None => Err(AppPasswordError::Foreign { path: path.to_owned() }),
        }
    }

    /// Whether `path` still names this file.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        inode(path).is_ok_and(|inode| inode == Some(self.inode))
    }

    fn connect(path: &Path, purpose: Purpose) -> rusqlite::Result<Option<Connection>> {
        // Each thread has a connection of its own.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(match purpose {
            Purpose::Read => Duration::from_secs(1),
            Purpose::Note => Duration::from_secs(3),
            Purpose::Edit => Duration::from_secs(10),
        })?;
        let synchronous = if purpose == Purpose::Edit { "FULL" } else { "NORMAL" };
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        if purpose == Purpose::Edit {
            prepare(&mut connection)?;
        }
        if purpose == Purpose::Read {
            connection.pragma_update(None, "query_only", true)?;
        }
        let of = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
        let known = of("application_id")? == APPLICATION_ID && of("user_version")? == VERSION;
        Ok(known.then_some(connection))
    }
}

/// Makes the table in an empty file; two processes may do so at once.
fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    let change = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let tables = "SELECT count(*) FROM sqlite_schema";
    if change.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0 {
        change.execute_batch(TABLE)?;
        change.pragma_update(None, "application_id", APPLICATION_ID)?;
        change.pragma_update(None, "user_version", VERSION)?;
    }
    change.commit()
}

fn inode(path: &Path) -> io::Result<Option<(u64, u64)>> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(Some((found.dev(), found.ino()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes an empty file that only its owner can read: the owner of the directory, for the
/// daemons may run as another user than who made it. What SQLite puts beside it is alike.
fn make(path: &Path) -> io::Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let file: File = match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    };
    let (own, directory) = (file.metadata()?, std::fs::metadata(path.parent().unwrap_or(path))?);
    if own.uid() == 0 && directory.uid() != 0 {
        std::os::unix::fs::fchown(&file, Some(directory.uid()), Some(directory.gid()))?;
    }
    Ok(())
}
