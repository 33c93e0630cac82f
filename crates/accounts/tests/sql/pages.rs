//! The examples of docs/accounts/postgresql.md and mysql.md work as they stand there; only the
//! places are others.

use accounts::sql::SqlConfig;
use auth::{AuthConfig, Authenticator, Channel, Directory, Origin, Service};
use sasl::Secret;

use super::*;
use crate::fences::{fenced, source};

macro_rules! page_tests {
    ($module:ident, $kind:expr) => {
        mod $module {
            use super::*;

            #[tokio::test]
            async fn the_example_of_the_page() {
                example($kind, "sql", "toml", "/srv/mail/ann/Maildir").await;
            }

            #[tokio::test]
            async fn a_server_elsewhere() {
                example($kind, "sql", "toml remote", "/srv/mail/ann/Maildir").await;
            }

            #[tokio::test]
            async fn the_tables_of_postfix_and_dovecot() {
                let maildir = "/var/vmail/example.net/ann/";
                example($kind, "sql postfix", "toml postfix", maildir).await;
            }
        }
    };
}

page_tests!(postgresql, Kind::Postgresql);
page_tests!(mysql, Kind::Mariadb);

/// The table of the kind, made if it is not there.
fn settings(source: &mut SourceConfig, kind: Kind) -> &mut SqlConfig {
    match kind {
        Kind::Postgresql => source.postgresql.get_or_insert_default(),
        Kind::Mariadb => source.mysql.get_or_insert_default(),
    }
}

async fn example(kind: Kind, tables: &str, configuration: &str, maildir: &str) {
    let Some(database) = Database::bare(kind).await else { return };
    let mut sql = fenced(kind.page(), tables);
    let is_remote = configuration.ends_with("remote");
    if is_remote {
        // There the user comes from another machine.
        sql = sql.replace("lastpost@localhost", "lastpost@'127.0.0.1'");
    }
    database.sql(&sql);
    let (mut source, domain) = source(&fenced(kind.page(), configuration));
    let settings = settings(&mut source, kind);
    let here = if is_remote { database.settings_tls() } else { database.settings() };
    if is_remote {
        assert_eq!(settings.server, "db.example.net");
        assert!(
            settings.password_file.is_some()
                && settings.ca_file != here.password_file.clone().unwrap()
        );
        settings.ca_file = here.ca_file;
    }
    assert_eq!((&*settings.user, &*settings.database), ("lastpost", "lastpost"));
    settings.server = here.server;
    settings.database = here.database;
    settings.password_file = here.password_file;
    (settings.connect_timeout, settings.query_timeout) = (here.connect_timeout, here.query_timeout);
    let source = source.open(&common()).unwrap();
    source.reload().await.unwrap();

    let directory = Directory::chain(vec![Arc::clone(&source)], Some(domain)).unwrap();
    let auth = Authenticator::new(&AuthConfig::default(), directory.clone()).unwrap();
    let channel = Channel { service: Service::Pop3, tls: true, genuine_address: true };
    let origin = Origin { client: "192.0.2.1".parse().unwrap(), channel };
    let now = SystemClock::new().now();
    let login = auth.verify("Ann", &Secret::from("correct horse"), &origin, now).await.unwrap();
    assert_eq!(login.account.key().as_str(), "ann@example.net");
    assert_eq!(login.account.maildir(), std::path::Path::new(maildir));
    for address in ["ann@example.net", "A.Miller@example.net"] {
        let owner = directory.local_mailbox(&mailbox(address)).await.unwrap().unwrap();
        assert_eq!(owner.key(), login.account.key(), "{address}");
        assert!(login.account.may_send_as(&mailbox(address)));
    }
    assert!(directory.local_mailbox(&mailbox("ben@example.net")).await.unwrap().is_none());
    assert_eq!(directory.all().await.unwrap().len(), 1);
    let old = login.account.hash().unwrap();
    let new = plain("new");
    assert!(source.replace_hash(login.account.key(), old, &new).await.unwrap());
    let ann = source.find(&key("ann")).await.unwrap().unwrap();
    assert!(ann.hash().unwrap().is_same(&new));
}
