//! The login: password, maildrop, observers, answer; in this order and no other.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use address::AccountKey;
use auth::{Account, Channel, Denied, Login, Origin, Service};
use maildrop::{Maildrop, OpenError};
use netio::Buffer;
use pop3_proto::{Claim, LoginFacts, LoginRefusal, Messages, PendingLogin};
use tokio::time::Instant;

use super::{Next, Visit};
use crate::delay::TooSoon;
use crate::facts;
use crate::held::Held;
use crate::observers;
use crate::occupancy::{Full, Seat, Taker, Tenure};

/// Between two looks at a maildrop that another process has: the first is short, for a client
/// that has just dropped its connection comes back before that process has noticed.
const POLL_MIN: Duration = Duration::from_millis(50);
const POLL_MAX: Duration = Duration::from_millis(500);
/// A session that is taken over has at least so long to let go of the maildrop.
const RELEASE_PATIENCE: Duration = Duration::from_secs(2);

impl Visit {
    /// Answers a login.
    pub(super) async fn log_in(
        &mut self,
        claim: Claim,
        pending: PendingLogin,
        mut out: Buffer,
    ) -> Next {
        let outcome = match self.verify(&claim).await {
            Ok(login) => {
                // The password is not needed any more.
                drop(claim);
                self.admit(login).await
            }
            Err(why) => Err(refusal(why)),
        };
        let session = match outcome {
            Ok((held, facts)) => pending.accept(held, facts, &mut out),
            Err(why) => pending.refuse(why, &mut out),
        };
        (session, out)
    }

    /// Where this client's attempts come from.
    pub(super) fn origin(&self) -> Origin {
        let connection = &self.connection;
        Origin {
            client: connection.peer(),
            channel: Channel {
                service: Service::Pop3,
                tls: self.is_secured(),
                genuine_address: connection.genuine_address(),
            },
        }
    }

    async fn verify(&self, claim: &Claim) -> Result<Login, Denied> {
        let origin = self.origin();
        let (authenticator, at) = (&self.shared.authenticator, self.shared.clock.now());
        match claim {
            Claim::Password { login, password } => {
                authenticator.verify(login, password, &origin, at).await
            }
            Claim::Digest { login, stamp, digest } => {
                authenticator.verify_digest(login, stamp, digest, &origin, at).await
            }
            Claim::Void { login } => Err(authenticator.reject(login.as_deref(), &origin, at).await),
        }
    }

    /// The maildrop of whoever has logged in, and every observer told. In this order: a seat, so
    /// that one account cannot take them all; the delay, which a login that fails from here on
    /// does not use up; the lock; and only then the observers, for a login that does not reach
    /// its maildrop is none. A master user's is none of the account's either: no observer hears
    /// of it, and it uses no delay up.
    pub(super) async fn admit(&mut self, login: Login) -> Result<(Held, LoginFacts), LoginRefusal> {
        let shared = Arc::clone(&self.shared);
        let (settings, policy) = (&shared.config.maildrop, login.account.policy());
        let taker = Taker { client: self.connection.peer(), after: settings.takeover_after };
        let most = settings.sessions_of(policy);
        let seat = shared
            .occupancy
            .enter(login.account.key(), most, &taker, Instant::now())
            .map_err(|Full| self.report_too_many(&login.account, most))?;
        let token = shared
            .delays
            .take(login.account.key(), settings.rate_of(policy), login.at.mono)
            .map_err(|soon| self.report_too_soon(&login.account, soon))?;
        let held = self.hold(seat, &taker, &login.account).await?;
        match &login.acting {
            None => {
                observers::tell(&shared.observers, &login).await;
                token.spend();
            }
            Some(master) => report_master(&login, master),
        }
        shared.counters.logins.add(1);
        let facts = facts::of(&shared.config, policy);
        let holder = held.1.holder();
        self.connection.note_idleness(Arc::clone(holder.idleness()));
        self.holder = Some(Arc::clone(holder));
        self.tally.messages = held.count();
        self.tally.size = held.0.octets();
        self.tally.account = Some(login.account);
        held.1.serve();
        Ok((held, facts))
    }

