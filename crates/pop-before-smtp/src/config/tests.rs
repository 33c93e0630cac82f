//! The bridge's file: defaults, mistakes, and the shipped file.

use std::path::Path;

use super::*;

fn load(text: &str) -> Result<BridgeConfig, Mistakes> {
    BridgeConfig::from_source(&Source::from_text(Path::new("/etc/b.toml"), text), None)
}

fn said(text: &str) -> String {
    load(text).unwrap_err().to_string()
}

#[test]
fn an_empty_file_is_a_bridge_that_is_off() {
    let config = load("").unwrap();
    assert!(!config.enabled);
    let policy = &config.policy;
    assert_eq!(policy.window, Duration::from_secs(1200));
    assert_eq!((policy.ipv6_prefix, policy.entries_max), (128, 262_144));
    assert_eq!((policy.addresses_per_account, policy.accounts_per_address), (16, 8));
    assert!(!policy.helo_pin);
    let quota = Quota { messages: 100, recipients: 500, recipients_per_message: 100 };
    assert_eq!(policy.quota, quota);
    assert_eq!(policy.brownout_reply, BrownoutReply::Permanent);
    assert_eq!(policy.help_url, None);
    for excluded in ["127.0.0.1", "127.9.9.9", "::1"] {
        assert!(policy.excluded.contains(excluded.parse().unwrap()), "{excluded}");
    }
    assert!(policy.never.contains("100.64.0.1".parse().unwrap()));
    assert_eq!(config.ledger, LedgerConfig::default());
    assert_eq!(config.socket.path, Path::new("/run/lastpost/grants.sock"));
    assert_eq!(config.schedule.cohorts().len(), 1);
}

#[test]
fn the_shipped_file_says_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/pop-before-smtp.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.lines().next().unwrap().contains("retire: whole file"));
    let shipped = BridgeConfig::load(&path, None).unwrap_or_else(|error| panic!("{error}"));
    let default = load("").unwrap();
    assert_eq!(shipped.policy, default.policy);
    assert_eq!(shipped.enabled, default.enabled);
    assert_eq!(shipped.ledger, default.ledger);
    assert_eq!(shipped.socket, default.socket);
    // What stands there as an example is right, too.
    let with_examples = uncommented(&text);
    let config = load(&with_examples).unwrap_or_else(|error| panic!("{error}\n{with_examples}"));
    let names: Vec<_> = config.schedule.cohorts().iter().map(|c| c.name().to_string()).collect();
    assert_eq!(names, ["pilot", "north", "everyone-else"]);
    // Every key is there.
    for key in KEYS {
        let is_key = |line: &str| {
            let line = line.trim_start_matches("#: ").trim_start_matches("# ");
            line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
        };
        assert!(text.lines().any(is_key), "{key} is not documented");
    }
}

/// Every key that the file may have.
const KEYS: [&str; 32] = [
    "enabled",
    "window",
    "ipv6_prefix",
    "entries_max",
    "addresses_per_account",
    "excluded",
    "help_url",
    "brownout",
    "accounts_per_address",
    "helo_pin",
    "messages",
    "recipients",
    "recipients_per_message",
    "path",
    "retention_days",
    "rows_max",
    "users",
    "zone",
    "name",
    "domains",
    "addresses",
    "list",
    "percent",
    "rest",
    "notice",
    "closed",
    "brownout_windows",
    "brownout_share",
    "account",
    "until",
    "reason",
    "from",
];

/// The examples are the lines that begin with `#:`.
fn uncommented(text: &str) -> String {
    let line = |line: &str| line.strip_prefix("#: ").unwrap_or(line).to_owned() + "\n";
    text.lines().map(line).collect()
}

#[test]
fn mistakes_name_place_and_remedy() {
    let cases = [
        ("window = \"20 parsecs\"", "/etc/b.toml:1:10: `window` is \"20 parsecs\""),
        ("window = \"0s\"", "write a duration such as \"20m\", from \"1s\" to \"24h\""),
        ("window = \"60h\"", "`window` is \"60h\""),
        ("window = \"-5m\"", "`window` is \"-5m\""),
        ("window = 20", "`window`: invalid type: integer `20`, expected a string"),
        ("ipv6_prefix = 32", "`ipv6_prefix` is 32"),
        ("ipv6_prefix = 129", "write a whole number from 48 to 128"),
        ("entries_max = 0", "write a whole number from 1 to 16777216"),
        ("entries_max = -1", "invalid value: integer `-1`, expected a whole number"),
        ("[quota]\nmessages = 65536", "/etc/b.toml:2:12: `quota.messages` is 65536"),
        ("[sharing]\naccounts_per_address = 0", "`sharing.accounts_per_address` is 0"),
        ("[ledger]\nretention_days = 0", "`ledger.retention_days` is 0"),
        ("excluded = [\"10.0.0.0/8\", \"10.0.0.0/33\"]", "/etc/b.toml:1:27: \"10.0.0.0/33\" is no"),
        ("excluded = [\"10.1.0.0/8\"]", "write \"10.0.0.0/8\", or the one address alone"),
        ("excluded = [\"example.org\"]", "\"example.org\" is no network"),
        ("[reply]\nhelp_url = \"www.isp.example\"", "`reply.help_url` is \"www.isp.example\""),
        ("[reply]\nhelp_url = \"https://x/\\r\\n250 ok\"", "at most 200 octets of ASCII"),
        ("[reply]\nbrownout = \"temporay\"", "help: did you mean `temporary`?"),
        ("enable = true", "help: did you mean `enabled`?"),
        ("[sharing]\nhelo_pni = true", "unknown key `helo_pni` in `sharing`"),
        ("[schedule]\nzone = \"Asia/Tokio\"", "help: did you mean \"Asia/Tokyo\"?"),
        ("[[schedule.cohort]]\nname = \"a\"", "no cohort takes the rest"),
    ];
    for (text, expected) in cases {
        let said = said(text);
        assert!(said.contains(expected), "{text}\n{said}");
    }
}

#[test]
fn mistakes_of_all_parts_are_told_at_once() {
    let text = "window = \"x\"\nexcluded = [\"y\"]\n[schedule]\nzone = \"z\"\n";
    let error = load(text).unwrap_err();
    let lines: Vec<_> =
        error.list().iter().filter_map(|m| m.place.as_ref()).map(|place| place.line).collect();
    assert_eq!(lines, [1, 2, 4]);
}

#[test]
fn values_are_obeyed_and_paths_start_where_the_file_lies() {
    let config = load(
        "enabled = true\nwindow = \"1h 30m\"\nexcluded = [\"192.0.2.7\", \"2001:db8::/32\"]\n\
         [reply]\nbrownout = \"temporary\"\nhelp_url = \"https://isp.example/mail\"\n\
         [ledger]\npath = \"ledger.sqlite\"\n[socket]\npath = \"/run/x.sock\"\nusers = [8]\n",
    )
    .unwrap();
    assert!(config.enabled);
    assert_eq!(config.policy.window, Duration::from_secs(5400));
    assert!(config.policy.excluded.contains("192.0.2.7".parse().unwrap()));
    assert!(!config.policy.excluded.contains("127.0.0.1".parse().unwrap()));
    assert_eq!(config.policy.brownout_reply, BrownoutReply::Temporary);
    assert_eq!(config.ledger.path, Path::new("/etc/ledger.sqlite"));
    assert_eq!(config.socket.path, Path::new("/run/x.sock"));
    assert_eq!(config.socket.users, [8]);
}
