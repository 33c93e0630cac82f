//! What the command line shows, and what it does.

use address::AccountKey;
use auth::Moment;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kind::Limit;
use crate::limits::{Limits, Who};
use crate::suspension::Suspension;
use crate::tally::AccountTally;
use crate::window::{REFUSED, Windows};

/// One counter against its limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figure {
    /// The limit's key in configuration.
    pub limit: String,
    /// What counts now (octets in KiB).
    pub count: u64,
    /// The most; none: no limit.
    pub most: Option<u64>,
    /// What happens beyond it.
    pub action: Option<crate::Action>,
}

/// What is counted of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// The account.
    pub account: String,
    /// Every counter.
    pub figures: Vec<Figure>,
    /// Messages that were refused within a day.
    pub refused_today: u64,
    /// Recipients that are remembered.
    pub known_recipients: usize,
    /// Whether it has no limits.
    pub exempt: bool,
    /// Present if it is suspended.
    pub suspension: Option<Suspension>,
}

/// A suspended account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspendedAccount {
    /// The account.
    pub account: String,
    /// Since when.
    pub since: Timestamp,
    /// Why, for the admin.
    pub reason: String,
    /// The limit; none: an admin did it.
    pub limit: Option<String>,
}

impl Limits {
    /// What is counted of an account, whose own profile is `profile`. Of one that has sent
    /// nothing, all is zero.
    #[must_use]
    pub fn figures(&self, account: &AccountKey, profile: Option<&str>, at: Moment) -> Figures {
        let now = self.core().timeline.at(at);
        let tally = self.core().accounts.with_known(account, |tally| {
            tally.touch_silently(now);
            tally.clone()
        });
        self.figures_of(account, &tally.unwrap_or_default(), profile, now)
    }

    /// The `most` accounts that are nearest to a limit, or furthest beyond it. `profile` gives an
    /// account's own profile.
    #[must_use]
    pub fn top(
        &self,
        most: usize,
        profile: &dyn Fn(&AccountKey) -> Option<Box<str>>,
        at: Moment,
    ) -> Vec<Figures> {
        let now = self.core().timeline.at(at);
        // The busiest by messages and recipients, whatever their limits: these are few enough
        // to be held against them. The least busy of a full heap goes.
        let candidates = most.saturating_mul(8).max(64);
        let mut busiest = std::collections::BinaryHeap::new();
        let shown = self.core().accounts.visit(
            |account, tally| {
                tally.touch_silently(now);
                let use_of = busy(&tally.windows, tally.networks.count(now), now);
                if use_of > 0 {
                    busiest.push(std::cmp::Reverse((use_of, account.clone())));
                }
                if busiest.len() > candidates {
                    busiest.pop();
                }
            },
            || Ok::<(), std::convert::Infallible>(()),
        );
        let Ok(()) = shown;
        let mut all: Vec<(u64, Figures)> = busiest
            .into_iter()
            .map(|std::cmp::Reverse((_, account))| {
                let own = profile(&account);
                let figures = self.figures(&account, own.as_deref(), at);
                (figures.nearness(), figures)
            })
            .collect();
        all.sort_by(|one, other| {
            other.0.cmp(&one.0).then_with(|| one.1.account.cmp(&other.1.account))
        });
        all.into_iter().take(most).map(|(_, figures)| figures).collect()
    }

    /// Every suspended account, by name.
    #[must_use]
    pub fn suspended_accounts(&self) -> Vec<SuspendedAccount> {
        let mut all: Vec<_> = self
            .core()
            .suspensions
            .all()
            .iter()
            .map(|(account, suspension)| SuspendedAccount {
                account: account.to_string(),
                since: suspension.since,
                reason: suspension.reason.clone(),
                limit: suspension.limit.clone(),
            })
            .collect();
        all.sort_by(|one, other| one.account.cmp(&other.account));
        all
    }

