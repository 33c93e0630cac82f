//! Clearing away what deliveries left behind in `tmp`.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, RawDir};
use rustix::io::Errno;

use crate::OpenError;
use crate::tree::{Root, Stamp};

/// How long a file in `tmp` is left alone: 36 hours, by the convention of Maildir that no
/// delivery takes longer than 24.
pub const TMP_KEPT: Duration = Duration::from_secs(36 * 60 * 60);

/// Octets of the buffer that directory entries are read into.
const BUFFER: usize = 16 * 1024;
/// Entries that are looked at in one go; the rest has its turn at the next.
const ENTRIES_MAX: usize = 100_000;

/// What [`purge_tmp`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PurgeReport {
    /// Files removed.
    pub removed: usize,
    /// Octets that they held.
    pub octets: u64,
    /// Files that are old enough and could not be removed.
    pub failed: usize,
}

/// Removes the files in `tmp` of the Maildir at `path` that nothing has happened to for longer
/// than `older_than` before `now` (seconds since 1970): neither were they written nor moved,
/// linked or given other rights. Directories, links and everything else that is no file stays.
/// Less than [`TMP_KEPT`] counts as that. Takes no lock, for deliveries take none.
///
/// # Errors
/// [`OpenError::Unavailable`] if `tmp` cannot be read. A Maildir or `tmp` that is missing is none.
pub fn purge_tmp(path: &Path, now: i64, older_than: Duration) -> Result<PurgeReport, OpenError> {
    let mut report = PurgeReport::default();
    let kept = i64::try_from(older_than.max(TMP_KEPT).as_secs()).unwrap_or(i64::MAX);
    let oldest = now.saturating_sub(kept);
    let root = match Root::open(path, false) {
        Err(error) if error.is_missing() => return Ok(report),
        other => other?,
    };
    let fail = |errno: Errno| root.unavailable("clearing tmp", errno.into());
    let tmp = match root.subdirectory("tmp") {
        Err(Errno::NOENT) => return Ok(report),
        other => other.map_err(fail)?,
    };
    let mut buffer = Vec::with_capacity(BUFFER);
    let mut entries = RawDir::new(&tmp, buffer.spare_capacity_mut());
    let mut looked_at = 0;
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(fail)?;
        looked_at += 1;
        if looked_at > ENTRIES_MAX {
            break;
        }
        if !matches!(entry.file_type(), FileType::RegularFile | FileType::Unknown) {
            continue;
        }
        let name = entry.file_name();
        let Ok(stat) = rustix::fs::statat(tmp.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        let stamp = Stamp::of(&stat);
        let last = stamp.modified.max(stamp.changed);
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if !is_file || last.seconds >= oldest {
            continue;
        }
        match rustix::fs::unlinkat(tmp.as_fd(), name, AtFlags::empty()) {
            Ok(()) => {
                report.removed += 1;
                report.octets += u64::try_from(stat.st_size).unwrap_or(0);
            }
            Err(Errno::NOENT) => {}
            Err(errno) => {
                report.failed += 1;
                let error = io::Error::from(errno);
                tracing::debug!(event = "tmp-not-cleared", maildir = ?path, file = ?name, %error);
            }
        }
    }
    Ok(report)
}
