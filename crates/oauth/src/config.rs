//! The configuration section `[oauth]`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::{Deserialize, Serialize};

/// `[oauth]`: whose tokens are taken for passwords (OAUTHBEARER and XOAUTH2), and what they must
/// say. One of the sub-tables `keys` and `introspection` says how they are verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OAuthConfig {
    /// The issuer, exactly as tokens name it in `iss`. Needed with `keys`.
    pub issuer: String,
    /// Names of this service, of which a token must have one in `aud`. Needed with `keys`.
    pub audience: Vec<String>,
    /// The claim that names the account.
    pub login_claim: String,
    /// The domain that completes a login without `@`; empty: it is completed as a typed one is.
    pub domain: String,
    /// Scopes that a token must have, all of them.
    pub scopes: Vec<String>,
    /// Claims that a token must have, each as `claim=value`.
    pub required_claims: Vec<String>,
    /// The types (`typ`) that a signed token may have, if it states one.
    pub types: Vec<String>,
    /// How far the clocks of issuer and this host may differ, up to "5m".
    #[serde(with = "duration")]
    pub leeway: Duration,
    /// Signed tokens (JWT).
    pub keys: Option<KeysConfig>,
    /// Tokens that only the issuer understands.
    pub introspection: Option<IntrospectionConfig>,
}

impl Default for OAuthConfig {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: Vec::new(),
            login_claim: "email".to_owned(),
            domain: String::new(),
            scopes: Vec::new(),
            required_claims: Vec::new(),
            types: vec!["JWT".to_owned(), "at+jwt".to_owned()],
            leeway: Duration::from_secs(30),
            keys: None,
            introspection: None,
        }
    }
}

/// `[oauth.keys]`: the keys of signed tokens, from a file, a URL, or a shared secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeysConfig {
    /// Algorithms that are allowed: RS256, PS256, ES256, ES384 and EdDSA; with a shared secret
    /// HS256, HS384 and HS512 instead.
    pub algorithms: Vec<String>,
    /// A file with the set of keys (JWKS, RFC 7517); read again within seconds when it changes.
    pub file: Option<PathBuf>,
    /// Where the issuer publishes its set of keys.
    pub url: Option<String>,
    /// PEM file with the authorities that the URL's certificate is checked against; by default
    /// those of the system.
    pub ca_file: Option<PathBuf>,
    /// How often the URL is asked anew.
    #[serde(with = "duration")]
    pub refresh_every: Duration,
    /// The least time between two requests when a token names a key that is not known.
    #[serde(with = "duration")]
    pub refresh_least: Duration,
    /// How long the issuer may take.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// File with a secret that is shared with the issuer, 32 octets or more.
    pub secret_file: Option<PathBuf>,
    /// The environment variable that holds it.
    pub secret_env: Option<String>,
    /// The systemd credential that holds it.
    pub secret_credential: Option<String>,
}

impl Default for KeysConfig {
    fn default() -> Self {
        let usual = ["RS256", "PS256", "ES256", "ES384", "EdDSA"];
        Self {
            algorithms: usual.map(str::to_owned).to_vec(),
            file: None,
            url: None,
            ca_file: None,
            refresh_every: Duration::from_secs(15 * 60),
            refresh_least: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            secret_file: None,
            secret_env: None,
            secret_credential: None,
        }
    }
}

/// `[oauth.introspection]`: the issuer is asked about each token (RFC 7662).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IntrospectionConfig {
    /// Where to ask.
    pub url: String,
    /// The name by which this service asks.
    pub client_id: String,
    /// File with its secret.
    pub client_secret_file: Option<PathBuf>,
    /// The environment variable that holds it.
    pub client_secret_env: Option<String>,
    /// The systemd credential that holds it.
    pub client_secret_credential: Option<String>,
    /// PEM file with the authorities that the URL's certificate is checked against; by default
    /// those of the system.
    pub ca_file: Option<PathBuf>,
    /// How long the issuer may take.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// Questions at once.
    pub connections_max: usize,
    /// How long a good answer is remembered, up to the end of the token; "0s": not at all.
    #[serde(with = "duration")]
    pub cache_ttl: Duration,
    /// How many good answers are remembered.
    pub cache_entries: usize,
}

impl Default for IntrospectionConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            client_id: String::new(),
            client_secret_file: None,
            client_secret_env: None,
            client_secret_credential: None,
            ca_file: None,
            timeout: Duration::from_secs(5),
            connections_max: 8,
            cache_ttl: Duration::from_secs(60),
            cache_entries: 10_000,
        }
    }
}

impl OAuthConfig {
    /// The same with relative paths counted from `directory`.
    #[must_use]
    pub fn relative_to(mut self, directory: &Path) -> Self {
        let keys = self.keys.iter_mut();
        let of_keys =
            keys.flat_map(|keys| [&mut keys.file, &mut keys.ca_file, &mut keys.secret_file]);
        let asked = self.introspection.iter_mut();
        let of_asked = asked.flat_map(|asked| [&mut asked.ca_file, &mut asked.client_secret_file]);
        for path in of_keys.chain(of_asked).flatten() {
            *path = directory.join(&*path);
        }
        self
    }
}
