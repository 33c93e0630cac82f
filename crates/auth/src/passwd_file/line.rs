//! One line of the table.

use std::path::{Path, PathBuf};

use address::{AccountKey, Mailbox};

use super::Rules;
use crate::maildir_template::is_straight;
use crate::{Account, AccountPolicy, Argon2Params, Delegation, HashError, StoredHash};

/// What is wrong with a line, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LineProblem {
    /// The character in the line, from 1.
    pub(crate) column: u32,
    pub(crate) problem: String,
}

/// An account, and whether its line has words that mean nothing here.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) account: Account,
    pub(crate) passed_over: bool,
}

/// How many fields a line has.
const FIELDS: usize = 8;

/// The eight fields of a line; a missing one is empty and lies at the end of the line.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    line: &'a str,
    /// How many there are.
    pub(crate) count: usize,
    /// Where each begins.
    starts: [usize; FIELDS],
}

impl<'a> Fields<'a> {
    pub(crate) const LOGIN: usize = 0;
    pub(crate) const HASH: usize = 1;
    pub(crate) const HOME: usize = 5;
    pub(crate) const EXTRA: usize = 7;

    /// Splits; the last field takes the rest, colons and all.
    pub(crate) fn split(line: &'a str) -> Self {
        let mut starts = [line.len(); FIELDS];
        let mut count = 0;
        let mut at = 0;
        for field in line.splitn(FIELDS, ':') {
            starts[count] = at;
            count += 1;
            at += field.len() + 1;
        }
        Self { line, count, starts }
    }

    /// Where field `index` lies in the line.
    pub(crate) fn range(&self, index: usize) -> std::ops::Range<usize> {
        let start = self.starts[index];
        let end = match self.starts.get(index + 1) {
            Some(&next) if index + 1 < self.count => next - 1,
            _ => self.line.len(),
        };
        start..end
    }

    pub(crate) fn get(&self, index: usize) -> &'a str {
        &self.line[self.range(index)]
    }

    fn problem(&self, at: usize, problem: impl Into<String>) -> LineProblem {
        let before = self.line.get(..at).unwrap_or(self.line);
        let column = u32::try_from(before.chars().count() + 1).unwrap_or(u32::MAX);
        LineProblem { column, problem: problem.into() }
    }
}

/// What the words of the extra field say.
#[derive(Default)]
struct Extra<'a> {
    addresses: Option<(&'a str, usize)>,
    send_as: Option<(&'a str, usize)>,
    maildir: Option<(&'a str, usize)>,
    home: Option<(&'a str, usize)>,
    disabled: bool,
    must_change: bool,
    cohort: Option<&'a str>,
    policy: AccountPolicy,
    passed_over: bool,
}

/// Reads one line; nothing if it is empty or a comment.
///
/// # Errors
/// The first thing that is wrong, with what was expected.
pub(crate) fn parse_line(line: &[u8], rules: &Rules<'_>) -> Result<Option<Found>, LineProblem> {
    if line.starts_with(b"#") || line.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let line = std::str::from_utf8(line).map_err(|e| {
        let before = String::from_utf8_lossy(&line[..e.valid_up_to()]).chars().count();
        LineProblem {
            column: u32::try_from(before + 1).unwrap_or(u32::MAX),
            problem: "an octet that is not UTF-8; expected the file in UTF-8".to_owned(),
        }
    })?;
    let fields = Fields::split(line);
    let login = fields.get(Fields::LOGIN);
    let key = AccountKey::parse(login, rules.default_domain).map_err(|e| {
        let shown: String = login.chars().take(64).collect();
        fields.problem(0, format!("login {shown:?}: {e}; expected a name or name@domain"))
    })?;
    if fields.count < 2 {
        return Err(fields.problem(line.len(), "expected a colon and {SCHEME}hash after the login"));
    }
    let (hash, locked) = parse_hash(&fields, rules)?;
    let extra = parse_extra(&fields)?;
    let addresses = parse_addresses(&fields, &extra, &key)?;
    let maildir = parse_maildir(&fields, &extra, &key, rules)?;
    let account = Account::new(key, addresses, hash, maildir, locked || extra.disabled)
        .with_delegations(parse_send_as(&fields, &extra)?)
        .with_policy(extra.policy)
        .with_cohort(extra.cohort.map(Into::into))
        .with_must_change(extra.must_change);
    Ok(Some(Found { account, passed_over: extra.passed_over }))
}

/// The hash, and whether it is locked.
fn parse_hash(fields: &Fields<'_>, rules: &Rules<'_>) -> Result<(StoredHash, bool), LineProblem> {
    let at = fields.range(Fields::HASH).start;
    parse_password_field(fields.get(Fields::HASH))
        .and_then(|(hash, locked)| hash.permitted(&rules.weak_schemes).map(|()| (hash, locked)))
        .map_err(|e| fields.problem(at, e.to_string()))
}

/// Reads the password field of an account: the hash, and whether `!` or `*` before it locks the
/// account (shadow(5)). Where nothing stands behind the lock the hash is nobody's.
///
/// # Errors
/// As [`StoredHash::parse`].
pub fn parse_password_field(text: &str) -> Result<(StoredHash, bool), HashError> {
    let open = text.trim_start_matches(['!', '*']);
    let locked = open.len() < text.len();
    let hash = if locked && open.is_empty() {
        StoredHash::nobody(&Argon2Params::default())
    } else {
        StoredHash::parse(open)
    };
    hash.map(|hash| (hash, locked))
}

fn parse_extra<'a>(fields: &Fields<'a>) -> Result<Extra<'a>, LineProblem> {
    let mut extra = Extra::default();
    let mut at = fields.range(Fields::EXTRA).start;
    for word in fields.get(Fields::EXTRA).split([' ', '\t']) {
        let here = at;
        at += word.len() + 1;
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let place = Some((value, here + key.len() + 1));
        match key {
            "" if word.is_empty() => {}
            "addresses" => extra.addresses = place,
            "send_as" => extra.send_as = place,
            "maildir" => extra.maildir = place,
            "userdb_home" => extra.home = place,
            "userdb_mail" => {
                let path = value.strip_prefix("maildir:").ok_or_else(|| {
                    fields.problem(here, "userdb_mail: expected maildir: and an absolute path")
                })?;
                // Dovecot's own settings may follow the path after a colon.
                let path = path.split_once(':').map_or(path, |(path, _)| path);
                if extra.maildir.is_none() {
                    extra.maildir = Some((path, here + "userdb_mail=maildir:".len()));
                }
            }
            "nologin" => extra.disabled = true,
            "disabled" => {
                extra.disabled |= parse_switch(value).ok_or_else(|| {
                    fields.problem(here, "disabled: expected disabled=yes or disabled=no")
                })?;
            }
            "must_change" => {
                extra.must_change = parse_switch(value).ok_or_else(|| {
                    fields.problem(here, "must_change: expected must_change=yes or must_change=no")
                })?;
            }
            "cohort" => {
                let cohort = parse_cohort(value).map_err(|expected| {
                    let shown: String = value.chars().take(32).collect();
                    fields.problem(here, format!("cohort: {shown:?}; expected {expected}"))
                })?;
                extra.cohort = Some(cohort);
            }
            _ if key.starts_with("userdb_") => extra.passed_over = true,
            _ if extra.policy.take(key, value).map_err(|e| fields.problem(here, e))? => {}
            _ => {
                let shown: String = key.chars().take(32).collect();
                let problem = format!(
                    "{shown:?} is not obeyed here; expected addresses=, send_as=, maildir=, \
                     disabled=, login_delay=, sessions=, expire_retrieved=, expire_arrived=, \
                     quota=, limits=, cohort= or must_change="
                );
                return Err(fields.problem(here, problem));
            }
        }
    }
    Ok(extra)
}

fn parse_switch(value: &str) -> Option<bool> {
    match value {
        "yes" | "y" | "true" | "1" => Some(true),
        "no" | "n" | "false" | "0" => Some(false),
        _ => None,
    }
}

/// Reads `cohort`: the name by which a rollout schedule selects accounts.
///
/// # Errors
/// What was expected.
pub fn parse_cohort(text: &str) -> Result<&str, &'static str> {
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !text.is_empty() && text.len() <= 64 && text.chars().all(named) {
        return Ok(text);
    }
    Err("a name of 1 to 64 letters, digits, hyphens, dots and underscores")
}

