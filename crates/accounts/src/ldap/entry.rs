//! From an entry of the directory to an account.

use std::sync::Arc;

use auth::{Account, Credential, PolicySpread};
use zeroize::Zeroizing;

use super::attributes::{Attribute, Column, Said};
use super::config::LdapMode;
use super::message::Entry;
use crate::Common;
use crate::record::Row;

/// Seconds after which a time in whole seconds stands for one change alone; clocks differ a bit.
const SETTLED_AFTER: i64 = 5;

/// How entries are read.
pub(super) struct Reading {
    source: String,
    mode: LdapMode,
    attributes: Vec<(Column, Attribute)>,
    common: Common,
}

impl Reading {
    pub(super) fn new(
        source: &str,
        mode: LdapMode,
        attributes: Vec<(Column, Attribute)>,
        common: &Common,
    ) -> Self {
        Self { source: source.to_owned(), mode, attributes, common: common.clone() }
    }

    /// The account of an entry. One that is no proper account is logged here.
    ///
    /// # Errors
    /// What is wrong with it; no secrets.
    pub(super) fn account(&self, entry: &Entry) -> Result<Arc<Account>, String> {
        let account = self
            .row(entry)
            .and_then(|row| row.into_account(&self.common).map_err(|problem| problem.to_string()));
        account.map(Arc::new).map_err(|problem| {
            tracing::error!(
                target: "lastpost::auth",
                source = self.source,
                entry = ?entry.dn.chars().take(200).collect::<String>(),
                problem,
                "account record is wrong"
            );
            problem
        })
    }

    fn row(&self, entry: &Entry) -> Result<Row, String> {
        let password = self.text(Column::Password, entry)?;
        let at_source = match self.mode {
            LdapMode::Hash => None,
            LdapMode::Bind => Some(Credential::AtSource {
                version: self.version(entry)?.map(|text| text.as_str().into()),
            }),
        };
        let plain = |column| -> Result<Option<String>, String> {
            Ok(self.text(column, entry)?.map(|text| text.as_str().to_owned()))
        };
        Ok(Row {
            login: plain(Column::Login)?.ok_or("the entry has no login")?,
            password: password.map(dialect),
            at_source,
            addresses: self.list(Column::Addresses, entry)?,
            send_as: self.list(Column::SendAs, entry)?,
            maildir: plain(Column::Maildir)?,
            home: plain(Column::Home)?,
            cohort: plain(Column::Cohort)?,
            disabled: plain(Column::Disabled)?,
            must_change: plain(Column::MustChange)?,
            quota: plain(Column::Quota)?,
            login_delay: plain(Column::LoginDelay)?,
            sessions: plain(Column::Sessions)?,
            expire_retrieved: plain(Column::ExpireRetrieved)?,
            expire_arrived: plain(Column::ExpireArrived)?,
            limits: plain(Column::Limits)?,
        })
    }

    /// What changes with the password. A time in whole seconds tells two changes within one
    /// second apart only when that second is over.
    fn version(&self, entry: &Entry) -> Result<Option<Zeroizing<String>>, String> {
        let now = self.common.clock.now().wall;
        let settled = |text: &Zeroizing<String>| match seconds(text) {
            Some(then) => now.as_second().saturating_sub(then) >= SETTLED_AFTER,
            None => true,
        };
        Ok(self.text(Column::Version, entry)?.filter(settled))
    }

    fn text(&self, column: Column, entry: &Entry) -> Result<Option<Zeroizing<String>>, String> {
        match Attribute::of(&self.attributes, column, entry) {
            Said::Text(text) => Ok(Some(text)),
            Said::Nothing => Ok(None),
            Said::List(_) => Err(format!("{}: a list", column.name())),
            Said::Wrong(problem) => Err(format!("{}: {problem}", column.name())),
        }
    }

    fn list(&self, column: Column, entry: &Entry) -> Result<Vec<String>, String> {
        match Attribute::of(&self.attributes, column, entry) {
            Said::List(list) => Ok(list),
            Said::Nothing | Said::Text(_) => Ok(Vec::new()),
            Said::Wrong(problem) => Err(format!("{}: {problem}", column.name())),
        }
    }

    /// What its accounts may say of their own: anything, where an attribute for it is read.
    pub(super) fn policies(&self) -> PolicySpread {
        let read = |column| self.attributes.iter().any(|(other, _)| *other == column);
        let any = PolicySpread::ANYTHING;
        PolicySpread {
            login_delay: any.login_delay.filter(|_| read(Column::LoginDelay)),
            sessions_max: any.sessions_max.filter(|_| read(Column::Sessions)),
            expire_after_retrieval: any
                .expire_after_retrieval
                .filter(|_| read(Column::ExpireRetrieved)),
            expire_after_arrival: any.expire_after_arrival.filter(|_| read(Column::ExpireArrived)),
        }
    }
}

