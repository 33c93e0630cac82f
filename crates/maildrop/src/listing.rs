//! One pass over `new` and `cur`: which message files there are.

use std::io;

use rustix::fs::{AtFlags, FileType, RawDir};
use rustix::io::Errno;

use crate::OpenError;
use crate::name;
use crate::tree::{Directories, Place, Root, Stamps};
use crate::uidl;

/// Octets of the buffer that directory entries are read into.
const BUFFER: usize = 64 * 1024;

/// How many passes are made while another program keeps changing `cur`.
const PASSES_MAX: u32 = 4;

/// A message file. What its name says is read when the name is: later it lies in the memory of
/// a hundred thousand others, and fetching it from there is what would take the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    start: u32,
    len: u8,
    base_len: u8,
    pub(crate) place: Place,
    /// Whether the base name can be the message's id.
    pub(crate) plain: bool,
    pub(crate) ino: u64,
    /// What the order of names is mostly told by: see [`name::order`].
    pub(crate) order: u64,
    /// The size in CRLF form that the name has; `u64::MAX` if it has none to believe.
    octets: u64,
}

impl Found {
    /// The size in CRLF form that the name has.
    pub(crate) fn octets(&self) -> Option<u64> {
        Some(self.octets).filter(|octets| *octets != u64::MAX)
    }
}

/// What the directories hold. Files of one base name may occur more than once: seen in both
/// directories while it moved, in two passes, or really twice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    names: Vec<u8>,
    pub(crate) files: Vec<Found>,
    /// The directories as they were before they were read.
    pub(crate) stamps: Stamps,
    pub(crate) passes: u32,
    /// Directory entries looked at, in all passes.
    pub(crate) entries: usize,
}

impl Listing {
    pub(crate) fn name(&self, file: Found) -> &[u8] {
        let start = file.start as usize;
        self.names.get(start..start + usize::from(file.len)).unwrap_or_default()
    }

    pub(crate) fn base(&self, file: Found) -> &[u8] {
        let start = file.start as usize;
        self.names.get(start..start + usize::from(file.base_len)).unwrap_or_default()
    }

    pub(crate) fn push(&mut self, name: &[u8], place: Place, ino: u64) -> Result<(), Errno> {
        let base = name::base(name);
        let base_len = u8::try_from(base.len()).unwrap_or(u8::MAX);
        let (Ok(len), Ok(start)) = (u8::try_from(name.len()), u32::try_from(self.names.len()))
        else {
            return Err(Errno::OVERFLOW);
        };
        self.names.extend_from_slice(name);
        let (plain, order) = (uidl::is_plain(base), name::order(base));
        let octets = name::octets_in_base(base).unwrap_or(u64::MAX);
        self.files.push(Found { start, len, base_len, place, plain, ino, order, octets });
        Ok(())
    }

    /// Octets of all names together.
    pub(crate) fn text_len(&self) -> usize {
        self.names.len()
    }

    /// The names, for a snapshot that takes over the files' positions in them.
    pub(crate) fn into_names(self) -> Vec<u8> {
        self.names
    }

    /// Where in the names it begins, and its length there.
    pub(crate) fn position(file: Found) -> (u32, u8) {
        (file.start, file.len)
    }

    pub(crate) fn base_len(file: Found) -> u8 {
        file.base_len
    }
}

/// Lists the message files.
///
/// `new` is read before `cur`, so a message that moves over meanwhile is seen at least once. A
/// file renamed within `cur` (new flags) may be missed by the directory stream, so while `cur`
/// changes the pass is repeated; in the end what the last two passes saw is taken together.
pub(crate) fn list(
    root: &Root,
    directories: &Directories,
    limit: usize,
) -> Result<Listing, OpenError> {
    let mut listing = Listing::default();
    let mut buffer = Vec::with_capacity(BUFFER);
    let mut previous = 0;
    for pass in 1..=PASSES_MAX {
        let start = listing.files.len();
        listing.passes = pass;
        for place in Place::BOTH {
            let reading = match place {
                Place::New => "reading new",
                Place::Cur => "reading cur",
            };
            let fail = |error| root.unavailable(reading, error);
            let before = directories.stamp(place).map_err(fail)?;
            let ceiling = start + limit + 1;
            read(&mut listing, directories, place, &mut buffer, ceiling).map_err(fail)?;
            if listing.files.len() >= ceiling {
                return Err(OpenError::TooMany { path: root.path().to_owned(), limit });
            }
            match place {
                Place::New => listing.stamps.new = before,
                Place::Cur => listing.stamps.cur = before,
            }
        }
        let after =
            directories.stamp(Place::Cur).map_err(|e| root.unavailable("reading cur", e))?;
        if after == listing.stamps.cur {
            listing.files.drain(..start);
            return Ok(listing);
        }
        listing.files.drain(..previous);
        previous = start - previous;
    }
    Ok(listing)
}

/// Adds the message files of one directory, up to `ceiling` files in all.
fn read(
    listing: &mut Listing,
    directories: &Directories,
    place: Place,
    buffer: &mut Vec<u8>,
    ceiling: usize,
) -> io::Result<()> {
    let directory = directories.get(place);
    // A descriptor keeps its position: each pass begins at the front.
    rustix::fs::seek(directory, rustix::fs::SeekFrom::Start(0))?;
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        listing.entries += 1;
        let name = entry.file_name().to_bytes();
        // Hidden names are no messages (among them those of files that NFS keeps for a while).
        if name.first().is_none_or(|&first| first == b'.') {
            continue;
        }
        let regular = match entry.file_type() {
            FileType::RegularFile => true,
            FileType::Unknown => is_regular(directory, entry.file_name())?,
            _ => false,
        };
        if regular {
            if listing.files.len() >= ceiling {
                return Ok(());
            }
            listing.push(name, place, entry.ino())?;
        }
    }
    Ok(())
}

fn is_regular(
    directory: std::os::fd::BorrowedFd<'_>,
    name: &std::ffi::CStr,
) -> Result<bool, Errno> {
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno),
    }
}
