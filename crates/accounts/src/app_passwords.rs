//! App passwords: further passwords of an account, one for each device, made by the machine and
//! kept as digests in a file of their own, `app-passwords.sqlite` in the data directory.
//!
//! [`AppPasswordEditor`] is the operator's side. [`AppPasswordStore`] is the daemons': it
//! looks into the file at each question, so that what another process revoked is gone at once,
//! and records the last use of each a moment later.

mod database;
mod editor;
mod reader;
mod secret;
mod usage;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use address::AccountKey;
use auth::{Answer, AppPasswordName, AppPasswords, Moment, Service, Unavailable};
use sasl::Secret;

pub use database::AppPasswordError;
pub use editor::{AppPassword, AppPasswordEditor, LastUse, PER_ACCOUNT_MAX};
use reader::{Question, Reader};
use secret::AppSecret;
use usage::Usage;

/// What the store is called where it cannot say.
const SOURCE: &str = "app-passwords";
/// How long an answer may take; it takes microseconds unless the disk is stuck.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// The app passwords as a daemon sees them.
pub struct AppPasswordStore {
    reader: Reader,
    usage: Usage,
}

impl AppPasswordStore {
    /// The store in this directory, and its two threads. The file need not be there; it is
    /// noticed when it comes.
    ///
    /// # Errors
    /// If the system refuses threads.
    pub fn open(directory: &Path) -> std::io::Result<Self> {
        let path = file_in(directory);
        let usage = Usage::start(path.clone())?;
        let reader = Reader::start(path, usage.notes())?;
        Ok(Self { reader, usage })
    }

    /// Writes down every use that was recorded so far; false if that failed or took more than
    /// five seconds. Blocks.
    #[must_use]
    pub fn flush(&self) -> bool {
        self.usage.flush()
    }

    /// Uses that were not written because the disk could not follow.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.usage.lost()
    }

    async fn ask(
        &self,
        account: &AccountKey,
        password: &Secret,
        service: Service,
        client: IpAddr,
        at: Moment,
    ) -> Result<Option<AppPasswordName>, String> {
        let Some(secret) = AppSecret::parse(password.expose()) else { return Ok(None) };
        let (answer, answered) = tokio::sync::oneshot::channel();
        let account = account.clone();
        let digest = secret.digest(account.as_str());
        let question = Question { account, digest, service, client, at: at.wall, answer };
        self.reader.ask(question)?;
        match tokio::time::timeout(ANSWER_WITHIN, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err("the thread that reads the file is gone".to_owned()),
            Err(_) => Err("reading the file takes too long".to_owned()),
        }
    }
}

impl AppPasswords for AppPasswordStore {
    fn has_shape(&self, password: &Secret) -> bool {
        AppSecret::parse(password.expose()).is_some()
    }

    fn check<'a>(
        &'a self,
        account: &'a AccountKey,
        password: &'a Secret,
        service: Service,
        client: IpAddr,
        at: Moment,
    ) -> Answer<'a, Result<Option<AppPasswordName>, Unavailable>> {
        Box::pin(async move {
            let answer = self.ask(account, password, service, client, at).await;
            answer.map_err(|problem| Unavailable { source_name: SOURCE.to_owned(), problem })
        })
    }
}

impl std::fmt::Debug for AppPasswordStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AppPasswordStore(..)")
    }
}

/// The file of app passwords in a data directory.
fn file_in(directory: &Path) -> PathBuf {
    directory.join("app-passwords.sqlite")
}

/// As the file has it.
fn service_word(service: Service) -> &'static str {
    match service {
        Service::Pop3 => "pop3",
        Service::Submission => "submission",
    }
}

fn service_of(word: &str) -> Option<Service> {
    match word {
        "pop3" => Some(Service::Pop3),
        "submission" => Some(Service::Submission),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
