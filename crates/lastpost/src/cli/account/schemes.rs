//! `lastpost account schemes`: how passwords are stored, and who can log in how.

use std::collections::BTreeMap;

use auth::{Account, HashRecipe, Scheme};
use serde::Serialize;

use crate::cli::accounts::Accounts;
use crate::cli::output::table;
use crate::cli::{CliError, CommonArgs};
use crate::config::Config;

/// How the passwords of some accounts are stored.
#[derive(Debug, Default, Serialize)]
pub(super) struct Schemes {
    /// All of them.
    accounts: u64,
    /// Those of them that cannot log in at all: they count for nothing below.
    disabled: u64,
    /// Accounts of each scheme.
    schemes: Vec<SchemeCount>,
    /// Accounts whose source verifies the password itself.
    at_source: u64,
    /// How many can use which mechanism.
    mechanisms: Vec<MechanismCount>,
    /// What `auth.upgrade_to` would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    upgrade: Option<Upgrade>,
    /// Sources that cannot list their accounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_listed: Vec<String>,
}

#[derive(Debug, Serialize)]
struct SchemeCount {
    scheme: &'static str,
    accounts: u64,
    weak: bool,
}

#[derive(Debug, Serialize)]
struct MechanismCount {
    mechanism: &'static str,
    accounts: u64,
}

#[derive(Debug, Serialize)]
struct Upgrade {
    to: &'static str,
    /// Accounts whose hash is replaced at their next login.
    accounts: u64,
}

/// Counts accounts one by one.
#[derive(Default)]
pub(super) struct Counting {
    accounts: u64,
    disabled: u64,
    at_source: u64,
    schemes: BTreeMap<Scheme, u64>,
    recipe: Option<HashRecipe>,
    to_upgrade: u64,
}

impl Counting {
    pub(super) fn new(config: &Config) -> Result<Self, CliError> {
        let recipe = config.auth.upgrade().map_err(CliError::failed)?;
        Ok(Self { recipe, ..Self::default() })
    }

    pub(super) fn count(&mut self, account: &Account) {
        self.accounts += 1;
        // Of one without a password the hash is nobody's.
        if account.is_disabled() {
            self.disabled += 1;
            return;
        }
        let Some(hash) = account.hash() else {
            self.at_source += 1;
            return;
        };
        *self.schemes.entry(hash.scheme()).or_default() += 1;
        if self.recipe.is_some_and(|recipe| !recipe.is_met_by(hash)) {
            self.to_upgrade += 1;
        }
    }

    pub(super) fn finish(self, not_listed: Vec<String>) -> Schemes {
        let of = |wanted: &[Scheme]| -> u64 {
            wanted.iter().filter_map(|scheme| self.schemes.get(scheme)).sum()
        };
        let mechanisms = [
            ("PLAIN, LOGIN, USER", self.accounts - self.disabled),
            ("SCRAM-SHA-256", of(&[Scheme::ScramSha256, Scheme::Plain])),
            ("SCRAM-SHA-1", of(&[Scheme::ScramSha1, Scheme::Plain])),
            ("CRAM-MD5", of(&[Scheme::CramMd5, Scheme::Plain])),
            ("APOP", of(&[Scheme::Plain])),
        ];
        let mut schemes: Vec<SchemeCount> = self
            .schemes
            .iter()
            .map(|(scheme, accounts)| SchemeCount {
                scheme: scheme.as_str(),
                accounts: *accounts,
                weak: scheme.is_weak(),
            })
            .collect();
        schemes.sort_by_key(|count| u64::MAX - count.accounts);
        Schemes {
            accounts: self.accounts,
            disabled: self.disabled,
            schemes,
            at_source: self.at_source,
            mechanisms: mechanisms
                .map(|(mechanism, accounts)| MechanismCount { mechanism, accounts })
                .into(),
            upgrade: self
                .recipe
                .map(|recipe| Upgrade { to: recipe.scheme().as_str(), accounts: self.to_upgrade }),
            not_listed,
        }
    }
}

impl Schemes {
    /// For people.
    pub(super) fn describe(&self) -> String {
        let mut rows: Vec<Vec<String>> = self
            .schemes
            .iter()
            .map(|count| {
                let remark = if count.weak { "weak: only with auth.weak_schemes" } else { "" };
                vec![count.scheme.to_owned(), count.accounts.to_string(), remark.to_owned()]
            })
            .collect();
        if self.at_source > 0 {
            let remark = "verified by the source";
            rows.push(vec!["at source".to_owned(), self.at_source.to_string(), remark.to_owned()]);
        }
        if self.disabled > 0 {
            let remark = "not counted otherwise";
            rows.push(vec!["disabled".to_owned(), self.disabled.to_string(), remark.to_owned()]);
        }
        let mut text = table(&["scheme", "accounts", ""], rows);
        text.push('\n');
        let rows = self
            .mechanisms
            .iter()
            .map(|count| vec![count.mechanism.to_owned(), count.accounts.to_string()]);
        text += &table(&["can log in with", "accounts"], rows);
        if let Some(Upgrade { to, accounts }) = &self.upgrade {
            text +=
                &format!("\nauth.upgrade_to: {accounts} turn into {to} with their next login\n");
        }
        for source in &self.not_listed {
            text += &format!("\nthe source {source:?} cannot list its accounts\n");
        }
        text
    }
}

pub(super) fn run(config: &Config, common: &CommonArgs) -> Result<(), CliError> {
    let accounts = Accounts::open(config)?;
    let mut counting = Counting::new(config)?;
    let not_listed = accounts.wait(async {
        let mut walk = accounts.directory().walk();
        loop {
            let page = walk.next_page().await?;
            if page.is_empty() {
                return Ok::<_, auth::Unavailable>(walk.unlisted().to_vec());
            }
            page.iter().for_each(|account| counting.count(account));
        }
    });
    let not_listed = not_listed.map_err(CliError::failed)?;
    common.output().show(&counting.finish(not_listed), Schemes::describe)
}
