//! One grant as it lies in memory, and as others see it.

use std::time::Duration;

use address::AccountKey;

use super::Unreserved;
use crate::config::Quota;
use crate::network::AddressKey;

/// No record.
pub(super) const NONE: u32 = u32::MAX;

/// A grant, seen at one instant.
#[derive(Clone, Debug)]
pub struct Grant {
    pub(super) id: u32,
    pub(super) serial: u32,
    /// Who logged in.
    pub account: AccountKey,
    /// When, by the monotonic clock.
    pub login: Duration,
    /// The HELO it is pinned to; 0: none.
    pub helo: u32,
    /// Messages sent or being sent with it in this period of the quota.
    pub messages: u16,
    /// Recipients of these; for those being sent, as many as are reserved.
    pub recipients: u16,
}

impl Grant {
    /// Whether it is live at `now`: exactly one window after the login it is not.
    #[must_use]
    pub fn is_live(&self, now: Duration, window: Duration) -> bool {
        is_live(self.login, now, window)
    }

    /// When it ends, by the monotonic clock.
    #[must_use]
    pub fn until(&self, window: Duration) -> Duration {
        self.login.saturating_add(window)
    }
}

fn is_live(login: Duration, now: Duration, window: Duration) -> bool {
    now < login.saturating_add(window)
}

/// A grant in memory: one line of the processor's cache, for there may be a million.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Record {
    pub(super) address: AddressKey,
    /// `None`: the record is free.
    pub(super) account: Option<AccountKey>,
    /// Nanoseconds of the monotonic clock.
    login: u64,
    pub(super) serial: u32,
    /// When the period of the quota began, in seconds of the monotonic clock.
    quota_since: u32,
    helo: u32,
    messages: u16,
    recipients: u16,
    /// The next grant of the same address, as an id; [`NONE`] at the end.
    pub(super) next_on_address: u32,
    /// The next record of the same bucket or of the free list, as an index; [`NONE`] at the end.
    pub(super) next_in_lane: u32,
}

const _: () = assert!(size_of::<Record>() == 64);

impl Record {
    pub(super) fn new(
        address: AddressKey,
        account: AccountKey,
        now: Duration,
        serial: u32,
        next_on_address: u32,
    ) -> Self {
        Self {
            address,
            account: Some(account),
            login: nanoseconds(now),
            serial,
            quota_since: seconds(now),
            helo: 0,
            messages: 0,
            recipients: 0,
            next_on_address,
            next_in_lane: NONE,
        }
    }

    pub(super) fn grant(&self, id: u32) -> Option<Grant> {
        Some(Grant {
            id,
            serial: self.serial,
            account: self.account.clone()?,
            login: self.login(),
            helo: self.helo,
            messages: self.messages,
            recipients: self.recipients,
        })
    }

    pub(super) fn login(&self) -> Duration {
        Duration::from_nanos(self.login)
    }

    pub(super) fn is_live(&self, now: Duration, window: Duration) -> bool {
        is_live(self.login(), now, window)
    }

    /// Whether it still is the grant that was seen, refreshed at most within its quota period.
    pub(super) fn is(&self, grant: &Grant) -> bool {
        self.serial == grant.serial && self.account.as_ref() == Some(&grant.account)
    }

    /// Another login: the window begins anew, and the pin goes. The quota begins anew only one
    /// window after it began, so that frequent logins do not multiply it. Whether the grant
    /// was live.
    pub(super) fn refresh(&mut self, now: Duration, window: Duration, serial: u32) -> bool {
        let was_live = self.is_live(now, window);
        let quota_age = seconds(now).saturating_sub(self.quota_since);
        if !was_live || u64::from(quota_age) >= window.as_secs().max(1) {
            self.quota_since = seconds(now);
            self.messages = 0;
            self.recipients = 0;
            // What is being sent counts for the period in which it began.
            self.serial = serial;
        }
        self.login = self.login.max(nanoseconds(now));
        self.helo = 0;
        was_live
    }

    /// See [`super::Window::reserve`].
    pub(super) fn reserve(&mut self, quota: &Quota, helo: Option<u32>) -> Result<u16, Unreserved> {
        if let Some(mark) = helo
            && self.helo != 0
            && self.helo != mark
        {
            return Err(Unreserved::Helo);
        }
        if self.messages >= quota.messages {
            return Err(Unreserved::Messages);
        }
        let left = quota.recipients.saturating_sub(self.recipients);
        let taken = left.min(quota.recipients_per_message);
        if taken == 0 {
            return Err(Unreserved::Recipients);
        }
        self.messages += 1;
        self.recipients += taken;
        if let Some(mark) = helo {
            self.helo = mark;
        }
        Ok(taken)
    }

    /// See [`super::Window::settle`].
    pub(super) fn settle(&mut self, reserved: u16, used: Option<u32>) {
        let used = match used {
            Some(recipients) => u16::try_from(recipients).unwrap_or(u16::MAX).min(reserved),
            None => {
                self.messages = self.messages.saturating_sub(1);
                0
            }
        };
        self.recipients = self.recipients.saturating_sub(reserved - used);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}
