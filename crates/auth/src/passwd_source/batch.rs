//! Hashes that are to be replaced in the file, gathered: the file is rewritten once for many of
//! them, and for no more than a small part of the time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::passwd_editor::HashChange;
use crate::{AccountsConfig, EditError, PasswdEditor};

/// Shortest time in which changes are gathered.
const GATHER_MIN: Duration = Duration::from_secs(1);
/// Longest, however long a rewriting takes.
const GATHER_MAX: Duration = Duration::from_secs(60);
/// A rewriting takes at most this part of the time; each makes every daemon read the file again,
/// which takes several times as long.
const PART: u32 = 50;
/// Most changes that wait.
const WAITING_MAX: usize = 4096;

/// The changes that wait for the next rewriting.
#[derive(Default)]
pub(super) struct Batch {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: Vec<Waiting>,
    /// Whether a task gathers already.
    gathering: bool,
    /// How long the last rewriting took.
    took: Duration,
}

struct Waiting {
    change: HashChange,
    answer: oneshot::Sender<Result<bool, Arc<str>>>,
}

impl Batch {
    /// Makes `change` with the next rewriting, if the file still has the old hash then; whether
    /// it did.
    pub(super) async fn make(
        self: &Arc<Self>,
        config: &AccountsConfig,
        change: HashChange,
    ) -> Result<bool, Arc<str>> {
        let (answer, made) = oneshot::channel();
        let first = {
            let mut state = self.lock();
            if state.waiting.len() >= WAITING_MAX {
                return Err("too many changes wait for the next rewriting".into());
            }
            state.waiting.push(Waiting { change, answer });
            !std::mem::replace(&mut state.gathering, true)
        };
        if first {
            tokio::spawn(Arc::clone(self).gather(config.clone()));
        }
        made.await.unwrap_or_else(|_| Err("the rewriting broke off".into()))
    }

    /// Rewrites the file now and then, as long as there is something to change.
    async fn gather(self: Arc<Self>, config: AccountsConfig) {
        loop {
            let took = self.lock().took;
            tokio::time::sleep((took * PART).clamp(GATHER_MIN, GATHER_MAX)).await;
            let waiting = {
                let mut state = self.lock();
                let waiting = std::mem::take(&mut state.waiting);
                if waiting.is_empty() {
                    state.gathering = false;
                    return;
                }
                waiting
            };
            let begun = Instant::now();
            let (changes, answers): (Vec<_>, Vec<_>) =
                waiting.into_iter().map(|waiting| (waiting.change, waiting.answer)).unzip();
            let config = config.clone();
            let rewriting = tokio::task::spawn_blocking(move || rewrite(&config, &changes)).await;
            self.lock().took = begun.elapsed();
            let made = match rewriting {
                Ok(Ok(made)) => Ok(made),
                Ok(Err(error)) => Err(Arc::from(error.to_string())),
                Err(error) => Err(Arc::from(error.to_string())),
            };
            for (at, answer) in answers.into_iter().enumerate() {
                let made = made.as_ref().map(|made| made.get(at).copied().unwrap_or_default());
                // Nobody listens if the upgrade was given up.
                let _ = answer.send(made.map_err(Arc::clone));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Once more if somebody edited the file without the lock at that moment.
fn rewrite(config: &AccountsConfig, changes: &[HashChange]) -> Result<Vec<bool>, EditError> {
    match PasswdEditor::replace_hashes(config, changes) {
        Err(EditError::Changed { .. }) => PasswdEditor::replace_hashes(config, changes),
        other => other,
    }
}