    /// Suspends an account by an admin's word; on disk when it returns. Whether it was not
    /// suspended before.
    ///
    /// # Errors
    /// If it could not be written; it holds all the same until the process ends.
    pub async fn suspend(
        &self,
        account: &AccountKey,
        reason: &str,
        at: Moment,
    ) -> std::io::Result<bool> {
        self.suspend_with(account, Suspension::new(at.wall, reason, None)).await
    }

    /// Ends a suspension, here and on the hosts that share, and begins the account's counters
    /// anew: with the old ones its next message would suspend it again. Whether there was one.
    ///
    /// # Errors
    /// If it could not be written.
    pub async fn resume(&self, account: &AccountKey, at: Moment) -> std::io::Result<bool> {
        let _turn = match &self.core().shared {
            Some(shared) => Some(shared.agreeing.lock().await),
            None => None,
        };
        let since = self.suspended(account).map(|suspension| suspension.since);
        let resumed = self.core().suspensions.remove(account).await?;
        self.core().begin_anew(account);
        if let Some(shared) = &self.core().shared {
            // Clocks of hosts differ: the end is never before the beginning.
            let end = since.map_or(at.wall, |since| since.max(at.wall));
            shared.resume(account, end).await;
        }
        tracing::info!(target: "lastpost::limits", %account, resumed, "account resumed");
        Ok(resumed)
    }

    /// Forgets an account's counters and to whom it has written. Whether there were any.
    pub async fn forget(&self, account: &AccountKey) -> bool {
        let forgot = self.core().accounts.remove(account).is_some();
        if let Some(shared) = &self.core().shared {
            shared.forget(account).await;
        }
        tracing::info!(target: "lastpost::limits", %account, "counters forgotten");
        forgot
    }

    fn figures_of(
        &self,
        account: &AccountKey,
        tally: &AccountTally,
        profile: Option<&str>,
        now: u64,
    ) -> Figures {
        let who = Who { account, client: None, listener: "", profile };
        let exempt = self.core().rules.exempts(account);
        let bounds = self.core().bounds(&who).0;
        let figures = Limit::ALL
            .into_iter()
            .map(|limit| {
                let count = match limit {
                    Limit::NetworksPerHour => tally.networks.count(now),
                    _ => tally.windows.estimate(limit.index(), now),
                };
                let bound = bounds.get(limit);
                Figure {
                    limit: limit.key().to_owned(),
                    count,
                    most: bound.map(|bound| bound.most),
                    action: bound.map(|bound| bound.action),
                }
            })
            .collect();
        Figures {
            account: account.to_string(),
            figures,
            refused_today: tally.windows.estimate(REFUSED, now),
            known_recipients: tally.known.len(),
            exempt,
            suspension: self.suspended(account),
        }
    }
}

impl Figures {
    /// How near it is to any limit, in thousandths.
    fn nearness(&self) -> u64 {
        let share = |figure: &Figure| match figure.most {
            Some(most) if most > 0 => figure.count.saturating_mul(1000) / most,
            _ => 0,
        };
        self.figures.iter().map(share).max().unwrap_or(0)
    }
}

/// How busy an account is: the largest of its counters, each by a plain measure.
fn busy(windows: &Windows, networks: u64, now: u64) -> u64 {
    let count = |limit: Limit| windows.estimate(limit.index(), now);
    let hourly = [Limit::MessagesPerHour, Limit::RecipientsPerHour, Limit::FailedPerHour];
    let daily = [Limit::MessagesPerDay, Limit::RecipientsPerDay, Limit::FirstTimePerDay];
    let hourly = hourly.into_iter().map(count).max().unwrap_or(0).saturating_mul(24);
    let daily = daily.into_iter().map(count).max().unwrap_or(0);
    let refused = windows.estimate(REFUSED, now);
    hourly
        .max(daily)
        .max(refused)
        .max(networks.saturating_mul(200))
        .max(count(Limit::OctetsPerDay) / 1024)
}
