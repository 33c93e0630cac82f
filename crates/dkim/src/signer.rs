//! All keys, found by domain.

use std::collections::HashMap;
use std::sync::Arc;

use address::Domain;
use arc_swap::ArcSwap;

use crate::config::in_ascii;
use crate::key::Key;
use crate::signing::{Covered, Signing};
use crate::{DkimConfig, DkimError, Record};

/// The keys of all domains. A clone is cheap and shares them.
#[derive(Clone)]
pub struct Signer {
    shared: Arc<Shared>,
}

struct Shared {
    config: DkimConfig,
    covered: Arc<Covered>,
    keys: ArcSwap<Keys>,
}

#[derive(Default)]
struct Keys {
    by_domain: HashMap<Domain, Vec<Arc<Key>>>,
    /// In the order of the configuration.
    all: Vec<Arc<Key>>,
    warnings: Vec<String>,
}

impl Signer {
    /// Reads all keys. Blocks.
    ///
    /// # Errors
    /// If a value or a key file is wrong.
    pub fn load(config: &DkimConfig) -> Result<Self, DkimError> {
        config.check()?;
        let keys = Keys::read(config)?;
        let covered = Arc::new(Covered::new(config));
        let keys = ArcSwap::from_pointee(keys);
        Ok(Self { shared: Arc::new(Shared { config: config.clone(), covered, keys }) })
    }

    /// Reads the key files again. Messages that are being signed keep theirs. Blocks.
    ///
    /// # Errors
    /// If a key file is wrong; then the keys stay as they were.
    pub fn reload(&self) -> Result<(), DkimError> {
        self.shared.keys.store(Arc::new(Keys::read(&self.shared.config)?));
        Ok(())
    }

    /// Begins to sign a message whose author is at `domain`; nothing if no key is for it. The
    /// keys of the nearest domain count: its own, or those of one above that sign for domains
    /// below.
    #[must_use]
    pub fn begin(&self, domain: &Domain) -> Option<Signing> {
        let keys = self.shared.keys.load();
        if keys.all.is_empty() {
            return None;
        }
        let domain = in_ascii(domain)?;
        let found = keys.of(&domain)?;
        Some(Signing::new(found, domain, Arc::clone(&self.shared.covered)))
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.keys.load().all.len()
    }

    /// Whether there are none, so that nothing is signed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The records that DNS must have, in the order of the configuration.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.shared.keys.load().all.iter().filter_map(|key| key.record()).collect()
    }

    /// What deserves a second look, one sentence each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.shared.keys.load().warnings.clone()
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Signer").field(&self.shared.keys.load().all).finish()
    }
}

impl Keys {
    fn read(config: &DkimConfig) -> Result<Self, DkimError> {
        let mut keys = Self::default();
        for (index, section) in config.key.iter().enumerate() {
            let (key, warning) = Key::read(section, index)?;
            if let Some(warning) = &warning {
                tracing::warn!(target: "lastpost::submission", %warning, "DKIM key");
            }
            keys.warnings.extend(warning);
            keys.add(key);
        }
        Ok(keys)
    }

    fn add(&mut self, key: Key) {
        let key = Arc::new(key);
        self.by_domain.entry(key.domain.clone()).or_default().push(Arc::clone(&key));
        self.all.push(key);
    }

    /// The keys that sign for a domain in A-labels.
    fn of(&self, domain: &Domain) -> Option<Vec<Arc<Key>>> {
        if let Some(own) = self.by_domain.get(domain) {
            return Some(own.clone());
        }
        let mut rest = domain.as_str();
        while let Some((_, parent)) = rest.split_once('.') {
            // A single label is no domain of mail, and ends the search.
            let parent_domain = Domain::parse(parent).ok()?;
            if let Some(keys) = self.by_domain.get(&parent_domain) {
                let keys: Vec<_> = keys.iter().filter(|key| key.subdomains).cloned().collect();
                if !keys.is_empty() {
                    return Some(keys);
                }
            }
            rest = parent;
        }
        None
    }
}
