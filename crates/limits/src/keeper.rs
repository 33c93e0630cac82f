//! What goes on in the background: the snapshot of each minute, and the shared counters.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::limits::{Core, Limits};
use crate::snapshot;

/// How often the counters are written, if something was counted.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(60);

impl Limits {
    /// Keeps the counters on disk, and in step with the other hosts, until `stop` resolves; then
    /// writes them a last time.
    pub async fn keep(self, stop: impl Future<Output = ()> + Send) {
        let snapshots = async {
            loop {
                tokio::time::sleep(SNAPSHOT_EVERY).await;
                self.save_if_changed().await;
            }
        };
        let sharing = async {
            match &self.core().shared {
                Some(shared) => shared.run(self.core()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop => {}
            () = snapshots => {}
            () = sharing => {}
        }
        self.save_if_changed().await;
    }

    async fn save_if_changed(&self) {
        if !self.core().changed.swap(false, Ordering::Relaxed) {
            return;
        }
        let core = Arc::clone(self.core());
        let saved = tokio::task::spawn_blocking(move || save(&core)).await;
        if let Err(error) = saved.map_err(io::Error::other).and_then(|saved| saved) {
            self.core().changed.store(true, Ordering::Relaxed);
            tracing::warn!(
                target: "lastpost::limits",
                file = %self.core().file.display(),
                %error,
                "the counters could not be written; the next minute tries again"
            );
        }
    }

    /// Writes the counters now. Does file work: not on an async worker.
    ///
    /// # Errors
    /// What the system said.
    pub fn save(&self) -> io::Result<()> {
        save(self.core())
    }
}

fn save(core: &Core) -> io::Result<()> {
    let now = core.timeline.at(core.clock.now());
    core.accounts.sweep(now);
    core.addresses.sweep(now);
    snapshot::save(&core.file, now, &core.key, &core.accounts, &core.addresses)
}
