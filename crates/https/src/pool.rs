//! Connections that are kept for the next request.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::connect::Connection;
use crate::url::Origin;

/// How long a connection may wait for its next request: shorter than what servers allow.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Idle connections, those used last at the end. Never more than a bound.
pub(crate) struct Pool {
    idle: Mutex<VecDeque<Idle>>,
    most: usize,
}

struct Idle {
    origin: Origin,
    connection: Connection,
    since: Instant,
}

impl Pool {
    pub(crate) fn new(most: usize) -> Self {
        Self { idle: Mutex::new(VecDeque::new()), most }
    }

    /// The connection to `origin` that was used last, if one is still good.
    pub(crate) fn take(&self, origin: &Origin) -> Option<Connection> {
        let mut idle = self.lock();
        idle.retain(|idle| idle.since.elapsed() < IDLE_MAX && !idle.connection.sender.is_closed());
        let place = idle.iter().rposition(|idle| idle.origin == *origin)?;
        idle.remove(place).map(|idle| idle.connection)
    }

    /// Keeps a connection whose answer was read to its end.
    pub(crate) fn put(&self, origin: &Origin, connection: Connection) {
        if self.most == 0 || connection.sender.is_closed() {
            return;
        }
        let mut idle = self.lock();
        if idle.len() >= self.most {
            idle.pop_front();
        }
        idle.push_back(Idle { origin: origin.clone(), connection, since: Instant::now() });
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
