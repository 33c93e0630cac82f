//! The tables of databases in the documented configuration: true, and in force as they stand.

use std::sync::Arc;

use accounts::sql::{SqlConfig, SqlQueries};
use accounts::sqlite::SqliteConfig;
use accounts::{SourceConfig, SourceKind};

use super::{INSTEAD, assert_same, documented, in_force};

/// A table that stands in the place of another.
fn table(name: &str) -> String {
    let text = documented();
    let begun = text.split(&format!("# Instead: [{name}]\n")).nth(1).unwrap();
    in_force(begun.split("\n\n").next().unwrap(), &[INSTEAD])
}

#[test]
fn the_figures_of_databases_are_those_in_the_code() {
    let file: SqliteConfig = toml::from_str(&table("accounts.source.sqlite")).unwrap();
    assert_same("accounts.source.sqlite", &SqliteConfig::default(), &file);
    for kind in [SourceKind::Postgresql, SourceKind::Mysql] {
        let name = format!("accounts.source.{}", kind.as_str());
        let shown: SqlConfig = toml::from_str(&table(&name)).unwrap();
        let queries: SqlQueries = toml::from_str(&table(&format!("{name}.queries"))).unwrap();
        let (password_file, password_env, password_credential) = (None, None, None);
        let settings = SqlConfig { password_file, password_env, password_credential, ..shown };
        assert_same(&name, &SqlConfig::default(), &settings);
        let settings = Some(SqlConfig { queries, ..settings });
        let source = match kind {
            SourceKind::Mysql => SourceConfig { mysql: settings, ..SourceConfig::new("x", kind) },
            _ => SourceConfig { postgresql: settings, ..SourceConfig::new("x", kind) },
        };
        let common = accounts::AccountsSection::default()
            .common(Arc::new(auth::SystemClock::new()), "/nonexistent".as_ref())
            .unwrap();
        let source = source.open(&common).unwrap();
        assert!(source.can_replace_hash(), "the example of an update is taken");
    }
}
