//! Queries of the configuration: named placeholders, which go to the server as parameters and
//! never as text.

#[cfg(test)]
mod tests;

use super::dialect::Dialect;
use crate::AccountsSetupError;
use crate::record::nearest;

/// Longest query in octets.
const QUERY_MAX: usize = 16 * 1024;
/// Most placeholders in one query.
const PLACEHOLDERS_MAX: usize = 64;

/// What a query is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// The account of a login.
    Account,
    /// The accounts that own an address.
    Owners,
    /// The accounts behind one, in order.
    Page,
    /// Another hash in the place of one.
    Update,
}

impl Use {
    pub(super) const EVERY: [Self; 4] = [Self::Account, Self::Owners, Self::Page, Self::Update];

    /// The key in the table `queries`.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Owners => "owners",
            Self::Page => "page",
            Self::Update => "update",
        }
    }

    /// The names that may stand in it.
    fn names(self) -> &'static [Name] {
        match self {
            Self::Account => &[Name::Login, Name::User, Name::Domain],
            Self::Owners => &[Name::Address, Name::User, Name::Domain],
            Self::Page => &[Name::After, Name::Limit],
            Self::Update => &[Name::Login, Name::User, Name::Domain, Name::Old, Name::New],
        }
    }

    /// What must stand in it: one of each group.
    fn needed(self) -> &'static [&'static [Name]] {
        match self {
            Self::Account => &[&[Name::Login, Name::User]],
            Self::Owners => &[&[Name::Address, Name::User]],
            Self::Page => &[&[Name::After], &[Name::Limit]],
            Self::Update => &[&[Name::Login, Name::User], &[Name::Old], &[Name::New]],
        }
    }
}

/// A placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// The normalised login.
    Login,
    /// The address in its one spelling: see [`auth::address_key`].
    Address,
    /// The part of the login or the address before the `@`.
    User,
    /// Its domain; NULL if it has none.
    Domain,
    /// The login of the last account of the page before; empty for the first page.
    After,
    /// The most accounts of a page.
    Limit,
    /// The password field as it stands in the table.
    Old,
    /// What shall stand there.
    New,
}

impl Name {
    fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Address => "address",
            Self::User => "user",
            Self::Domain => "domain",
            Self::After => "after",
            Self::Limit => "limit",
            Self::Old => "old",
            Self::New => "new",
        }
    }
}

/// A query as the server gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) purpose: Use,
    /// The key of the configuration: for messages.
    pub(super) key: String,
    /// With the server's placeholders.
    pub(super) text: String,
    /// What stands for each of them, in their order.
    pub(super) parameters: Vec<Name>,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// If a placeholder is unknown, stands in quotes or is one of another kind, if one that is
    /// needed is missing, or if there is more than one statement.
    pub(super) fn parse(
        text: &str,
        purpose: Use,
        dialect: Dialect,
    ) -> Result<Self, AccountsSetupError> {
        let key = format!("{}.queries.{}", dialect.table(), purpose.key());
        let names = names(purpose.names());
        let fail = |problem: String| {
            AccountsSetupError::new(&*key, problem, format!("a query with {names} for the values"))
        };
        if text.len() > QUERY_MAX {
            return Err(fail(format!("it is longer than {QUERY_MAX} octets")));
        }
        let mut reader = Reader { text, at: 0, dialect, purpose, translated: String::new() };
        let parameters = reader.read().map_err(fail)?;
        for group in purpose.needed() {
            if !group.iter().any(|name| parameters.contains(name)) {
                let missing = self::names(group);
                return Err(fail(match purpose {
                    Use::Update => format!(
                        "{missing} is missing: it must change the record of one login, and only \
                         if its password still is :old"
                    ),
                    _ => format!("{missing} is missing"),
                }));
            }
        }
        let text = reader.translated.trim().to_owned();
        let verb = text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        let verbs: &[&str] = match purpose {
            Use::Update => &["update", "with", "call", "select"],
            _ => &["select", "with", "values", "call", "table", "("],
        };
        if !verbs.iter().any(|known| verb.starts_with(known)) {
            let shown: String = verb.chars().take(32).collect();
            return Err(fail(format!("it begins with {shown:?}")));
        }
        Ok(Self { purpose, key, text, parameters })
    }

    /// Whether an answer may have this column: it is named, or a `*` stands for all.
    pub(super) fn may_have(&self, column: &str) -> bool {
        self.text.contains('*') || self.text.to_ascii_lowercase().contains(column)
    }
}

fn names(names: &[Name]) -> String {
    names.iter().map(|name| format!(":{}", name.as_str())).collect::<Vec<_>>().join(" or ")
}

