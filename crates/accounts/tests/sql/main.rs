//! Accounts in real database servers: PostgreSQL and MariaDB (Debian: postgresql,
//! mariadb-server), one of each for all tests, in a folder of its own. Where one is not
//! installed its tests say so and pass.

#![allow(clippy::unwrap_used, reason = "a test")]

mod database;
#[path = "../kit/fences.rs"]
mod fences;
mod lookups;
mod outages;
mod pages;
mod server;
mod speed;
mod trouble;
mod writing;

use std::sync::Arc;

use accounts::{Common, SourceConfig};
use address::{AccountKey, Domain, Mailbox};
use auth::{AccountSource, Clock, MaildirTemplate, StoredHash, SystemClock, WeakSchemes};
use database::Database;
use server::Kind;

/// Runs each scenario against both servers: on a `new` database, or `alone` on the server.
macro_rules! on_both {
    ($how:ident: $($scenario:ident)*) => {
        mod on_postgresql {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                if let Some(database) = crate::Database::$how(crate::Kind::Postgresql).await {
                    super::$scenario(&database).await;
                }
            })*
        }
        mod on_mariadb {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                if let Some(database) = crate::Database::$how(crate::Kind::Mariadb).await {
                    super::$scenario(&database).await;
                }
            })*
        }
    };
}
pub(crate) use on_both;

fn common() -> Common {
    common_at(Arc::new(SystemClock::new()))
}

fn common_at(clock: Arc<dyn Clock>) -> Common {
    Common {
        default_domain: Some(Domain::parse("example.net").unwrap()),
        maildir: MaildirTemplate::parse("%h/Maildir").unwrap(),
        weak_schemes: WeakSchemes::default(),
        clock,
        state_directory: "/nonexistent".into(),
    }
}

fn open(config: &SourceConfig) -> Arc<dyn AccountSource> {
    config.open(&common()).unwrap()
}

fn key(login: &str) -> AccountKey {
    AccountKey::parse(login, Some(&Domain::parse("example.net").unwrap())).unwrap()
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

fn plain(password: &str) -> StoredHash {
    StoredHash::parse(&format!("{{PLAIN}}{password}")).unwrap()
}

/// The logins of the accounts that own an address.
async fn owners(source: &dyn AccountSource, address: &str) -> Vec<String> {
    let owners = source.owners(&mailbox(address)).await.unwrap();
    owners.iter().map(|account| account.key().to_string()).collect()
}
