//! Buffers for those who have something to send or to take in, shared among all sessions.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Lends buffers of one size and keeps a bounded number of them for the next borrower.
///
/// A session takes a buffer when it has work and drops it before it waits for a command, so
/// memory goes with the sessions at work and not with those connected. Taking never waits: a
/// slow reader who holds a buffer must not stop anybody else. At most as many buffers are out
/// as there are sessions.
#[derive(Clone, Debug)]
pub struct BufferPool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    free: Mutex<Vec<Vec<u8>>>,
    keep: usize,
    octets: usize,
}

impl BufferPool {
    /// A pool of buffers with room for `octets`, of which at most `keep` are kept unused.
    #[must_use]
    pub fn new(octets: usize, keep: usize) -> Self {
        Self(Arc::new(Shared { free: Mutex::new(Vec::new()), keep, octets }))
    }

    /// An empty buffer with room for at least the pool's number of octets.
    #[must_use]
    pub fn take(&self) -> Buffer {
        let kept = self.0.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let octets = kept.unwrap_or_else(|| Vec::with_capacity(self.0.octets));
        Buffer { octets, pool: Arc::clone(&self.0) }
    }

    /// Buffers kept unused.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.0.free.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// A vector that goes back to its pool when dropped. It may grow, but one that has more than
/// doubled is not kept.
#[derive(Debug)]
pub struct Buffer {
    octets: Vec<u8>,
    pool: Arc<Shared>,
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.octets
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.octets
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let capacity = self.octets.capacity();
        if capacity < self.pool.octets || capacity > self.pool.octets.saturating_mul(2) {
            return;
        }
        let mut octets = std::mem::take(&mut self.octets);
        octets.clear();
        let mut free = self.pool.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < self.pool.keep {
            free.push(octets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_empty_and_only_so_many_are_kept() {
        let pool = BufferPool::new(1024, 2);
        let mut lent: Vec<_> = (0..5).map(|_| pool.take()).collect();
        for buffer in &mut lent {
            assert!(buffer.is_empty() && buffer.capacity() >= 1024);
            buffer.extend_from_slice(b"somebody's mail");
        }
        drop(lent);
        assert_eq!(pool.kept(), 2);
        assert!(pool.take().is_empty());
        assert_eq!(pool.kept(), 2, "it came back at once");
    }

    #[test]
    fn a_buffer_that_has_grown_or_was_emptied_out_is_not_kept() {
        let pool = BufferPool::new(1024, 2);
        pool.take().resize(5000, 0);
        assert_eq!(pool.kept(), 0);
        drop(std::mem::take(&mut *pool.take()));
        assert_eq!(pool.kept(), 0);
        pool.take().resize(1500, 0);
        assert_eq!(pool.kept(), 1);
    }
}
