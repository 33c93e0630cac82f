//! Where a secret of the configuration lies: in a file, in the environment, or among the
//! credentials that systemd hands over. Never in the configuration itself.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sasl::Secret;
use zeroize::Zeroizing;

use crate::ConfigError;

/// Longest secret in octets.
const SECRET_MAX: usize = 64 * 1024;
/// Where systemd says that the service's credentials lie (systemd.exec(5), `LoadCredential=`).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// A place of one secret. Each setting has three keys for it, `…_file`, `…_env` and
/// `…_credential`, of which at most one is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSource {
    key: &'static str,
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    Env(String),
    Credential(String),
}

impl SecretSource {
    /// The one of the three keys that is set; None if none is. `key` is what they have in
    /// common, with its section, such as `oauth.introspection.client_secret`.
    ///
    /// # Errors
    /// If more than one is set, or its value can be no such place.
    pub fn choose(
        key: &'static str,
        file: Option<&Path>,
        env: Option<&str>,
        credential: Option<&str>,
    ) -> Result<Option<Self>, ConfigError> {
        let wrong = |problem: String, expected| ConfigError { key, problem, expected };
        let place = match (file, env, credential) {
            (None, None, None) => return Ok(None),
            (Some(path), None, None) if !path.as_os_str().is_empty() => {
                Place::File(path.to_owned())
            }
            (None, Some(name), None) if !name.is_empty() && !name.contains(['=', '\0']) => {
                Place::Env(name.to_owned())
            }
            (None, None, Some(name)) if is_file_name(name) => Place::Credential(name.to_owned()),
            (Some(_), None, None) => return Err(wrong("_file is empty".into(), "a path")),
            (None, Some(name), None) => {
                return Err(wrong(format!("_env is {name:?}"), "the name of a variable"));
            }
            (None, None, Some(name)) => {
                let expected = "the name of a credential, as in LoadCredential=";
                return Err(wrong(format!("_credential is {name:?}"), expected));
            }
            _ => {
                let expected = "one of _file, _env and _credential";
                return Err(wrong("it is set more than once".to_owned(), expected));
            }
        };
        Ok(Some(Self { key, place }))
    }

    /// Reads the secret; line ends after it do not belong to it. Blocking.
    ///
    /// # Errors
    /// If it is not there, is empty, or is longer than 64 KiB. The secret is in no message.
    pub fn read(&self) -> Result<Secret, ConfigError> {
        match &self.place {
            Place::File(path) => self.read_file(path),
            Place::Env(name) => {
                let expected = "an environment variable that holds the secret";
                let value = std::env::var_os(name)
                    .ok_or_else(|| self.wrong(format!("${name} is not set"), expected))?;
                self.checked(Zeroizing::new(value.into_encoded_bytes()), &format!("${name}"))
            }
            Place::Credential(name) => {
                let directory = std::env::var_os(CREDENTIALS);
                self.read_credential(directory.as_deref(), name)
            }
        }
    }

    fn read_credential(
        &self,
        directory: Option<&OsStr>,
        name: &str,
    ) -> Result<Secret, ConfigError> {
        let Some(directory) = directory else {
            let problem = format!("${CREDENTIALS} is not set, so there is no credential {name:?}");
            return Err(self.wrong(problem, "a service that systemd started with LoadCredential="));
        };
        self.read_file(&Path::new(directory).join(name))
    }

    fn read_file(&self, path: &Path) -> Result<Secret, ConfigError> {
        let shown = path.display().to_string();
        // One piece of memory that never moves, for it is overwritten at the end.
        let mut octets = Zeroizing::new(Vec::with_capacity(SECRET_MAX + 1));
        File::open(path)
            .and_then(|file| file.take(SECRET_MAX as u64 + 1).read_to_end(&mut octets))
            .map_err(|error| {
                let expected = "a file with the secret that this user can read";
                self.wrong(format!("{shown}: {error}"), expected)
            })?;
        self.checked(octets, &shown)
    }

    fn checked(&self, octets: Zeroizing<Vec<u8>>, place: &str) -> Result<Secret, ConfigError> {
        if octets.len() > SECRET_MAX {
            let problem = format!("{place} is longer than 64 KiB");
            return Err(self.wrong(problem, "a secret of at most 64 KiB"));
        }
        let end = octets.iter().rposition(|octet| !matches!(octet, b'\r' | b'\n'));
        match end {
            Some(end) => Ok(Secret::from(&octets[..=end])),
            None => Err(self.wrong(format!("{place} is empty"), "a secret")),
        }
    }

    fn wrong(&self, problem: String, expected: &'static str) -> ConfigError {
        ConfigError { key: self.key, problem, expected }
    }
}

fn is_file_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\0']) && name != "." && name != ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &Path) -> SecretSource {
        SecretSource::choose("x.password", Some(path), None, None).unwrap().unwrap()
    }

    #[test]
    fn one_place_at_most() {
        let choose = |file: Option<&str>, env, credential| {
            SecretSource::choose("x.password", file.map(Path::new), env, credential)
        };
        assert_eq!(choose(None, None, None).unwrap(), None);
        for (f, e, c) in [
            (Some("a"), Some("B"), None),
            (Some("a"), None, Some("c")),
            (Some("a"), Some("B"), Some("c")),
            (Some(""), None, None),
            (None, Some(""), None),
            (None, Some("A=B"), None),
            (None, None, Some("")),
            (None, None, Some("../shadow")),
            (None, None, Some("..")),
        ] {
            let error = choose(f, e, c).unwrap_err();
            assert_eq!(error.key, "x.password", "{error}");
        }
    }

    #[test]
    fn files_hold_one_secret_without_its_line_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        for (text, secret) in
            [("s3cret", "s3cret"), ("s3cret\r\n\n", "s3cret"), (" a b \n", " a b ")]
        {
            std::fs::write(&path, text).unwrap();
            assert_eq!(file(&path).read().unwrap().expose(), secret.as_bytes());
        }
        for text in ["", "\n\n"] {
            std::fs::write(&path, text).unwrap();
            assert!(file(&path).read().unwrap_err().problem.ends_with("secret is empty"));
        }
        std::fs::write(&path, "x".repeat(SECRET_MAX)).unwrap();
        assert_eq!(file(&path).read().unwrap().expose().len(), SECRET_MAX);
        std::fs::write(&path, "hunter2".repeat(SECRET_MAX)).unwrap();
        let error = file(&path).read().unwrap_err();
        assert!(error.problem.contains("64 KiB") && !error.problem.contains("hunter2"));
        let missing = file(&directory.path().join("none")).read().unwrap_err();
        assert!(missing.problem.contains("none: "), "{missing}");
        assert!(file(directory.path()).read().is_err(), "a directory");
    }

    #[test]
    fn the_environment_and_credentials() {
        let env = |name| SecretSource::choose("x.p", None, Some(name), None).unwrap().unwrap();
        assert!(!env("PATH").read().unwrap().is_empty());
        let error = env("LASTPOST_NO_SUCH_VARIABLE").read().unwrap_err();
        assert!(error.problem.contains("$LASTPOST_NO_SUCH_VARIABLE is not set"));
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("db"), "pw\n").unwrap();
        let source = SecretSource::choose("x.p", None, None, Some("db")).unwrap().unwrap();
        let found = source.read_credential(Some(directory.path().as_os_str()), "db").unwrap();
        assert_eq!(found.expose(), b"pw");
        assert!(source.read_credential(None, "db").unwrap_err().problem.contains(CREDENTIALS));
    }
}
