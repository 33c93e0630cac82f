//! Messages that can be had at once: whose name and text the system holds in memory.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use crate::tree::{Place, Root};

/// Whether it is worth trying.
pub(crate) type Usable = AtomicBool;

/// File systems on local disks or in memory, by their magic numbers (statfs(2)): ext2 to ext4,
/// XFS, Btrfs, F2FS, bcachefs, tmpfs. On others even opening a file whose name is known may ask
/// a server or a program, and wait for it: NFS, SMB, FUSE, and what lies upon them.
const LOCAL: [u32; 6] = [0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, 0xCA45_1A4E, 0x0102_1994];

/// `cur/`, a name and a NUL.
const PATH_MAX: usize = 4 + 255 + 1;

/// The way to messages that does not wait; closed for good where kernel or file system do not
/// offer it.
#[derive(Debug)]
pub(crate) struct Cache(Arc<Usable>);

impl Cache {
    /// The one for the Maildir `root`. To be called where waiting is allowed.
    pub(crate) fn of(root: &Root) -> Self {
        let local = rustix::fs::fstatfs(root.fd())
            .is_ok_and(|stat| u32::try_from(stat.f_type).is_ok_and(|kind| LOCAL.contains(&kind)));
        Self(Arc::new(AtomicBool::new(local)))
    }

    /// Whether it is still worth trying; readers close it too.
    pub(crate) fn usable(&self) -> Arc<Usable> {
        Arc::clone(&self.0)
    }

    /// Opens the regular file `name` in `place` for reading, if that can be done without waiting
    /// for a disk. `None`: it cannot, or it fails; what waits will say how. No symbolic link is
    /// followed anywhere, nor is another file system entered, for nobody knows what that one is.
    pub(crate) fn open(&self, root: &Root, place: Place, name: &[u8]) -> Option<(OwnedFd, Stat)> {
        if !self.0.load(Ordering::Relaxed) {
            return None;
        }
        let mut path = [0; PATH_MAX];
        let path = spell(&mut path, place, name)?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::CACHED
            | ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_XDEV;
        let file = match rustix::fs::openat2(root.fd(), path, flags, Mode::empty(), resolve) {
            Ok(file) => file,
            // Linux before 5.6 and 5.12, and filters of system calls older than the call.
            Err(Errno::NOSYS | Errno::INVAL | Errno::PERM) => {
                self.0.store(false, Ordering::Relaxed);
                return None;
            }
            Err(_) => return None,
        };
        let stat = rustix::fs::fstat(&file).ok()?;
        (FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile).then_some((file, stat))
    }
}

/// The path of `name` from the Maildir on, in `room`.
fn spell<'a>(
    room: &'a mut [u8; PATH_MAX],
    place: Place,
    name: &[u8],
) -> Option<&'a std::ffi::CStr> {
    let place = place.name().as_bytes();
    let slash = place.len();
    room.get_mut(..slash)?.copy_from_slice(place);
    *room.get_mut(slash)? = b'/';
    let end = slash + 1 + name.len();
    room.get_mut(slash + 1..end)?.copy_from_slice(name);
    std::ffi::CStr::from_bytes_with_nul(room.get(..=end)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn maildir() -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("Maildir");
        crate::create(&path).unwrap();
        let root = Root::open(&path, false).unwrap();
        (directory, root)
    }

    fn put(root: &Root, name: &str) {
        std::fs::write(root.path().join(name), "x\n").unwrap();
    }

    #[test]
    fn paths_of_any_length_a_name_can_have() {
        let mut room = [0; PATH_MAX];
        assert_eq!(spell(&mut room, Place::New, b"1.a"), Some(c"new/1.a"));
        let long = [b'x'; 255];
        let path = spell(&mut room, Place::Cur, &long).unwrap().to_bytes();
        assert_eq!((&path[..4], &path[4..]), (&b"cur/"[..], &long[..]));
        let mut room = [0; PATH_MAX];
        assert_eq!(spell(&mut room, Place::Cur, &[b'x'; 256]), None);
        let mut room = [0; PATH_MAX];
        assert_eq!(spell(&mut room, Place::Cur, b"a\0b"), None);
    }

    #[test]
    fn only_regular_files_of_this_maildir_are_opened() {
        let (directory, root) = maildir();
        let cache = Cache(Arc::new(AtomicBool::new(true)));
        put(&root, "cur/1.a");
        std::fs::write(directory.path().join("outside"), "secret\n").unwrap();
        let link = |to: &Path, name: &str| {
            std::os::unix::fs::symlink(to, root.path().join(name)).unwrap();
        };
        link(Path::new("1.a"), "cur/2.link");
        link(&directory.path().join("outside"), "cur/3.link");
        std::fs::create_dir(root.path().join("cur/4.directory")).unwrap();
        rustix::fs::mkfifoat(root.fd(), "cur/5.fifo", Mode::RUSR | Mode::WUSR).unwrap();
        let names: [&[u8]; 7] =
            [b"2.link", b"3.link", b"4.directory", b"5.fifo", b"../../outside", b"missing", b""];
        for name in names {
            assert!(cache.open(&root, Place::Cur, name).is_none(), "{name:?}");
        }
        assert!(cache.0.load(Ordering::Relaxed), "one bad file closes no way");
    }

    #[test]
    fn what_is_at_hand_is_opened_where_system_and_disk_allow_it() {
        let (_directory, root) = maildir();
        put(&root, "cur/1.a");
        let cache = Cache::of(&root);
        let opened = cache.open(&root, Place::Cur, b"1.a");
        if !cache.0.load(Ordering::Relaxed) {
            // Another kind of disk, or an older kernel: all goes the other way.
            assert!(opened.is_none());
            return;
        }
        let (file, stat) = opened.unwrap();
        assert_eq!(stat.st_size, 2);
        let flags = rustix::io::fcntl_getfd(&file).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        assert!(cache.open(&root, Place::New, b"1.a").is_none());
    }

    #[test]
    fn disks_of_other_machines_are_never_tried() {
        let root = Root::open(Path::new("/proc"), false).unwrap();
        assert!(!Cache::of(&root).0.load(Ordering::Relaxed));
    }

    #[test]
    fn a_directory_that_is_a_link_is_not_entered() {
        let (directory, root) = maildir();
        let cache = Cache(Arc::new(AtomicBool::new(true)));
        put(&root, "cur/1.a");
        std::fs::rename(root.path().join("cur"), directory.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("../elsewhere", root.path().join("cur")).unwrap();
        assert!(root.path().join("cur/1.a").exists());
        assert!(cache.open(&root, Place::Cur, b"1.a").is_none());
    }

    #[test]
    fn a_closed_way_stays_closed() {
        let (_directory, root) = maildir();
        put(&root, "cur/1.a");
        let cache = Cache(Arc::new(AtomicBool::new(false)));
        assert!(cache.open(&root, Place::Cur, b"1.a").is_none());
    }
}
