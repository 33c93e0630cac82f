//! The documented configuration: complete, in force as it stands, and true.

mod databases;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

use lastpost::config::Config;

use crate::site::{Site, check};

/// How a key that is not set begins.
const DEFAULT: &str = "# ";
const EXAMPLE: &str = "# Example: ";
const INSTEAD: &str = "# Instead: ";

/// The Ed25519 key of RFC 8032 section 7.1, test 1.
const SIGNING_KEY: &[u8] = b"-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
    -----END PRIVATE KEY-----\n";

/// The public key of RFC 8037 appendix A.2.
const TOKEN_KEYS: &[u8] = br#"{"keys":[{"kty":"OKP","crv":"Ed25519",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// Every table of the file.
const TABLES: &[&str] = &[
    "",
    "tls",
    "tls.named",
    "accounts",
    "accounts.source",
    "accounts.source.passwd_file",
    "accounts.source.sqlite",
    "accounts.source.postgresql",
    "accounts.source.postgresql.queries",
    "accounts.source.mysql",
    "accounts.source.mysql.queries",
    "accounts.source.ldap",
    "accounts.source.ldap.search",
    "accounts.source.http",
    "auth",
    "auth.sasl",
    "auth.attack",
    "auth.share",
    "oauth",
    "oauth.keys",
    "oauth.introspection",
    "pop3",
    "pop3.protocol",
    "pop3.maildrop",
    "pop3.retention",
    "pop3.listen",
    "submission",
    "submission.protocol",
    "submission.header",
    "submission.listen",
    "dkim",
    "dkim.key",
    "spool",
    "relay",
    "relay.next_hop",
    "relay.hop",
    "relay.route",
    "relay.mx",
    "limits",
    "limits.account",
    "limits.address",
    "limits.profile.small",
    "control",
    "log",
];

fn documented() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/lastpost.toml");
    std::fs::read_to_string(path).unwrap()
}

/// The text behind `mark`, if the line sets a key or opens a table there.
fn setting<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(mark)?;
    let (key, _) = rest.split_once(" = ").unwrap_or((rest.trim_matches(['[', ']']), ""));
    let opens = rest.starts_with('[') && rest.ends_with(']');
    let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_key = !key.is_empty() && key.chars().all(named) && rest.contains(" = ");
    (opens || is_key).then_some(rest)
}