    /// Waits for the maildrop, for a while; or takes it from a session whose client is idle.
    async fn hold(
        &self,
        seat: Seat,
        taker: &Taker,
        account: &Arc<Account>,
    ) -> Result<Held, LoginRefusal> {
        let mut deadline = Instant::now() + self.shared.config.maildrop.lock_wait;
        let mut seat = seat;
        let tenure = loop {
            let (back, holder) = match seat.hold(taker.client, &self.end) {
                Ok(tenure) => break tenure,
                Err(taken) => taken,
            };
            seat = back;
            let now = Instant::now();
            if holder.take_over(taker, now) || holder.taken_over_by() == Some(taker.client) {
                deadline = deadline.max(now + RELEASE_PATIENCE);
            }
            if now >= deadline {
                return Err(self.report_in_use(account, Some(holder.client())));
            }
            let look = holder.open_to(taker, now).map_or(deadline, |at| at.min(deadline));
            holder.freed(look).await;
        };
        self.open(tenure, account, deadline).await
    }

    /// Opens the maildrop, which no other session of this account and process has. Another
    /// process may have it, or an account that shares the Maildir.
    async fn open(
        &self,
        tenure: Tenure,
        account: &Arc<Account>,
        deadline: Instant,
    ) -> Result<Held, LoginRefusal> {
        let mut pause = POLL_MIN;
        loop {
            let error = match self.try_open(account).await {
                Ok(maildrop) => return Ok(Held(maildrop, tenure)),
                Err(error) => error,
            };
            if !matches!(error, OpenFailure::Maildrop(OpenError::InUse { .. })) {
                return Err(self.report_unavailable(account, &error));
            }
            let now = Instant::now();
            if now >= deadline {
                return Err(self.report_in_use(account, None));
            }
            tokio::time::sleep_until(deadline.min(now + pause)).await;
            pause = (pause * 2).min(POLL_MAX);
        }
    }

    async fn try_open(&self, account: &Arc<Account>) -> Result<Box<Maildrop>, OpenFailure> {
        let turn = self.shared.maildrops.turn().await.map_err(|_| OpenFailure::Overloaded)?;
        let (shared, account) = (Arc::clone(&self.shared), Arc::clone(account));
        let open = move || Maildrop::open(account.maildir(), &shared.options).map(Box::new);
        let opened = turn.run(open).await.map_err(|_| OpenFailure::Defect)?;
        opened.map_err(OpenFailure::Maildrop)
    }

    fn report_too_many(&self, account: &Account, most: u32) -> LoginRefusal {
        let (user, rip) = (account.key(), self.connection.peer());
        self.shared.counters.too_many.add(1);
        tracing::info!(target: "lastpost::pop3", %user, %rip, most, "too many sessions of an account");
        LoginRefusal::TooManySessions
    }

    fn report_too_soon(&self, account: &Account, soon: TooSoon) -> LoginRefusal {
        let (user, rip, seconds) = (account.key(), self.connection.peer(), soon.seconds);
        self.shared.counters.too_soon.add(1);
        tracing::info!(target: "lastpost::pop3", %user, %rip, seconds, "login too soon");
        LoginRefusal::TooSoon { seconds }
    }

    /// `holder`: where the session comes from that has it, if it is one of ours.
    fn report_in_use(&self, account: &Account, holder: Option<IpAddr>) -> LoginRefusal {
        let (user, rip) = (account.key(), self.connection.peer());
        let holder = holder.map(tracing::field::display);
        self.shared.counters.in_use.add(1);
        tracing::info!(target: "lastpost::pop3", %user, %rip, holder, "maildrop in use");
        LoginRefusal::InUse
    }

    fn report_unavailable(&self, account: &Account, error: &OpenFailure) -> LoginRefusal {
        let (user, rip) = (account.key(), self.connection.peer());
        self.shared.counters.unavailable.add(1);
        tracing::error!(target: "lastpost::pop3", %user, %rip, %error, "maildrop unavailable");
        LoginRefusal::Unavailable
    }
}

fn report_master(login: &Login, master: &AccountKey) {
    let (user, rip) = (login.account.key(), login.client);
    tracing::info!(target: "lastpost::pop3", %user, %master, %rip, "maildrop opened for a master user");
}

/// What a client is told that is not let in.
pub(super) fn refusal(why: Denied) -> LoginRefusal {
    match why {
        Denied::Invalid => LoginRefusal::Credentials,
        Denied::Busy | Denied::Unavailable => LoginRefusal::Busy,
        Denied::MustChange { url } => LoginRefusal::MustChange { url },
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
