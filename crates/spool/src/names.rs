//! Flushing a directory: for many at once, and so that no change counts which a failed flush
//! may have lost.
//!
//! Linux tells of a failed flush once. The kernel may drop what it could not write, and then
//! the next flush succeeds without it. So whatever was changed before a flush failed is not
//! durable, whoever asks: its maker must give it up or make it anew.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::layer::Layer;

/// The names in one directory. Locked while the directory is flushed: only threads that may
/// block flush it.
#[derive(Debug)]
pub(crate) struct Names {
    path: PathBuf,
    asked: AtomicU64,
    failures: AtomicU64,
    /// Of those who asked, so many need not flush any more.
    flushed: Mutex<u64>,
}

/// When a change was begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    failures: u64,
}

impl Names {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            asked: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            flushed: Mutex::new(0),
        }
    }

    /// To be called before a name is made, changed or removed.
    pub(crate) fn begin(&self) -> Begun {
        Begun { failures: self.failures.load(Ordering::Acquire) }
    }

    /// Makes a change durable that was made after `begun`.
    pub(crate) fn flush(&self, layer: &dyn Layer, begun: Begun) -> io::Result<()> {
        let turn = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut flushed = self.flushed.lock().unwrap_or_else(PoisonError::into_inner);
        if self.failures.load(Ordering::Acquire) != begun.failures {
            return Err(io::Error::other("an earlier flush of the directory has failed"));
        }
        if *flushed >= turn {
            return Ok(());
        }
        // Whoever has asked until now has made his change before.
        let covered = self.asked.load(Ordering::Acquire);
        match layer.sync_directory(&self.path) {
            Ok(()) => {
                *flushed = covered;
                Ok(())
            }
            Err(error) => {
                self.failures.fetch_add(1, Ordering::AcqRel);
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustix::io::Errno;

    use super::*;
    use crate::layer::faulty::{Fault, Faulty};

    #[test]
    fn after_a_failed_flush_only_later_changes_count() {
        let directory = tempfile::tempdir().unwrap();
        let layer = Faulty::new(directory.path());
        let names = Names::new(directory.path());
        let (early, unlucky) = (names.begin(), names.begin());
        layer.fail(Some(Fault::once(0, Errno::IO)));
        assert_eq!(names.flush(&layer, unlucky).unwrap_err().raw_os_error(), Some(5));
        // The kernel would say yes now.
        assert!(names.flush(&layer, early).is_err());
        assert_eq!(layer.calls(), 1, "it is not even asked");
        names.flush(&layer, names.begin()).unwrap();
    }

    #[test]
    fn many_share_a_flush() {
        let directory = tempfile::tempdir().unwrap();
        let layer = Arc::new(Faulty::new(directory.path()));
        let names = Arc::new(Names::new(directory.path()));
        let begun = names.begin();
        let held = names.flushed.lock().unwrap();
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                let (layer, names) = (Arc::clone(&layer), Arc::clone(&names));
                std::thread::spawn(move || names.flush(&*layer, begun).unwrap())
            })
            .collect();
        while names.asked.load(Ordering::Acquire) < 8 {
            std::thread::yield_now();
        }
        drop(held);
        waiting.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(layer.calls(), 1);
    }
}
