//! Changing the table of accounts: one writer at a time, the whole file or nothing, and every
//! line that was not meant stays as it is, octet for octet.

mod error;
mod lines;
mod replace;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use address::{AccountKey, Domain, Mailbox};
use zeroize::Zeroizing;

use crate::directory::Stamp;
use crate::passwd_file::{self, Rules};
use crate::{
    Account, AccountPolicy, AccountsConfig, AccountsError, Delegation, MaildirTemplate, StoredHash,
    WeakSchemes,
};

pub use error::EditError;
pub(crate) use replace::HashChange;

/// How long another writer is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(5);
const LOCK_STEP: Duration = Duration::from_millis(20);

/// An account to be added.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its login.
    pub key: AccountKey,
    /// Its password.
    pub hash: StoredHash,
    /// What it may send as; none: the login itself, if that is an address.
    pub addresses: Vec<Mailbox>,
    /// What others let it send as.
    pub send_as: Vec<Delegation>,
    /// Its home, below which `%h` of `accounts.maildir` puts the Maildir.
    pub home: Option<PathBuf>,
    /// Its Maildir, where that is not what `accounts.maildir` says.
    pub maildir: Option<PathBuf>,
    /// Whether it may not log in yet.
    pub disabled: bool,
    /// Whether its password has to be changed before it is good for anything.
    pub must_change: bool,
    /// The attribute by which a rollout schedule may select it, see [`crate::parse_cohort`].
    pub cohort: Option<String>,
    /// What is agreed with this customer beside what holds for all.
    pub policy: AccountPolicy,
}

/// The table, locked against other writers until [`Self::save`] or the end of this value.
pub struct PasswdEditor {
    path: PathBuf,
    default_domain: Option<Domain>,
    maildir: MaildirTemplate,
    /// Lines with their ends.
    lines: Vec<Zeroizing<Vec<u8>>>,
    /// Where the line of each login is.
    positions: HashMap<AccountKey, usize>,
    stamp: Stamp,
    _lock: File,
}

impl PasswdEditor {
    /// Locks and reads the table; waits up to 5 seconds for another writer. A file that is
    /// not there counts as an empty one. Blocks.
    ///
    /// # Errors
    /// If the table is wrong somewhere, in use, or cannot be read.
    pub fn open(config: &AccountsConfig) -> Result<Self, EditError> {
        let mut editor = Self::locked(config)?;
        let octets = editor.lines.iter().map(|line| line.len()).sum();
        let mut content = Zeroizing::new(Vec::with_capacity(octets));
        editor.lines.iter().for_each(|line| content.extend_from_slice(line));
        let listing = passwd_file::read(content.as_slice(), &editor.path, &editor.rules())?;
        let located = listing.accounts.iter().zip(&listing.lines);
        let positions = located.map(|(a, line)| (a.key().clone(), *line as usize - 1)).collect();
        editor.positions = positions;
        Ok(editor)
    }

    /// The lines under the lock, not looked at yet.
    fn locked(config: &AccountsConfig) -> Result<Self, EditError> {
        config.check()?;
        // Through a symbolic link the file itself is replaced and not the link.
        let path = config.passwd_file.canonicalize().unwrap_or_else(|_| config.passwd_file.clone());
        let lock = lock(&path, LOCK_WAIT)?;
        let stamp = Stamp::of(&path);
        let content = Zeroizing::new(read(&path, stamp)?);
        Ok(Self {
            path,
            default_domain: config.domain()?,
            maildir: MaildirTemplate::parse(&config.maildir)?,
            lines: lines::split(&content),
            positions: HashMap::new(),
            stamp,
            _lock: lock,
        })
    }

