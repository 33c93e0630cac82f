//! The few file system calls on which durability rests, behind a trait so that tests can
//! make any of them fail or forget.

#[cfg(test)]
pub(crate) mod faulty;

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// `IOV_MAX` of Linux: slices one call may carry.
const SLICES_MAX: usize = 1024;

/// Calls that change what is on disk.
pub(crate) trait Layer: Send + Sync + std::fmt::Debug + 'static {
    /// Makes a file that must not exist yet, for reading and writing, mode 0600.
    fn create(&self, path: &Path) -> io::Result<File>;

    /// Writes some of `slices` (not more than the system takes at once) at `offset`.
    fn write_at(&self, file: &File, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize>;

    /// Flushes the data of a file, and its size.
    fn sync(&self, file: &File) -> io::Result<()>;

    /// Flushes a directory: names made, changed and removed in it.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// Gives a file another name in the same directory, replacing what had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file; one that is not there counts as removed.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// Writes all of `slices` at `offset`.
pub(crate) fn write_all_at(
    layer: &dyn Layer,
    file: &File,
    mut slices: &mut [IoSlice<'_>],
    mut offset: u64,
) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        let now = &slices[..slices.len().min(SLICES_MAX)];
        match layer.write_at(file, now, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut slices, written);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether an error means that the file system has no room (for us).
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The machine's file system.
#[derive(Debug)]
pub(crate) struct Disk;

impl Layer for Disk {
    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
    }

    fn write_at(&self, file: &File, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pwritev(file, slices, offset)?)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}
