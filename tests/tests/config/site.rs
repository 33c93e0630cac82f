//! A directory with all that a configuration names, and the program that checks it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Certificate, key, accounts and passwords for configurations to name.
pub(crate) struct Site {
    directory: tempfile::TempDir,
}

/// What `lastpost check` ended with.
pub(crate) struct Checked {
    pub(crate) status: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Site {
    pub(crate) fn new() -> Self {
        let site = Self { directory: tempfile::tempdir().unwrap() };
        let make =
            |names: &str| rcgen::generate_simple_self_signed(vec![names.to_owned()]).unwrap();
        let (made, other) = (make("mail.example.net"), make("pop.example.org"));
        site.write("certificate.pem", made.cert.pem().as_bytes());
        site.write("key.pem", made.signing_key.serialize_pem().as_bytes());
        site.write("other-certificate.pem", other.cert.pem().as_bytes());
        site.write("other-key.pem", other.signing_key.serialize_pem().as_bytes());
        let hash = "{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$";
        let digest = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let users = format!("aiko@example.net:{hash}{digest}::::/home/aiko::\n");
        site.write("users", users.as_bytes());
        let broken = format!("{users}# a comment\nbert@example.net:{{ROT13}}foo::::/home/bert::\n");
        site.write("users-broken", broken.as_bytes());
        site.write("password", b"s3cret\n");
        site.write("empty", b"");
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        // Keys and hashes are nobody else's business, and a check says so.
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        path
    }
}

/// Runs `lastpost check --config FILE`, with `more` behind it.
pub(crate) fn check(file: &Path, more: &[&str]) -> Checked {
    let output = Command::new(env!("CARGO_BIN_EXE_lastpost-under-test"))
        .args(["check", "--config"])
        .arg(file)
        .args(more)
        .env_remove("LASTPOST_CONFIG")
        .env_remove("LASTPOST_PROGRAM")
        .output()
        .unwrap();
    Checked {
        status: output.status.code(),
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs `lastpost` with these words and `--config FILE`.
pub(crate) fn run(file: &Path, words: &str) -> Checked {
    let output = Command::new(env!("CARGO_BIN_EXE_lastpost-under-test"))
        .args(words.split(' '))
        .arg("--config")
        .arg(file)
        .env_remove("LASTPOST_CONFIG")
        .env_remove("LASTPOST_PROGRAM")
        .output()
        .unwrap();
    Checked {
        status: output.status.code(),
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
