//! Policies that were fetched, in memory and on disk: they hold after a restart, and while nobody can be asked.

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};

use super::StsPolicy;

/// Policies in memory.
const IN_MEMORY: usize = 10_000;
/// Policies on disk; further ones are in memory alone, and fetched again after a restart.
const ON_DISK: usize = 100_000;
/// Octets of one file.
const FILE_MAX: u64 = 256 * 1024;
const SUFFIX: &str = ".json";

/// A policy, and when it was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Held {
    /// The id that the DNS announced.
    pub(super) id: String,
    /// Unix seconds.
    pub(super) fetched_at: i64,
    pub(super) policy: StsPolicy,
}

impl Held {
    /// Whether it still holds.
    pub(super) fn holds(&self, now: i64) -> bool {
        let age = i64::try_from(self.policy.max_age).unwrap_or(i64::MAX);
        // One from the future is of a clock that was wrong.
        now < self.fetched_at.saturating_add(age) && self.fetched_at <= now.saturating_add(DAY)
    }
}

pub(super) const DAY: i64 = 24 * 60 * 60;

/// Where policies are kept.
#[derive(Debug)]
pub(super) struct Store {
    /// `None`: it is known that there is none on disk.
    memory: Cache<String, Option<Arc<Held>>>,
    directory: Option<PathBuf>,
    /// Whether the directory may be changed.
    writes: bool,
    files: Arc<AtomicUsize>,
}

impl Store {
    /// A store in `directory`, which is made if need be; in memory alone without one. Throws
    /// away files of policies that hold no longer. Without `writes` it changes nothing there.
    /// Blocking.
    pub(super) fn open(directory: Option<&Path>, writes: bool, now: i64) -> io::Result<Self> {
        let mut files = 0;
        if let Some(directory) = directory.filter(|_| writes) {
            std::fs::create_dir_all(directory)?;
            for entry in std::fs::read_dir(directory)? {
                let path = entry?.path();
                match read(&path) {
                    Some(held) if held.holds(now) => files += 1,
                    // Left over from a crash, expired or damaged: it will be fetched again.
                    _ if is_ours(&path) => std::fs::remove_file(&path)?,
                    _ => {}
                }
            }
        }
        let memory = Cache::new(IN_MEMORY);
        let (directory, files) = (directory.map(Path::to_owned), Arc::new(AtomicUsize::new(files)));
        Ok(Self { memory, directory, writes, files })
    }

    /// The policy of `domain`, if there is one; it may have expired.
    pub(super) async fn get(&self, domain: &str) -> Option<Arc<Held>> {
        // What is put meanwhile must not be replaced by what was read before.
        let looked_up = self.memory.get_or_insert_async(domain, self.on_disk(domain)).await;
        looked_up.unwrap_or_else(|never: Infallible| match never {})
    }

    async fn on_disk(&self, domain: &str) -> Result<Option<Arc<Held>>, Infallible> {
        let Some(path) = self.path(domain) else { return Ok(None) };
        let read = tokio::task::spawn_blocking(move || read(&path));
        Ok(read.await.ok().flatten().map(Arc::new))
    }

    /// Keeps a policy in place of the one before.
    pub(super) async fn put(&self, domain: &str, held: Held) {
        let held = Arc::new(held);
        self.memory.insert(domain.to_owned(), Some(Arc::clone(&held)));
        let Some(path) = self.path(domain).filter(|_| self.writes) else { return };
        let files = Arc::clone(&self.files);
        let written = tokio::task::spawn_blocking(move || {
            if !path.exists() {
                if files.load(Ordering::Relaxed) >= ON_DISK {
                    return Ok(());
                }
                files.fetch_add(1, Ordering::Relaxed);
            }
            write(&path, &held)
        });
        if let Ok(Err(error)) = written.await {
            tracing::warn!(
                target: "lastpost::relay", %domain, %error, "an MTA-STS policy cannot be stored"
            );
        }
    }

    /// A name is of letters, digits, `-`, `_` and dots, none of them first: no other directory.
    fn path(&self, domain: &str) -> Option<PathBuf> {
        Some(self.directory.as_ref()?.join(format!("{domain}{SUFFIX}")))
    }
}

fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.ends_with(SUFFIX) || name.ends_with(".json.new")
}

fn read(path: &Path) -> Option<Held> {
    if !path.file_name()?.to_str()?.ends_with(SUFFIX) {
        return None;
    }
    let file = std::fs::File::open(path).ok()?;
    let mut text = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, FILE_MAX), &mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Whole or not at all.
fn write(path: &Path, held: &Held) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let text = serde_json::to_vec(held).map_err(io::Error::other)?;
    let mut file = std::fs::File::create(&new)?;
    file.write_all(&text)?;
    file.sync_data()?;
    std::fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::super::StsMode;
    use super::*;

    fn held(fetched_at: i64, max_age: u64) -> Held {
        let policy = StsPolicy { mode: StsMode::Enforce, mx: vec!["a.example".into()], max_age };
        Held { id: "1".to_owned(), fetched_at, policy }
    }

    #[test]
    fn policies_hold_for_their_age() {
        assert!(held(1000, 10).holds(1009) && !held(1000, 10).holds(1010));
        assert!(!held(1000 + 2 * DAY, 10).holds(1000), "from a clock that was wrong");
        assert!(held(0, u64::MAX).holds(i64::MAX - 1));
    }

    #[tokio::test]
    async fn what_is_put_is_there_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/mta-sts");
        let store = Store::open(Some(&path), true, 0).unwrap();
        assert_eq!(store.get("example.net").await, None);
        store.put("example.net", held(1000, 500)).await;
        store.put("example.net", held(1100, 500)).await;
        store.put("short.example", held(1000, 5)).await;
        assert_eq!(store.get("example.net").await.unwrap().fetched_at, 1100);

        std::fs::write(path.join("damaged.example.json"), b"{\"id\":").unwrap();
        std::fs::write(path.join("half.example.json.new"), b"{").unwrap();
        std::fs::write(path.join("README"), b"not ours").unwrap();
        let again = Store::open(Some(&path), true, 1200).unwrap();
        assert_eq!(*again.get("example.net").await.unwrap(), held(1100, 500));
        assert_eq!(again.get("short.example").await, None, "expired");
        assert_eq!(again.get("damaged.example").await, None);
        let mut left: Vec<_> =
            std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["README", "example.net.json"]);
    }

    #[tokio::test]
    async fn whoever_only_looks_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mta-sts");
        let looking = Store::open(Some(&path), false, 0).unwrap();
        looking.put("example.net", held(1000, 500)).await;
        assert!(!path.exists());
        let store = Store::open(Some(&path), true, 0).unwrap();
        store.put("example.org", held(1000, 500)).await;
        let looking = Store::open(Some(&path), false, 5000).unwrap();
        assert_eq!(*looking.get("example.org").await.unwrap(), held(1000, 500));
        looking.put("example.net", held(1000, 500)).await;
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_disk_that_fails_costs_nothing_but_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mta-sts");
        let store = Store::open(Some(&path), true, 0).unwrap();
        std::fs::remove_dir(&path).unwrap();
        store.put("example.net", held(1000, 500)).await;
        assert_eq!(store.get("example.net").await.unwrap().fetched_at, 1000);
    }
}
