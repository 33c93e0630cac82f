//! Counting a Maildir and its folders from the directories.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir};
use rustix::io::Errno;

use super::Usage;
use crate::name;
use crate::tree::{Place, Root, Stamp};

/// Octets of the buffer that directory entries are read into.
const BUFFER: usize = 32 * 1024;
/// A Maildir with more folders or more entries than these is not counted.
const FOLDERS_MAX: usize = 10_000;
const ENTRIES_MAX: u64 = 20_000_000;

/// What is in `new` and `cur` of the Maildir and of its folders, `.Trash` excepted; and the
/// directories as they were before they were read.
pub(super) fn count(root: &Root) -> io::Result<(Usage, Vec<Stamp>)> {
    let mut used = Usage::default();
    let stamps = walk(root, &mut |directory| add(directory, &mut used))?;
    Ok((used, stamps))
}

/// The directories as they are.
pub(super) fn stamps(root: &Root) -> io::Result<Vec<Stamp>> {
    walk(root, &mut |_| Ok(()))
}

fn walk(
    root: &Root,
    each: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<()>,
) -> io::Result<Vec<Stamp>> {
    let mut stamps = Vec::with_capacity(8);
    look_into(root.fd(), each, &mut stamps)?;
    for folder in folders(root)? {
        match open(root.fd(), &folder) {
            Ok(folder) => look_into(folder.as_fd(), each, &mut stamps)?,
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(stamps)
}

fn look_into(
    maildir: BorrowedFd<'_>,
    each: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<()>,
    stamps: &mut Vec<Stamp>,
) -> io::Result<()> {
    for place in Place::BOTH {
        match open(maildir, place.name()) {
            Ok(directory) => {
                stamps.push(Stamp::of(&rustix::fs::fstat(&directory)?));
                each(directory.as_fd())?;
            }
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

fn open(at: BorrowedFd<'_>, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, name, flags, Mode::empty())
}

/// The names of the folders: directories that begin with a dot.
fn folders(root: &Root) -> io::Result<Vec<std::ffi::CString>> {
    let directory = open(root.fd(), ".")?;
    let mut buffer = Vec::with_capacity(BUFFER);
    let mut folders = Vec::new();
    let mut entries = RawDir::new(&directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        let is_folder = name.starts_with(b".") && !matches!(name, b"." | b".." | b".Trash");
        if is_folder && matches!(entry.file_type(), FileType::Directory | FileType::Unknown) {
            if folders.len() >= FOLDERS_MAX {
                return Err(io::Error::other("too many folders to be counted"));
            }
            folders.push(entry.file_name().to_owned());
        }
    }
    Ok(folders)
}

/// Adds up one directory: the size from the name's `,S=`, else from the file.
fn add(directory: BorrowedFd<'_>, used: &mut Usage) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(BUFFER);
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        if entry.file_name().to_bytes().starts_with(b".") {
            continue;
        }
        let known = match entry.file_type() {
            FileType::RegularFile => name::stored_octets(entry.file_name().to_bytes()),
            FileType::Unknown => None,
            _ => continue,
        };
        let Some(octets) =
            known.map_or_else(|| measure(directory, entry.file_name()), |k| Ok(Some(k)))?
        else {
            continue;
        };
        used.octets = used.octets.saturating_add(octets);
        used.messages += 1;
        if used.messages > ENTRIES_MAX {
            return Err(io::Error::other("too many messages to be counted"));
        }
    }
    Ok(())
}

/// The size of a file; nothing if it has gone or is none.
fn measure(directory: BorrowedFd<'_>, name: &CStr) -> io::Result<Option<u64>> {
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
            Ok(Some(u64::try_from(stat.st_size).unwrap_or(0).min(name::OCTETS_MAX)))
        }
        Ok(_) | Err(Errno::NOENT | Errno::STALE) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}