/// The addresses it may send as: those stated, or the login itself if it is one.
fn parse_addresses(
    fields: &Fields<'_>,
    extra: &Extra<'_>,
    key: &AccountKey,
) -> Result<Vec<Mailbox>, LineProblem> {
    let Some((list, mut at)) = extra.addresses else {
        if key.domain().is_none() {
            return Ok(Vec::new());
        }
        let own = Mailbox::parse(key.as_str()).map_err(|e| {
            let problem = format!("the login is no mail address ({e}); expected addresses=");
            fields.problem(0, problem)
        })?;
        return Ok(vec![own]);
    };
    let mut addresses: Vec<Mailbox> = Vec::with_capacity(list.matches(',').count() + 1);
    for text in list.split(',') {
        let here = at;
        at += text.len() + 1;
        let address = Mailbox::parse(text).map_err(|e| {
            let shown: String = text.chars().take(64).collect();
            let problem = format!("address {shown:?}: {e}; expected addresses=local@domain,…");
            fields.problem(here, problem)
        })?;
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// What others let it send as: addresses, and domains behind an `@`.
fn parse_send_as(fields: &Fields<'_>, extra: &Extra<'_>) -> Result<Vec<Delegation>, LineProblem> {
    let Some((list, mut at)) = extra.send_as else { return Ok(Vec::new()) };
    let mut delegations = Vec::new();
    for text in list.split(',') {
        let here = at;
        at += text.len() + 1;
        let delegation = Delegation::parse(text).map_err(|e| {
            let shown: String = text.chars().take(64).collect();
            let problem =
                format!("send_as {shown:?}: {e}; expected send_as=local@domain,@domain,…");
            fields.problem(here, problem)
        })?;
        if !delegations.contains(&delegation) {
            delegations.push(delegation);
        }
    }
    Ok(delegations)
}

fn parse_maildir(
    fields: &Fields<'_>,
    extra: &Extra<'_>,
    key: &AccountKey,
    rules: &Rules<'_>,
) -> Result<PathBuf, LineProblem> {
    if let Some((path, at)) = extra.maildir {
        return straight(path).ok_or_else(|| {
            fields.problem(at, "maildir: expected an absolute path without \"..\"")
        });
    }
    let field = (fields.get(Fields::HOME), fields.range(Fields::HOME).start);
    let (home, at) = match extra.home {
        Some(home) if field.0.is_empty() => home,
        _ => field,
    };
    if !home.is_empty() && straight(home).is_none() {
        return Err(fields.problem(at, "home: expected an absolute path without \"..\""));
    }
    let maildir = rules.maildir.expand(key, home).map_err(|e| fields.problem(at, e))?;
    straight(&maildir)
        .ok_or_else(|| fields.problem(at, "the Maildir must not be reached through \"..\""))
}

fn straight(path: impl AsRef<Path>) -> Option<PathBuf> {
    let path = path.as_ref();
    let clean = is_straight(path) && !path.as_os_str().as_encoded_bytes().contains(&0);
    clean.then(|| path.to_owned())
}
