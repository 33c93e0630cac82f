//! `[relay]` as administrators write it, well and badly.

use std::io::Write as _;
use std::time::Duration;

use super::*;
use crate::route::Target;

fn parse(text: &str) -> RelayConfig {
    toml::from_str(text).unwrap()
}

fn refused(text: &str) -> String {
    match toml::from_str::<RelayConfig>(text) {
        Err(error) => error.to_string(),
        Ok(config) => config.resolve("mail.example.net").unwrap_err().to_string(),
    }
}

/// The last of the hops.
fn next_hop(settings: &Settings) -> NextHop {
    match &settings.hops.last().unwrap().target {
        Target::Host(next_hop) => next_hop.clone(),
        other => panic!("{other}"),
    }
}

#[test]
fn nothing_written_is_fine() {
    let settings = parse("").resolve("mail.example.net").unwrap();
    assert_eq!(settings.hello.to_string(), "mail.example.net");
    assert!(settings.hops.is_empty() && settings.local_domains.is_empty());
    assert!(settings.warnings()[0].contains("waits in the queue"));
    let minutes: Vec<_> = settings.retry.iter().map(|wait| wait.as_secs() / 60).collect();
    assert_eq!(minutes, [1, 5, 15, 30, 60, 120, 240]);
    assert_eq!(settings.expire_after, Duration::from_secs(5 * 24 * 3600));
    assert_eq!(settings.timeouts.end_of_data, Duration::from_secs(600));
}

#[test]
fn everything_written() {
    let mut password = tempfile::NamedTempFile::new().unwrap();
    password.write_all(b"s3cret pass\r\n").unwrap();
    let text = format!(
        r#"
        hello = "[192.0.2.1]"
        local_domains = ["Example.net", "example.org."]
        connections_max = 3
        messages_per_connection = 7
        connection_idle = "0s"
        recipients_max = 5
        local_deliveries_max = 2
        retry = ["10s", "1h30m"]
        expire_after = "2d"
        report_language = "ja"
        [next_hop]
        address = "[2001:db8::1]:587"
        tls = "required"
        ca_file = "/etc/ca.pem"
        username = "relay"
        password_file = {:?}
        "#,
        password.path()
    );
    let config = parse(&text);
    let settings = config.resolve("unused").unwrap();
    assert_eq!(settings.hello.to_string(), "[192.0.2.1]");
    assert_eq!(settings.local_domains[1].as_str(), "example.org");
    assert_eq!(settings.retry[1], Duration::from_secs(5400));
    let hop = next_hop(&settings);
    assert_eq!((hop.host.as_str(), hop.port, hop.tls), ("2001:db8::1", 587, TlsPolicy::Required));
    let credentials = hop.credentials.unwrap();
    assert_eq!(credentials.password.expose(), b"s3cret pass");
    assert!(!format!("{credentials:?}").contains("s3cret"));
    let written = toml::to_string(&config).unwrap();
    assert_eq!(parse(&written), config, "what is written out reads the same");
}

#[test]
fn addresses_of_next_hops() {
    let hop = |address: &str, tls: &str| {
        let text = format!("[next_hop]\naddress = {address:?}\ntls = {tls:?}");
        next_hop(&parse(&text).resolve("m.example").unwrap())
    };
    let host_port = |address, tls| {
        let hop = hop(address, tls);
        (hop.host, hop.port)
    };
    assert_eq!(host_port("smtp.example.net", "none"), ("smtp.example.net".into(), 25));
    assert_eq!(host_port("smtp.example.net", "implicit"), ("smtp.example.net".into(), 465));
    assert_eq!(host_port("127.0.0.1:2525", "none"), ("127.0.0.1".into(), 2525));
    assert_eq!(host_port("[::1]", "none"), ("::1".into(), 25));
    assert_eq!(host_port("localhost:1", "none"), ("localhost".into(), 1));
}

#[test]
fn bad_addresses() {
    for bad in
        ["", ":25", "a:0", "a:65536", "a:x", "a b:25", "[::1", "[x]:25", "[::1]25", "a/b", "::1"]
    {
        let message = refused(&format!("[next_hop]\naddress = {bad:?}"));
        assert!(message.starts_with("relay.next_hop.address = "), "{bad}: {message}");
        assert!(message.contains("host:port"), "{message}");
    }
}