/// Goes through a query once.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    dialect: Dialect,
    purpose: Use,
    translated: String,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Takes `octets` over as they are.
    fn keep(&mut self, octets: usize) {
        self.translated.push_str(&self.rest()[..octets]);
        self.at += octets;
    }

    fn read(&mut self) -> Result<Vec<Name>, String> {
        let mut parameters = Vec::new();
        while let Some(c) = self.rest().chars().next() {
            match c {
                '\'' | '"' | '`' => self.quoted(c)?,
                '$' if self.dialect.has_dollar_quotes() => self.dollar()?,
                '-' if self.rest().starts_with("--") => self.comment("--", "\n"),
                '#' if self.dialect.has_hash_comments() => self.comment("#", "\n"),
                '/' if self.rest().starts_with("/*") => self.comment("/*", "*/"),
                ':' => self.colon(&mut parameters)?,
                '?' => return Err("a \"?\" is no placeholder here".to_owned()),
                '%' => self.percent()?,
                '@' if self.rest().starts_with("@@") => self.keep(2),
                ';' if self.rest()[1..].trim().is_empty() => self.at = self.text.len(),
                ';' => return Err("it has more than one statement".to_owned()),
                '\0' => return Err("it holds a NUL".to_owned()),
                c => self.keep(c.len_utf8()),
            }
        }
        Ok(parameters)
    }

    /// Text in quotes, in which nothing may look like a placeholder.
    fn quoted(&mut self, quote: char) -> Result<(), String> {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.char_indices().skip(1).find(|(_, c)| {
            let here = std::mem::take(&mut escaped);
            escaped = !here && *c == '\\' && self.dialect.has_backslashes() && quote != '`';
            !here && *c == quote
        });
        let Some((end, _)) = end else { return Err(format!("a {quote} is never closed")) };
        let inner = &rest[1..end];
        let looks = |c: char| {
            inner.match_indices(c).any(|(at, _)| {
                let word = &inner[at + 1..];
                let word = word.trim_start_matches(['{', '(']);
                let length = word.find(|c: char| !is_word(c)).unwrap_or(word.len());
                let word = &word[..length];
                let dovecot = c == '%' && matches!(word, "u" | "n" | "d" | "w" | "user");
                dovecot || KNOWN.iter().any(|name| name.as_str() == word)
            })
        };
        if quote == '\'' && (looks(':') || looks('%') || looks('$')) {
            return Err(format!(
                "'{inner}' stands in quotes, where it would be text; write :login without quotes"
            ));
        }
        self.keep(end + quote.len_utf8());
        Ok(())
    }

    /// `$1`, `$tag$ … $tag$`, or a mere dollar.
    fn dollar(&mut self) -> Result<(), String> {
        let rest = self.rest();
        if rest[1..].starts_with(|c: char| c.is_ascii_digit()) {
            return Err("placeholders have names here, not numbers such as $1".to_owned());
        }
        let tag = rest[1..].find('$').map(|end| &rest[..end + 2]);
        let Some(tag) = tag.filter(|tag| tag[1..tag.len() - 1].chars().all(is_word)) else {
            self.keep(1);
            return Ok(());
        };
        let end = rest[tag.len()..].find(tag).ok_or_else(|| format!("{tag} is never closed"))?;
        self.keep(end + 2 * tag.len());
        Ok(())
    }

    /// A comment is left out: nothing in it is a placeholder.
    fn comment(&mut self, begin: &str, end: &str) {
        let rest = self.rest();
        let inner = &rest[begin.len()..];
        let length = inner.find(end).map_or(rest.len(), |at| begin.len() + at + end.len());
        self.at += length;
        self.translated.push(' ');
    }

    /// `::type`, `:=`, or a placeholder.
    fn colon(&mut self, parameters: &mut Vec<Name>) -> Result<(), String> {
        let rest = &self.rest()[1..];
        if rest.starts_with([':', '=']) {
            self.keep(2);
            return Ok(());
        }
        let length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        if length == 0 || rest.starts_with(|c: char| c.is_ascii_digit()) {
            self.keep(1);
            return Ok(());
        }
        let word = &rest[..length];
        let allowed = self.purpose.names();
        let Some(name) = allowed.iter().find(|name| name.as_str() == word) else {
            let words: Vec<&str> = allowed.iter().map(|name| name.as_str()).collect();
            let near = nearest(word, &words);
            let hint = near.map_or_else(String::new, |near| format!("; did you mean :{near}?"));
            let shown: String = word.chars().take(32).collect();
            return Err(format!("there is no :{shown} here{hint}"));
        };
        if parameters.len() >= PLACEHOLDERS_MAX {
            return Err(format!("it has more than {PLACEHOLDERS_MAX} placeholders"));
        }
        parameters.push(*name);
        self.translated.push_str(&self.dialect.placeholder(parameters.len()));
        self.at += 1 + length;
        Ok(())
    }

    /// `%u` and the like, which other servers put into the text; else the operator.
    fn percent(&mut self) -> Result<(), String> {
        let rest = &self.rest()[1..];
        let mut after = rest.chars();
        let letter = after.next();
        let alone = !after.next().is_some_and(is_word);
        if rest.starts_with(['{', '(']) || (alone && letter.is_some_and(|c| "undws".contains(c))) {
            let shown: String = self.rest().chars().take(8).collect();
            return Err(format!("{shown:?} is no placeholder here"));
        }
        self.keep(1);
        Ok(())
    }
}

/// Every placeholder.
const KNOWN: [Name; 8] = [
    Name::Login,
    Name::Address,
    Name::User,
    Name::Domain,
    Name::After,
    Name::Limit,
    Name::Old,
    Name::New,
];

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
