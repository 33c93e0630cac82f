//! The key that all who share have.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use auth::{SHARE_KEY_OCTETS, ShareKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Longest file that is read.
const TEXT_MAX: u64 = 1024;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others can read the file.
    #[error("{}: others than its owner can read or write it (mode {mode:03o}); make it 600", file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file holds something else.
    #[error("{}: it holds no key; expected one line of base64 that stands for 32 octets: copy it again from a host that has one, or remove it to have one made", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
    },
}

/// The key in `file`; a new one is written there if the file does not exist, for its owner alone.
/// Two that start at the same time end with the same key. Blocks for as long as files take.
///
/// # Errors
/// If it can be neither read nor made, is open to others, or holds no key.
pub fn load_or_create_key(file: &Path) -> Result<ShareKey, KeyError> {
    let failed = |source| KeyError::Io { file: file.to_owned(), source };
    match OpenOptions::new().read(true).open(file) {
        Ok(open) => return read(file, open),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    create(file).map_err(failed)?;
    read(file, OpenOptions::new().read(true).open(file).map_err(failed)?)
}

fn read(file: &Path, open: fs::File) -> Result<ShareKey, KeyError> {
    let failed = |source| KeyError::Io { file: file.to_owned(), source };
    let mode = open.metadata().map_err(failed)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Open { file: file.to_owned(), mode });
    }
    let malformed = || KeyError::Malformed { file: file.to_owned() };
    let mut text = Zeroizing::new(Vec::new());
    open.take(TEXT_MAX).read_to_end(&mut text).map_err(failed)?;
    let decoded = STANDARD.decode(text.trim_ascii()).map_err(|_| malformed())?;
    let decoded = Zeroizing::new(decoded);
    let octets: &[u8; SHARE_KEY_OCTETS] = decoded.as_slice().try_into().map_err(|_| malformed())?;
    ShareKey::new(octets).map_err(|_| malformed())
}

/// Makes a key, unless another process is faster.
fn create(file: &Path) -> io::Result<()> {
    let mut octets = Zeroizing::new([0_u8; SHARE_KEY_OCTETS]);
    getrandom::fill(octets.as_mut_slice()).map_err(io::Error::other)?;
    let text = Zeroizing::new(STANDARD.encode(octets.as_slice()) + "\n");
    let mut number = [0_u8; 8];
    getrandom::fill(&mut number).map_err(io::Error::other)?;
    let new = file.with_extension(format!("new-{:016x}", u64::from_be_bytes(number)));
    let mut open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let written = open.write_all(text.as_bytes()).and_then(|()| open.sync_all());
    // A link never replaces what is there, and a reader never sees half a key.
    let linked = written.and_then(|()| fs::hard_link(&new, file));
    let removed = fs::remove_file(&new);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => removed,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_made_once_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("auth-share.key");
        let tags: Vec<_> = std::thread::scope(|scope| {
            let load = || load_or_create_key(&file).unwrap().tag("anna");
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(tags.iter().all(|tag| *tag == tags[0]), "all have the same");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn what_is_open_to_others_or_no_key_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        let message = || load_or_create_key(&file).unwrap_err().to_string();
        for text in ["", "short", "AAAA\n", &"A".repeat(5000)] {
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(message().contains("it holds no key; expected"), "{text:?}: {}", message());
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(message().contains("(mode 640); make it 600"), "{}", message());
        let nowhere = directory.path().join("missing/key");
        let error = load_or_create_key(&nowhere).unwrap_err();
        assert!(matches!(error, KeyError::Io { .. }), "{error}");
    }
}
