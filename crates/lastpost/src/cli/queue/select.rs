//! Which messages a `lastpost queue` command means.

use clap::Args;

use crate::cli::CliError;
use crate::control::QueueQuery;

/// Everything that is said must hold.
#[derive(Debug, Default, Args)]
pub(crate) struct Select {
    /// Only messages with a recipient at this domain.
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Only messages from this envelope sender; <> is the null sender.
    #[arg(long, value_name = "ADDRESS")]
    sender: Option<String>,
    /// Only messages from senders at this domain.
    #[arg(long, value_name = "DOMAIN")]
    sender_domain: Option<String>,
    /// Only messages that this account submitted.
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Only messages that are held.
    #[arg(long)]
    held: bool,
    /// Only messages that are not held.
    #[arg(long, conflicts_with = "held")]
    not_held: bool,
    /// Only messages held for review for a reason that contains this.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only messages that came so long ago or earlier: 90s, 30m, 1h, 3d, 2w.
    #[arg(long, value_name = "AGE")]
    older_than: Option<String>,
}

impl Select {
    /// As the control side understands it.
    pub(crate) fn query(&self) -> Result<QueueQuery, CliError> {
        let older_than = match &self.older_than {
            Some(text) => Some(age(text).ok_or_else(|| {
                CliError::Usage(format!(
                    "--older-than {text:?}: expected a number and s, m, h, d or w, such as 90m or 3d"
                ))
            })?),
            None => None,
        };
        let held = match (self.held, self.not_held) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        };
        let query = QueueQuery {
            domain: self.domain.clone(),
            sender: self.sender.clone(),
            sender_domain: self.sender_domain.clone(),
            account: self.account.clone(),
            held,
            reason: self.reason.clone(),
            older_than,
            ..QueueQuery::default()
        };
        // Whatever the time: what is malformed is told before anybody is asked.
        query.filter(jiff::Timestamp::UNIX_EPOCH).map_err(CliError::Usage)?;
        Ok(query)
    }
}

/// Seconds of an age such as `90m`.
fn age(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        "w" => 7 * 24 * 3600,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_numbers_with_a_unit() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("1h", 3600), ("3d", 259_200)] {
            assert_eq!(age(text), Some(seconds));
        }
        for text in ["", "h", "1", "-1h", "1.5h", "1 h", "1y", "99999999999999999999s"] {
            assert_eq!(age(text), None, "{text}");
        }
    }

    #[test]
    fn a_mistake_names_the_option() {
        let wrong = [
            Select { older_than: Some("soon".into()), ..Select::default() },
            Select { domain: Some("no domain".into()), ..Select::default() },
            Select { sender: Some("nobody".into()), ..Select::default() },
        ];
        for (select, named) in wrong.iter().zip(["--older-than", "domain", "sender"]) {
            let Err(CliError::Usage(message)) = select.query() else {
                panic!("{select:?} was taken");
            };
            assert!(message.contains(named), "{message}");
        }
    }
}
