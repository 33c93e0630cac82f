//! `[[relay.hop]]` as administrators write it, well and badly.

use std::path::Path;

use super::*;
use crate::route::{LmtpSocket, Target};

fn parse(text: &str) -> RelayConfig {
    toml::from_str(text).unwrap()
}

fn refused(text: &str) -> String {
    match toml::from_str::<RelayConfig>(text) {
        Err(error) => error.to_string(),
        Ok(config) => config.resolve("mail.example.net").unwrap_err().to_string(),
    }
}

#[test]
fn everything_written() {
    let text = r#"
        connections_max = 7
        [[hop]]
        name = "a"
        address = "192.0.2.1"
        [[hop]]
        name = "virus-check_2.x"
        address = "scan.example.net:2525"
        tls = "required"
        ca_file = "ca.pem"
        fingerprints = ["000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"]
        client_certificate = "me.pem"
        client_key = "/etc/me.key"
        connections_max = 3
        rate = "600/m"
        login = { username = "relay", password_env = "PATH" }
        [[hop]]
        name = "dovecot"
        address = "unix:/run/dovecot/lmtp"
        protocol = "lmtp"
        [[hop]]
        name = "cyrus"
        address = "[::1]:24"
        protocol = "lmtp"
        [next_hop]
        address = "192.0.2.9"
        "#;
    let config = parse(text);
    let written = toml::to_string(&config).unwrap();
    assert_eq!(parse(&written), config, "what is written out reads the same");

    let settings = config.relative_to(Path::new("/base")).resolve("mail.example.net").unwrap();
    let names: Vec<_> = settings.hops.iter().map(|hop| &*hop.name).collect();
    assert_eq!(names, ["a", "virus-check_2.x", "dovecot", "cyrus", NEXT_HOP]);
    let limits: Vec<_> = settings.hops.iter().map(|hop| hop.connections_max).collect();
    assert_eq!(limits, [7, 3, 7, 7, 7]);
    let addresses: Vec<_> = settings.hops.iter().map(|hop| hop.target.to_string()).collect();
    assert_eq!(addresses[..2], ["192.0.2.1:25", "scan.example.net:2525"]);
    assert_eq!(addresses[2..], ["unix:/run/dovecot/lmtp", "::1:24", "192.0.2.9:25"]);
    let Target::Host(scan) = &settings.hops[1].target else { panic!() };
    assert_eq!(scan.ca_file.as_deref(), Some(Path::new("/base/ca.pem")));
    assert_eq!(scan.pins[0][31], 0x1f);
    let (certificate, key) = scan.identity.clone().unwrap();
    assert_eq!((certificate, key), ("/base/me.pem".into(), "/etc/me.key".into()));
    assert_eq!(scan.credentials.as_ref().unwrap().name, "relay");
    assert_eq!(settings.hops[1].rate.unwrap().to_string(), "600/m");
    let Target::Lmtp(lmtp) = &settings.hops[3].target else { panic!() };
    assert_eq!(lmtp.socket, LmtpSocket::Tcp { host: "::1".to_owned(), port: 24 });
}

#[test]
fn errors_name_key_value_and_remedy() {
    let one = |lines: &str| format!("[[hop]]\nname = \"a\"\naddress = \"b\"\n{lines}");
    let lmtp = |lines: &str| format!("[[hop]]\nname = \"a\"\nprotocol = \"lmtp\"\n{lines}");
    let pin = "00".repeat(31);
    for (text, parts) in [
        ("[[hop]]\naddress = \"a\"".to_owned(), ["missing field `name`", ""]),
        ("[[hop]]\nname = \"a\"".to_owned(), ["missing field `address`", ""]),
        (
            one("[[hop]]\nname = \"a\"\naddress = \"c\""),
            ["relay.hop[1].name = \"a\"", "of its own"],
        ),
        (one("").replace("\"a\"", "\"mx\""), ["relay.hop[0].name = \"mx\"", "exchangers"]),
        (one("").replace("\"a\"", "\"next_hop\""), ["relay.hop[0].name", "[relay.next_hop]"]),
        (one("").replace("\"a\"", "\"a b\""), ["relay.hop[0].name = \"a b\"", "letters"]),
        (one("").replace("\"b\"", "\"a:x\""), ["relay.hop[0].address = \"a:x\"", "host:port"]),
        (one("connections_max = 501"), ["relay.hop[0].connections_max = 501", "1 to 500"]),
        (one("rate = \"fast\""), ["\"fast\"", "a rate such as \"10/s\""]),
        (one("protocol = \"uucp\""), ["unknown variant `uucp`", "`lmtp`"]),
        (one("login = { username = \"u\" }"), ["relay.hop[0].login.username", "password_file or"]),
        (
            one("tls = \"none\"\nlogin = { username = \"u\", password_env = \"PATH\" }"),
            ["relay.hop[0].tls = \"none\"", "TLS for the password"],
        ),
        (
            one(&format!("tls = \"required\"\nfingerprints = [\"{pin}\"]")),
            ["relay.hop[0].fingerprints", "64 hexadecimal digits"],
        ),
        (
            one(&format!("fingerprints = [\"{pin}00\"]")),
            ["relay.hop[0].fingerprints", "tls = \"required\""],
        ),
        (one("client_key = \"k\""), ["relay.hop[0].client_key = k", "client_certificate"]),
        (lmtp("address = \"unix:run/x\""), ["relay.hop[0].address", "an absolute path"]),
        (lmtp("address = \"127.0.0.1\""), ["relay.hop[0].address", "unix:/path"]),
        (lmtp("address = \"127.0.0.1:25\""), ["relay.hop[0].address", "other than 25"]),
        (lmtp("address = \"h:24\"\ntls = \"required\""), ["relay.hop[0].tls", "LMTP stays"]),
        (
            lmtp("address = \"h:24\"\nlogin = { username = \"u\" }"),
            ["relay.hop[0].login", "neither TLS nor login"],
        ),
    ] {
        let message = refused(&text);
        for part in parts {
            assert!(message.contains(part), "{text}: {message} lacks {part}");
        }
    }
}

#[test]
fn hops_that_no_route_leads_to_are_told() {
    let text = "[[hop]]\nname = \"a\"\naddress = \"b\"\n[next_hop]\naddress = \"c\"";
    let warnings = parse(text).resolve("m.example").unwrap().warnings();
    assert_eq!(warnings, ["relay.hop[0]: no route leads to the hop \"a\""]);
}
