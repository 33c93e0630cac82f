//! What is said to the hook and what it may say: JSON, strictly typed.

use auth::{Credential, Origin, Service};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::HttpMode;
use crate::record::Row;

/// What the hook is asked, as one object.
#[derive(Serialize)]
#[serde(tag = "ask", rename_all = "lowercase")]
pub(super) enum Question<'a> {
    /// The account of a login.
    Account { login: &'a str },
    /// Whether a password is right.
    Verify { login: &'a str, password: &'a str, service: &'static str, client: String, tls: bool },
    /// The accounts that own an address.
    Owners { address: &'a str },
    /// The accounts that come after one, in the hook's own order.
    List { after: Option<&'a str>, limit: usize },
}

impl<'a> Question<'a> {
    pub(super) fn verify(login: &'a str, password: &'a str, origin: &Origin) -> Self {
        let service = match origin.channel.service {
            Service::Pop3 => "pop3",
            Service::Submission => "submission",
        };
        let client = origin.client.to_canonical().to_string();
        Self::Verify { login, password, service, client, tls: origin.channel.tls }
    }

    /// As it is sent. The text may hold a password: it is wiped when it is dropped, and never
    /// grows, so that no copy is left behind.
    pub(super) fn to_json(&self) -> Option<Zeroizing<Vec<u8>>> {
        // Six octets for a character is the most that JSON makes of it.
        let mut octets = Zeroizing::new(Vec::with_capacity(16 * 1024));
        serde_json::to_writer(&mut *octets, self).ok()?;
        Some(octets)
    }
}

/// An account as the hook describes it. What it does not know is an error: a restriction that
/// nobody obeys is worse than none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    login: Option<String>,
    password: Option<String>,
    version: Option<String>,
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    send_as: Vec<String>,
    maildir: Option<String>,
    home: Option<String>,
    cohort: Option<String>,
    #[serde(default)]
    disabled: bool,
    #[serde(default)]
    must_change: bool,
    quota: Option<String>,
    login_delay: Option<String>,
    sessions: Option<u32>,
    expire_retrieved: Option<String>,
    expire_arrived: Option<String>,
    limits: Option<String>,
}

impl Record {
    /// The login that it says, if any.
    pub(super) fn login(&self) -> Option<&str> {
        self.login.as_deref()
    }

    /// The account's row. `login` is what was asked for, for a record that does not say its own.
    ///
    /// # Errors
    /// What does not fit the mode.
    pub(super) fn into_row(
        mut self,
        mode: HttpMode,
        login: Option<&str>,
    ) -> Result<Row, &'static str> {
        let own = self.login.take().or_else(|| login.map(str::to_owned));
        let password = self.password.take().map(Zeroizing::new);
        let at_source = match (mode, &password, self.version.take()) {
            (HttpMode::Verify, Some(_), _) => {
                return Err("a password, where the hook verifies passwords itself");
            }
            (HttpMode::Lookup, _, Some(_)) => {
                return Err("a version, which means nothing where the hook gives the hash");
            }
            (HttpMode::Lookup, None, None) => return Err("no password"),
            (HttpMode::Lookup, Some(_), None) => None,
            (HttpMode::Verify, None, version) => {
                Some(Credential::AtSource { version: version.map(Into::into) })
            }
        };
        let switch = |on: bool| on.then(|| "yes".to_owned());
        Ok(Row {
            login: own.ok_or("no login")?,
            password,
            at_source,
            addresses: self.addresses,
            send_as: self.send_as,
            maildir: self.maildir,
            home: self.home,
            cohort: self.cohort,
            disabled: switch(self.disabled),
            must_change: switch(self.must_change),
            quota: self.quota,
            login_delay: self.login_delay,
            sessions: self.sessions.map(|most| most.to_string()),
            expire_retrieved: self.expire_retrieved,
            expire_arrived: self.expire_arrived,
            limits: self.limits,
        })
    }
}

/// The answer to `owners` and `list`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Records {
    pub(super) accounts: Vec<Record>,
}

/// The answer to `verify`. Said in so many words: that somebody answers `200 OK`, whatever he
/// was asked, must open no mailbox.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Verdict {
    pub(super) verified: bool,
}

/// Reads an answer; what is wrong with it holds nothing of what it says.
pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| {
        let kind = match error.classify() {
            serde_json::error::Category::Data => "not of the form that is documented",
            _ => "no JSON",
        };
        format!("an answer that is {kind}, line {} column {}", error.line(), error.column())
    })
}
