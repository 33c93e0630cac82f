//! SCRAM: the salt of whoever is named, and the proof that he knows the password.

use std::time::Duration;

use sasl::{Mechanism, ProofCheck, SaltRequest, Step};
use zeroize::Zeroizing;

use super::{Between, Conversation, Turn};
use crate::authenticator::{Case, Outcome, Reason, Shared};
use crate::directory::Located;
use crate::pool::PoolError;
use crate::{Moment, ScramHash, ScramKeys, saslprep};

/// Answers come at multiples of this after an attempt was let in, where there are several sources.
const BEAT: Duration = Duration::from_millis(20);
/// As long as the salts of the records that this house makes.
const SALT_LEN: usize = 16;
/// A password that nobody can have.
const NOBODYS: &[u8] = &[0; 12];

/// An attempt between the client's first message and its last.
pub(super) struct Attempt {
    pub(super) case: Case,
    prover: Option<Located>,
    keys: Keys,
    /// Whether the proof was right.
    pub(super) is_proven: bool,
}

/// What a proof is checked with.
enum Keys {
    /// What the record says.
    Stored(Box<ScramKeys>),
    /// What this password comes to with this salt; it costs a hash, and is computed when there
    /// is a proof to be checked.
    Derivable { password: Zeroizing<Vec<u8>>, salt: [u8; SALT_LEN] },
    /// Nobody knows: each proof is wrong.
    Lacking,
}

impl Conversation {
    /// Answers the client's first message. Whether or not there is such an account, and has
    /// keys, the answer looks the same, costs the same, and is the same the next time.
    pub(super) async fn salt(&mut self, request: SaltRequest, at: Moment) -> Turn {
        let shared = self.shared();
        let acting = shared.acting(request.authzid(), request.login(), self.origin.client);
        let Some(acting) = acting else {
            return self.refuse(request.login(), Reason::Malformed, at).await;
        };
        let case = match shared.open_case(&acting, &self.origin, at).await {
            Ok(case) => case,
            Err(denied) => return Turn::Denied(denied),
        };
        let prover = match shared.prover(&case).await {
            Ok(prover) => prover,
            Err(unavailable) => return self.close(&case, Err(unavailable)).await,
        };
        shared.even_out(&case).await;
        let hash = hash_of(self.mechanism);
        let salt = shared.made_up_salt(&case, hash);
        let keys = shared.keys(&case, prover.as_ref(), hash, salt);
        let step = match &keys {
            Keys::Stored(keys) => request.answer(keys.salt(), keys.iterations()),
            _ => request.answer(&salt, shared.sasl.scram_iterations),
        };
        self.between = Between::Attempt(Box::new(Attempt { case, prover, keys, is_proven: false }));
        self.go_on(step)
    }

    /// Checks the proof in the client's final message.
    pub(super) async fn proof(&mut self, check: ProofCheck) -> Turn {
        let Between::Attempt(mut attempt) = std::mem::replace(&mut self.between, Between::Nothing)
        else {
            return Turn::Malformed;
        };
        let keys = match self.derived(&attempt).await {
            Ok(keys) => keys,
            Err(busy) => return self.close(&attempt.case, Ok(busy)).await,
        };
        let step = match &keys {
            Some(keys) => check.check(keys.stored_key(), keys.server_key()),
            None => check.check(&[], &[]),
        };
        let disabled = attempt.prover.as_ref().is_none_or(|prover| prover.account.is_disabled());
        if disabled || matches!(step, Step::Failed(_)) {
            let outcome = Shared::disproven(attempt.prover.as_ref());
            return self.close(&attempt.case, Ok(outcome)).await;
        }
        attempt.is_proven = true;
        self.between = Between::Attempt(attempt);
        self.go_on(step)
    }

    /// The client has seen our proof as well.
    pub(super) async fn proven(&mut self) -> Turn {
        let Between::Attempt(attempt) = std::mem::replace(&mut self.between, Between::Nothing)
        else {
            return Turn::Malformed;
        };
        let Attempt { case, prover: Some(prover), .. } = *attempt else { return Turn::Malformed };
        let outcome = self.shared().proven(&case, &prover).await;
        self.close(&case, outcome).await
    }

