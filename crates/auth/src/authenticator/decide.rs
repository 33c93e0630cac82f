//! Whether one attempt is right: the account, its hash, and what is compared with it.

use std::sync::Arc;
use std::time::Duration;

use address::AccountKey;
use md5::{Digest, Md5};
use sasl::Secret;
use subtle::ConstantTimeEq;

use super::Shared;
use crate::Account;
use crate::hash::check_password;
use crate::pool::{PoolError, Target};
use crate::queue::Standing;
use crate::throttle::{Source, Subject, WrongTag};

/// What is digested where no password is stored: as long as a usual one, and with an octet
/// that no password may hold.
const NOBODYS_SECRET: &[u8] = &[0; 12];

/// What a client offers to show that it is whom it says.
#[derive(Clone, Copy)]
pub(super) enum Proof<'a> {
    Password(&'a Secret),
    /// MD5 over stamp and password.
    Digest {
        stamp: &'a str,
        digest: &'a [u8; 16],
    },
    /// Nothing that could ever be right.
    Void,
}

/// Why an attempt failed: for the log and the counts, never for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The name, or what was to prove it, cannot be anybody's.
    Malformed,
    Unknown,
    Disabled,
    Wrong,
    /// The record changed while the password was verified.
    Changed,
}

impl Reason {
    /// Why what was offered for `account` is not right.
    fn of(account: Option<&Account>) -> Self {
        match account {
            Some(account) if account.is_disabled() => Self::Disabled,
            Some(_) => Self::Wrong,
            None => Self::Unknown,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Disabled => "disabled",
            Self::Wrong => "wrong-password",
            Self::Changed => "record-changed",
        }
    }
}

/// What verification came to.
pub(super) enum Outcome {
    Accepted(Arc<Account>),
    Failed { reason: Reason, wrong: Option<WrongTag> },
    PutOff(&'static str),
}

/// One attempt while it is looked at.
pub(super) struct Trial<'a> {
    pub(super) key: Option<AccountKey>,
    pub(super) proof: Proof<'a>,
    pub(super) source: Source,
    pub(super) subject: Subject,
    pub(super) standing: Standing,
}

impl Shared {
    pub(super) async fn decide(&self, trial: &Trial<'_>, now: Duration) -> Outcome {
        match trial.proof {
            Proof::Password(password) => self.decide_password(trial, password, now).await,
            Proof::Digest { stamp, digest } => self.decide_digest(trial, stamp, digest),
            Proof::Void => Outcome::Failed { reason: Reason::Malformed, wrong: None },
        }
    }

    async fn decide_password(&self, trial: &Trial<'_>, secret: &Secret, now: Duration) -> Outcome {
        let password = secret.expose();
        let (Some(key), Ok(())) = (&trial.key, check_password(password)) else {
            // Nobody can have such a name or password: there is nothing to hide.
            return Outcome::Failed { reason: Reason::Malformed, wrong: None };
        };
        let account = self.directory.get(key);
        let usable = account.as_ref().filter(|account| !account.is_disabled());
        let remembered = usable.and_then(|account| {
            let entry = self.cache.key(account, password)?;
            Some((account, entry))
        });
        if let Some((account, entry)) = &remembered
            && self.cache.contains(entry, now)
        {
            self.counts.cached.add();
            return Outcome::Accepted(Arc::clone(account));
        }
        let otherwise = Reason::of(account.as_deref());
        let target = match &account {
            Some(account) => Target::Account(Arc::clone(account)),
            None => Target::Decoy(self.directory.decoy(self.decoy_seed(key))),
        };
        let wrong = self.wrong_tag(key, &target, usable.is_some(), password);
        if self.throttle.is_known_wrong(&trial.subject, &wrong) {
            self.counts.repeated.add();
            return Outcome::Failed { reason: otherwise, wrong: Some(wrong) };
        }
        let verified = self.pool.verify(trial.source, trial.standing, target, secret).await;
        match verified {
            Err(PoolError::Full) => Outcome::PutOff("queue-full"),
            Err(PoolError::Failed) => Outcome::PutOff("hash-failed"),
            Ok(true) if usable.is_some() => {
                if let Some((_, entry)) = &remembered {
                    self.cache.insert(entry, now);
                }
                self.still_valid(account.as_ref())
            }
            Ok(_) => Outcome::Failed { reason: otherwise, wrong: Some(wrong) },
        }
    }

    /// Whoever it is, one digest is computed and compared, so that neither time nor answer
    /// tells which accounts exist or how their passwords are stored.
    fn decide_digest(&self, trial: &Trial<'_>, stamp: &str, digest: &[u8; 16]) -> Outcome {
        let Some(key) = &trial.key else {
            return Outcome::Failed { reason: Reason::Malformed, wrong: None };
        };
        let account = self.directory.get(key);
        let usable = account.as_ref().filter(|account| !account.is_disabled());
        let stored = usable.and_then(|account| account.hash().plain());
        let can_be_right = stored.is_some();
        let secret = stored.unwrap_or(NOBODYS_SECRET);
        let computed = Md5::new().chain_update(stamp).chain_update(secret).finalize();
        let right = bool::from(computed.as_slice().ct_eq(digest));
        match account {
            Some(account) if right && can_be_right => Outcome::Accepted(account),
            other => Outcome::Failed { reason: Reason::of(other.as_deref()), wrong: None },
        }
    }

    /// The account as it is now, if its record is the one that was verified: a hash takes
    /// long enough for an operator to change it.
    pub(super) fn still_valid(&self, verified: Option<&Arc<Account>>) -> Outcome {
        let current = verified.and_then(|verified| {
            let current = self.directory.get(verified.key())?;
            let same = current.hash().text() == verified.hash().text();
            (same && !current.is_disabled()).then_some(current)
        });
        match current {
            Some(account) => Outcome::Accepted(account),
            None => Outcome::Failed { reason: Reason::Changed, wrong: None },
        }
    }

    /// What stands for this password at this record. The record's hash and state are in it: a
    /// password that was wrong before a change is looked at anew after it.
    fn wrong_tag(
        &self,
        key: &AccountKey,
        target: &Target,
        usable: bool,
        password: &[u8],
    ) -> WrongTag {
        let stored = target.hash().text().as_bytes();
        let parts = [b"wrong", key.as_str().as_bytes(), stored, &[u8::from(usable)], password];
        let [a, b, c, d, e, f, g, h, ..] = self.seal.digest(&parts);
        [a, b, c, d, e, f, g, h]
    }

    /// Which decoy an unknown login gets: always the same.
    fn decoy_seed(&self, key: &AccountKey) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.seal.digest(&[b"decoy", key.as_str().as_bytes()]);
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}