#[test]
fn errors_name_key_value_and_remedy() {
    for (text, parts) in [
        ("connections_max = 0", ["relay.connections_max = 0", "1 to 500"]),
        ("recipients_max = 10001", ["relay.recipients_max = 10001", "1 to 10000"]),
        ("connection_idle = \"10m\"", ["relay.connection_idle = 10m", "0s to 5m"]),
        ("expire_after = \"1s\"", ["relay.expire_after = 1s", "1m to 60d"]),
        ("retry = []", ["relay.retry = []", "at least one"]),
        ("retry = [\"0s\"]", ["relay.retry = 0s", "1s to 1d"]),
        ("retry = [\"soon\"]", ["soon", "a period such as"]),
        ("retry = [5]", ["invalid type: integer", "a period such as"]),
        ("local_domains = [\"a b\"]", ["relay.local_domains = \"a b\"", "malformed"]),
        ("hello = \"mail\"", ["relay.hello = \"mail\"", "fully qualified"]),
        ("helo = \"x\"", ["unknown field `helo`", "hello"]),
        ("report_language = \"de\"", ["unknown variant `de`", "`en`"]),
        ("[next_hop]\ntls = \"none\"", ["missing field `address`", "address"]),
        ("[next_hop]\naddress = \"a\"\ntls = \"yes\"", ["unknown variant `yes`", "opportunistic"]),
    ] {
        let message = refused(text);
        for part in parts {
            assert!(message.contains(part), "{text}: {message} lacks {part}");
        }
    }
}

#[test]
fn credentials_must_be_whole() {
    let refuse = |lines: &str| refused(&format!("[next_hop]\naddress = \"a\"\n{lines}"));
    assert!(refuse("username = \"u\"").contains("password_file or password_env"));
    assert!(refuse("password_env = \"PATH\"").contains("a name for the password"));
    assert!(
        refuse("username = \"u\"\npassword_env = \"LASTPOST_NOT_SET\"").contains("that is set")
    );
    assert!(
        refuse("username = \"u\"\npassword_file = \"/nonexistent/x\"").contains("/nonexistent/x")
    );
    let both = "username = \"u\"\npassword_file = \"/x\"\npassword_env = \"PATH\"";
    assert!(refuse(both).contains("not both"));
    let clear = "username = \"u\"\npassword_env = \"PATH\"\ntls = \"none\"";
    assert!(refuse(clear).contains("cleartext_login"));
    let empty = tempfile::NamedTempFile::new().unwrap();
    let text = format!("username = \"u\"\npassword_file = {:?}", empty.path());
    assert!(refuse(&text).contains("the file is empty"));

    let text = "[next_hop]\naddress = \"a\"\nusername = \"u\"\npassword_env = \"PATH\"";
    let hop = next_hop(&parse(text).resolve("m.example").unwrap());
    assert!(!hop.credentials.unwrap().cleartext);
}

#[test]
fn periods() {
    for (text, seconds) in
        [("90s", 90), ("15m", 900), ("4h", 14_400), ("5d", 432_000), ("1h30m", 5400), (" 2 ", 0)]
    {
        match Period::parse(text) {
            Ok(period) => {
                assert_eq!(period.duration().as_secs(), seconds, "{text}");
                assert_eq!(Period::parse(&period.to_string()), Ok(period));
            }
            Err(_) => assert_eq!(text, " 2 ", "a number without a unit"),
        }
    }
    assert_eq!(Period::from_secs(0).to_string(), "0s");
    assert_eq!(Period::from_secs(93_784).to_string(), "1d2h3m4s");
    for bad in [
        "",
        " ",
        "m",
        "5x",
        "5 days",
        "-5m",
        "1.5h",
        "99999999999999999999s",
        "9999999999999999d",
        "5µ",
    ] {
        assert!(Period::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn rates() {
    for (text, milliseconds, burst) in
        [("10/s", 100, 10), ("600/m", 100, 10), ("30/m", 2000, 1), ("3600/h", 1000, 1)]
    {
        let rate = Rate::parse(text).unwrap();
        assert_eq!(rate.interval().as_millis(), milliseconds, "{text}");
        assert_eq!(rate.burst(), burst, "{text}");
        assert_eq!(rate.to_string(), text);
    }
    for bad in ["", "10", "10/d", "/s", "0/s", "-1/s", "1.5/s", "1000001/s", "99999999999/s"] {
        assert!(Rate::parse(bad).is_err(), "{bad}");
    }
}
