//! `[pop3]` as administrators write it, right and wrong.

use std::time::Duration;

use netio::TlsMode;

use super::Pop3Config;

fn parse(text: &str) -> Result<Pop3Config, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn the_default_is_valid_and_listens_nowhere() {
    let config = Pop3Config::default();
    config.check().unwrap();
    assert!(config.listen.is_empty());
    assert_eq!(parse("").unwrap(), config);
    assert!(!config.allows_cleartext("192.0.2.1".parse().unwrap(), true));
    assert!(config.allows_cleartext("127.0.0.1".parse().unwrap(), true));
    assert!(config.allows_cleartext("::1".parse().unwrap(), true));
    // A proxy on this host that does not say for whom it speaks is not this host's user.
    assert!(!config.allows_cleartext("127.0.0.1".parse().unwrap(), false));
}

#[test]
fn every_key_is_read() {
    let config = parse(
        r#"
        autologout = "15m"
        login_timeout = "90s"
        write_timeout = "2m"
        errors_max = 5
        cleartext_networks = ["198.51.100.0/24", "2001:db8:1::/48"]
        trusted_proxies = ["10.0.0.0/8"]
        sessions_max = 20
        sessions_per_ip_max = 4
        per_ip_exempt = ["192.0.2.7/32"]
        io_threads = 8
        mark_seen = true
        [protocol]
        apop = true
        last = true
        utf8_only = true
        xclient_networks = ["10.1.0.0/16"]
        [maildrop]
        uidl_format = "courier"
        lock_wait = "5s"
        takeover_after = "2m"
        login_delay = "1m"
        login_burst = 3
        sessions_per_account_max = 2
        [[listen]]
        address = "127.0.0.1:110"
        [[listen]]
        address = "[::1]:995"
        tls = "implicit"
        proxy_protocol = true
        "#,
    )
    .unwrap();
    config.check().unwrap();
    assert_eq!(config.autologout, Duration::from_secs(900));
    assert_eq!(config.listen[0].tls, TlsMode::Starttls);
    assert_eq!(config.listen[1].tls, TlsMode::Implicit);
    assert!(config.allows_cleartext("198.51.100.9".parse().unwrap(), true));
    assert!(!config.allows_cleartext("198.51.101.9".parse().unwrap(), true));
    assert_eq!(config.limits().sessions_per_ip_max, 4);
    // Proxies are exempt: the clients that they name are counted.
    let exempt = ["192.0.2.7/32".parse().unwrap(), "10.1.0.0/16".parse().unwrap()];
    assert_eq!(config.limits().per_ip_exempt, exempt);
    assert!(config.protocol.apop && config.protocol.last && config.protocol.utf8_only);
    assert!(config.protocol.trusts("10.1.2.3".parse().unwrap()));
    assert!(!config.protocol.trusts("10.2.2.3".parse().unwrap()));
    assert_eq!(config.open_options().uidl_format, "courier".parse().unwrap());
    let maildrop = &config.maildrop;
    assert_eq!((maildrop.lock_wait.as_secs(), maildrop.takeover_after.as_secs()), (5, 120));
    assert_eq!((maildrop.login_delay.as_secs(), maildrop.login_burst), (60, 3));
    assert_eq!(maildrop.sessions_per_account_max, 2);
}

#[test]
fn wrong_values_are_named() {
    for (text, key) in [
        ("autologout = \"5m\"", "pop3.autologout"),
        ("login_timeout = \"1s\"", "pop3.login_timeout"),
        ("write_timeout = \"0s\"", "pop3.write_timeout"),
        ("errors_max = 0", "pop3.errors_max"),
        ("sessions_max = 0", "pop3.sessions_max"),
        ("sessions_per_ip_max = 0", "pop3.sessions_per_ip_max"),
        ("io_threads = 0", "pop3.io_threads"),
        ("io_threads = 10000", "pop3.io_threads"),
        (
            "listen = [{ address = \"127.0.0.1:1\" }, { address = \"127.0.0.1:1\" }]",
            "pop3.listen[1].address",
        ),
        ("listen = [{ address = \"127.0.0.1:1\", proxy_protocol = true }]", "pop3.trusted_proxies"),
        ("protocol.xclient_networks = [\"::/0\"]", "pop3.protocol.xclient_networks"),
        ("maildrop.lock_wait = \"31s\"", "pop3.maildrop.lock_wait"),
        ("maildrop.takeover_after = \"4s\"", "pop3.maildrop.takeover_after"),
        ("maildrop.takeover_after = \"25h\"", "pop3.maildrop.takeover_after"),
        ("maildrop.login_delay = \"25h\"", "pop3.maildrop.login_delay"),
        ("maildrop.login_delay = \"1500ms\"", "pop3.maildrop.login_delay"),
        ("maildrop.login_burst = 0", "pop3.maildrop.login_burst"),
        ("maildrop.sessions_per_account_max = 0", "pop3.maildrop.sessions_per_account_max"),
    ] {
        let error = parse(text).unwrap().check().unwrap_err();
        assert_eq!(error.key, key);
        assert!(error.to_string().starts_with(key), "{error}");
        assert!(error.to_string().contains("expected"), "{error}");
    }
}

#[test]
fn unknown_keys_and_types_are_errors() {
    for text in [
        "autologut = \"10m\"",
        "autologout = 600",
        "errors_max = -1",
        "errors_max = 1000",
        "cleartext_networks = [\"home\"]",
        "protocol.xclient = true",
        "protocol.xclient_networks = [\"proxy.example.net\"]",
        "maildrop.uidl_format = \"all the same\"",
        "maildrop.lock_wait = \"-1s\"",
        "maildrop.login_burst = -1",
        "listen = [{ address = \"localhost\" }]",
        "listen = [{ address = \"127.0.0.1:1\", tls = \"maybe\" }]",
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains("line 1"), "{error}");
    }
}
