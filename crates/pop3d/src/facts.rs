//! What `CAPA` says of how often one may log in and how long mail is kept (RFC 2449 sections 6.5
//! and 6.7): what holds, and before the login the strictest that holds for anybody.

use auth::{AccountPolicy, PolicySpread, RetentionDays};
use pop3_proto::{Expire, LoginFacts, PerUser};

use crate::Pop3Config;
use crate::retention::{promise, promise_to_all};

/// What holds for an account that says this of its own.
pub(crate) fn of(config: &Pop3Config, account: &AccountPolicy) -> LoginFacts {
    let delay = seconds(config.maildrop.rate_of(account).delay.as_secs());
    LoginFacts {
        login_delay: (delay > 0).then_some(delay),
        expire: Some(expire(promise(&config.retention, account))),
    }
}

/// The longest delay of any account; `None` if none has one.
pub(crate) fn delay_of_all(config: &Pop3Config, accounts: &PolicySpread) -> Option<PerUser<u32>> {
    let all = config.maildrop.login_delay.as_secs();
    let (least, most) = accounts
        .login_delay
        .map_or((all, all), |own| (own.least.as_secs().min(all), own.most.as_secs().max(all)));
    (most > 0).then(|| PerUser { value: seconds(most), varies: least != most })
}

/// The shortest time for which any account's mail is kept.
pub(crate) fn expire_of_all(config: &Pop3Config, accounts: &PolicySpread) -> PerUser<Expire> {
    let (days, varies) = promise_to_all(&config.retention, accounts);
    PerUser { value: expire(days), varies }
}

fn expire(days: RetentionDays) -> Expire {
    days.days().map_or(Expire::Never, Expire::Days)
}

/// Delays are a day at most.
fn seconds(delay: u64) -> u32 {
    u32::try_from(delay).unwrap_or(u32::MAX)
}
