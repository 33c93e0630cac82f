//! Threads that ask the file: a bounded number, each with a connection of its own, and a bounded
//! queue before them.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::schema::{Identity, SqliteProblem};

/// How many questions may wait.
const QUEUE_MAX: usize = 8192;

/// How a connection is opened.
type Opener = fn(&Path) -> Result<Connection, SqliteProblem>;

/// A question, to be asked on whichever thread is free. Gets the connection, or why there is
/// none; says whether the connection is still good.
type Job = Box<dyn FnOnce(Result<&mut Connection, &SqliteProblem>) -> bool + Send>;

/// Some threads and their queue. They end with it.
pub(super) struct Threads {
    file: PathBuf,
    queue: Arc<Queue>,
    timeout: Duration,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    ended: bool,
}

impl Threads {
    /// As many threads. Each opens the file when it is asked for the first time, and again if
    /// another file lies there.
    ///
    /// # Errors
    /// If the system gives no threads.
    pub(super) fn new(
        name: &str,
        file: &Path,
        count: usize,
        timeout: Duration,
        open: Opener,
    ) -> io::Result<Self> {
        // Made first: what was started already ends with it.
        let threads = Self { file: file.to_owned(), queue: Arc::default(), timeout };
        for _ in 0..count {
            let (queue, file) = (Arc::clone(&threads.queue), file.to_owned());
            let builder = std::thread::Builder::new().name(name.to_owned());
            builder.spawn(move || work(&queue, &file, open))?;
        }
        Ok(threads)
    }

    /// Has `work` done with a connection.
    ///
    /// # Errors
    /// What went wrong, or that too much waits or it took too long.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let (answer, answered) = oneshot::channel();
        let file = self.file.clone();
        let job: Job = Box::new(move |connection| {
            if answer.is_closed() {
                // Nobody waits for it any more.
                return true;
            }
            let done = match connection {
                Ok(connection) => {
                    work(connection).map_err(|error| SqliteProblem::of(&file, &error).to_string())
                }
                Err(problem) => Err(problem.to_string()),
            };
            let good = done.is_ok();
            let _ = answer.send(done);
            good
        });
        {
            let mut state = self.queue.lock();
            if state.jobs.len() >= QUEUE_MAX {
                return Err("too many questions wait".to_owned());
            }
            state.jobs.push_back(job);
        }
        self.queue.news.notify_one();
        match tokio::time::timeout(self.timeout, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err("the thread ended".to_owned()),
            Err(_) => Err(format!("no answer within {:?}", self.timeout)),
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.queue.lock().ended = true;
        self.queue.news.notify_all();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job; none at the end.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.ended {
                return None;
            }
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn work(queue: &Queue, file: &Path, open: Opener) {
    let mut kept: Option<(Identity, Connection)> = None;
    while let Some(job) = queue.next() {
        let now = Identity::of(file).ok();
        let opened = match kept.take() {
            Some((identity, connection)) if Some(identity) == now => Ok((identity, connection)),
            _ => open(file).and_then(|connection| {
                let identity = Identity::of(file);
                let source = |source| SqliteProblem::Io { file: file.to_owned(), source };
                Ok((identity.map_err(source)?, connection))
            }),
        };
        match opened {
            Ok((identity, mut connection)) => {
                if job(Ok(&mut connection)) {
                    kept = Some((identity, connection));
                }
            }
            Err(problem) => {
                job(Err(&problem));
            }
        }
    }
}
