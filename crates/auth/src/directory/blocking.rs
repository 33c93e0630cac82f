//! The directory for code that may block: commands, and work on the blocking pool.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use address::{AccountKey, Mailbox};
use tokio::runtime::{Builder, Handle};

use super::Directory;
use crate::{Account, Unavailable};

/// Asks the sources and waits for the answer. Never to be used on an async worker: it blocks,
/// and tokio panics there.
///
/// On a thread that has entered a runtime ([`tokio::runtime::Handle::enter`]), or is one of its
/// blocking pool, that runtime is used, which sources with connections need; elsewhere one is
/// made for the question.
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
    let Ok(handle) = Handle::try_current() else {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
            Unavailable { source_name: "accounts".to_owned(), problem: error.to_string() }
        })?;
        return runtime.block_on(question);
    };
    let mut question = pin!(question);
    // A table in memory answers at once, and may be asked anywhere.
    match question.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => handle.block_on(question),
    }
}
