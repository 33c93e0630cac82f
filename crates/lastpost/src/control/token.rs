//! The token that proves that a command comes from the daemon's own user.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine as _;

/// A secret of 256 bits, as text.
pub(crate) struct Token(String);

impl Token {
    /// The token in `file`; a new one is written there if the file does not exist. Only its
    /// owner may read it.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub(crate) fn load_or_create(file: &Path) -> io::Result<Self> {
        match OpenOptions::new().read(true).open(file) {
            Ok(open) => {
                let mut text = String::new();
                open.take(4096).read_to_string(&mut text)?;
                let text = text.trim();
                if text.len() < 32 {
                    return Err(io::Error::other(
                        "the control token is too short: delete the file",
                    ));
                }
                Ok(Self(text.to_owned()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(file),
            Err(error) => Err(error),
        }
    }

    fn create(file: &Path) -> io::Result<Self> {
        let mut secret = [0_u8; 32];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(secret);
        let mut open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        open.write_all(text.as_bytes())?;
        open.sync_all()?;
        Ok(Self(text))
    }

    /// Compares without telling by its time how much was right.
    pub(crate) fn matches(&self, given: &str) -> bool {
        let ours = self.0.as_bytes();
        let given = given.as_bytes();
        let differing = ours.iter().zip(given).fold(0_u8, |differing, (a, b)| differing | (a ^ b));
        ours.len() == given.len() && differing == 0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_is_made_once_and_only_its_owner_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("control.token");
        let one = Token::load_or_create(&file).unwrap();
        let two = Token::load_or_create(&file).unwrap();
        assert!(two.matches(&one.0));
        assert!(!two.matches(""));
        assert!(!two.matches(&one.0[1..]));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(format!("{one:?}"), "Token(..)");
    }
}
