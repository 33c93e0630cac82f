//! One table of accounts: found by login, found by address, and the decoys for logins that
//! are nobody's.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use address::{AccountKey, Mailbox};

use crate::hash::CostClass;
use crate::likeness::canonical;
use crate::passwd_file::Listing;
use crate::{Account, AccountsError, Argon2Params, PolicySpread, StoredHash};

/// How many costs the decoys imitate; what is rarer than these is not worth hiding among.
const DECOYS_MAX: usize = 16;

pub(crate) struct Table {
    accounts: Vec<Arc<Account>>,
    positions: HashMap<AccountKey, u32>,
    /// Hash of each address with the position of its owner, sorted. Sixteen bytes an address;
    /// a map with the address as its key would double the table.
    addresses: Vec<(u64, u32)>,
    hasher: RandomState,
    decoys: Decoys,
    policies: PolicySpread,
    warnings: Vec<String>,
}

impl Table {
    pub(crate) fn new(listing: Listing) -> Result<Self, AccountsError> {
        let Listing { accounts, positions, warnings, .. } = listing;
        let decoys = Decoys::like(&accounts)?;
        let accounts: Vec<Arc<Account>> = accounts.into_iter().map(Arc::new).collect();
        let hasher = RandomState::new();
        let mut addresses = Vec::with_capacity(accounts.len());
        let mut policies = PolicySpread::default();
        for (position, account) in accounts.iter().enumerate() {
            let position = u32::try_from(position).unwrap_or(u32::MAX);
            let hash = |address| hasher.hash_one(&*canonical(address));
            addresses.extend(account.addresses().iter().map(|a| (hash(a), position)));
            policies.add(account.policy());
        }
        addresses.sort_unstable();
        Ok(Self { accounts, positions, addresses, hasher, decoys, policies, warnings })
    }

    pub(crate) fn get(&self, key: &AccountKey) -> Option<&Arc<Account>> {
        self.accounts.get(*self.positions.get(key)? as usize)
    }

    pub(crate) fn position(&self, key: &AccountKey) -> Option<usize> {
        self.positions.get(key).map(|position| *position as usize)
    }

    /// The position behind the account of `key`; the first one if it is gone.
    pub(crate) fn after(&self, key: &AccountKey) -> usize {
        self.position(key).map_or(0, |position| position.saturating_add(1))
    }

    pub(crate) fn owners<'a>(
        &'a self,
        address: &'a Mailbox,
    ) -> impl Iterator<Item = &'a Arc<Account>> + 'a {
        let hash = self.hasher.hash_one(&*canonical(address));
        let first = self.addresses.partition_point(|(other, _)| *other < hash);
        let same = self.addresses[first..].iter().take_while(move |(other, _)| *other == hash);
        let accounts = same.filter_map(|(_, position)| self.accounts.get(*position as usize));
        accounts.filter(move |account| account.owns(address))
    }

    pub(crate) fn accounts(&self) -> &[Arc<Account>] {
        &self.accounts
    }

    pub(crate) fn policies(&self) -> PolicySpread {
        self.policies
    }

    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub(crate) fn decoy(&self, seed: u64) -> Arc<StoredHash> {
        self.decoys.pick(seed)
    }
}

/// Hashes of nobody's password, one for each cost that accounts have.
///
/// While a table moves from one scheme to another, its accounts take different times. An
/// unknown login takes the time of one of them, always the same one, so that a measured time
/// says no more than 'one in so many accounts costs this'.
struct Decoys {
    common: Arc<StoredHash>,
    /// The running total of accounts, and the decoy for them.
    steps: Vec<(u64, Arc<StoredHash>)>,
}

impl Decoys {
    fn like(accounts: &[Account]) -> Result<Self, AccountsError> {
        let mut classes: HashMap<CostClass, (u64, &StoredHash)> = HashMap::new();
        for account in accounts {
            let Some(hash) = account.hash() else { continue };
            classes.entry(hash.cost_class()?).or_insert((0, hash)).0 += 1;
        }
        let mut classes: Vec<_> = classes.into_iter().collect();
        classes.sort_unstable_by_key(|(class, (count, _))| (u64::MAX - count, *class));
        classes.truncate(DECOYS_MAX);
        let mut steps = Vec::with_capacity(classes.len());
        let mut total = 0;
        for (_, (count, hash)) in classes {
            total += count;
            steps.push((total, Arc::new(hash.decoy()?)));
        }
        let common = match steps.first() {
            Some((_, first)) => Arc::clone(first),
            None => Arc::new(StoredHash::nobody(&Argon2Params::default())?),
        };
        Ok(Self { common, steps })
    }

    fn pick(&self, seed: u64) -> Arc<StoredHash> {
        let total = self.steps.last().map_or(1, |(total, _)| *total);
        let at = seed % total;
        let step = self.steps.iter().find(|(until, _)| at < *until);
        Arc::clone(step.map_or(&self.common, |(_, hash)| hash))
    }
}
