//! A database of a server, for one test.

use std::path::PathBuf;
use std::time::Duration;

use accounts::sql::{SqlConfig, SqlTls};
use accounts::{SourceConfig, SourceKind};
use tempfile::TempDir;
use tokio::sync::{RwLockReadGuard, RwLockWriteGuard};

use crate::fences::fenced;
use crate::server::{Kind, PASSWORD, Server, next, server};

/// Who may use the server meanwhile.
enum Hold {
    /// Others, too.
    Shared(RwLockReadGuard<'static, Server>),
    /// Nobody else: the test stops it.
    Alone(RwLockWriteGuard<'static, Server>),
}

/// A database of one test.
pub(crate) struct Database {
    hold: Hold,
    pub(crate) kind: Kind,
    pub(crate) name: String,
    folder: TempDir,
}

impl Database {
    /// With the tables of the admin's guide, and nobody in them. None: the server is not
    /// installed.
    pub(crate) async fn new(kind: Kind) -> Option<Self> {
        Some(Self::bare(kind).await?.furnished())
    }

    /// The same on a server that nobody else uses meanwhile.
    pub(crate) async fn alone(kind: Kind) -> Option<Self> {
        let server = server(kind)?.write().await;
        Some(Self::of(kind, Hold::Alone(server)).furnished())
    }

    /// Without tables.
    pub(crate) async fn bare(kind: Kind) -> Option<Self> {
        let server = server(kind)?.read().await;
        Some(Self::of(kind, Hold::Shared(server)))
    }

    fn of(kind: Kind, hold: Hold) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        let database = Self { hold, kind, name: format!("test{}", next()), folder };
        database.server().sql("", &format!("CREATE DATABASE {};", database.name));
        database
    }

    fn furnished(self) -> Self {
        // Without the example's customer.
        let page = fenced(self.kind.page(), "sql");
        let tables: Vec<&str> =
            page.split_inclusive(";\n").filter(|part| !part.contains("INSERT INTO")).collect();
        let tables = tables.concat();
        self.sql(&tables);
        // In MariaDB who comes over TCP is somebody else.
        let grants = tables.split_inclusive(";\n").filter(|part| part.contains("@localhost"));
        let grants: String = grants.collect();
        self.sql(&grants.replace("@localhost", "@'127.0.0.1'"));
        self
    }

    pub(crate) fn server(&self) -> &Server {
        match &self.hold {
            Hold::Shared(server) => server,
            Hold::Alone(server) => server,
        }
    }

    pub(crate) fn sql(&self, sql: &str) -> String {
        self.server().sql(&self.name, sql)
    }

    /// Puts an account into the recommended tables, with addresses.
    pub(crate) fn insert(&self, login: &str, password: &str, addresses: &[&str]) {
        let quoted = |text: &str| match self.kind {
            Kind::Postgresql => format!("'{}'", text.replace('\'', "''")),
            Kind::Mariadb => {
                format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
            }
        };
        let (login, password) = (quoted(login), quoted(password));
        let mut sql = format!(
            "INSERT INTO accounts (login, password, home) VALUES ({login}, {password}, '/h');"
        );
        for (position, address) in addresses.iter().enumerate() {
            let address = quoted(address);
            sql += &format!(
                "INSERT INTO addresses (login, position, address)
                     VALUES ({login}, {position}, {address});"
            );
        }
        self.sql(&sql);
    }

    /// Puts so many accounts there, `u0@example.net` and on.
    pub(crate) fn insert_many(&self, range: std::ops::Range<usize>) {
        let row = |n: usize| format!("('u{n}@example.net', '{{PLAIN}}x', '/h')");
        let rows: Vec<String> = range.map(row).collect();
        let rows = rows.join(",");
        self.sql(&format!("INSERT INTO accounts (login, password, home) VALUES {rows};"));
    }

    pub(crate) fn password_file(&self) -> PathBuf {
        self.folder.path().join("password")
    }

    /// The settings that lead here, by the server's socket.
    pub(crate) fn settings(&self) -> SqlConfig {
        SqlConfig {
            server: self.server().socket().display().to_string(),
            database: self.name.clone(),
            password_file: Some(self.password_file()),
            // Only servers that are meant to be slow may fail by it.
            connect_timeout: Duration::from_secs(30),
            query_timeout: Duration::from_secs(30),
            ..SqlConfig::default()
        }
    }

    /// The same over TCP and TLS.
    pub(crate) fn settings_tls(&self) -> SqlConfig {
        let server = self.server();
        SqlConfig {
            server: format!("127.0.0.1:{}", server.port),
            tls: SqlTls::Verify,
            ca_file: server.authority.clone(),
            ..self.settings()
        }
    }

    pub(crate) fn config(&self, settings: SqlConfig) -> SourceConfig {
        match self.kind {
            Kind::Postgresql => SourceConfig {
                postgresql: Some(settings),
                ..SourceConfig::new("main", SourceKind::Postgresql)
            },
            Kind::Mariadb => SourceConfig {
                mysql: Some(settings),
                ..SourceConfig::new("main", SourceKind::Mysql)
            },
        }
    }
}
