//! What several unit tests need.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use address::{AccountKey, Mailbox};
use jiff::Timestamp;

use crate::{
    Account, AccountsConfig, Argon2Params, Channel, Directory, Moment, Origin, PasswdSource,
    Service, StoredHash, hash_new,
};

/// `seconds` after an arbitrary beginning.
pub(crate) fn moment(seconds: f64) -> Moment {
    let mono = Duration::from_secs(86_400) + Duration::from_secs_f64(seconds);
    Moment { wall: Timestamp::UNIX_EPOCH + mono, mono }
}

pub(crate) fn origin(client: &str) -> Origin {
    let channel = Channel { service: Service::Pop3, tls: true, genuine_address: true };
    Origin { client: client.parse::<IpAddr>().unwrap(), channel }
}

pub(crate) fn key(login: &str) -> AccountKey {
    AccountKey::parse(login, None).unwrap()
}

/// An account whose address is its login.
pub(crate) fn account(login: &str, hash: StoredHash, disabled: bool) -> Account {
    let addresses = vec![Mailbox::parse(login).unwrap()];
    Account::new(key(login), addresses, hash, PathBuf::from("/m"), disabled)
}

pub(crate) fn plain(password: &str) -> StoredHash {
    StoredHash::parse(&format!("{{PLAIN}}{password}")).unwrap()
}

/// An argon2id hash that takes next to no time.
pub(crate) fn cheap(password: &str) -> StoredHash {
    hash_new(password.as_bytes(), &Argon2Params::new(32, 1, 1).unwrap()).unwrap()
}

pub(crate) fn directory(accounts: Vec<Account>) -> Directory {
    Directory::from_accounts(accounts, None).unwrap()
}

/// A table in a file of its own, with `%h/Maildir` and the default domain `example.net`.
pub(crate) struct TableFile {
    _directory: tempfile::TempDir,
    pub(crate) config: AccountsConfig,
}

impl TableFile {
    pub(crate) fn new(text: &str) -> Arc<Self> {
        let directory = tempfile::tempdir().unwrap();
        let config = AccountsConfig {
            passwd_file: directory.path().join("passwd"),
            default_domain: "example.net".to_owned(),
            check_every: Duration::from_millis(100),
            ..AccountsConfig::default()
        };
        let file = Self { _directory: directory, config };
        file.replace(text);
        Arc::new(file)
    }

    /// Renames a new file over the table, as a careful administrator does.
    pub(crate) fn replace(&self, text: &str) {
        let new = self.config.passwd_file.with_extension("edited");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, &self.config.passwd_file).unwrap();
    }

    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(&self.config.passwd_file).unwrap()
    }

    pub(crate) fn source(&self) -> Arc<PasswdSource> {
        Arc::new(PasswdSource::load("passwd-file", &self.config).unwrap())
    }

    pub(crate) fn load(&self) -> Directory {
        Directory::load(&self.config).unwrap()
    }
}

/// The directory as a test asks it: at once, and of sources that cannot fail.
pub(crate) trait AtOnce {
    fn get(&self, key: &AccountKey) -> Option<Arc<Account>>;
    fn len(&self) -> usize;
    fn everybody(&self) -> Vec<Arc<Account>>;
    fn owning(&self, address: &Mailbox) -> Vec<Arc<Account>>;
    fn mailbox_of(&self, address: &Mailbox) -> Option<Arc<Account>>;
    /// Reads the files again, on a thread that may block.
    fn reread(&self) -> Result<(), String>;
}

impl AtOnce for Directory {
    fn get(&self, key: &AccountKey) -> Option<Arc<Account>> {
        self.blocking().find(key).unwrap()
    }

    fn len(&self) -> usize {
        self.count().unwrap()
    }

    fn everybody(&self) -> Vec<Arc<Account>> {
        self.blocking().all().unwrap()
    }

    fn owning(&self, address: &Mailbox) -> Vec<Arc<Account>> {
        self.blocking().owners(address).unwrap()
    }

    fn mailbox_of(&self, address: &Mailbox) -> Option<Arc<Account>> {
        self.blocking().local_mailbox(address).unwrap()
    }

    fn reread(&self) -> Result<(), String> {
        let read = || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(self.reload())
        };
        std::thread::scope(|scope| scope.spawn(read).join().unwrap())
    }
}
