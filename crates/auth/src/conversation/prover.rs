//! Whose secret an attempt is proved with, and whose account it opens.

use crate::Unavailable;
use crate::authenticator::{Case, Outcome, Reason, Shared};
use crate::directory::Located;

impl Shared {
    /// The account that proves itself: the one that is to be opened, or the master user who
    /// opens it; a disabled one too.
    pub(super) async fn prover(&self, case: &Case) -> Result<Option<Located>, Unavailable> {
        match (&case.key, &case.master, &self.masters) {
            (Some(key), None, _) => self.directory.locate(key).await,
            (Some(_), Some(master), Some(masters)) => masters.directory.locate(master).await,
            _ => Ok(None),
        }
    }

    /// What an attempt comes to whose proof was right.
    pub(super) async fn proven(
        &self,
        case: &Case,
        prover: &Located,
    ) -> Result<Outcome, Unavailable> {
        let outcome = self.still_valid(prover).await?;
        let (Outcome::Accepted(_), Some(_), Some(key)) = (&outcome, &case.master, &case.key) else {
            return Ok(outcome);
        };
        let opened = self.directory.find(key).await?.filter(|account| !account.is_disabled());
        Ok(opened.map_or(Outcome::failed(Reason::Unknown), Outcome::Accepted))
    }

    /// What an attempt comes to whose proof was wrong.
    pub(super) fn disproven(prover: Option<&Located>) -> Outcome {
        Outcome::failed(Reason::of(prover.map(|prover| &*prover.account)))
    }
}
