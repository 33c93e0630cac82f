//! Whether a file is still the one that was read.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What a change of the file changes: a rename over it its inode, an edit in place its size
/// and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stamp {
    /// There is no such file, or none that can be seen.
    Missing,
    /// A file.
    File {
        device: u64,
        inode: u64,
        size: u64,
        modified: (i64, i64),
        changed: (i64, i64),
        mode: u32,
    },
}

impl Stamp {
    /// Of the file at `path`.
    pub(crate) fn of(path: &Path) -> Self {
        std::fs::metadata(path).map_or(Self::Missing, |metadata| Self::from(&metadata))
    }

    /// Of an open file.
    pub(crate) fn of_open(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::from(&metadata))
    }

    /// Whether nobody wrote into the file between the two. That it was renamed or replaced
    /// does not matter to who has it open.
    pub(crate) fn has_content_of(&self, earlier: &Self) -> bool {
        let written = |stamp: &Self| match *stamp {
            Self::File { device, inode, size, modified, .. } => {
                Some((device, inode, size, modified))
            }
            Self::Missing => None,
        };
        written(self) == written(earlier)
    }

    pub(crate) fn is_world_readable(&self) -> bool {
        matches!(self, Self::File { mode, .. } if mode & 0o004 != 0)
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self::File {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            mode: metadata.mode(),
        }
    }
}