/// The file with what stands behind `marks` in force.
fn in_force(text: &str, marks: &[&str]) -> String {
    let lines = text.lines().map(|line| {
        let found = marks.iter().find_map(|mark| setting(line, mark));
        found.unwrap_or(line)
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// The same with all paths below `directory`.
fn moved(text: &str, directory: &Path) -> String {
    ["/etc/lastpost", "/var/lib/lastpost", "/var/spool/lastpost"]
        .iter()
        .fold(text.to_owned(), |text, from| {
            text.replace(from, &directory.join(&from[1..]).display().to_string())
        })
}

/// A site on which all files are there that the documented configuration names.
fn furnished() -> Site {
    let site = Site::new();
    for (name, from) in [
        ("tls/fullchain.pem", "certificate.pem"),
        ("tls/privkey.pem", "key.pem"),
        ("tls/client-ca.pem", "certificate.pem"),
        ("passwd", "users"),
        ("next-hop.password", "password"),
        ("valkey.password", "password"),
    ] {
        let content = std::fs::read(site.path(from)).unwrap();
        site.write(&format!("etc/lastpost/{name}"), &content);
    }
    let names = vec!["mail.example.org".to_owned(), "pop.example.org".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    site.write("etc/lastpost/dkim/example.net.s2026.pem", SIGNING_KEY);
    site.write("etc/lastpost/client-token.key", &[7; 32]);
    site.write("etc/lastpost/oauth-keys.json", TOKEN_KEYS);
    site.write("etc/lastpost/tls/example.org-fullchain.pem", chain.as_bytes());
    site.write("etc/lastpost/tls/example.org-privkey.pem", key.as_bytes());
    site
}

fn install(site: &Site, marks: &[&str]) -> PathBuf {
    let text = moved(&in_force(&documented(), marks), site.path("").as_path());
    site.write("etc/lastpost/lastpost.toml", text.as_bytes())
}

fn load(site: &Site, marks: &[&str]) -> Config {
    Config::load(&install(site, marks)).unwrap_or_else(|error| panic!("{error}"))
}

fn assert_same(section: &str, code: &impl Debug, file: &impl Debug) {
    assert_eq!(format!("{code:#?}"), format!("{file:#?}"), "[{section}]: code, then file");
}

#[test]
fn the_file_as_it_stands_is_a_good_configuration() {
    let site = furnished();
    let config = load(&site, &[]);
    let ports = |addresses: Vec<std::net::SocketAddr>| -> Vec<u16> {
        addresses.iter().map(std::net::SocketAddr::port).collect()
    };
    assert_eq!(ports(config.pop3.listen.iter().map(|l| l.address).collect()), [110, 995]);
    let submission = ports(config.submission.listen.iter().map(|l| l.address).collect());
    assert_eq!(submission, [25, 587, 465]);
    let checked = check(&site.path("etc/lastpost/lastpost.toml"), &[]);
    assert_eq!(checked.status, Some(0), "{}", checked.errors);
    assert!(!checked.output.contains("warning"), "{}", checked.output);
}

#[test]
fn every_default_that_is_shown_is_the_one_in_the_code() {
    let site = furnished();
    let mut code = load(&site, &[]);
    let mut file = load(&site, &[DEFAULT]);
    assert!(in_force(&documented(), &[DEFAULT]) != documented(), "no default is shown");

    // Defaults that follow from other keys: the same in effect.
    let postmaster = file.submission.postmaster.take();
    assert_eq!(postmaster, Some(format!("postmaster@{}", code.hostname)));
    assert_eq!(file.control_token_file(), code.control_token_file());
    file.control.token_file = None;
    assert_eq!(file.log.filter.take().as_deref(), Some("info"));
    assert_eq!(file.relay.hello.take(), Some(code.hostname.clone()));
    // Where the code's default is a path of this machine.
    assert_eq!(code.spool.directory, Path::new("/var/spool/lastpost"));
    code.spool.directory = site.path("var/spool/lastpost");

    assert_same("tls", &code.tls, &file.tls);
    assert_same("accounts", &code.accounts, &file.accounts);
    assert_same("auth", &code.auth, &file.auth);
    assert_same("pop3", &code.pop3, &file.pop3);
    assert_same("submission", &code.submission, &file.submission);
    assert_same("dkim", &code.dkim, &file.dkim);
    assert_same("spool", &code.spool, &file.spool);
    assert_same("relay", &code.relay, &file.relay);
    assert_same("control", &code.control, &file.control);
    assert_same("log", &code.log, &file.log);
}

#[test]
fn the_examples_are_good_configuration_too() {
    let site = furnished();
    let config = load(&site, &[DEFAULT, EXAMPLE]);
    assert_eq!(config.tls.unwrap().named.len(), 1);
    assert!(config.relay.next_hop.unwrap().username.is_some());
    assert!(config.control.listen_pop3d.is_some());
    // Figures that are shown as those of the section itself are.
    let (shown, code) = (config.limits.unwrap(), limits::LimitsConfig::default());
    assert_eq!(shown.entries_max, code.entries_max);
    assert_eq!(shown.known_recipients_max, code.known_recipients_max);
    assert_eq!(shown.language, code.language);
    let with_figures = limits::LimitsConfig {
        account: limits::ProfileConfig { action: None, ..shown.account },
        address: limits::AddressConfig { action: None, ..shown.address },
        ..code.clone()
    };
    assert!(with_figures.resolves_like(&code), "the figures in the file, and those in the code");
    let checked = check(&site.path("etc/lastpost/lastpost.toml"), &["--json"]);
    assert_eq!(checked.status, Some(0), "{}", checked.errors);
    let json: serde_json::Value = serde_json::from_str(&checked.output).unwrap();
    assert_eq!(json["accounts"], 1);
}

#[test]
fn the_figures_of_oauth_are_those_in_the_code() {
    let site = furnished();
    let shown = load(&site, &[DEFAULT, EXAMPLE]).oauth.unwrap();
    let code = oauth::OAuthConfig::default();
    assert_eq!(shown.login_claim, code.login_claim);
    assert_eq!((shown.types, shown.leeway), (code.types, code.leeway));
    let keys = oauth::KeysConfig { file: None, ..shown.keys.unwrap() };
    assert_eq!(keys, oauth::KeysConfig::default());
    // Of the table that stands in the place of another, what is not a matter of the site.
    let text = documented();
    let table = text.split("# Instead: [oauth.introspection]\n").nth(1).unwrap();
    let table = table.split("\n# -----").next().unwrap();
    let asked: oauth::IntrospectionConfig = toml::from_str(&in_force(table, &[INSTEAD])).unwrap();
    let code = oauth::IntrospectionConfig {
        url: asked.url.clone(),
        client_id: asked.client_id.clone(),
        client_secret_file: asked.client_secret_file.clone(),
        client_secret_env: asked.client_secret_env.clone(),
        client_secret_credential: asked.client_secret_credential.clone(),
        ca_file: asked.ca_file.clone(),
        ..oauth::IntrospectionConfig::default()
    };
    assert_eq!(asked, code);
}

#[test]
fn the_figures_of_directory_and_hook_are_those_in_the_code() {
    use accounts::http::HttpConfig;
    use accounts::ldap::{LdapConfig, LdapSearch};

    let text = documented();
    let table = |name: &str| {
        let begun = text.split(&format!("# Instead: [{name}]\n")).nth(1).unwrap().to_owned();
        in_force(begun.split("\n\n").next().unwrap(), &[INSTEAD])
    };
    let directory: LdapConfig = toml::from_str(&table("accounts.source.ldap")).unwrap();
    let code = LdapConfig {
        servers: directory.servers.clone(),
        password_file: directory.password_file.clone(),
        password_env: directory.password_env.clone(),
        password_credential: directory.password_credential.clone(),
        ..LdapConfig::default()
    };
    assert_same("accounts.source.ldap", &code, &directory);
    let search: LdapSearch = toml::from_str(&table("accounts.source.ldap.search")).unwrap();
    let code = LdapSearch {
        base: search.base.clone(),
        filter: search.filter.clone(),
        ..LdapSearch::default()
    };
    assert_same("accounts.source.ldap.search", &code, &search);
    let attributes = toml::from_str(&table("accounts.source.ldap.attributes")).unwrap();
    let (password_file, password_env, password_credential) = (None, None, None);
    let whole = LdapConfig {
        search,
        attributes,
        password_file,
        password_env,
        password_credential,
        ..directory
    };
    assert!(whole.check().is_ok(), "{:?}", whole.check());
    let hook: HttpConfig = toml::from_str(&table("accounts.source.http")).unwrap();
    let code = HttpConfig {
        url: hook.url.clone(),
        token_file: hook.token_file.clone(),
        token_env: hook.token_env.clone(),
        token_credential: hook.token_credential.clone(),
        ..HttpConfig::default()
    };
    assert_same("accounts.source.http", &code, &hook);
}

/// The keys and subtables of `table` that the file shows, whether in force or not.
fn shown(text: &str, table: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut here = "";
    for line in text.lines() {
        let found = ["", DEFAULT, EXAMPLE, INSTEAD].iter().find_map(|mark| setting(line, mark));
        let Some(found) = found else { continue };
        if found.starts_with('[') {
            here = found.trim_matches(['[', ']']);
            let (around, name) = here.rsplit_once('.').unwrap_or(("", here));
            if around == table {
                keys.insert(name.to_owned());
            }
        } else if here == table {
            keys.extend(found.split(" = ").next().map(str::to_owned));
        }
    }
    keys
}

/// The keys of `table` as the code has them: it lists them when it meets an unknown one.
fn known(site: &Site, table: &str) -> BTreeSet<String> {
    let text = in_force(&documented(), &[DEFAULT, EXAMPLE]);
    let header = |line: &&str| line.trim_matches(['[', ']']) == table && line.starts_with('[');
    let mut lines: Vec<&str> = text.lines().collect();
    // A table that stands in the place of another is in force for this test alone.
    let opened = match table.strip_prefix("accounts.source") {
        // One of several, and what belongs to it.
        Some("") => "[[accounts.source]]\nname = \"x\"\nkind = \"ldap\"".to_owned(),
        Some(_) => format!("[[accounts.source]]\nname = \"x\"\nkind = \"ldap\"\n[{table}]"),
        None => format!("[{table}]"),
    };
    let at = match (table, lines.iter().position(header)) {
        ("", _) => 0,
        (_, Some(place)) => place + 1,
        (_, None) => {
            lines.push(&opened);
            lines.len()
        }
    };
    lines.insert(at, "no_such_key = 1");
    let file = site.write("etc/lastpost/unknown.toml", lines.join("\n").as_bytes());
    let message = Config::load(&file).unwrap_err().to_string();
    let expected = message.split("unknown field `no_such_key`, expected ").nth(1);
    let expected = expected.unwrap_or_else(|| panic!("[{table}]: {message}"));
    let list = expected.lines().next().unwrap().split(';').next().unwrap();
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_key_of_every_table_is_in_the_file() {
    let site = furnished();
    let text = documented();
    for table in TABLES {
        assert_eq!(shown(&text, table), known(&site, table), "[{table}]: file, then code");
    }
}

#[test]
fn every_key_is_explained_where_it_stands() {
    let text = documented();
    let lines: Vec<&str> = text.lines().collect();
    let is_setting = |line: &str| {
        ["", DEFAULT, EXAMPLE, INSTEAD].iter().any(|mark| setting(line, mark).is_some())
    };
    let is_prose = |line: &str| line.starts_with("# ") && !is_setting(line);
    // Tables that stand more than once explain their keys in front of the first.
    let repeated =
        ["tls.named", "pop3.listen", "submission.listen", "dkim.key", "relay.hop", "relay.route"];
    let mut table = "";
    for (number, line) in lines.iter().enumerate() {
        if let Some(header) = line.trim_start_matches(EXAMPLE).strip_prefix('[') {
            table = header.trim_matches(['[', ']']);
        } else if is_setting(line) && !repeated.contains(&table) {
            let above = lines[..number].iter().rev().find(|line| !is_setting(line));
            assert!(above.is_some_and(|line| is_prose(line)), "line {}: {line}", number + 1);
        }
    }
    for table in repeated {
        for key in shown(&text, table) {
            let told = text.lines().any(|line| line.starts_with(&format!("#   {key} ")));
            assert!(told, "[[{table}]] {key}");
        }
    }
}

#[test]
fn the_file_names_nothing_that_will_go() {
    let text = documented().to_lowercase();
    for word in ["bridge", "grant", "cohort", "phase"] {
        assert!(!text.contains(word), "{word}");
    }
    for line in text.lines().filter(|line| line.contains("authorities = ")) {
        assert!(line.ends_with("authorities = [\"smtp-auth\"]"), "{line}");
    }
}
