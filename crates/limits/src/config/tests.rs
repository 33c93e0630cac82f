//! The section as people write it.

use super::*;
use crate::kind::Limit;
use crate::rules::{Bound, Rules};

fn read(text: &str) -> LimitsConfig {
    toml::from_str(text).unwrap()
}

fn wrong(text: &str) -> String {
    match toml::from_str::<LimitsConfig>(text) {
        Err(error) => error.to_string(),
        Ok(config) => config.check().unwrap_err().to_string(),
    }
}

fn bound(rules: &Rules, profile: Option<&str>, listener: &str, limit: Limit) -> Option<Bound> {
    rules.of(profile, listener).get(limit)
}

#[test]
fn an_empty_section_has_sensible_figures() {
    let config = read("");
    config.check().unwrap();
    let rules = Rules::resolve(&config).unwrap();
    let hourly = bound(&rules, None, "submission", Limit::MessagesPerHour);
    assert_eq!(hourly, Some(Bound { most: 200, action: Action::Defer }));
    let octets = bound(&rules, None, "submission", Limit::OctetsPerDay);
    assert_eq!(octets, Some(Bound { most: 2 << 20, action: Action::Defer }), "in KiB");
    assert_eq!(rules.address.get(Limit::MessagesPerDay), None);
}

#[test]
fn the_trial_mode_is_one_line() {
    let rules = Rules::resolve(&read("account.action = \"log\"")).unwrap();
    for limit in Limit::ALL {
        assert_eq!(bound(&rules, None, "", limit).unwrap().action, Action::Log);
    }
}

#[test]
fn profiles_build_on_the_accounts_figures() {
    let config = read(
        "listeners = { legacy = \"small\" }\n\
         [account]\nmessages_per_day = 5000\nnetworks_per_hour = { most = 5, action = \"suspend\" }\n\
         [profile.small]\nmessages_per_hour = { most = 20, action = \"hold\" }\n\
         octets_per_day = { most = \"1MiB\" }\n\
         [profile.bulk]\naction = \"log\"\nmessages_per_hour = 0\n",
    );
    config.check().unwrap();
    let rules = Rules::resolve(&config).unwrap();
    let at = |profile, listener, limit| bound(&rules, profile, listener, limit);
    let small = at(None, "legacy", Limit::MessagesPerHour);
    assert_eq!(small, Some(Bound { most: 20, action: Action::Hold }));
    assert_eq!(at(None, "legacy", Limit::MessagesPerDay).unwrap().most, 5000);
    assert_eq!(at(None, "legacy", Limit::OctetsPerDay).unwrap().most, 1024);
    assert_eq!(at(Some("bulk"), "legacy", Limit::MessagesPerHour), None, "its own comes first");
    let networks = at(Some("bulk"), "legacy", Limit::NetworksPerHour);
    assert_eq!(networks, Some(Bound { most: 5, action: Action::Log }));
    assert_eq!(at(Some("gone"), "submission", Limit::MessagesPerHour).unwrap().most, 200);
}

#[test]
fn mistakes_name_the_key_and_what_to_write() {
    for (text, says) in [
        ("account.messages_per_hour = -1", "a number from 0 to 1000000000"),
        ("account.messages_per_hour = \"2GiB\"", "a number from 0 to 1000000000"),
        ("account.messages_per_hour = { most = 3, acton = \"log\" }", "`most` or `action`"),
        ("account.messages_per_hour = { action = \"log\" }", "missing field `most`"),
        ("account.messages_per_hour = { most = { most = 1 } }", "invalid type: map"),
        ("account.messages_per_hour = { most = 1, action = \"ban\" }", "unknown variant `ban`"),
        ("account.octets_per_day = \"3TiB\"", "at most 1TiB"),
        ("account.octets_per_day = \"many\"", "octets such as \"2GiB\""),
        ("account.networks_per_hour = 201", "limits.account.networks_per_hour: 201"),
        ("address.networks_per_hour = 3", "unknown field `networks_per_hour`"),
        ("address.action = \"suspend\"", "limits.address.messages_per_hour: \"suspend\" would hit"),
        ("listeners = { legacy = \"small\" }", "limits.listeners.legacy: there is no profile"),
        ("[profile.\"a b\"]", "limits.profile: \"a b\" is no name"),
        ("exempt_accounts = [\"a/b\"]", "limits.exempt_accounts: \"a/b\""),
        ("exempt_networks = [\"1.2.3\"]", "exempt_networks"),
        ("entries_max = 10", "limits.entries_max: 10 is out of range; expected 1000 to 10000000"),
        ("known_recipients_max = 0", "limits.known_recipients_max: 0"),
        ("admin = \"abuse\"", "limits.admin: \"abuse\""),
        ("language = \"de\"", "unknown variant `de`"),
        ("shared = \"http://x\"", "limits.shared: "),
        ("shared = \"redis://:secret@192.0.2.1/0\"", "limits.shared: a password"),
        ("shared_password_file = \"x\"", "limits.shared_password_file: there is no limits.shared"),
        ("most = 3", "unknown field `most`"),
    ] {
        let said = wrong(text);
        assert!(said.contains(says), "{text}\n{said}");
        assert!(!said.contains("secret@"), "{said}");
    }
}

#[test]
fn names_that_exist_nowhere_are_warned_of() {
    let config = read("listeners = { old = \"a\" }\n[profile.a]\n");
    assert!(config.warnings(&["old"], &["a"]).is_empty());
    let warnings = config.warnings(&["submission"], &["b"]);
    assert_eq!(warnings.len(), 2);
    assert!(warnings[0].contains("\"old\"") && warnings[1].contains("[limits.profile.b]"));
}
