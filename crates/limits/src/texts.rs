//! What clients are told, and the names of limits in sentences.

use jiff::Timestamp;

use crate::judge::Breach;
use crate::kind::{Limit, Scope};

/// A limit with its figure, such as `200 messages an hour`.
pub(crate) fn english(limit: Limit, most: u64) -> String {
    match limit {
        Limit::MessagesPerHour => format!("{most} messages an hour"),
        Limit::RecipientsPerHour => format!("{most} recipients an hour"),
        Limit::FailedPerHour => format!("{most} recipients an hour that do not exist"),
        Limit::MessagesPerDay => format!("{most} messages a day"),
        Limit::RecipientsPerDay => format!("{most} recipients a day"),
        Limit::FirstTimePerDay => format!("{most} new recipients a day"),
        Limit::OctetsPerDay => format!("{} a day", octets(most)),
        Limit::NetworksPerHour => format!("{most} networks an hour"),
    }
}

/// The same in Japanese.
pub(crate) fn japanese(limit: Limit, most: u64) -> String {
    match limit {
        Limit::MessagesPerHour => format!("1時間あたり{most}通"),
        Limit::RecipientsPerHour => format!("1時間あたり宛先{most}件"),
        Limit::FailedPerHour => format!("1時間あたり存在しない宛先{most}件"),
        Limit::MessagesPerDay => format!("1日あたり{most}通"),
        Limit::RecipientsPerDay => format!("1日あたり宛先{most}件"),
        Limit::FirstTimePerDay => format!("1日あたり初めての宛先{most}件"),
        Limit::OctetsPerDay => format!("1日あたり{}", octets(most)),
        Limit::NetworksPerHour => format!("1時間あたり接続元ネットワーク{most}か所"),
    }
}

/// KiB as people write octets.
pub(crate) fn octets(kib: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 20), ("MiB", 1 << 10), ("KiB", 1)];
    let (unit, size) = UNITS
        .into_iter()
        .find(|(_, size)| kib >= *size && kib.is_multiple_of(*size))
        .unwrap_or(UNITS[2]);
    format!("{} {unit}", kib / size)
}

/// What is told with 450.
pub(crate) fn deferred(breach: &Breach) -> String {
    let bound = english(breach.limit, breach.most);
    let whose = match breach.scope {
        Scope::Account => "for this account",
        Scope::Address => "for all who send from your network address",
    };
    match breach.wait {
        Some(wait) => {
            format!("The limit of {bound} {whose} is reached; try again in {}", period(wait))
        }
        None => format!("The limit is {bound} {whose}; this message alone has more, divide it"),
    }
}

/// What is told with 525.
pub(crate) fn suspended(since: Timestamp) -> String {
    format!(
        "Sending is suspended for this account since {}; the notice in its mailbox says what to do",
        date(since)
    )
}

/// A date for people, in UTC.
pub(crate) fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Seconds in words, rounded up.
pub(crate) fn period(seconds: u64) -> String {
    let minutes = seconds.div_ceil(60);
    match minutes {
        0 | 1 => "1 minute".to_owned(),
        2..=119 => format!("{minutes} minutes"),
        _ => format!("{} hours", minutes.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Action;

    #[test]
    fn every_reply_is_one_line_of_ascii_that_fits() {
        let now = Timestamp::MAX;
        assert!(suspended(now).is_ascii() && suspended(now).len() < 200);
        for limit in Limit::ALL {
            for scope in [Scope::Account, Scope::Address] {
                for wait in [None, Some(0), Some(3601), Some(172_800)] {
                    let most = u64::MAX;
                    let breach =
                        Breach { scope, limit, action: Action::Defer, most, count: 0, wait };
                    let text = deferred(&breach);
                    // RFC 5321 section 4.5.3.1.5: 512 octets with code and CRLF.
                    assert!(text.is_ascii() && text.len() < 300 && !text.contains('\n'), "{text}");
                }
            }
        }
    }

    #[test]
    fn periods_and_sizes_are_those_of_people() {
        let said: Vec<String> = [0, 60, 61, 7140, 7141, 90_000].into_iter().map(period).collect();
        assert_eq!(
            said,
            ["1 minute", "1 minute", "2 minutes", "119 minutes", "2 hours", "25 hours"]
        );
        assert_eq!(octets(2 << 20), "2 GiB");
        assert_eq!(octets(1536), "1536 KiB");
        assert_eq!(octets(0), "0 KiB");
    }
}