    /// Adds an account at the end.
    ///
    /// # Errors
    /// If it exists, or a value cannot be written in the format.
    pub fn add(&mut self, new: &NewAccount) -> Result<(), EditError> {
        if let Some(line) = self.positions.get(&new.key) {
            let line = u32::try_from(line + 1).unwrap_or(u32::MAX);
            return Err(EditError::Exists { file: self.path.clone(), line, key: new.key.clone() });
        }
        let at = self.lines.len();
        let line = lines::render(new)?;
        self.check(at, &line, &new.key)?;
        let end: &[u8] = match self.lines.last_mut() {
            Some(last) if last.ends_with(b"\r\n") => b"\r\n",
            Some(last) if !last.ends_with(b"\n") => {
                last.push(b'\n');
                b"\n"
            }
            _ => b"\n",
        };
        self.lines.push(lines::joined(&line, end));
        self.positions.insert(new.key.clone(), at);
        Ok(())
    }

    /// Puts an account into the place of one with the same login, or adds it; whether there was
    /// one.
    ///
    /// # Errors
    /// If a value cannot be written in the format.
    pub fn replace(&mut self, new: &NewAccount) -> Result<bool, EditError> {
        let Ok((at, _, end)) = self.line(&new.key) else {
            self.add(new)?;
            return Ok(false);
        };
        let line = lines::render(new)?;
        self.put(at, &line, end, &new.key)?;
        Ok(true)
    }

    /// Whether there is an account with this login.
    #[must_use]
    pub fn has(&self, key: &AccountKey) -> bool {
        self.positions.contains_key(key)
    }

    /// Gives an account another password, which need not be changed any more. A disabled one
    /// stays disabled.
    ///
    /// # Errors
    /// If there is no such account, or the hash cannot be written in the format.
    pub fn set_password(&mut self, key: &AccountKey, hash: &StoredHash) -> Result<(), EditError> {
        let (at, line, end) = self.line(key)?;
        lines::check_hash(hash)?;
        let line = lines::with_must_change(&line, false);
        self.put(at, &lines::with_hash(&line, hash), end, key)
    }

    /// Has the password of an account changed before it is good for anything, or not any more.
    ///
    /// # Errors
    /// If there is no such account.
    pub fn set_must_change(
        &mut self,
        key: &AccountKey,
        must_change: bool,
    ) -> Result<(), EditError> {
        let (at, line, end) = self.line(key)?;
        self.put(at, &lines::with_must_change(&line, must_change), end, key)
    }

    /// Disables an account or enables it again.
    ///
    /// # Errors
    /// If there is no such account, or none of its own password to enable it with.
    pub fn set_disabled(&mut self, key: &AccountKey, disabled: bool) -> Result<(), EditError> {
        let (at, line, end) = self.line(key)?;
        let changed = lines::with_disabled(&line, disabled)
            .ok_or_else(|| EditError::NoPassword { key: key.clone() })?;
        self.put(at, &changed, end, key)
    }

    /// Writes the table: into a new file beside the old one, with its mode and owner, synced
    /// and renamed over it. Blocks.
    ///
    /// # Errors
    /// If somebody changed the file without the lock, or the system refuses.
    pub fn save(self) -> Result<(), EditError> {
        let new = beside(&self.path, "new");
        let written = self.write_new(&new).and_then(|()| {
            if Stamp::of(&self.path) != self.stamp {
                return Err(EditError::Changed { file: self.path.clone() });
            }
            std::fs::rename(&new, &self.path).map_err(io_error("replace it", &self.path))
        });
        if written.is_err() {
            // What is left of it is removed by the next writer as well.
            let _ = std::fs::remove_file(&new);
            return written;
        }
        let directory = directory_of(&self.path);
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(io_error("sync the directory", directory))
    }

