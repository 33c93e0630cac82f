//! What is agreed with one customer, on the command line.

use std::time::Duration;

use auth::{AccountPolicy, Quota, RetentionDays, parse_login_delay, parse_sessions};
use clap::Args;

/// What is agreed with one customer; default: what the configuration says for all.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// Least time between two of its POP3 logins, such as 60s or 10m.
    #[arg(long, value_name = "PERIOD", value_parser = parse_login_delay)]
    login_delay: Option<Duration>,
    /// POP3 sessions that it may have at once.
    #[arg(long, value_name = "NUMBER", value_parser = parse_sessions)]
    sessions: Option<u32>,
    /// How long its mail is kept after POP3 has fetched it, such as 30d, or never.
    #[arg(long, value_name = "DAYS", value_parser = RetentionDays::parse)]
    expire_retrieved: Option<RetentionDays>,
    /// How long its mail is kept after it came, such as 365d, or never.
    #[arg(long, value_name = "DAYS", value_parser = RetentionDays::parse)]
    expire_arrived: Option<RetentionDays>,
    /// How much mail it may have: octets, and messages behind a comma, such as 1G,10000.
    #[arg(long, value_name = "OCTETS[,MESSAGES]", value_parser = Quota::parse)]
    quota: Option<Quota>,
    /// The profile of [limits] that holds for what it sends.
    #[arg(long, value_name = "PROFILE")]
    limits: Option<String>,
}

impl PolicyArgs {
    pub(super) fn policy(&self) -> AccountPolicy {
        AccountPolicy {
            login_delay: self.login_delay,
            sessions_max: self.sessions,
            expire_after_retrieval: self.expire_retrieved,
            expire_after_arrival: self.expire_arrived,
            quota: self.quota,
            limits: self.limits.as_deref().map(Into::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::super::{Cli, Command};
    use super::super::AccountCommand;

    fn words(arguments: &str) -> Result<Vec<String>, String> {
        let line = format!("lastpost account add ann {arguments}");
        match Cli::try_parse_from(line.split_whitespace()) {
            Ok(Cli { command: Command::Account(AccountCommand::Add { policy, .. }), .. }) => {
                Ok(policy.policy().words())
            }
            Ok(_) => Err("another command".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn what_is_agreed_with_a_customer_is_said_on_the_command_line() {
        assert_eq!(words(""), Ok(Vec::new()));
        let all = "--login-delay 10m --sessions 4 --expire-retrieved 30d --expire-arrived never \
                   --quota 1GiB,10000";
        let expected = [
            "login_delay=600s",
            "sessions=4",
            "expire_retrieved=30d",
            "expire_arrived=never",
            "quota=1G,10000",
        ];
        assert_eq!(words(all), Ok(expected.map(str::to_owned).to_vec()));
        for (wrong, says) in [
            ("--quota 1X", "octets such as"),
            ("--sessions 0", "1 to 100000"),
            ("--login-delay 60", "whole seconds"),
            ("--expire-retrieved 30", "\"30d\""),
        ] {
            let problem = words(wrong).unwrap_err();
            assert!(problem.contains(says), "{wrong}: {problem}");
        }
    }
}
