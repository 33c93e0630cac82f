//! Settings that are taken, and what is said of those that are not.

use super::*;

fn plan(toml: &str) -> Result<Plan, String> {
    let config: SqlConfig = toml::from_str(toml).map_err(|error| error.to_string())?;
    config.plan(Dialect::Postgresql).map_err(|error| error.to_string())
}

fn wrong(toml: &str) -> String {
    match plan(toml) {
        Ok(_) => panic!("{toml}"),
        Err(error) => error,
    }
}

#[test]
fn nothing_but_defaults_asks_the_server_of_this_machine() {
    let plan = plan("").unwrap();
    assert!(matches!(&plan.place, Place::Unix(path)
        if path == Path::new("/run/postgresql/.s.PGSQL.5432")));
    assert!(plan.owners.is_some() && plan.page.is_some() && plan.update.is_some());
    let config = SqlConfig::default();
    let plan = config.plan(Dialect::Mysql).unwrap();
    assert!(matches!(&plan.place, Place::Unix(path)
        if path == Path::new("/run/mysqld/mysqld.sock")));
}

#[test]
fn servers_of_every_kind() {
    for (server, host, port) in [
        ("db.example.net", "db.example.net", 5432),
        ("db.example.net:6000", "db.example.net", 6000),
        ("192.0.2.1:5433", "192.0.2.1", 5433),
        ("[2001:db8::1]:5433", "2001:db8::1", 5433),
        ("[::1]", "::1", 5432),
    ] {
        let plan = plan(&format!("server = {server:?}\ntls = \"require\"")).unwrap();
        let Place::Tcp { host: found, port: at, tls } = &plan.place else { panic!("{server}") };
        assert_eq!((found.as_str(), *at, tls.is_some()), (host, port, true));
    }
    for server in ["db:0", "db:x", "db:99999", "a b", "[::1", "postgresql://db/x", "[::1]x"] {
        let error = wrong(&format!("server = {server:?}\ntls = \"off\""));
        assert!(error.starts_with("accounts.source.postgresql.server: "), "{error}");
    }
}

#[test]
fn clear_ways_over_the_network_are_warned_of() {
    let plan_of = |server: &str| plan(&format!("server = {server:?}\ntls = \"off\"")).unwrap();
    assert!(plan_of("127.0.0.1").warnings.is_empty() && plan_of("[::1]").warnings.is_empty());
    assert!(plan_of("192.0.2.1").warnings[0].contains("192.0.2.1 in clear"));
}

#[test]
fn a_query_of_ones_own_turns_the_other_defaults_off() {
    let plan = plan("[queries]\naccount = 'SELECT * FROM t WHERE login = :login'").unwrap();
    assert!(plan.owners.is_none() && plan.page.is_none() && plan.update.is_none());
    let error = wrong("[queries]\nowners = 'SELECT * FROM t WHERE a = :address'");
    assert!(error.starts_with("accounts.source.postgresql.queries.account: it is missing"));
}

#[test]
fn what_is_wrong_names_its_key() {
    for (toml, key) in [
        ("database = ''", "database"),
        ("user = ''", "user"),
        ("connections = 0", "connections"),
        ("connections = 1000", "connections"),
        ("connect_timeout = '1ms'", "connect_timeout"),
        ("query_timeout = '10m'", "query_timeout"),
        ("password_env = 'A'\npassword_file = 'b'", "password"),
        ("password_file = '/nonexistent/x'", "password"),
        ("server = 'db'\nca_file = '/nonexistent/x'", "ca_file"),
        ("[queries]\naccount = 'SELECT %u'", "queries.account"),
    ] {
        let error = wrong(toml);
        assert!(error.starts_with(&format!("accounts.source.postgresql.{key}: ")), "{error}");
        assert!(error.contains("; expected "), "{error}");
    }
    let error = wrong("pasword_file = 'x'");
    assert!(error.contains("unknown field `pasword_file`"), "{error}");
}
