//! The accounts to log in with: lines of login, TAB, password.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeroize::Zeroizing;

/// Octets of a file of accounts; a million lines have less.
const FILE_MAX: u64 = 64 << 20;

/// A customer's login and password. Its password is in no Debug output and in no message.
pub(crate) struct Account {
    pub(crate) login: String,
    pub(super) password: Zeroizing<String>,
}

/// Why there are no accounts.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccountsError {
    /// The file cannot be read.
    #[error("{file}: {source}")]
    Read {
        /// Its name.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// A line is not as it must be. The line itself is not shown: it may hold a password.
    #[error("{file}:{line}: {what}; expected a login, a TAB and a password")]
    Line {
        /// The file's name.
        file: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
}

/// Reads the accounts from `path`, or from the standard input if it is `-`. Empty lines count
/// for nothing. The second value is a warning about the file, if there is reason for one.
///
/// # Errors
/// [`AccountsError`].
pub(crate) fn read_accounts(path: &Path) -> Result<(Vec<Account>, Option<String>), AccountsError> {
    let file =
        if path == Path::new("-") { "standard input".into() } else { path.display().to_string() };
    let failed = |source| AccountsError::Read { file: file.clone(), source };
    let mut warning = None;
    let mut text = Zeroizing::new(String::new());
    let read = if path == Path::new("-") {
        io::stdin().take(FILE_MAX + 1).read_to_string(&mut text)
    } else {
        let opened = File::open(path).map_err(failed)?;
        let mode = opened.metadata().map_err(failed)?.permissions().mode();
        if mode & 0o004 != 0 {
            warning = Some(format!("{file} holds passwords and everybody can read it: chmod 600"));
        }
        opened.take(FILE_MAX + 1).read_to_string(&mut text)
    };
    if read.map_err(failed)? as u64 > FILE_MAX {
        return Err(failed(io::Error::other("it is too large")));
    }
    Ok((parse(&text, &file)?, warning))
}

fn parse(text: &str, file: &str) -> Result<Vec<Account>, AccountsError> {
    let mut accounts = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.is_empty() {
            continue;
        }
        let wrong = |what| AccountsError::Line { file: file.to_owned(), line: at + 1, what };
        let (login, password) = line.split_once('\t').ok_or_else(|| wrong("no TAB"))?;
        if login.is_empty() || password.is_empty() {
            return Err(wrong("nothing before or behind the TAB"));
        }
        if line.len() > 1000 || line.contains('\0') {
            return Err(wrong("too long, or with a NUL in it"));
        }
        let password = Zeroizing::new(password.to_owned());
        accounts.push(Account { login: login.to_owned(), password });
    }
    Ok(accounts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_and_passwords() {
        let accounts = parse("a@x\tp w\td \n\nb\tq\r\n", "f").unwrap_or_default();
        assert_eq!(accounts.len(), 2);
        assert_eq!((accounts[0].login.as_str(), accounts[0].password.as_str()), ("a@x", "p w\td "));
        assert_eq!(accounts[1].password.as_str(), "q");
    }

    #[test]
    fn mistakes_do_not_show_the_line() {
        for bad in ["hunter2", "\thunter2", "hunter2\t", "x\t\0hunter2"] {
            let error = parse(&format!("a\tb\n{bad}\n"), "f").map(|_| ()).unwrap_err().to_string();
            assert!(error.starts_with("f:2: ") && !error.contains("hunter2"), "{error}");
        }
    }
}
