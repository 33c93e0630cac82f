//! Removing what was kept as long as it was promised.

use std::path::Path;

use crate::{Ages, Maildrop, OpenError, OpenOptions};

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;
/// Maildir is of 1995. A time before that is no time of arrival but a number in front of a dot.
const MAILDIR_BEGINS: i64 = 788_918_400;

/// How long messages are kept, in days of 24 hours. `None`: for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// After a message was first retrieved in a session that ended with QUIT.
    pub after_retrieval_days: Option<u32>,
    /// After it arrived, retrieved or not.
    pub after_arrival_days: Option<u32>,
}

impl Retention {
    /// Whether everything is kept.
    #[must_use]
    pub fn keeps_all(&self) -> bool {
        self.after_retrieval_days.is_none() && self.after_arrival_days.is_none()
    }

    /// Whether a message of these ages has been kept long enough. A time that lies in the future
    /// counts as now; one that cannot be, as unknown, and what is unknown is kept. Nobody fetches
    /// a message before it has come: where it looks so, a clock was wrong, and the later counts.
    fn is_over(&self, ages: &Ages, now: i64) -> bool {
        let possible = |at: &i64| (MAILDIR_BEGINS..i64::MAX).contains(at);
        let over = |days: Option<u32>, since: Option<i64>| {
            days.zip(since).is_some_and(|(days, since)| {
                now.saturating_sub(since) >= i64::from(days).saturating_mul(DAY)
            })
        };
        let arrived = Some(ages.arrived).filter(possible);
        let retrieved = ages.retrieved.filter(possible).map(|at| at.max(arrived.unwrap_or(at)));
        over(self.after_retrieval_days, retrieved) || over(self.after_arrival_days, arrived)
    }
}

/// What [`expire`] did, or [`would_expire`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ExpireReport {
    /// Messages that were there.
    pub messages: usize,
    /// Messages whose time is over.
    pub expired: usize,
    /// Octets of these, as POP3 shows them.
    pub octets: u64,
    /// Of these, how many are gone now.
    pub removed: usize,
    /// Of these, how many could not be removed.
    pub failed: usize,
}

/// Removes from the Maildir at `path` the messages that have been kept as long as `retention`
/// says, under its lock. `now` is in seconds since 1970. A message expires when the full days
/// are over, to the second. Nothing is made that is missing; a missing Maildir has no messages.
///
/// # Errors
/// [`OpenError::InUse`] at once while a session has the maildrop: try later. Otherwise as
/// [`Maildrop::open`]; nothing has been removed.
pub fn expire(
    path: &Path,
    retention: &Retention,
    now: i64,
    options: &OpenOptions,
) -> Result<ExpireReport, OpenError> {
    let Some((maildrop, expired, mut report)) = look(path, retention, now, options)? else {
        return Ok(ExpireReport::default());
    };
    if !expired.is_empty() {
        let update = maildrop.update(&expired, &[], now);
        report.removed = update.removed + update.gone;
        report.failed = update.failed.len();
        if let Some(failure) = update.failed.first() {
            let (error, failed) = (&failure.error, report.failed);
            tracing::warn!(event = "expired-not-removed", maildir = ?path, failed, %error);
        }
    }
    Ok(report)
}

/// What [`expire`] would remove. Takes the lock for the moment that it looks.
///
/// # Errors
/// As [`expire`].
pub fn would_expire(
    path: &Path,
    retention: &Retention,
    now: i64,
    options: &OpenOptions,
) -> Result<ExpireReport, OpenError> {
    let found = look(path, retention, now, options)?;
    Ok(found.map(|(_, _, report)| report).unwrap_or_default())
}

type Looked = (Maildrop, Vec<usize>, ExpireReport);

fn look(
    path: &Path,
    retention: &Retention,
    now: i64,
    options: &OpenOptions,
) -> Result<Option<Looked>, OpenError> {
    if retention.keeps_all() {
        return Ok(None);
    }
    // What is fetched in a session is marked there; here nothing was.
    let options = OpenOptions { create_missing: false, mark_seen: false, ..options.clone() };
    let maildrop = match Maildrop::open(path, &options) {
        Err(error) if error.is_missing() => return Ok(None),
        other => other?,
    };
    let mut report = ExpireReport { messages: maildrop.len(), ..ExpireReport::default() };
    let mut expired = Vec::new();
    for (index, message) in maildrop.messages().enumerate() {
        if retention.is_over(&maildrop.ages(index), now) {
            expired.push(index);
            report.octets = report.octets.saturating_add(message.octets);
        }
    }
    report.expired = expired.len();
    Ok(Some((maildrop, expired, report)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn over(retrieval: Option<u32>, arrival: Option<u32>, ages: Ages) -> bool {
        let retention = Retention { after_retrieval_days: retrieval, after_arrival_days: arrival };
        retention.is_over(&ages, NOW)
    }

    #[test]
    fn the_full_days_to_the_second() {
        for days in [1, 30, 36_500] {
            let since = NOW - i64::from(days) * DAY;
            // A hundred years ago there was no Maildir.
            let possible = since >= MAILDIR_BEGINS;
            for (at, expired) in [(since, possible), (since + 1, false), (since - 1, possible)] {
                let arrived = Ages { arrived: at, retrieved: None };
                assert_eq!(over(None, Some(days), arrived), expired, "{days} {at}");
                assert!(!over(Some(days), None, arrived), "it was not retrieved");
                let retrieved = Ages { arrived: at.min(NOW - DAY), retrieved: Some(at) };
                assert_eq!(over(Some(days), None, retrieved), expired, "{days} {at}");
            }
        }
    }

    #[test]
    fn what_cannot_be_known_is_kept() {
        for at in [i64::MAX, 0, 1, -1, i64::MIN, MAILDIR_BEGINS - 1, NOW + 1, NOW + 400 * DAY] {
            assert!(!over(None, Some(1), Ages { arrived: at, retrieved: None }), "{at}");
            assert!(!over(Some(1), None, Ages { arrived: NOW, retrieved: Some(at) }), "{at}");
        }
        // It cannot have been fetched before it came.
        for arrived in [NOW, NOW + DAY] {
            assert!(!over(Some(1), None, Ages { arrived, retrieved: Some(NOW - 99 * DAY) }));
        }
        let unknown = Ages { arrived: i64::MAX, retrieved: Some(NOW - DAY) };
        assert!(over(Some(1), None, unknown), "when it came says nothing here");
        let old = Ages { arrived: NOW - 9 * DAY, retrieved: Some(NOW - 9 * DAY) };
        assert!(!over(None, None, old));
        assert!(over(Some(9), Some(u32::MAX), old) && over(None, Some(9), old));
    }
}