    fn write_new(&self, new: &Path) -> Result<(), EditError> {
        // The lock is ours: what lies there is of a writer that was killed.
        match std::fs::remove_file(new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("remove it", new)(error));
            }
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(new)
            .map_err(io_error("create it", new))?;
        if let Ok(old) = std::fs::metadata(&self.path) {
            like(&file, &old)
                .map_err(io_error("give it the owner and mode of the old one", new))?;
        }
        for line in &self.lines {
            file.write_all(line).map_err(io_error("write", new))?;
        }
        file.sync_all().map_err(io_error("sync", new))
    }

    /// Where the line of `key` is, the line, and its end.
    fn line(
        &self,
        key: &AccountKey,
    ) -> Result<(usize, Zeroizing<String>, &'static [u8]), EditError> {
        let unknown = || EditError::Unknown { file: self.path.clone(), key: key.clone() };
        let at = *self.positions.get(key).ok_or_else(unknown)?;
        let line = self.lines.get(at).ok_or_else(unknown)?;
        let (text, end) = lines::without_end(line);
        let text = std::str::from_utf8(text).map_err(|_| unknown())?;
        Ok((at, Zeroizing::new(text.to_owned()), end))
    }

    /// Puts a line in the place of another, if it reads as one of `key`.
    fn put(
        &mut self,
        at: usize,
        line: &str,
        end: &[u8],
        key: &AccountKey,
    ) -> Result<(), EditError> {
        self.check(at, line, key)?;
        if let Some(place) = self.lines.get_mut(at) {
            *place = lines::joined(line, end);
        }
        Ok(())
    }

    /// Whether a line reads as one of `key`.
    fn check(&self, at: usize, line: &str, key: &AccountKey) -> Result<(), EditError> {
        let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
        let found = passwd_file::parse_line(line.as_bytes(), &self.rules())
            .map_err(|problem| AccountsError::line(&self.path, number, problem))?;
        if found.is_none_or(|found| found.account.key() != key) {
            return Err(EditError::Unknown { file: self.path.clone(), key: key.clone() });
        }
        Ok(())
    }

    fn rules(&self) -> Rules<'_> {
        // Whoever changes a weak hash must be able to read it.
        let weak_schemes = WeakSchemes::all();
        let default_domain = self.default_domain.as_ref();
        Rules { default_domain, maildir: &self.maildir, weak_schemes }
    }

    /// The accounts as they would be after [`Self::save`], in the order of the file.
    ///
    /// # Errors
    /// If a line is wrong.
    pub fn accounts(&self) -> Result<Vec<Account>, EditError> {
        let octets = self.lines.iter().map(|line| line.len()).sum();
        let mut content = Zeroizing::new(Vec::with_capacity(octets));
        self.lines.iter().for_each(|line| content.extend_from_slice(line));
        Ok(passwd_file::read(content.as_slice(), &self.path, &self.rules())?.accounts)
    }
}

impl std::fmt::Debug for PasswdEditor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let accounts = self.positions.len();
        f.debug_struct("PasswdEditor")
            .field("path", &self.path)
            .field("accounts", &accounts)
            .finish_non_exhaustive()
    }
}

fn lock(path: &Path, patience: Duration) -> Result<File, EditError> {
    let lock = beside(path, "lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&lock)
        .map_err(io_error("open the lock file", &lock))?;
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if waited >= patience => {
                return Err(EditError::InUse { lock });
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_STEP),
            Err(TryLockError::Error(source)) => return Err(io_error("lock it", &lock)(source)),
        }
        waited += LOCK_STEP;
    }
}

fn read(path: &Path, stamp: Stamp) -> Result<Vec<u8>, EditError> {
    match std::fs::read(path) {
        Ok(content) => Ok(content),
        Err(error) if error.kind() == io::ErrorKind::NotFound && stamp == Stamp::Missing => {
            Ok(Vec::new())
        }
        Err(error) => Err(io_error("read it", path)(error)),
    }
}

/// Gives `file` the owner and mode of `old`.
fn like(file: &File, old: &std::fs::Metadata) -> io::Result<()> {
    let now = file.metadata()?;
    if (now.uid(), now.gid()) != (old.uid(), old.gid()) {
        fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    file.set_permissions(std::fs::Permissions::from_mode(old.mode() & 0o7777))
}

/// The directory of a file; that of a bare name is the one in which we are.
fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `/etc/lastpost/passwd` → `/etc/lastpost/.passwd.new`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{suffix}"))
}

fn io_error(action: &'static str, file: &Path) -> impl FnOnce(io::Error) -> EditError + use<> {
    let file = file.to_owned();
    move |source| EditError::Io { action, file, source }
}
