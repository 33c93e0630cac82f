//! Where an account's Maildir lies when its line does not say so.

use std::path::{Component, Path, PathBuf};

use address::AccountKey;

use crate::ConfigError;

/// A path with `%h` (home), `%u` (login), `%n` (login before the `@`), `%d` (its domain) and
/// `%%` in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaildirTemplate(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    Home,
    Login,
    Local,
    Domain,
}

impl MaildirTemplate {
    /// Parses the value of `accounts.maildir`.
    ///
    /// # Errors
    /// If a `%` is followed by anything else, or if the path is not absolute.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let wrong = |problem: String| ConfigError {
            key: "accounts.maildir",
            problem,
            expected: "\"%h/Maildir\", or an absolute path with %u, %n or %d in it",
        };
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut characters = text.chars();
        while let Some(c) = characters.next() {
            if c != '%' {
                plain.push(c);
                continue;
            }
            let piece = match characters.next() {
                Some('%') => {
                    plain.push('%');
                    continue;
                }
                Some('h') => Piece::Home,
                Some('u') => Piece::Login,
                Some('n') => Piece::Local,
                Some('d') => Piece::Domain,
                other => {
                    let other = other.map(String::from).unwrap_or_default();
                    return Err(wrong(format!("{text:?}: unknown variable %{other}")));
                }
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain).into_boxed_str()));
            }
            pieces.push(piece);
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.into_boxed_str()));
        }
        let absolute = match pieces.first() {
            Some(Piece::Home) => true,
            Some(Piece::Text(start)) => start.starts_with('/'),
            _ => false,
        };
        if !absolute {
            return Err(wrong(format!("{text:?} is not absolute")));
        }
        Ok(Self(pieces))
    }

    /// The Maildir of `key`, whose home is `home`; empty: it has none.
    ///
    /// # Errors
    /// What is missing, in words for the operator.
    pub fn expand(&self, key: &AccountKey, home: &str) -> Result<PathBuf, &'static str> {
        let login = key.as_str();
        let mut path = String::with_capacity(64);
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => path.push_str(text),
                Piece::Home if home.is_empty() => {
                    return Err("no home; expected an absolute path in the sixth field, or a \
                                maildir=/path in the eighth");
                }
                Piece::Home => path.push_str(home),
                Piece::Login => path.push_str(login),
                Piece::Local => path.push_str(login.split_once('@').map_or(login, |(l, _)| l)),
                Piece::Domain => path.push_str(key.domain().ok_or(
                    "the login has no domain for the %d of accounts.maildir; expected \
                     login@domain, or a maildir=/path in the eighth field",
                )?),
            }
        }
        Ok(PathBuf::from(path))
    }
}

impl std::fmt::Display for MaildirTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(&text.replace('%', "%%")),
            Piece::Home => f.write_str("%h"),
            Piece::Login => f.write_str("%u"),
            Piece::Local => f.write_str("%n"),
            Piece::Domain => f.write_str("%d"),
        })
    }
}

/// Whether `path` is absolute and goes straight down: no `..`, which the operator could only
/// have meant as a trick.
pub(crate) fn is_straight(path: &Path) -> bool {
    path.is_absolute() && path.components().all(|part| part != Component::ParentDir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands_every_variable() {
        let key = AccountKey::parse("Ann@Example.net", None).unwrap();
        let expand = |text: &str| MaildirTemplate::parse(text).unwrap().expand(&key, "/home/ann");
        assert_eq!(expand("%h/Maildir").unwrap(), Path::new("/home/ann/Maildir"));
        assert_eq!(expand("/m/%d/%n/100%%").unwrap(), Path::new("/m/example.net/ann/100%"));
        assert_eq!(expand("/m/%u").unwrap(), Path::new("/m/ann@example.net"));
        for text in ["%h/Maildir", "/m/%d/%n/100%%/%u"] {
            assert_eq!(MaildirTemplate::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn says_what_is_missing() {
        let key = AccountKey::parse("ann", None).unwrap();
        let domain = MaildirTemplate::parse("/m/%d/%n").unwrap();
        assert!(domain.expand(&key, "/h").unwrap_err().contains("%d"));
        let home = MaildirTemplate::parse("%h/Maildir").unwrap();
        assert!(home.expand(&key, "").unwrap_err().contains("maildir=/path"));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for text in ["", "Maildir", "%x/Maildir", "/m/%", "%u/Maildir", "%%/m"] {
            let error = MaildirTemplate::parse(text).unwrap_err();
            assert_eq!(error.key, "accounts.maildir");
            assert!(error.to_string().contains("expected"), "{error}");
        }
    }

    #[test]
    fn straight_paths_are_absolute_and_never_climb() {
        assert!(is_straight(Path::new("/var/mail/a..b/Maildir")));
        assert!(!is_straight(Path::new("/var/mail/../etc")));
        assert!(!is_straight(Path::new("var/mail")));
    }
}
