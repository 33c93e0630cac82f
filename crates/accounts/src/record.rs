//! What any back-end gives for an account, and the account that comes of it: the words and
//! their meanings are those of the passwd-file.

#[cfg(test)]
mod tests;

use std::path::{Component, Path, PathBuf};

use address::{AccountKey, Mailbox};
use auth::{
    Account, AccountPolicy, Credential, Delegation, WeakSchemes, parse_cohort, parse_password_field,
};
use zeroize::Zeroizing;

use crate::Common;

/// One account as a back-end has it. What is none, or empty, is not said. Prints no secrets.
#[derive(Clone, Default)]
pub struct Row {
    /// The login name.
    pub login: String,
    /// The password field: `{SCHEME}hash`. A `!` or `*` before it locks the account.
    pub password: Option<Zeroizing<String>>,
    /// How the password is verified when the record has none: by the source. If this is none
    /// as well, the account is locked.
    pub at_source: Option<Credential>,
    /// What it may send as; none: the login itself, if that is an address.
    pub addresses: Vec<String>,
    /// What others let it send as: addresses, and domains behind an `@`.
    pub send_as: Vec<String>,
    /// Its Maildir, where that is not what `accounts.maildir` says.
    pub maildir: Option<String>,
    /// Its home, for the `%h` of `accounts.maildir`.
    pub home: Option<String>,
    /// The attribute by which a rollout schedule may select it.
    pub cohort: Option<String>,
    /// Whether it may not log in: see [`parse_switch`].
    pub disabled: Option<String>,
    /// Whether its password must be changed first: see [`parse_switch`].
    pub must_change: Option<String>,
    /// How much mail it may have: `1G`, `1G,10000`; `0`: no limit.
    pub quota: Option<String>,
    /// Least time between two POP3 logins: `60s`.
    pub login_delay: Option<String>,
    /// POP3 sessions at once.
    pub sessions: Option<String>,
    /// How long mail is kept after it was fetched: `30d`, `never`.
    pub expire_retrieved: Option<String>,
    /// How long mail is kept after it came.
    pub expire_arrived: Option<String>,
    /// The profile of limits for what it sends.
    pub limits: Option<String>,
}

/// A record that no account can be made of. Holds no secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("login {login:?}, {column}: {problem}")]
pub struct RowProblem {
    /// The login as the record has it, cut to 64 characters.
    pub login: String,
    /// The column, or attribute, as [`Row::COLUMNS`] names it.
    pub column: &'static str,
    /// What is wrong and what was expected.
    pub problem: String,
}

/// A name that is none of [`Row::COLUMNS`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no column {name:?}{}; expected {}", did_you_mean(.name), Row::COLUMNS.join(", "))]
pub struct UnknownColumn {
    /// The name, cut to 64 characters.
    pub name: String,
}

fn did_you_mean(name: &str) -> String {
    nearest(name, &Row::COLUMNS).map_or_else(String::new, |near| format!(" (did you mean {near}?)"))
}

impl Row {
    /// The columns that a record can have.
    pub const COLUMNS: [&'static str; 15] = [
        "login",
        "password",
        "addresses",
        "send_as",
        "maildir",
        "home",
        "cohort",
        "disabled",
        "must_change",
        "quota",
        "login_delay",
        "sessions",
        "expire_retrieved",
        "expire_arrived",
        "limits",
    ];

    /// Sets one column; empty text says nothing.
    ///
    /// # Errors
    /// If there is no such column.
    pub fn set(&mut self, column: &str, value: &str) -> Result<(), UnknownColumn> {
        let said = (!value.is_empty()).then(|| value.to_owned());
        match column {
            "login" => value.clone_into(&mut self.login),
            "password" => self.password = said.map(Zeroizing::new),
            "addresses" => self.addresses = split_list(value),
            "send_as" => self.send_as = split_list(value),
            "maildir" => self.maildir = said,
            "home" => self.home = said,
            "cohort" => self.cohort = said,
            "disabled" => self.disabled = said,
            "must_change" => self.must_change = said,
            "quota" => self.quota = said,
            "login_delay" => self.login_delay = said,
            "sessions" => self.sessions = said,
            "expire_retrieved" => self.expire_retrieved = said,
            "expire_arrived" => self.expire_arrived = said,
            "limits" => self.limits = said,
            _ => return Err(UnknownColumn { name: cut(column) }),
        }
        Ok(())
    }

