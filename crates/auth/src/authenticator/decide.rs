//! Whether one attempt is right: the account, its hash, and what is compared with it.

use std::sync::Arc;

use address::AccountKey;
use md5::{Digest, Md5};
use sasl::Secret;
use subtle::ConstantTimeEq;

use super::Shared;
use super::case::Case;
use crate::directory::Located;
use crate::hash::check_password;
use crate::pool::{PoolError, Target};
use crate::throttle::WrongTag;
use crate::{Account, Credential, Unavailable};

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
pub(crate) enum Reason {
    /// The name, or what was to prove it, cannot be anybody's.
    Malformed,
    Unknown,
    Disabled,
    Wrong,
    /// The record changed while the password was verified.
    Changed,
    /// What the client says of the channel binding does not hold.
    ChannelBinding,
}

impl Reason {
    /// Why what was offered for `account` is not right.
    pub(crate) fn of(account: Option<&Account>) -> Self {
        match account {
            Some(account) if account.is_disabled() => Self::Disabled,
            Some(_) => Self::Wrong,
            None => Self::Unknown,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Disabled => "disabled",
            Self::Wrong => "wrong-password",
            Self::Changed => "record-changed",
            Self::ChannelBinding => "channel-binding",
        }
    }
}

/// What verification came to.
pub(crate) enum Outcome {
    Accepted(Arc<Account>),
    /// By an app password, a token or a certificate: those are good even while the customer's own
    /// password has to be changed.
    WithoutPassword(Arc<Account>),
    Failed {
        reason: Reason,
        wrong: Option<WrongTag>,
    },
    PutOff(&'static str),
    /// A source that is needed cannot say.
    Unavailable(Unavailable),
}

impl Outcome {
    pub(crate) fn failed(reason: Reason) -> Self {
        Self::Failed { reason, wrong: None }
    }
}

impl From<Unavailable> for Outcome {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

impl Shared {
    pub(super) async fn decide(&self, case: &Case, proof: Proof<'_>) -> Outcome {
        let decided = match proof {
            Proof::Password(password) => self.decide_password(case, password).await,
            Proof::Digest { stamp, digest } => self.decide_digest(case, stamp, digest).await,
            Proof::Void => Ok(Outcome::failed(Reason::Malformed)),
        };
        decided.unwrap_or_else(Outcome::from)
    }

    async fn decide_password(&self, case: &Case, secret: &Secret) -> Result<Outcome, Unavailable> {
        let (Some(key), Ok(())) = (&case.key, check_password(secret.expose())) else {
            // Nobody can have such a name or password: there is nothing to hide.
            return Ok(Outcome::failed(Reason::Malformed));
        };
        let Some(master) = &case.master else {
            let located = self.directory.locate(key).await?;
            // Also of nobody's name, so that the time does not tell which names are somebody's.
            let by_app_password = self.helpers.is_app_password(case, key, secret).await?;
            let account = located.as_ref().map(|located| &located.account);
            if let Some(account) = account.filter(|account| !account.is_disabled())
                && by_app_password
            {
                self.counts.app_password.add();
                return Ok(Outcome::WithoutPassword(Arc::clone(account)));
            }
            return self.prove(case, key, located, secret).await;
        };
        let Some(masters) = &self.masters else {
            return Ok(Outcome::failed(Reason::Unknown));
        };
        let prover = masters.directory.locate(master).await?;
        match self.prove(case, master, prover, secret).await? {
            Outcome::Accepted(_) => {
                let opened = self.directory.find(key).await?;
                let open = opened.filter(|account| !account.is_disabled());
                Ok(open.map_or(Outcome::failed(Reason::Unknown), Outcome::Accepted))
            }
            other => Ok(other),
        }
    }

    /// Whether `secret` is the password of the account that was, or was not, found for `key`.
    async fn prove(
        &self,
        case: &Case,
        key: &AccountKey,
        located: Option<Located>,
        secret: &Secret,
    ) -> Result<Outcome, Unavailable> {
        let password = secret.expose();
        let account = located.as_ref().map(|located| &located.account);
        let usable = account.filter(|account| !account.is_disabled());
        let remembered = usable.and_then(|account| {
            let entry = self.cache.key(account, password)?;
            Some((account, entry))
        });
        if let Some((account, entry)) = &remembered
            && self.cache.contains(entry, case.now())
        {
            self.counts.cached.add();
            return Ok(Outcome::Accepted(Arc::clone(account)));
        }
        let otherwise = Reason::of(account.map(|account| &**account));
        let target = match account {
            Some(account) => Target::Account(Arc::clone(account)),
            None => Target::Decoy(self.directory.decoy(self.decoy_seed(key))),
        };
        let wrong = self.wrong_tag(key, &target, usable.is_some(), password);
        if wrong.is_some_and(|wrong| self.throttle.is_known_wrong(&case.subject, &wrong)) {
            self.counts.repeated.add();
            return Ok(Outcome::Failed { reason: otherwise, wrong });
        }
        let right = match (usable, &located) {
            (Some(account), Some(located)) if account.hash().is_none() => {
                located.source.verify(account, secret, &case.origin).await?
            }
            _ => match self.pool.verify(case.source, case.standing, target, secret).await {
                Ok(right) => right && usable.is_some(),
                Err(PoolError::Full) => return Ok(Outcome::PutOff("queue-full")),
                Err(PoolError::Failed) => return Ok(Outcome::PutOff("hash-failed")),
            },
        };
        if !right {
            return Ok(Outcome::Failed { reason: otherwise, wrong });
        }
        let entry = remembered.map(|(_, entry)| entry);
        let Some(located) = located else { return Ok(Outcome::failed(otherwise)) };
        let outcome = self.still_valid(&located).await?;
        if matches!(outcome, Outcome::Failed { .. }) {
            return self.prove_again(case, &located, secret).await;
        }
        if let (Outcome::Accepted(_), Some(entry)) = (&outcome, &entry) {
            self.cache.insert(entry, case.now());
        }
        if let (Outcome::Accepted(account), Some(upgrader)) = (&outcome, &self.upgrader) {
            upgrader.offer(&located.source, account, secret, case.at);
        }
        Ok(outcome)
    }

