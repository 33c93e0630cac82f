//! The few file system calls on which durability rests, behind a trait so that tests can
//! make any of them fail or forget.

#[cfg(test)]
pub(crate) mod faulty;

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

/// `IOV_MAX` of Linux: slices one call may carry.
const SLICES_MAX: usize = 1024;

/// Calls that change what is on disk.
pub(crate) trait Layer: Send + Sync + std::fmt::Debug + 'static {
    /// Makes a file that must not exist yet, for reading and writing, mode 0600.
    fn create(&self, path: &Path) -> io::Result<File>;

    /// Gives a new file `size` octets of room, all zeros.
    fn allocate(&self, file: &File, size: u64) -> io::Result<Allocation>;

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

    /// What room the file system of a directory has for us.
    fn free(&self, path: &Path) -> io::Result<Free>;
}

/// Room on a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Free {
    pub(crate) octets: u64,
    /// `None`: it has no table of them, and so no bound.
    pub(crate) inodes: Option<u64>,
}

/// What a file's room is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allocation {
    /// Blocks that hold zeros: writing over them changes no metadata.
    Written,
    /// Blocks that count as zeros: the first write to each changes metadata.
    Reserved,
    /// The file system knows no such thing; there is no room yet.
    Unsupported,
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

    fn allocate(&self, file: &File, size: u64) -> io::Result<Allocation> {
        // FALLOC_FL_WRITE_ZEROES: since Linux 6.17, where the device can do it by itself.
        let write_zeroes = FallocateFlags::from_bits_retain(0x80);
        let ways =
            [(write_zeroes, Allocation::Written), (FallocateFlags::empty(), Allocation::Reserved)];
        for (flags, allocation) in ways {
            match fallocate(file, flags, 0, size) {
                Ok(()) => return Ok(allocation),
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Allocation::Unsupported)
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

    fn free(&self, path: &Path) -> io::Result<Free> {
        let stat = rustix::fs::statvfs(path)?;
        let octets = stat.f_bavail.saturating_mul(stat.f_frsize);
        // File systems without an inode table say that they have none at all.
        let inodes = (stat.f_files > 0).then_some(stat.f_favail);
        Ok(Free { octets, inodes })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}