    /// The key that its login stands for.
    ///
    /// # Errors
    /// If it is nobody's login.
    pub fn key(&self, common: &Common) -> Result<AccountKey, RowProblem> {
        AccountKey::parse(&self.login, common.default_domain.as_ref())
            .map_err(|e| self.problem("login", format!("{e}; expected a name or name@domain")))
    }

    /// The account.
    ///
    /// # Errors
    /// The first column that is wrong.
    pub fn into_account(self, common: &Common) -> Result<Account, RowProblem> {
        let key = self.key(common)?;
        let (credential, locked) = self.credential(common.weak_schemes)?;
        let disabled = locked | self.switch("disabled", self.disabled.as_deref())?;
        let must_change = self.switch("must_change", self.must_change.as_deref())?;
        let addresses = self.addresses(&key)?;
        let maildir = self.maildir(&key, common)?;
        let cohort = said(self.cohort.as_deref()).map(parse_cohort).transpose();
        let cohort =
            cohort.map_err(|expected| self.problem("cohort", format!("expected {expected}")))?;
        Ok(Account::new(key, addresses, credential, maildir, disabled)
            .with_delegations(self.delegations()?)
            .with_policy(self.policy()?)
            .with_cohort(cohort.map(Into::into))
            .with_must_change(must_change))
    }

    /// How its password is verified, and whether it is locked.
    fn credential(&self, weak: WeakSchemes) -> Result<(Credential, bool), RowProblem> {
        let text = self.password.as_ref().map(|text| text.as_str()).filter(|text| !text.is_empty());
        match (text, &self.at_source) {
            (None, Some(at_source)) => Ok((at_source.clone(), false)),
            (text, _) => parse_password_field(text.unwrap_or("*"))
                .and_then(|(hash, locked)| hash.permitted(&weak).map(|()| (hash, locked)))
                .map(|(hash, locked)| (Credential::Stored(hash), locked))
                .map_err(|e| self.problem("password", e.to_string())),
        }
    }

    /// The stored hash, if it has one that may be used.
    #[cfg(any(feature = "sqlite", feature = "postgresql", feature = "mysql"))]
    pub(crate) fn open_hash(&self) -> Option<auth::StoredHash> {
        let (hash, locked) = parse_password_field(self.password.as_deref()?).ok()?;
        (!locked).then_some(hash)
    }

    fn switch(&self, column: &'static str, value: Option<&str>) -> Result<bool, RowProblem> {
        let Some(value) = said(value) else { return Ok(false) };
        parse_switch(value).ok_or_else(|| {
            self.problem(column, format!("{:?}; expected yes or no, 1 or 0", cut(value)))
        })
    }

