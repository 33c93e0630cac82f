//! How the servers differ: placeholders, quotes, and the queries for the tables that the
//! documentation recommends.

use super::query::Use;

/// Which language a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// PostgreSQL.
    Postgresql,
    /// MySQL and MariaDB.
    Mysql,
}

/// The columns of an account in the recommended tables, but for its addresses.
const COLUMNS: &str = "accounts.login, password, send_as, maildir, home, cohort, disabled, \
                       must_change, quota, login_delay, sessions, expire_retrieved, \
                       expire_arrived, limits";

impl Dialect {
    /// The table of the settings.
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Postgresql => "accounts.source.postgresql",
            Self::Mysql => "accounts.source.mysql",
        }
    }

    /// The common part of the keys `…password_file`, `…_env` and `…_credential`.
    pub(super) fn password_key(self) -> &'static str {
        match self {
            Self::Postgresql => "accounts.source.postgresql.password",
            Self::Mysql => "accounts.source.mysql.password",
        }
    }

    /// Where a server of this kind listens unless the configuration says otherwise.
    pub(super) fn server(self) -> &'static str {
        match self {
            Self::Postgresql => "/run/postgresql",
            Self::Mysql => "/run/mysqld/mysqld.sock",
        }
    }

    /// The name of the socket in a directory.
    pub(super) fn socket(self) -> &'static str {
        match self {
            Self::Postgresql => ".s.PGSQL.5432",
            Self::Mysql => "mysqld.sock",
        }
    }

    pub(super) fn port(self) -> u16 {
        match self {
            Self::Postgresql => 5432,
            Self::Mysql => 3306,
        }
    }

    /// How the placeholder at `position`, from 1, is written for the server.
    pub(super) fn placeholder(self, position: usize) -> String {
        match self {
            Self::Postgresql => format!("${position}"),
            Self::Mysql => "?".to_owned(),
        }
    }

    /// Whether a backslash escapes the next character in quotes.
    pub(super) fn has_backslashes(self) -> bool {
        self == Self::Mysql
    }

    /// Whether `#` begins a comment.
    pub(super) fn has_hash_comments(self) -> bool {
        self == Self::Mysql
    }

    /// Whether `$tag$ … $tag$` quotes.
    pub(super) fn has_dollar_quotes(self) -> bool {
        self == Self::Postgresql
    }

    /// The query for the recommended tables.
    pub(super) fn query(self, purpose: Use) -> String {
        let list = match self {
            Self::Postgresql => "string_agg(address, ',' ORDER BY position)",
            Self::Mysql => "GROUP_CONCAT(address ORDER BY position SEPARATOR ',')",
        };
        let select = format!(
            "SELECT {COLUMNS}, (SELECT {list} FROM addresses WHERE addresses.login = \
             accounts.login) AS addresses FROM accounts"
        );
        match purpose {
            Use::Account => format!("{select} WHERE login = :login"),
            Use::Owners => format!(
                "{select} JOIN addresses AS own ON own.login = accounts.login WHERE own.address = \
                 :address ORDER BY own.position"
            ),
            Use::Page => format!("{select} WHERE login > :after ORDER BY login LIMIT :limit"),
            Use::Update => "UPDATE accounts SET password = :new WHERE login = :login AND \
                            password = :old"
                .to_owned(),
        }
    }
}
