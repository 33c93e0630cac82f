//! `[oauth]`: what can be obeyed, and what is said of what cannot.

use oauth::OAuthConfig;

fn check(text: &str) -> Result<(), String> {
    let config: OAuthConfig = toml::from_str(text).map_err(|error| error.to_string())?;
    config.check().map_err(|error| error.to_string())
}

const RULES: &str = "issuer = \"https://id.example\"\naudience = [\"mail\"]\n";

#[test]
fn settings_that_can_be_obeyed() {
    for text in [
        "[keys]\nfile = \"jwks.json\"",
        "[keys]\nurl = \"https://id.example/keys\"\nrefresh_every = \"1h\"\nrefresh_least = \"10s\"",
        "[keys]\nurl = \"http://127.0.0.1:8080/keys\"",
        "[keys]\nalgorithms = [\"HS512\"]\nsecret_env = \"SECRET\"",
        "leeway = \"0s\"\nscopes = [\"mail\"]\nrequired_claims = [\"a=b=c\"]\n[keys]\nfile = \"x\"",
    ] {
        check(&format!("{RULES}{text}")).unwrap();
    }
    check("[introspection]\nurl = \"https://id.example/i\"\nclient_id = \"m\"\nclient_secret_credential = \"s\"")
        .unwrap();
}

#[test]
fn settings_that_cannot_name_their_key() {
    let keys = |text: &str| format!("{RULES}{text}\n[keys]\nfile = \"x\"");
    let asked = |text: &str| {
        format!(
            "[introspection]\nurl = \"https://id.example/\"\nclient_id = \"m\"\nclient_secret_file = \"s\"\n{text}"
        )
    };
    for (text, key) in [
        (RULES.to_owned(), "oauth: "),
        (format!("{}\n{}", keys(""), asked("")), "oauth: "),
        ("[keys]\nfile = \"x\"".to_owned(), "oauth.issuer"),
        ("issuer = \"x\"\n[keys]\nfile = \"x\"".to_owned(), "oauth.audience"),
        (keys("login_claim = \"\""), "oauth.login_claim"),
        (keys("domain = \"a@b\""), "oauth.domain"),
        (keys("leeway = \"6m\""), "oauth.leeway"),
        (keys("scopes = [\"\"]"), "oauth.scopes"),
        (keys("required_claims = [\"x\"]"), "oauth.required_claims"),
        (keys("unknown = 1"), "unknown"),
        (format!("{RULES}[keys]"), "oauth.keys"),
        (format!("{RULES}[keys]\nfile = \"x\"\nurl = \"https://x/\""), "oauth.keys"),
        (format!("{RULES}[keys]\nfile = \"x\"\nsecret_file = \"y\""), "oauth.keys"),
        (format!("{RULES}[keys]\nsecret_file = \"x\"\nsecret_env = \"Y\""), "oauth.keys.secret"),
        (format!("{RULES}[keys]\nsecret_file = \"x\""), "oauth.keys.algorithms"),
        (format!("{RULES}[keys]\nfile = \"x\"\nalgorithms = []"), "oauth.keys.algorithms"),
        (format!("{RULES}[keys]\nfile = \"x\"\nalgorithms = [\"none\"]"), "oauth.keys.algorithms"),
        (format!("{RULES}[keys]\nfile = \"x\"\nalgorithms = [\"HS256\"]"), "oauth.keys.algorithms"),
        (format!("{RULES}[keys]\nurl = \"http://id.example/\""), "oauth.keys.url"),
        (format!("{RULES}[keys]\nurl = \"id.example\""), "oauth.keys.url"),
        (
            format!("{RULES}[keys]\nfile = \"x\"\nrefresh_every = \"0s\""),
            "oauth.keys.refresh_every",
        ),
        (
            format!("{RULES}[keys]\nfile = \"x\"\nrefresh_least = \"2h\""),
            "oauth.keys.refresh_least",
        ),
        (format!("{RULES}[keys]\nfile = \"x\"\ntimeout = \"2m\""), "oauth.keys.timeout"),
        (asked("timeout = \"0s\""), "oauth.introspection.timeout"),
        (asked("cache_ttl = \"2h\""), "oauth.introspection.cache_ttl"),
        (asked("connections_max = 0"), "oauth.introspection"),
        (asked("cache_entries = 0"), "oauth.introspection"),
        ("[introspection]\nurl = \"http://id.example/\"".to_owned(), "oauth.introspection.url"),
        (
            "[introspection]\nurl = \"https://id.example/\"".to_owned(),
            "oauth.introspection.client_id",
        ),
        (
            "[introspection]\nurl = \"https://id.example/\"\nclient_id = \"m\"".to_owned(),
            "oauth.introspection.client_secret",
        ),
    ] {
        let error = check(&text).unwrap_err();
        assert!(error.contains(key), "{text}\n{error}");
    }
}
