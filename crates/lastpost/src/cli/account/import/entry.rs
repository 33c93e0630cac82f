//! One account as another server's table has it, and where each part of it stands.

use accounts::Row;
use auth::{Scheme, StoredHash};
use serde::Serialize;
use zeroize::Zeroizing;

/// What the command line adds to a table.
pub(super) struct Options {
    pub(super) domain: Option<String>,
    pub(super) home: Option<String>,
    pub(super) scheme: Option<Scheme>,
}

/// Something about a place in the table. Holds no secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Remark {
    /// From 1.
    pub(super) line: u32,
    /// The character in the line, from 1.
    pub(super) column: u32,
    pub(super) problem: String,
}

impl Remark {
    pub(super) fn new(line: u32, column: u32, problem: impl Into<String>) -> Self {
        Self { line, column, problem: problem.into() }
    }
}

/// What was read.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) entries: Vec<Entry>,
    /// Lines that no account can be made of.
    pub(super) bad: Vec<Remark>,
    /// What was left out of lines that are good.
    pub(super) remarks: Vec<Remark>,
}

/// One account.
#[derive(Default)]
pub(super) struct Entry {
    pub(super) line: u32,
    pub(super) row: Row,
    /// Where the columns of the row stand in the line.
    pub(super) places: Vec<(&'static str, u32)>,
}

impl Entry {
    /// Sets a column that stands at `place`.
    ///
    /// # Errors
    /// If there is no such column.
    pub(super) fn set(
        &mut self,
        column: &'static str,
        value: &str,
        place: u32,
    ) -> Result<(), Remark> {
        self.places.push((column, place));
        self.row
            .set(column, value)
            .map_err(|error| Remark::new(self.line, place, error.to_string()))
    }

    /// Something about one of its columns.
    pub(super) fn remark(&self, column: &str, problem: impl Into<String>) -> Remark {
        let place = self.places.iter().rev().find(|(known, _)| *known == column);
        Remark::new(self.line, place.map_or(1, |(_, place)| *place), problem)
    }

    /// Adds what the table leaves out.
    pub(super) fn complete(&mut self, options: &Options) {
        let row = &mut self.row;
        if let Some(domain) = &options.domain
            && !row.login.is_empty()
            && !row.login.contains('@')
        {
            row.login = format!("{}@{domain}", row.login);
        }
        if let Some(template) = &options.home
            && row.home.is_none()
            && row.maildir.is_none()
        {
            row.home = Some(expand(template, &row.login));
        }
        row.password = row.password.take().map(|field| with_scheme(&field, options.scheme));
    }
}

/// Puts the login and its parts for `%u`, `%n` and `%d`.
fn expand(template: &str, login: &str) -> String {
    let (local, domain) = login.rsplit_once('@').unwrap_or((login, ""));
    let mut text = String::with_capacity(template.len() + login.len());
    let mut rest = template.chars();
    while let Some(c) = rest.next() {
        let mut after = rest.clone();
        match (c, after.next()) {
            ('%', Some('u')) => text.push_str(login),
            ('%', Some('n')) => text.push_str(local),
            ('%', Some('d')) => text.push_str(domain),
            _ => {
                text.push(c);
                continue;
            }
        }
        rest = after;
    }
    text
}

/// The field with a `{SCHEME}`, where it has none and is none of the hashes that name their own:
/// that of the command line, else traditional crypt(3) where it looks like that.
fn with_scheme(field: &str, scheme: Option<Scheme>) -> Zeroizing<String> {
    let open = field.trim_start_matches(['!', '*']);
    let (lock, _) = field.split_at(field.len() - open.len());
    let scheme = match scheme {
        _ if open.is_empty() || open.starts_with('{') || StoredHash::parse(open).is_ok() => "",
        Some(scheme) => scheme.as_str(),
        None if is_des(open) => Scheme::DesCrypt.as_str(),
        None => "",
    };
    match scheme {
        "" => Zeroizing::new(field.to_owned()),
        scheme => Zeroizing::new(format!("{lock}{{{scheme}}}{open}")),
    }
}

fn is_des(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/');
    text.len() == 13 && text.bytes().all(digit)
}
