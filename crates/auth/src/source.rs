//! Where accounts come from: one small trait, behind which files, databases, directories and
//! services stand.

use std::sync::Arc;

use address::{AccountKey, Mailbox};
use sasl::Secret;

use crate::{Account, Answer, Origin, PolicySpread, Reload, StoredHash};

/// Why a source could not say: it is down, too slow, or answers nonsense. For the log, never
/// for a client, who is asked to try again later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("account source {source_name}: {problem}")]
pub struct Unavailable {
    /// The source's name in the configuration.
    pub source_name: String,
    /// What went wrong; no secrets.
    pub problem: String,
}

/// A place where accounts lie.
///
/// Every answer comes within a bounded time: a source has its own timeouts and its own bound on
/// questions under way, and says [`Unavailable`] beyond them.
pub trait AccountSource: Send + Sync {
    /// Its name in the configuration and in the log.
    fn name(&self) -> &str;

    /// The account of a normalised login; disabled ones too.
    fn find<'a>(
        &'a self,
        key: &'a AccountKey,
    ) -> Answer<'a, Result<Option<Arc<Account>>, Unavailable>>;

    /// The accounts that own an address, those that have it as their primary one first;
    /// disabled ones too, for mail still comes to them.
    fn owners<'a>(
        &'a self,
        address: &'a Mailbox,
    ) -> Answer<'a, Result<Vec<Arc<Account>>, Unavailable>>;

    /// The next accounts after `after` in the source's own stable order, at most `limit`; empty
    /// at the end. None: this source cannot list its accounts. If `after` is gone meanwhile the
    /// source goes on as near to its place as it can.
    fn page<'a>(
        &'a self,
        after: Option<&'a AccountKey>,
        limit: usize,
    ) -> Answer<'a, Result<Option<Vec<Arc<Account>>>, Unavailable>>;

    /// Whether `password` is that of `account`, which this source gave with
    /// [`crate::Credential::AtSource`].
    fn verify<'a>(
        &'a self,
        _account: &'a Arc<Account>,
        _password: &'a Secret,
        _origin: &'a Origin,
    ) -> Answer<'a, Result<bool, Unavailable>> {
        Box::pin(std::future::ready(Ok(false)))
    }

    /// Puts `new` in the place of `old`, if the record still says `old`; whether it did.
    fn replace_hash<'a>(
        &'a self,
        _key: &'a AccountKey,
        _old: &'a StoredHash,
        _new: &'a StoredHash,
    ) -> Answer<'a, Result<bool, Unavailable>> {
        Box::pin(std::future::ready(Ok(false)))
    }

    /// Whether [`Self::replace_hash`] can ever do something.
    fn can_replace_hash(&self) -> bool {
        false
    }

    /// How many accounts it has, if that costs nothing to say.
    fn count(&self) -> Option<usize> {
        None
    }

    /// What its accounts say of their own about logins and retention, least and most.
    fn policies(&self) -> PolicySpread;

    /// What the operator should know of it, each with its place.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Reads again what was read once.
    fn reload(&self) -> Answer<'_, Result<Reload, String>> {
        Box::pin(std::future::ready(Ok(Reload::Unchanged)))
    }

    /// A hash of nobody's password that costs what those of its accounts do; the source chooses
    /// by `seed` among the costs in use. None: it has no hashes, or does not know them.
    fn decoy(&self, _seed: u64) -> Option<Arc<StoredHash>> {
        None
    }

    /// Looks after itself as long as the service lives: watches a file, keeps connections.
    fn keep_fresh(self: Arc<Self>) -> Answer<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}
