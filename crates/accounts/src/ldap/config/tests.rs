//! What can be configured, and what is refused with its key.

use super::*;

fn good() -> LdapConfig {
    LdapConfig {
        servers: vec!["ldaps://ldap.example.net".to_owned()],
        search: LdapSearch {
            base: "ou=people,dc=example,dc=net".to_owned(),
            filter: "(uid=%n)".to_owned(),
            ..LdapSearch::default()
        },
        attributes: [(Column::Login, "uid".to_owned())].into(),
        ..LdapConfig::default()
    }
}

#[test]
fn the_least_that_can_be_said() {
    let plan = good().plan().unwrap();
    assert_eq!(plan.servers.len(), 1);
    assert!(plan.list.is_none() && plan.secret.is_none());
}

/// A value to break, and the key that must be named.
type Case = (fn(&mut LdapConfig), &'static str, &'static str);

#[test]
fn every_wrong_value_is_named_with_its_key() {
    let cases: &[Case] = &[
        (|c| c.servers.clear(), "servers", "there are 0"),
        (|c| c.servers.push("http://x".into()), "servers", "unknown scheme"),
        (|c| c.connections = 0, "connections", "0"),
        (|c| c.timeout = Duration::ZERO, "timeout", "0"),
        (|c| c.bind_dn = "cn=x".into(), "bind_dn", "no password"),
        (|c| c.password_env = Some("X".into()), "bind_dn", "nobody"),
        (|c| c.search.base.clear(), "search.base", "empty"),
        (|c| c.search.base = "ou=%x".into(), "search.base", "variable"),
        (|c| c.search.filter.clear(), "search.filter", "no \"(\""),
        (|c| c.search.filter = "(uid=%u".into(), "search.filter", "no \")\""),
        (|c| c.search.address_filter.clear(), "search.address_filter", "no \"(\""),
        (|c| c.search.list_filter = "(uid=%n)".into(), "search.list_filter", "variables"),
        (
            |c| {
                c.search.base = "ou=%d,dc=x".into();
                c.search.list_filter = "(uid=*)".into();
            },
            "search.list_base",
            "\"\"",
        ),
        (|c| c.attributes.clear(), "attributes.login", "missing"),
    ];
    for (break_it, key, problem) in cases {
        let mut config = good();
        break_it(&mut config);
        let error = config.check().unwrap_err();
        assert_eq!(error.key, format!("accounts.source.ldap.{key}"));
        assert!(error.problem.contains(problem), "{key}: {}", error.problem);
        assert!(!error.expected.is_empty());
    }
    let mut twice = good();
    twice.bind_dn = "cn=x".to_owned();
    twice.password_env = Some("X".to_owned());
    twice.password_file = Some("/x".into());
    let error = twice.check().unwrap_err();
    assert!(error.key.contains("accounts.source.ldap.password"), "{}", error.key);
}

#[test]
fn it_is_read_from_a_file() {
    let text = r#"
        servers = ["ldap://a", "ldapi:///run/ldapi"]
        start_tls = false
        ca_file = "ca.pem"
        bind_dn = "cn=mail"
        password_file = "ldap.password"
        mode = "compare"
        timeout = "500ms"
        [search]
        base = "ou=%d,dc=x"
        scope = "one"
        filter = "(|(uid=%n)(mail=%u))"
        list_base = "dc=x"
        list_filter = "(uid=*)"
        [attributes]
        login = "uid"
        send_as = "mayUse"
    "#;
    let config: LdapConfig = toml::from_str(text).unwrap();
    let config = config.relative_to(Path::new("/etc/lastpost"));
    assert_eq!(config.ca_file, Path::new("/etc/lastpost/ca.pem"));
    assert_eq!(config.password_file.as_deref(), Some(Path::new("/etc/lastpost/ldap.password")));
    assert_eq!((config.mode, config.search.scope), (LdapMode::Hash, Scope::One));
    let plan = config.plan().unwrap();
    assert_eq!(plan.list.unwrap().0, "dc=x");
    let error = toml::from_str::<LdapConfig>("[attributes]\nadresses = \"mail\"").unwrap_err();
    assert!(error.to_string().contains("unknown variant `adresses`, expected"), "{error}");
    assert!(toml::from_str::<LdapConfig>("server = \"x\"").is_err());
}
