//! The login: password, maildrop, observers, answer; in this order and no other.

use std::sync::Arc;
use std::time::Duration;

use auth::{Account, Channel, Denied, Login, Origin, Service};
use maildrop::{Maildrop, OpenError};
use netio::Buffer;
use pop3_proto::{LoginRefusal, Messages, PendingLogin};
use sasl::Credentials;

use super::{Next, Visit};
use crate::held::Held;
use crate::observers;

/// A client that has just dropped its connection comes back before we have noticed. For so
/// long a locked maildrop is tried again.
const LOCK_PATIENCE: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(200)];

impl Visit {
    /// Answers a login.
    pub(super) async fn log_in(
        &mut self,
        credentials: &Credentials,
        pending: PendingLogin,
        mut out: Buffer,
    ) -> Next {
        let outcome = self.admit(credentials).await;
        let session = match outcome {
            Ok(held) => pending.accept(held, &mut out),
            Err(why) => pending.refuse(why, &mut out),
        };
        (session, out)
    }

    /// The maildrop of whoever these credentials belong to, and every observer told.
    async fn admit(&mut self, credentials: &Credentials) -> Result<Held, LoginRefusal> {
        let login = self.verify(credentials).await?;
        let held = self.open(&login.account).await?;
        // Only now: a login that does not reach its maildrop is none.
        observers::tell(&self.shared.observers, &login).await;
        self.shared.counters.logins.add(1);
        self.tally.messages = held.count();
        self.tally.size = held.0.octets();
        self.tally.account = Some(login.account);
        Ok(held)
    }

    async fn verify(&self, credentials: &Credentials) -> Result<Login, LoginRefusal> {
        let connection = &self.connection;
        let origin = Origin {
            client: connection.peer(),
            channel: Channel {
                service: Service::Pop3,
                tls: connection.is_tls(),
                genuine_address: connection.genuine_address(),
            },
        };
        let at = self.shared.clock.now();
        let Credentials { login, password, .. } = credentials;
        self.shared.authenticator.verify(login, password, &origin, at).await.map_err(|denied| {
            match denied {
                Denied::Invalid => LoginRefusal::Credentials,
                Denied::Busy => LoginRefusal::Busy,
            }
        })
    }

    async fn open(&self, account: &Arc<Account>) -> Result<Held, LoginRefusal> {
        let mut patience = LOCK_PATIENCE.iter();
        loop {
            let error = match self.try_open(account).await {
                Ok(held) => return Ok(held),
                Err(error) => error,
            };
            if !matches!(error, OpenFailure::Maildrop(OpenError::InUse { .. })) {
                return Err(self.report_closed(account, &error));
            }
            match patience.next() {
                Some(&pause) => tokio::time::sleep(pause).await,
                None => return Err(self.report_closed(account, &error)),
            }
        }
    }

    async fn try_open(&self, account: &Arc<Account>) -> Result<Held, OpenFailure> {
        let turn = self.shared.maildrops.turn().await.map_err(|_| OpenFailure::Overloaded)?;
        let (shared, account) = (Arc::clone(&self.shared), Arc::clone(account));
        let open = move || Maildrop::open(account.maildir(), &shared.options);
        let opened = turn.run(open).await.map_err(|_| OpenFailure::Defect)?;
        Ok(Held(Box::new(opened.map_err(OpenFailure::Maildrop)?)))
    }

    fn report_closed(&self, account: &Account, error: &OpenFailure) -> LoginRefusal {
        let (user, rip) = (account.key(), self.connection.peer());
        if let OpenFailure::Maildrop(OpenError::InUse { .. }) = error {
            self.shared.counters.in_use.add(1);
            tracing::info!(target: "lastpost::pop3", %user, %rip, "maildrop in use");
            return LoginRefusal::InUse;
        }
        self.shared.counters.unavailable.add(1);
        tracing::error!(target: "lastpost::pop3", %user, %rip, %error, "maildrop unavailable");
        LoginRefusal::Unavailable
    }
}

/// Why there is no maildrop.
#[derive(Debug, thiserror::Error)]
enum OpenFailure {
    #[error(transparent)]
    Maildrop(OpenError),
    #[error("no turn on the disk within the time allowed")]
    Overloaded,
    #[error("opening it panicked: this is a defect")]
    Defect,
}
