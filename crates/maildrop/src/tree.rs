//! The directories of a Maildir: opened once, used by descriptor, stamped for comparison.

use std::fs::DirBuilder;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::OpenError;

/// Rights of directories that are made here.
const DIRECTORY_MODE: u32 = 0o700;

/// What is being done when a Maildir turns out to be missing.
pub(crate) const OPENING: &str = "opening it";

/// Which of the two directories with messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// `new`: not yet seen by a mail program.
    New,
    /// `cur`.
    Cur,
}

impl Place {
    pub(crate) const BOTH: [Self; 2] = [Self::New, Self::Cur];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Cur => "cur",
        }
    }
}

/// An instant of the file system's own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FsTime {
    pub(crate) seconds: i64,
    pub(crate) nanos: u32,
}

/// What tells whether a directory changed: its inode and times. The change time is in it
/// because the modification time can be set back by copying tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) ino: u64,
    pub(crate) modified: FsTime,
    pub(crate) changed: FsTime,
}

impl Stamp {
    /// A stamp that no directory has.
    pub(crate) const NEVER: Self = Self {
        ino: 0,
        modified: FsTime { seconds: 0, nanos: 0 },
        changed: FsTime { seconds: 0, nanos: 0 },
    };

    pub(crate) fn of(stat: &Stat) -> Self {
        Self {
            ino: stat.st_ino,
            modified: fs_time(stat.st_mtime, stat.st_mtime_nsec),
            changed: fs_time(stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

fn fs_time<S: TryInto<i64>, N: TryInto<u32>>(seconds: S, nanos: N) -> FsTime {
    FsTime { seconds: seconds.try_into().unwrap_or(0), nanos: nanos.try_into().unwrap_or(0) }
}

/// The stamps of `new` and `cur`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamps {
    pub(crate) new: Stamp,
    pub(crate) cur: Stamp,
}

/// `new` and `cur`, opened.
#[derive(Debug)]
pub(crate) struct Directories {
    new: OwnedFd,
    cur: OwnedFd,
}

impl Directories {
    pub(crate) fn get(&self, place: Place) -> BorrowedFd<'_> {
        match place {
            Place::New => self.new.as_fd(),
            Place::Cur => self.cur.as_fd(),
        }
    }

    pub(crate) fn stamp(&self, place: Place) -> io::Result<Stamp> {
        Ok(Stamp::of(&rustix::fs::fstat(self.get(place))?))
    }
}

/// An opened Maildir.
#[derive(Debug)]
pub(crate) struct Root {
    fd: OwnedFd,
    path: PathBuf,
}

impl Root {
    /// Opens the Maildir at `path`; makes it first when it is missing and `create` says so.
    pub(crate) fn open(path: &Path, create: bool) -> Result<Self, OpenError> {
        let fail = |doing, errno: Errno| unavailable(path, doing, errno.into());
        let fd = match open_directory(path) {
            Err(Errno::NOENT) if create => {
                create_within_parent(path).map_err(|e| unavailable(path, "creating it", e))?;
                open_directory(path).map_err(|e| fail(OPENING, e))?
            }
            other => other.map_err(|e| fail(OPENING, e))?,
        };
        Ok(Self { fd, path: path.to_owned() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(crate) fn unavailable(&self, doing: &'static str, source: io::Error) -> OpenError {
        unavailable(&self.path, doing, source)
    }

    /// The stamps without opening the directories.
    pub(crate) fn stamps(&self) -> io::Result<Stamps> {
        let stamp = |place: Place| -> io::Result<Stamp> {
            let stat = rustix::fs::statat(&self.fd, place.name(), AtFlags::SYMLINK_NOFOLLOW)?;
            Ok(Stamp::of(&stat))
        };
        Ok(Stamps { new: stamp(Place::New)?, cur: stamp(Place::Cur)? })
    }

    /// Opens `new` and `cur`, making one that is missing if `create` says so.
    pub(crate) fn directories(&self, create: bool) -> Result<Directories, OpenError> {
        let open = |place: Place, doing| {
            let result = match self.subdirectory(place.name()) {
                Err(Errno::NOENT) if create => {
                    self.make_subdirectories().and_then(|()| self.subdirectory(place.name()))
                }
                other => other,
            };
            result.map_err(|e| self.unavailable(doing, e.into()))
        };
        Ok(Directories {
            new: open(Place::New, "opening new")?,
            cur: open(Place::Cur, "opening cur")?,
        })
    }

    /// Opens the directory `name` of this Maildir, which must not be a symbolic link.
    pub(crate) fn subdirectory(&self, name: &str) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&self.fd, name, flags, Mode::empty())
    }

    /// Makes those of `tmp`, `new` and `cur` that are missing, durably.
    pub(crate) fn make_subdirectories(&self) -> Result<(), Errno> {
        for name in ["tmp", "new", "cur"] {
            match rustix::fs::mkdirat(&self.fd, name, Mode::from(DIRECTORY_MODE)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
        rustix::fs::fsync(&self.fd)
    }
}

/// Opens the regular file `name` in `directory` for reading. A symbolic link is not followed and
/// anything that is no regular file counts as absent (`ENOENT`); a FIFO does not make it wait.
pub(crate) fn open_message(
    directory: BorrowedFd<'_>,
    name: &[u8],
) -> Result<(OwnedFd, Stat), Errno> {
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(directory, name, flags, Mode::empty()) {
        // A link, a socket, a device without driver: not messages.
        Err(Errno::LOOP | Errno::NXIO | Errno::NODEV) => return Err(Errno::NOENT),
        other => other?,
    };
    let stat = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
        Ok((file, stat))
    } else {
        Err(Errno::NOENT)
    }
}

/// Makes a Maildir at `path` with its parent directories, durably. One that exists already is
/// completed and otherwise left alone. New directories are for their owner only (0700).
///
/// # Errors
/// What the system says about the directory that could not be made.
pub fn create(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        make_durably(parent)?;
    }
    create_within_parent(path)
}

/// Two deliveries may be the first at the same time: the second finds the directory made.
fn create_within_parent(path: &Path) -> io::Result<()> {
    match make_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    let root = Root { fd: open_directory(path)?, path: path.to_owned() };
    Ok(root.make_subdirectories()?)
}

fn make_durably(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|p| !p.as_os_str().is_empty() && matches!(p.try_exists(), Ok(false)))
        .collect();
    missing.into_iter().rev().try_for_each(|directory| match make_directory(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    })
}

fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(DIRECTORY_MODE).create(path)?;
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    Ok(rustix::fs::fsync(open_directory(parent.unwrap_or(Path::new(".")))?)?)
}

fn open_directory(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

fn unavailable(path: &Path, doing: &'static str, source: io::Error) -> OpenError {
    OpenError::Unavailable { path: path.to_owned(), doing, source }
}