/// The Unix time of a text such as `20260101000000Z` (RFC 4517 section 3.3.13), if it has no
/// fraction of a second.
fn seconds(text: &str) -> Option<i64> {
    let digits = text.strip_suffix('Z')?;
    let whole = digits.len() == 14 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", whole.then_some(digits)?).ok()?;
    Some(time.to_zoned_datetime(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

/// OpenLDAP calls argon2 by a name of its own; the hash behind it says which one it is.
fn dialect(field: Zeroizing<String>) -> Zeroizing<String> {
    let bare = field.get(..8).filter(|name| name.eq_ignore_ascii_case("{ARGON2}"));
    match bare.and_then(|_| field.get(8..)) {
        Some(hash) => Zeroizing::new(hash.to_owned()),
        None => field,
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::entry_of;
    use super::*;
    use crate::testing::common;

    fn reading(mode: LdapMode) -> Reading {
        let configured = [
            (Column::Login, "uid"),
            (Column::Addresses, "mail,mailAlternateAddress"),
            (Column::SendAs, "mayUse"),
            (Column::Home, "homeDirectory"),
            (Column::Quota, "mailQuota"),
            (Column::Disabled, "accountStatus=disabled"),
            (Column::Cohort, "ou"),
            (Column::Sessions, "maxSessions"),
        ];
        let configured =
            configured.iter().map(|(column, text)| (*column, (*text).to_owned())).collect();
        Reading::new("ldap", mode, Attribute::read_all(&configured, mode).unwrap(), &common())
    }

    #[test]
    fn a_full_entry() {
        let entry = entry_of(
            "uid=ann,dc=x",
            &[
                ("uid", &["Ann"]),
                ("mail", &["ann@example.net"]),
                ("mailAlternateAddress", &["a.miller@example.net", "ann@example.org"]),
                ("mayUse", &["@club.example.net"]),
                ("homeDirectory", &["/home/ann"]),
                ("mailQuota", &["1073741824"]),
                ("accountStatus", &["active"]),
                ("ou", &["staff"]),
                ("pwdChangedTime", &["20260101000000Z"]),
            ],
        );
        let account = reading(LdapMode::Bind).account(&entry).unwrap();
        assert_eq!(account.key().as_str(), "ann@example.net");
        assert_eq!(account.addresses().len(), 3);
        assert_eq!(account.delegations().len(), 1);
        assert_eq!(account.maildir(), std::path::Path::new("/home/ann/Maildir"));
        assert_eq!(account.policy().words(), ["quota=1G"]);
        assert_eq!(account.cohort(), Some("staff"));
        assert!(!account.is_disabled());
        let Credential::AtSource { version: Some(version) } = account.credential() else {
            panic!("no version")
        };
        assert_eq!(&**version, "20260101000000Z");
    }

    #[test]
    fn a_time_in_seconds_is_no_version_while_it_could_stand_for_two_changes() {
        let clock =
            std::sync::Arc::new(auth::ManualClock::new("2026-01-01T00:00:03Z".parse().unwrap()));
        let Reading { source, mode, attributes, common } = reading(LdapMode::Bind);
        let common = Common { clock: std::sync::Arc::clone(&clock) as _, ..common };
        let reading = Reading { source, mode, attributes, common };
        let version = |text: &str| {
            let entry = entry_of("dc=x", &[("pwdChangedTime", &[text])]);
            reading.version(&entry).unwrap().map(|version| version.to_string())
        };
        let (just_now, before) = ("20260101000000Z", "20251231235900Z");
        assert_eq!(version(just_now), None);
        assert_eq!(version("20270101000000Z"), None, "by a clock that is ahead");
        assert_eq!(version(before).as_deref(), Some(before));
        for other in ["20260101000000.000001Z", "133000000000000000", "20261301000000Z"] {
            assert_eq!(version(other).as_deref(), Some(other));
        }
        clock.advance(std::time::Duration::from_secs(2));
        assert_eq!(version(just_now).as_deref(), Some(just_now));
    }

    #[test]
    fn hashes_in_the_directorys_own_words() {
        let account = |password: &[&str]| {
            let entry = entry_of(
                "dc=x",
                &[("uid", &["ann"]), ("homeDirectory", &["/home/ann"]), ("userPassword", password)],
            );
            reading(LdapMode::Hash).account(&entry)
        };
        let argon2 = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$\
             3Ux7vGCH4X5DpPLGf5kM5d2Ddw3hyxWyl7Jbn4cSkQA";
        let found = account(&[&format!("{{argon2}}{argon2}")]).unwrap();
        assert_eq!(found.hash().unwrap().scheme(), auth::Scheme::Argon2id);
        assert!(account(&["{PLAIN}x"]).unwrap().hash().unwrap().verify(b"x"));
        assert!(account(&[]).unwrap().is_disabled(), "no password, no login");
        let error = account(&["bare"]).unwrap_err();
        assert!(error.contains("password") && !error.contains("bare"), "{error}");
        let error = account(&["{PLAIN}x", "{PLAIN}y"]).unwrap_err();
        assert_eq!(error, "attributes.password: several values where one is expected");
        assert!(account(&["{"]).is_err() && account(&["é{ARGON"]).is_err());
    }

    #[test]
    fn an_entry_that_is_no_account_is_an_error() {
        let reading = reading(LdapMode::Bind);
        for (attributes, problem) in [
            (&[("cn", &["x"][..])][..], "no login"),
            (&[("uid", &["a/b"]), ("homeDirectory", &["/h"])], "login"),
            (&[("uid", &["ann"])], "home"),
            (&[("uid", &["ann"]), ("homeDirectory", &["/h/../etc"])], "home"),
            (&[("uid", &["ann"]), ("homeDirectory", &["/h", "/i"])], "several values"),
            (&[("uid", &["a"]), ("homeDirectory", &["/h"]), ("mail", &["x"])], "addresses"),
        ] {
            let error = reading.account(&entry_of("dc=x", attributes)).unwrap_err();
            assert!(error.contains(problem), "{error}, not {problem}");
        }
        let spread = reading.policies();
        assert!(spread.sessions_max.is_some() && spread.login_delay.is_none());
    }
}
