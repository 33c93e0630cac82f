//! CRAM-MD5: a digest over our challenge, keyed with the password.

use sasl::DigestCheck;

use super::{Conversation, Turn};
use crate::authenticator::{Case, Outcome, Shared};
use crate::{CramMd5Secret, Moment, Unavailable};

/// The password of nobody: as long as a usual one, and with octets that none may hold.
const NOBODYS: &[u8] = &[0; 12];

impl Conversation {
    pub(super) async fn digest(&self, check: &DigestCheck, at: Moment) -> Turn {
        let shared = self.shared();
        match shared.open_case(check.login(), &self.origin, at).await {
            Ok(case) => self.close(&case, shared.decide_cram_md5(&case, check).await).await,
            Err(denied) => Turn::Denied(denied),
        }
    }
}

impl Shared {
    /// Whoever it is, one digest is computed and compared, so that neither time nor answer
    /// tells which accounts exist or how their passwords are stored.
    async fn decide_cram_md5(
        &self,
        case: &Case,
        check: &DigestCheck,
    ) -> Result<Outcome, Unavailable> {
        let prover = self.prover(case).await?;
        let usable = prover.as_ref().filter(|prover| !prover.account.is_disabled());
        let secret = usable.and_then(|prover| prover.account.hash()?.cram_md5());
        let can_be_right = secret.is_some();
        let secret = secret.unwrap_or_else(|| CramMd5Secret::of(NOBODYS));
        let right = check.is(&secret.respond(check.challenge()));
        match usable {
            Some(prover) if right && can_be_right => self.proven(case, prover).await,
            _ => Ok(Self::disproven(prover.as_ref())),
        }
    }
}