    fn addresses(&self, key: &AccountKey) -> Result<Vec<Mailbox>, RowProblem> {
        if self.addresses.is_empty() {
            if key.domain().is_none() {
                return Ok(Vec::new());
            }
            let own = Mailbox::parse(key.as_str()).map_err(|e| {
                self.problem("login", format!("it is no mail address ({e}); expected addresses"))
            })?;
            return Ok(vec![own]);
        }
        let mut addresses = Vec::with_capacity(self.addresses.len());
        for text in &self.addresses {
            let address = Mailbox::parse(text).map_err(|e| {
                self.problem("addresses", format!("{:?}: {e}; expected local@domain", cut(text)))
            })?;
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        Ok(addresses)
    }

    fn delegations(&self) -> Result<Vec<Delegation>, RowProblem> {
        let mut delegations = Vec::new();
        for text in &self.send_as {
            let delegation = Delegation::parse(text).map_err(|e| {
                let problem = format!("{:?}: {e}; expected local@domain or @domain", cut(text));
                self.problem("send_as", problem)
            })?;
            if !delegations.contains(&delegation) {
                delegations.push(delegation);
            }
        }
        Ok(delegations)
    }

    pub(crate) fn policy(&self) -> Result<AccountPolicy, RowProblem> {
        let mut policy = AccountPolicy::default();
        let quota = self.quota.as_deref().filter(|quota| *quota != "0");
        let words = [
            ("quota", quota),
            ("login_delay", self.login_delay.as_deref()),
            ("sessions", self.sessions.as_deref()),
            ("expire_retrieved", self.expire_retrieved.as_deref()),
            ("expire_arrived", self.expire_arrived.as_deref()),
            ("limits", self.limits.as_deref()),
        ];
        for (column, value) in words {
            if let Some(value) = said(value) {
                policy.take(column, value).map_err(|problem| self.problem(column, problem))?;
            }
        }
        Ok(policy)
    }

    fn maildir(&self, key: &AccountKey, common: &Common) -> Result<PathBuf, RowProblem> {
        let expected = "expected an absolute path without \"..\"";
        if let Some(maildir) = said(self.maildir.as_deref()) {
            return straight(Path::new(maildir))
                .ok_or_else(|| self.problem("maildir", expected.to_owned()));
        }
        let home = said(self.home.as_deref()).unwrap_or_default();
        if !home.is_empty() && straight(Path::new(home)).is_none() {
            return Err(self.problem("home", expected.to_owned()));
        }
        let template = &common.maildir;
        let path = template.expand(key, home).map_err(|_| {
            let needs = if home.is_empty() { "home" } else { "a login with a domain" };
            let problem = format!("accounts.maildir is {template}; expected {needs}, or a maildir");
            self.problem("maildir", problem)
        })?;
        straight(&path).ok_or_else(|| self.problem("maildir", expected.to_owned()))
    }

    fn problem(&self, column: &'static str, problem: String) -> RowProblem {
        RowProblem { login: cut(&self.login), column, problem }
    }
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row").field("login", &self.login).finish_non_exhaustive()
    }
}

/// Reads a yes or a no, as databases and people write them.
#[must_use]
pub fn parse_switch(value: &str) -> Option<bool> {
    let is_one_of = |words: [&str; 5]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    if is_one_of(["yes", "y", "true", "t", "1"]) {
        Some(true)
    } else if is_one_of(["no", "n", "false", "f", "0"]) {
        Some(false)
    } else {
        None
    }
}

/// Splits a list at commas and white space, but not within the quotes of a local part.
#[must_use]
pub fn split_list(text: &str) -> Vec<String> {
    let mut list = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if !quoted && (c == ',' || c.is_whitespace()) {
            list.push(std::mem::take(&mut word));
            continue;
        }
        match c {
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
        word.push(c);
    }
    list.push(word);
    list.retain(|word| !word.is_empty());
    list
}

/// The one of `known` that `name` was probably meant to be.
#[must_use]
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name: Vec<char> = name.chars().take(64).flat_map(char::to_lowercase).collect();
    let near = known.iter().map(|known| (distance(&name, known), *known)).min()?;
    let limit = (name.len() / 3).max(1);
    (near.0 <= limit).then_some(near.1)
}

/// How many letters must be put in, left out or changed (Levenshtein).
fn distance(a: &[char], b: &str) -> usize {
    let mut row: Vec<usize> = (0..=a.len()).collect();
    for (at, letter) in b.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], at + 1);
        for (position, own) in a.iter().enumerate() {
            let changed = before + usize::from(*own != letter);
            before = row[position + 1];
            row[position + 1] = changed.min(before + 1).min(row[position] + 1);
        }
    }
    row[a.len()]
}

fn said(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.is_empty())
}

fn straight(path: &Path) -> Option<PathBuf> {
    let clean = path.is_absolute()
        && path.components().all(|part| part != Component::ParentDir)
        && !path.as_os_str().as_encoded_bytes().contains(&0);
    clean.then(|| path.to_owned())
}

fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}
