//! Values that are read, written, and refused with key and expectation.

use super::*;

fn auth(text: &str) -> AuthConfig {
    toml::from_str(text).unwrap()
}

#[test]
fn nothing_stated_is_the_safe_default() {
    let config = auth("");
    assert_eq!(config, AuthConfig::default());
    config.check().unwrap();
    assert_eq!(config.argon2().unwrap(), Argon2Params::default());
    let accounts: AccountsConfig = toml::from_str("").unwrap();
    assert_eq!(accounts, AccountsConfig::default());
    accounts.check().unwrap();
    assert_eq!(accounts.domain().unwrap(), None);
}

#[test]
fn every_key_is_read_and_written_back() {
    let config = auth(
        "argon2_memory_kib = 65536\nargon2_passes = 3\nverify_threads = 4\nverify_queue = 9\n\
         cache_ttl = \"1m 30s\"\ncache_entries = 7\nfailure_delay = \"250ms\"\n\
         failure_delay_max = \"30s\"\nfailure_half_life = \"1h\"\nfailure_entries = 16\n\
         shared_networks = [\"192.0.2.0/24\", \"2001:db8::/32\"]\n",
    );
    config.check().unwrap();
    assert_eq!(config.cache_ttl, Duration::from_secs(90));
    assert_eq!(config.failure_delay, Duration::from_millis(250));
    assert_eq!(config.shared_networks.len(), 2);
    assert_eq!(auth(&toml::to_string(&config).unwrap()), config);
    let accounts: AccountsConfig = toml::from_str(
        "passwd_file = \"users\"\ndefault_domain = \"Example.NET\"\n\
         maildir = \"/m/%d/%n\"\ncheck_every = \"0s\"\n",
    )
    .unwrap();
    accounts.check().unwrap();
    assert_eq!(accounts.domain().unwrap().unwrap().as_str(), "example.net");
    let text = toml::to_string(&accounts).unwrap();
    assert_eq!(toml::from_str::<AccountsConfig>(&text).unwrap(), accounts);
    let moved = accounts.relative_to(Path::new("/etc/lastpost"));
    assert_eq!(moved.passwd_file, Path::new("/etc/lastpost/users"));
    let absolute = AccountsConfig::default().relative_to(Path::new("/srv"));
    assert_eq!(absolute.passwd_file, Path::new("/etc/lastpost/passwd"));
}

#[test]
fn keys_that_do_not_exist_are_errors() {
    for text in ["argon2_memory = 1", "cache_ttl = 5", "shared_networks = [\"192.0.2.0/33\"]"] {
        assert!(toml::from_str::<AuthConfig>(text).is_err(), "{text}");
    }
    assert!(toml::from_str::<AccountsConfig>("passwd = \"x\"").is_err());
}

#[test]
fn values_that_cannot_be_obeyed_name_key_and_expectation() {
    let cases = [
        ("argon2_memory_kib = 4", "auth.argon2_memory_kib"),
        ("argon2_passes = 0", "auth.argon2_memory_kib and auth.argon2_passes"),
        ("argon2_memory_kib = 4000000", "auth.argon2_memory_kib"),
        ("verify_threads = 5000", "auth.verify_threads"),
        ("verify_queue = 0", "auth.verify_queue"),
        ("cache_entries = 0", "auth.cache_entries"),
        ("cache_ttl = \"25h\"", "auth.cache_ttl"),
        ("failure_delay = \"20s\"", "auth.failure_delay:"),
        ("failure_delay_max = \"2m\"", "auth.failure_delay_max"),
        ("failure_half_life = \"0s\"", "auth.failure_half_life"),
        ("failure_half_life = \"1000h\"", "auth.failure_half_life"),
        ("failure_entries = 1", "auth.failure_entries"),
    ];
    for (text, key) in cases {
        let error = auth(text).check().unwrap_err().to_string();
        assert!(error.starts_with(key) && error.contains("; expected "), "{text}: {error}");
    }
    let accounts = [
        ("default_domain = \"nodots\"", "accounts.default_domain"),
        ("passwd_file = \"\"", "accounts.passwd_file"),
        ("maildir = \"%q\"", "accounts.maildir"),
        ("check_every = \"1ms\"", "accounts.check_every"),
    ];
    for (text, key) in accounts {
        let config: AccountsConfig = toml::from_str(text).unwrap();
        let error = config.check().unwrap_err().to_string();
        assert!(error.starts_with(key) && error.contains("; expected "), "{text}: {error}");
    }
}
