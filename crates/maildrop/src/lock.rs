//! The exclusive lock of a maildrop (RFC 1939 section 4), released when it is dropped.
//!
//! Two `flock` locks are taken. The one on the file `lastpost.lock` works on network file systems,
//! and is where other tools can keep sessions out. The one on the directory itself needs no file
//! to be made, so that it still holds on a full or read-only disk, and when somebody removes the
//! file. Both are of this open alone: a second open in the same process is kept out as well.
//!
//! Where the directory's lock was to be had it is the only one held during the session: thousands
//! of idle sessions would need a descriptor more each.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;

use crate::tree::{FsTime, Root, Stamp};

const FILE: &str = "lastpost.lock";

/// How often a lock file that is replaced while it is being locked is tried again.
const ATTEMPTS: u32 = 3;

/// A lock that is held. It needs the [`Root`] it was taken of to live as long.
#[derive(Debug)]
pub(crate) struct Lock {
    /// `None` where the file cannot be made, or is not needed any more; the directory's lock holds
    /// alone then.
    file: Option<OwnedFd>,
    by_directory: bool,
}

impl Lock {
    /// Takes the lock; `None` if another session has it. Does not wait.
    pub(crate) fn take(root: &Root) -> io::Result<Option<Self>> {
        let by_directory = match rustix::fs::flock(root.fd(), NOW) {
            Ok(()) => true,
            Err(Errno::WOULDBLOCK) => return Ok(None),
            // Network file systems lock files that are open for writing only.
            Err(_) => false,
        };
        for _ in 0..ATTEMPTS {
            let Some(file) = open(root)? else {
                return if by_directory {
                    Ok(Some(Self { file: None, by_directory }))
                } else {
                    Err(io::Error::new(io::ErrorKind::PermissionDenied, "no lock file"))
                };
            };
            match rustix::fs::flock(&file, NOW) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
            if is_in_place(root, &file)? {
                return Ok(Some(Self { file: Some(file), by_directory }));
            }
        }
        Ok(None)
    }

    /// Gives up what the session can do without, once nothing more asks for the file's time.
    pub(crate) fn reduce(&mut self) {
        if self.by_directory {
            self.file = None;
        }
    }

    /// The time now by the clock that stamps this Maildir's directories, be it of this machine
    /// or a file server: sets the lock file's time and reads it back.
    pub(crate) fn file_system_time(&self) -> io::Result<FsTime> {
        let file = self.file.as_ref().ok_or(Errno::ROFS)?;
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        rustix::fs::futimens(file, &Timestamps { last_access: now, last_modification: now })?;
        Ok(Stamp::of(&rustix::fs::fstat(file)?).modified)
    }
}

const NOW: FlockOperation = FlockOperation::NonBlockingLockExclusive;

/// The lock file; `None` if there is none and none can be made.
fn open(root: &Root) -> Result<Option<OwnedFd>, Errno> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let made = rustix::fs::openat(
        root.fd(),
        FILE,
        flags | OFlags::RDWR | OFlags::CREATE,
        Mode::RUSR | Mode::WUSR,
    );
    match made {
        Ok(file) => Ok(Some(file)),
        Err(Errno::ROFS | Errno::ACCESS | Errno::PERM | Errno::NOSPC | Errno::DQUOT) => {
            match rustix::fs::openat(root.fd(), FILE, flags | OFlags::RDONLY, Mode::empty()) {
                Ok(file) => Ok(Some(file)),
                Err(Errno::NOENT | Errno::ACCESS) => Ok(None),
                Err(errno) => Err(errno),
            }
        }
        Err(errno) => Err(errno),
    }
}

/// Whether the locked file still is the one that the next session will find.
fn is_in_place(root: &Root, file: &OwnedFd) -> Result<bool, Errno> {
    let held = rustix::fs::fstat(file)?;
    match rustix::fs::statat(root.fd(), FILE, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(named) => Ok(named.st_ino == held.st_ino && named.st_dev == held.st_dev),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno),
    }
}
