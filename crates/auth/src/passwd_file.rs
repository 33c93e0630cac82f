//! The table of accounts in Dovecot's passwd-file format.
//!
//! `login:{SCHEME}hash:uid:gid:gecos:home:shell:extra`; fields from the third on may be missing
//! or empty. The extra field holds words `key=value`: `addresses=a@x,b@x` (may send as, the
//! first is where notices go), `send_as=c@y,@z` (what others let it send as: addresses, and all
//! of a domain), `maildir=/path`, `disabled=yes`; what is agreed with this one
//! customer: `login_delay=60s`, `sessions=4`, `expire_retrieved=30d`, `expire_arrived=365d`,
//! `quota=1G,10000` (see [`crate::AccountPolicy`]); of Dovecot's own,
//! `userdb_home=`, `userdb_mail=maildir:/path` and `nologin` are obeyed, other `userdb_` words
//! are passed over, and anything else is refused, because a restriction that nobody obeys is
//! worse than none. A hash behind `!`, or `*` in its place, is a locked account, as in
//! shadow(5).

mod error;
mod line;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{BufRead, Read};
use std::path::Path;

use address::{AccountKey, Domain};
use zeroize::Zeroizing;

use crate::{Account, MaildirTemplate, Scheme, WeakSchemes};

pub use error::AccountsError;
pub(crate) use line::{Fields, Found, LineProblem, parse_line};
pub use line::{parse_cohort, parse_password_field};

/// What is said of accounts without an address, behind the file and the line of the first.
pub(crate) const HOMELESS: &str = "no address to send as: add addresses=, or set a default domain";

/// Longest line in octets.
const LINE_MAX: usize = 64 * 1024;
/// Most accounts of one table.
const ACCOUNTS_MAX: u32 = 10_000_000;

/// What a line is read with.
pub(crate) struct Rules<'a> {
    pub(crate) default_domain: Option<&'a Domain>,
    pub(crate) maildir: &'a MaildirTemplate,
    /// Weak schemes that a line may have.
    pub(crate) weak_schemes: WeakSchemes,
}

/// A table as read: accounts in the order of the file, and what the operator should know.
#[derive(Default)]
pub(crate) struct Listing {
    pub(crate) accounts: Vec<Account>,
    /// Where each stands in `accounts`.
    pub(crate) positions: HashMap<AccountKey, u32>,
    /// Line numbers, from 1, of the accounts.
    pub(crate) lines: Vec<u32>,
    pub(crate) warnings: Vec<String>,
}

/// Lines to warn of: how many there are, and the first.
#[derive(Default)]
struct Noted {
    count: u32,
    first: u32,
}

impl Noted {
    fn note(&mut self, line: u32) {
        if self.count == 0 {
            self.first = line;
        }
        self.count += 1;
    }

    fn warn(&self, file: &Path, what: &str, into: &mut Vec<String>) {
        if self.count > 0 {
            let Self { count, first } = self;
            into.push(format!("{}:{first}: {what} ({count} accounts)", file.display()));
        }
    }
}

/// Reads a whole table.
///
/// # Errors
/// The first line that is wrong; a login that stands twice; a file that cannot be read.
pub(crate) fn read(
    mut input: impl BufRead,
    file: &Path,
    rules: &Rules<'_>,
) -> Result<Listing, AccountsError> {
    let mut listing = Listing::default();
    let (mut plain, mut homeless, mut passed) =
        (Noted::default(), Noted::default(), Noted::default());
    let mut buffer = Zeroizing::new(Vec::with_capacity(512));
    let mut number = 0;
    while next_line(&mut input, &mut buffer, file, number)? {
        number += 1;
        let at = |problem: LineProblem| AccountsError::line(file, number, problem);
        let Some(Found { account, passed_over }) = parse_line(&buffer, rules).map_err(at)? else {
            continue;
        };
        let position = u32::try_from(listing.accounts.len()).unwrap_or(u32::MAX);
        if position >= ACCOUNTS_MAX {
            let problem = format!("more than {ACCOUNTS_MAX} accounts");
            return Err(at(LineProblem { column: 1, problem }));
        }
        match listing.positions.entry(account.key().clone()) {
            Entry::Vacant(free) => {
                free.insert(position);
            }
            Entry::Occupied(taken) => {
                let first = listing.lines.get(*taken.get() as usize).copied().unwrap_or_default();
                let problem = format!(
                    "{} stands in line {first} already; expected each login once",
                    account.key()
                );
                return Err(at(LineProblem { column: 1, problem }));
            }
        }
        if account.hash().is_some_and(|hash| hash.scheme() == Scheme::Plain) {
            plain.note(number);
        }
        if account.addresses().is_empty() {
            homeless.note(number);
        }
        if passed_over {
            passed.note(number);
        }
        listing.accounts.push(account);
        listing.lines.push(number);
    }
    let warnings = &mut listing.warnings;
    plain.warn(file, "{PLAIN} shows the password to whoever reads the file", warnings);
    homeless.warn(file, HOMELESS, warnings);
    passed.warn(file, "userdb_ fields that mean nothing here were passed over", warnings);
    Ok(listing)
}

/// The next line without its end; false at the end of the file. A byte order mark at the
/// beginning is dropped.
fn next_line(
    input: &mut impl BufRead,
    buffer: &mut Vec<u8>,
    file: &Path,
    number: u32,
) -> Result<bool, AccountsError> {
    buffer.clear();
    let limit = LINE_MAX as u64 + 1;
    let got = input
        .take(limit)
        .read_until(b'\n', buffer)
        .map_err(|source| AccountsError::Read { file: file.to_owned(), source })?;
    if buffer.last() == Some(&b'\n') {
        buffer.pop();
        if buffer.last() == Some(&b'\r') {
            buffer.pop();
        }
    } else if buffer.len() > LINE_MAX {
        let problem = format!("the line is longer than {LINE_MAX} octets");
        return Err(AccountsError::line(file, number + 1, LineProblem { column: 1, problem }));
    }
    if number == 0 && buffer.starts_with(b"\xef\xbb\xbf") {
        buffer.drain(..3);
    }
    Ok(got > 0)
}
