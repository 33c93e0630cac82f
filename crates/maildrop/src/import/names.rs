//! The file names of a Maildir, for servers that make ids of nothing else.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rustix::fs::{Mode, OFlags};

use super::lines::RECORDS_MAX;
use super::{ImportError, Imported};
use crate::{AdoptedId, name};

/// A message file.
pub(super) struct File {
    pub(super) base: Vec<u8>,
    /// When it was last written, in nanoseconds since 1970; 0 before.
    modified: u128,
    /// Octets as stored.
    pub(super) stored: u64,
    /// `new/…` or `cur/…`.
    path: PathBuf,
}

impl File {
    /// Whether the last line has an end; `false` if that cannot be seen.
    pub(super) fn is_ended(&self) -> bool {
        let mut last = [0];
        let mut read = || {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = rustix::fs::open(&self.path, flags, Mode::empty())?;
            rustix::io::pread(file, &mut last, self.stored.saturating_sub(1))
        };
        read() == Ok(1) && last == *b"\n"
    }
}

/// All message files of the Maildir at `path`. Those that vanish meanwhile are left out.
pub(super) fn list(path: &Path) -> Result<Vec<File>, ImportError> {
    let mut files = Vec::new();
    for subdirectory in ["new", "cur"] {
        let directory = path.join(subdirectory);
        let failed = |source| ImportError::Read { path: directory.clone(), source };
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if name.as_bytes().starts_with(b".") {
                continue;
            }
            // Of the link itself where it is one: links are no messages.
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(failed)?,
            };
            if !metadata.is_file() {
                continue;
            }
            if files.len() >= RECORDS_MAX {
                let source = io::Error::other("it holds more messages than a maildrop may hold");
                return Err(failed(source));
            }
            let since = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            files.push(File {
                base: name::base(name.as_bytes()).to_vec(),
                modified: since.map_or(0, |since| since.as_nanos()),
                stored: metadata.len(),
                path: entry.path(),
            });
        }
    }
    Ok(files)
}

/// Ids made of the names by `id`, in the order in which qmail-pop3d and tpop3d list messages: by
/// the whole second in which the file was last written; within it by name.
pub(super) fn ids(mut files: Vec<File>, id: impl Fn(&[u8]) -> String) -> Imported {
    let key = |file: &File| (file.modified / 1_000_000_000, name::delivered_at(&file.base));
    files.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.base.cmp(&b.base)));
    files.dedup_by(|next, kept| next.base == kept.base);
    let ids = files.into_iter().map(|File { base, .. }| {
        let uidl = id(&base);
        AdoptedId { base, uidl, octets: None }
    });
    Imported { ids: ids.collect(), ..Imported::default() }
}
