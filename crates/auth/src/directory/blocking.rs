//! The directory for code that may block: commands, and work on the blocking pool.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use address::{AccountKey, Mailbox};
use tokio::runtime::Handle;

use super::Directory;
use crate::{Account, Unavailable};

/// Asks the sources and waits for the answer. Never to be used on an async worker: it blocks,
/// and tokio panics there.
///
/// A source that must be waited for needs a runtime: the thread has entered one
/// ([`tokio::runtime::Handle::enter`]), or is one of its blocking pool.
#[derive(Clone, Copy)]
pub struct Blocking<'a> {
    directory: &'a Directory,
}

impl<'a> Blocking<'a> {
    pub(super) fn new(directory: &'a Directory) -> Self {
        Self { directory }
    }

    /// As [`Directory::find`].
    ///
    /// # Errors
    /// If a source that might know it cannot say.
    pub fn find(self, key: &AccountKey) -> Result<Option<Arc<Account>>, Unavailable> {
        wait(self.directory.find(key))
    }

    /// As [`Directory::owners`].
    ///
    /// # Errors
    /// If a source that might have them cannot say.
    pub fn owners(self, address: &Mailbox) -> Result<Vec<Arc<Account>>, Unavailable> {
        wait(self.directory.owners(address))
    }

    /// As [`Directory::local_mailbox`].
    ///
    /// # Errors
    /// If a source that might have it cannot say.
    pub fn local_mailbox(self, address: &Mailbox) -> Result<Option<Arc<Account>>, Unavailable> {
        wait(self.directory.local_mailbox(address))
    }

    /// As [`Directory::all`].
    ///
    /// # Errors
    /// If a source cannot say.
    pub fn all(self) -> Result<Vec<Arc<Account>>, Unavailable> {
        wait(self.directory.all())
    }
}

fn wait<T>(question: impl Future<Output = Result<T, Unavailable>>) -> Result<T, Unavailable> {
    let mut question = pin!(question);
    // A table in memory answers at once, with or without a runtime.
    let first = question.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    if let Poll::Ready(answer) = first {
        return answer;
    }
    match Handle::try_current() {
        Ok(handle) => handle.block_on(question),
        Err(error) => {
            Err(Unavailable { source_name: "accounts".to_owned(), problem: error.to_string() })
        }
    }
}
