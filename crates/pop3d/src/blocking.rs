//! File work, off the threads that serve the network, and not too much of it at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a session waits for its turn before it gives up. Longer than any healthy disk
/// needs, shorter than clients wait.
const TURN_TIMEOUT: Duration = Duration::from_secs(30);

/// A bound on how many sessions work on files at once.
#[derive(Clone, Debug)]
pub(crate) struct Blocking(Arc<Semaphore>);

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overloaded;

/// The right to run one piece of work.
#[derive(Debug)]
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
}

/// The work has panicked: a defect. What it held is gone.
#[derive(Debug)]
pub(crate) struct Defect;

impl Blocking {
    pub(crate) fn new(at_once: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_once)))
    }

    /// A turn if one is free this moment: for work that can wait.
    pub(crate) fn spare_turn(&self) -> Option<Turn> {
        let permit = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(Turn { _permit: permit })
    }

    /// Waits for a turn. As many wait as there are sessions at most.
    pub(crate) async fn turn(&self) -> Result<Turn, Overloaded> {
        let turn = Arc::clone(&self.0).acquire_owned();
        match tokio::time::timeout(TURN_TIMEOUT, turn).await {
            Ok(Ok(permit)) => Ok(Turn { _permit: permit }),
            _ => Err(Overloaded),
        }
    }
}

impl Turn {
    /// Runs `work` where it may block. If the caller goes away, the work is finished all the
    /// same and its result dropped.
    pub(crate) async fn run<T, W>(self, work: W) -> Result<T, Defect>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(self);
            result
        });
        done.await.map_err(|_| Defect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn no_more_at_once_than_allowed() {
        let blocking = Blocking::new(3);
        let (now, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let (blocking, now, peak) = (blocking.clone(), Arc::clone(&now), Arc::clone(&peak));
            tasks.spawn(async move {
                let work = move || {
                    peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(2));
                    now.fetch_sub(1, Ordering::SeqCst);
                };
                blocking.turn().await.unwrap().run(work).await.unwrap();
            });
        }
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
        assert!((1..=3).contains(&peak.load(Ordering::SeqCst)));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_has_an_end() {
        let blocking = Blocking::new(1);
        let _held = blocking.turn().await.unwrap();
        assert_eq!(blocking.turn().await.unwrap_err(), Overloaded);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_gives_the_turn_back() {
        let blocking = Blocking::new(1);
        let work = || -> u8 { panic!("expected by this test") };
        assert!(blocking.turn().await.unwrap().run(work).await.is_err());
        assert_eq!(blocking.turn().await.unwrap().run(|| 7).await.unwrap(), 7);
    }
}
