//! `[relay.mx]` as administrators write it.

use super::*;

fn refused(text: &str) -> String {
    match toml::from_str::<MxConfig>(text) {
        Err(error) => error.to_string(),
        Ok(config) => config.check().unwrap_err().to_string(),
    }
}

#[test]
fn nothing_written_is_fine() {
    let config: MxConfig = toml::from_str("").unwrap();
    assert_eq!(config, MxConfig::default());
    config.check().unwrap();
    assert!(config.dane && config.mta_sts && !config.loopback);
    assert_eq!((config.port, config.dnssec), (25, Dnssec::Resolver));
}

#[test]
fn everything_written() {
    let text = r#"
        servers = ["127.0.0.1", "[::1]:5353"]
        dnssec = "validate"
        dane = false
        mta_sts = false
        policy_cache = "/var/lib/lastpost/policies"
        timeout = "1m"
        addresses = "ipv4-first"
        hosts_max = 3
        addresses_max = 2
        own_names = ["mx.example.org"]
        loopback = true
        port = 2525
    "#;
    let config: MxConfig = toml::from_str(&text.replace("1m", "10s")).unwrap();
    config.check().unwrap();
    assert_eq!(config.addresses, Family::Ipv4First);
    assert_eq!(config.timeout.duration(), Duration::from_secs(10));
    let written = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<MxConfig>(&written).unwrap(), config);
    let late: MxConfig = toml::from_str(text).unwrap();
    assert!(late.check().unwrap_err().to_string().contains("relay.mx.timeout = 60s"));
}

#[test]
fn errors_name_key_value_and_remedy() {
    for (text, parts) in [
        ("hosts_max = 0", ["relay.mx.hosts_max = 0", "1 to 50"]),
        ("addresses_max = 51", ["relay.mx.addresses_max = 51", "1 to 50"]),
        ("timeout = \"0s\"", ["relay.mx.timeout = 0s", "1s to 30s"]),
        ("timeout = \"5\"", ["\"5\"", "seconds or minutes"]),
        ("timeout = \"+5s\"", ["\"+5s\"", "seconds or minutes"]),
        ("timeout = \"99999999999999999999m\"", ["9999", "seconds or minutes"]),
        ("port = 0", ["relay.mx.port = 0", "1 to 65535"]),
        ("own_names = [\"a b\"]", ["relay.mx.own_names = \"a b\"", "mail.example.net"]),
        ("servers = [\"dns.example\"]", ["\"dns.example\"", "address of a name server"]),
        ("dnssec = \"on\"", ["unknown variant `on`", "`validate`"]),
        ("addresses = \"both\"", ["unknown variant `both`", "`ipv6-first`"]),
        ("dnsec = \"off\"", ["unknown field `dnsec`", "`dnssec`"]),
    ] {
        let message = refused(text);
        for part in parts {
            assert!(message.contains(part), "{text}: {message} lacks {part}");
        }
    }
}
