//! A walk through all accounts, source by source.

use std::sync::Arc;

use address::AccountKey;

use super::Shared;
use crate::{Account, Unavailable};

/// Accounts that are asked for at a time.
const PAGE: usize = 500;

/// A walk through all accounts in the order of the sources. Accounts that come or go meanwhile
/// may be seen or not; if the one at which a page ended goes, its source may begin anew.
pub struct Walk {
    shared: Arc<Shared>,
    source: usize,
    after: Option<AccountKey>,
    /// The one at which it was resumed.
    first: Option<Arc<Account>>,
    unlisted: Vec<String>,
}

impl Walk {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, source: 0, after: None, first: None, unlisted: Vec::new() }
    }

    /// Goes on at the account of this key, if a source has it; else from the beginning.
    ///
    /// # Errors
    /// If a source that might have it cannot say.
    pub async fn resume_at(&mut self, key: &AccountKey) -> Result<(), Unavailable> {
        for (position, source) in self.shared.sources.iter().enumerate() {
            if let Some(account) = source.find(key).await? {
                self.source = position;
                self.after = Some(key.clone());
                self.first = Some(account);
                return Ok(());
            }
        }
        Ok(())
    }

    /// The next accounts, some hundreds at most; empty at the end.
    ///
    /// # Errors
    /// If the source whose turn it is cannot say; the next call asks it again.
    pub async fn next_page(&mut self) -> Result<Vec<Arc<Account>>, Unavailable> {
        if let Some(first) = self.first.take() {
            return Ok(vec![first]);
        }
        while let Some(source) = self.shared.sources.get(self.source) {
            match source.page(self.after.as_ref(), PAGE).await? {
                Some(page) if !page.is_empty() => {
                    self.after = page.last().map(|account| account.key().clone());
                    return Ok(page);
                }
                Some(_) => {}
                None => self.unlisted.push(source.name().to_owned()),
            }
            self.source += 1;
            self.after = None;
        }
        Ok(Vec::new())
    }

    /// The names of the sources passed so far that cannot list their accounts.
    #[must_use]
    pub fn unlisted(&self) -> &[String] {
        &self.unlisted
    }
}