    /// The record changed while its password was verified: perhaps by a new password, perhaps
    /// only by a better hash of the same one, after another login of this customer. Once more
    /// with what it says now.
    async fn prove_again(
        &self,
        case: &Case,
        verified: &Located,
        secret: &Secret,
    ) -> Result<Outcome, Unavailable> {
        let changed = Ok(Outcome::failed(Reason::Changed));
        let current = verified.source.find(verified.account.key()).await?;
        let usable = current.filter(|now| !now.is_disabled() && now.hash().is_some());
        let Some(account) = usable else { return changed };
        let target = Target::Account(Arc::clone(&account));
        match self.pool.verify(case.source, case.standing, target, secret).await {
            Ok(true) => {
                let source = Arc::clone(&verified.source);
                self.still_valid(&Located { account, source }).await
            }
            Ok(false) => changed,
            Err(PoolError::Full) => Ok(Outcome::PutOff("queue-full")),
            Err(PoolError::Failed) => Ok(Outcome::PutOff("hash-failed")),
        }
    }

    /// Whoever it is, one digest is computed and compared, so that neither time nor answer
    /// tells which accounts exist or how their passwords are stored.
    async fn decide_digest(
        &self,
        case: &Case,
        stamp: &str,
        digest: &[u8; 16],
    ) -> Result<Outcome, Unavailable> {
        let (Some(key), None) = (&case.key, &case.master) else {
            return Ok(Outcome::failed(Reason::Malformed));
        };
        let account = self.directory.find(key).await?;
        let usable = account.as_ref().filter(|account| !account.is_disabled());
        let stored = usable.and_then(|account| account.hash()?.plain());
        let can_be_right = stored.is_some();
        let secret = stored.unwrap_or(NOBODYS_SECRET);
        let computed = Md5::new().chain_update(stamp).chain_update(secret).finalize();
        let right = bool::from(computed.as_slice().ct_eq(digest));
        Ok(match account {
            Some(account) if right && can_be_right => Outcome::Accepted(account),
            other => Outcome::failed(Reason::of(other.as_deref())),
        })
    }

    /// The account as it is now, if its record is the one that was verified: a hash takes
    /// long enough for an operator to change it.
    pub(crate) async fn still_valid(&self, verified: &Located) -> Result<Outcome, Unavailable> {
        let old = &verified.account;
        let current = verified.source.find(old.key()).await?;
        let same = |now: &Account| match (old.credential(), now.credential()) {
            (Credential::Stored(old), Credential::Stored(now)) => old.text() == now.text(),
            // The source has just said so itself; that the version is another one may be the
            // very trace of it (a directory that notes the time of each login).
            (Credential::AtSource { .. }, Credential::AtSource { .. }) => true,
            _ => false,
        };
        let valid = current.filter(|now| same(now) && !now.is_disabled());
        Ok(valid.map_or(Outcome::failed(Reason::Changed), Outcome::Accepted))
    }

    /// What stands for this password at this record. The record's hash and state are in it: a
    /// password that was wrong before a change is looked at anew after it. None: a change of
    /// the record could not be seen.
    fn wrong_tag(
        &self,
        key: &AccountKey,
        target: &Target,
        usable: bool,
        password: &[u8],
    ) -> Option<WrongTag> {
        let record = target.record()?.as_bytes();
        let parts = [b"wrong", key.as_str().as_bytes(), record, &[u8::from(usable)], password];
        let [a, b, c, d, e, f, g, h, ..] = self.seal.digest(&parts);
        Some([a, b, c, d, e, f, g, h])
    }

    /// Which decoy an unknown login gets: always the same.
    pub(crate) fn decoy_seed(&self, key: &AccountKey) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.seal.digest(&[b"decoy", key.as_str().as_bytes()]);
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}