    fn go_on(&mut self, step: Step) -> Turn {
        match step {
            Step::Challenge(challenge, exchange) => self.ask(challenge, exchange),
            // SCRAM goes on by a challenge or not at all.
            _ => Turn::Malformed,
        }
    }

    /// The keys, once they are needed.
    async fn derived(&self, attempt: &Attempt) -> Result<Option<ScramKeys>, Outcome> {
        let (password, salt) = match &attempt.keys {
            Keys::Stored(keys) => return Ok(Some((**keys).clone())),
            Keys::Lacking => return Ok(None),
            Keys::Derivable { password, salt } => (password.clone(), *salt),
        };
        let shared = self.shared();
        let (hash, iterations) = (hash_of(self.mechanism), shared.sasl.scram_iterations);
        let Case { source, standing, .. } = attempt.case;
        let derive = move |_: &mut _| ScramKeys::derive(hash, &password, &salt, iterations);
        match shared.pool.run(source, standing, 0, derive).await {
            Ok(keys) => Ok(Some(keys)),
            Err(PoolError::Full) => Err(Outcome::PutOff("queue-full")),
            Err(PoolError::Failed) => Err(Outcome::PutOff("hash-failed")),
        }
    }
}

impl Shared {
    /// Waits for the next beat: an account of the first source is found sooner than one of the
    /// last, and than nobody's. With one source the question is the same for everybody.
    async fn even_out(&self, case: &Case) {
        if self.directory.sources().nth(1).is_none() {
            return;
        }
        let passed = case.begun.elapsed();
        let beats = passed.as_nanos().div_ceil(BEAT.as_nanos()).max(1);
        let until = BEAT.saturating_mul(u32::try_from(beats).unwrap_or(u32::MAX));
        tokio::time::sleep(until.saturating_sub(passed)).await;
    }

    /// What the proofs of whoever was, or was not, found are checked with. A name that nobody
    /// has costs what one of the accounts does: which, depends on the name alone.
    fn keys(
        &self,
        case: &Case,
        prover: Option<&Located>,
        hash: ScramHash,
        salt: [u8; SALT_LEN],
    ) -> Keys {
        let derivable = |password: &[u8]| {
            let prepared = saslprep(password);
            let password = prepared.unwrap_or_else(|| Zeroizing::new(password.to_vec()));
            Keys::Derivable { password, salt }
        };
        if let Some(prover) = prover {
            let Some(stored) = prover.account.hash() else { return Keys::Lacking };
            return match (stored.scram(hash), stored.plain()) {
                (Some(keys), _) => Keys::Stored(Box::new(keys)),
                (None, Some(password)) => derivable(password),
                (None, None) => Keys::Lacking,
            };
        }
        let decoy = case.key.as_ref().map(|key| self.directory.decoy(self.decoy_seed(key)));
        match decoy {
            Some(decoy) if decoy.plain().is_some() => derivable(NOBODYS),
            _ => Keys::Lacking,
        }
    }

    /// The salt where none is stored. It is made of the name, so that it stays the same; another
    /// for each hash function, as stored ones are.
    fn made_up_salt(&self, case: &Case, hash: ScramHash) -> [u8; SALT_LEN] {
        let who = case.master.as_ref().or(case.key.as_ref());
        let name = who.map_or(case.login.as_bytes(), |key| key.as_str().as_bytes());
        let label: &[u8] = match hash {
            ScramHash::Sha1 => b"SHA-1",
            ScramHash::Sha256 => b"SHA-256",
        };
        let parts = [b"scram-salt", label, name];
        let digest = match self.helpers.salt_key.get() {
            Some(key) => key.digest(&parts),
            None => self.seal.digest(&parts),
        };
        let mut salt = [0; SALT_LEN];
        salt.copy_from_slice(&digest[..SALT_LEN]);
        salt
    }
}

fn hash_of(mechanism: Mechanism) -> ScramHash {
    match mechanism {
        Mechanism::ScramSha1 => ScramHash::Sha1,
        _ => ScramHash::Sha256,
    }
}
