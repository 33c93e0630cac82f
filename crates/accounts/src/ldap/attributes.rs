//! Which attribute of an entry says what of an account.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::config::LdapMode;
use super::message::Entry;

/// What may be read from an entry: the words of the passwd-file, and `login`, `password`,
/// `home` and `version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// The account's own login, where the filter finds entries by other names as well.
    Login,
    /// The password's hash, `{SCHEME}hash`; in mode `hash`.
    Password,
    /// Addresses of its own, the primary one first.
    Addresses,
    /// What others let it send as.
    SendAs,
    /// Its Maildir.
    Maildir,
    /// Its home, for `%h` of `accounts.maildir`.
    Home,
    /// What a rollout schedule may select it by.
    Cohort,
    /// Whether it may not log in.
    Disabled,
    /// Whether its password has to be changed first.
    MustChange,
    /// How much mail there may be.
    Quota,
    /// The least time between two POP3 logins.
    LoginDelay,
    /// POP3 sessions at once.
    Sessions,
    /// How long a message is kept after it was fetched.
    ExpireRetrieved,
    /// How long a message is kept after it came.
    ExpireArrived,
    /// The profile of limits on what it sends.
    Limits,
    /// What changes when the password does; in mode `bind`.
    Version,
}

impl Column {
    /// Its key below `accounts.source.ldap`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Login => "attributes.login",
            Self::Password => "attributes.password",
            Self::Addresses => "attributes.addresses",
            Self::SendAs => "attributes.send_as",
            Self::Maildir => "attributes.maildir",
            Self::Home => "attributes.home",
            Self::Cohort => "attributes.cohort",
            Self::Disabled => "attributes.disabled",
            Self::MustChange => "attributes.must_change",
            Self::Quota => "attributes.quota",
            Self::LoginDelay => "attributes.login_delay",
            Self::Sessions => "attributes.sessions",
            Self::ExpireRetrieved => "attributes.expire_retrieved",
            Self::ExpireArrived => "attributes.expire_arrived",
            Self::Limits => "attributes.limits",
            Self::Version => "attributes.version",
        }
    }

    /// Whether it is yes or no.
    const fn is_switch(self) -> bool {
        matches!(self, Self::Disabled | Self::MustChange)
    }

    /// Whether it may have several values.
    const fn is_list(self) -> bool {
        matches!(self, Self::Addresses | Self::SendAs)
    }
}

/// How one column is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    /// Lists take the values of all of these; anything else is of the first one that is there.
    names: Vec<String>,
    /// The values that mean yes; none: `TRUE`, `yes` and the like. `*` is any value.
    yes: Vec<String>,
}

/// What an entry says of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    Text(Zeroizing<String>),
    List(Vec<String>),
    /// More than can be meant, or no text.
    Wrong(&'static str),
}

impl Said {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(Zeroizing::new(text.to_owned()))
    }
}

impl Attribute {
    pub(super) const EXPECTED: &str = "the name of an attribute, several with commas between \
        them, or \"name=value,value\" for disabled and must_change";

    /// How all columns are read, with the defaults for those that are not configured; else the
    /// key and what is wrong with it.
    pub(super) fn read_all(
        configured: &BTreeMap<Column, String>,
        mode: LdapMode,
    ) -> Result<Vec<(Column, Self)>, (&'static str, String)> {
        let default = match mode {
            LdapMode::Bind => {
                (Column::Version, "pwdChangedTime,pwdLastSet,entryCSN,modifyTimestamp")
            }
            LdapMode::Hash => (Column::Password, "userPassword"),
        };
        let unused = match mode {
            LdapMode::Bind => Column::Password,
            LdapMode::Hash => Column::Version,
        };
        if !configured.contains_key(&Column::Login) {
            return Err((Column::Login.name(), "it is missing".to_owned()));
        }
        let mut read = Vec::with_capacity(configured.len() + 1);
        if !configured.contains_key(&default.0) {
            read.push((default.0, default.1));
        }
        read.extend(configured.iter().map(|(column, text)| (*column, text.as_str())));
        read.into_iter()
            .map(|(column, text)| {
                if column == unused {
                    return Err((column.name(), "it means nothing in this mode".to_owned()));
                }
                let attribute = Self::parse(column, text).ok_or(format!("{text:?}"));
                attribute.map(|read| (column, read)).map_err(|problem| (column.name(), problem))
            })
            .collect()
    }

    fn parse(column: Column, text: &str) -> Option<Self> {
        let (names, yes) = match text.split_once('=') {
            Some((names, yes)) if column.is_switch() => (names, yes.split(',').collect()),
            Some(_) => return None,
            None => (text, Vec::new()),
        };
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ';' | '_');
        let owned = |texts: Vec<&str>| -> Option<Vec<String>> {
            let trimmed = texts.iter().map(|text| text.trim());
            trimmed.map(|text| (!text.is_empty()).then(|| text.to_owned())).collect()
        };
        let names = owned(names.split(',').collect())?;
        let valid = names.iter().all(|name| name.chars().all(named)) && names.len() <= 16;
        valid.then_some(Self { names, yes: owned(yes)? })
    }

    /// The attributes that the directory must be asked for. Without any it would send all.
    pub(super) fn names_of(all: &[(Column, Self)]) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in all.iter().flat_map(|(_, attribute)| &attribute.names) {
            if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                names.push(name.clone());
            }
        }
        names
    }

    /// What `entry` says of `column`.
    pub(super) fn of(all: &[(Column, Self)], column: Column, entry: &Entry) -> Said {
        let Some((_, attribute)) = all.iter().find(|(other, _)| *other == column) else {
            return Said::Nothing;
        };
        let mut values = Vec::new();
        for name in &attribute.names {
            let found = entry.values(name);
            values.extend(found.iter().map(|value| std::str::from_utf8(value)));
            if !column.is_list() && !found.is_empty() {
                break;
            }
        }
        let Ok(values) = values.into_iter().collect::<Result<Vec<&str>, _>>() else {
            return Said::Wrong("a value that is not UTF-8");
        };
        match values.as_slice() {
            [] => Said::Nothing,
            values if column.is_switch() => Said::text(attribute.switch(values)),
            values if column.is_list() => {
                Said::List(values.iter().map(|value| (*value).to_owned()).collect())
            }
            [value] => Said::text(value),
            _ => Said::Wrong("several values where one is expected"),
        }
    }

    fn switch<'a>(&self, values: &[&'a str]) -> &'a str {
        if self.yes.is_empty() {
            // As the directory has it: TRUE and FALSE (RFC 4517 section 3.3.3), or words that
            // the account's own rules know.
            return match values {
                [value] if value.eq_ignore_ascii_case("true") => "yes",
                [value] if value.eq_ignore_ascii_case("false") => "no",
                [value] => value,
                _ => "several values",
            };
        }
        let means_yes = |value: &str| {
            self.yes.iter().any(|yes| yes == "*" || yes.eq_ignore_ascii_case(value.trim()))
        };
        if values.iter().any(|value| means_yes(value)) { "yes" } else { "no" }
    }
}

#[cfg(test)]
mod tests;
