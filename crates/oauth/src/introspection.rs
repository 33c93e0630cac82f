//! The issuer is asked about each token (RFC 7662), and what it said is remembered for a while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use auth::{Moment, SecretSource, TokenIdentity};
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use https::{Client, Request, Settings, Url};
use quick_cache::sync::Cache;
use sasl::Secret;
use zeroize::Zeroizing;

use crate::claims::{Refusal, Strictness};
use crate::config::IntrospectionConfig;
use crate::json::{self, Json};
use crate::keys::between;
use crate::remote::checked_url;
use crate::rules::Rules;
use crate::verifier::{Failure, OAuthError};

const SECRET: &str = "oauth.introspection.client_secret";
/// Octets of an answer.
const ANSWER_MAX: usize = 64 * 1024;

/// The issuer's side that knows its tokens.
pub(crate) struct Introspection {
    client: Client,
    url: Url,
    /// The value of `Authorization` (RFC 6749 section 2.3.1).
    credentials: Zeroizing<Vec<u8>>,
    cache_ttl: Duration,
    /// Good tokens, by keyed digests that only this process can make.
    cache: Cache<[u8; 32], Remembered>,
    key: hmac::Key,
    failing: AtomicBool,
}

#[derive(Clone)]
struct Remembered {
    identity: TokenIdentity,
    until: Duration,
}

impl IntrospectionConfig {
    fn secret(&self) -> Result<SecretSource, OAuthError> {
        let file = self.client_secret_file.as_deref();
        let env = self.client_secret_env.as_deref();
        let chosen =
            SecretSource::choose(SECRET, file, env, self.client_secret_credential.as_deref())?;
        let expected = "client_secret_file, client_secret_env or client_secret_credential";
        chosen.ok_or_else(|| OAuthError::new(SECRET, "it is not set", expected))
    }

    pub(crate) fn check(&self) -> Result<(), OAuthError> {
        const SECTION: &str = "oauth.introspection";
        checked_url("oauth.introspection.url", &self.url)?;
        if self.client_id.is_empty() {
            let expected = "the name that the issuer gave to this service";
            return Err(OAuthError::new("oauth.introspection.client_id", "it is empty", expected));
        }
        self.secret()?;
        between("oauth.introspection.timeout", self.timeout, 1, 60, "\"1s\" to \"60s\"")?;
        between("oauth.introspection.cache_ttl", self.cache_ttl, 0, 3600, "\"0s\" to \"1h\"")?;
        if !(1..=256).contains(&self.connections_max) {
            let problem = format!("connections_max is {}", self.connections_max);
            return Err(OAuthError::new(SECTION, problem, "1 to 256"));
        }
        if !(1..=1_000_000).contains(&self.cache_entries) {
            let problem = format!("cache_entries is {}", self.cache_entries);
            return Err(OAuthError::new(SECTION, problem, "1 to 1000000"));
        }
        Ok(())
    }
}

impl Introspection {
    pub(crate) fn open(config: &IntrospectionConfig) -> Result<Self, OAuthError> {
        let url = checked_url("oauth.introspection.url", &config.url)?;
        let secret = config.secret()?.read()?;
        let settings = Settings {
            ca_file: config.ca_file.clone(),
            connect_timeout: config.timeout,
            timeout: config.timeout,
            answer_max: ANSWER_MAX,
            connections_max: config.connections_max,
            idle_max: config.connections_max,
        };
        let wrong = |error: https::HttpsError| {
            let expected = "a PEM file with authorities";
            OAuthError::new("oauth.introspection.ca_file", error.to_string(), expected)
        };
        let client = Client::new(&settings).map_err(wrong)?;
        client.can_ask(&url).map_err(wrong)?;
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new());
        let no_randomness =
            |_| OAuthError::new("oauth", "the system gives no random octets", "a working system");
        Ok(Self {
            client,
            url,
            credentials: credentials(config.client_id.as_bytes(), secret.expose()),
            cache_ttl: config.cache_ttl,
            cache: Cache::new(config.cache_entries),
            key: key.map_err(no_randomness)?,
            failing: AtomicBool::new(false),
        })
    }

    /// Whose token this is, by what the issuer says or said a moment ago.
    pub(crate) async fn ask(
        &self,
        rules: &Rules,
        token: &Secret,
        at: Moment,
    ) -> Result<TokenIdentity, Failure> {
        // RFC 6750 section 2.1: what else it holds is none of the issuer's business.
        let is_token = |octet: &u8| octet.is_ascii_graphic();
        if token.is_empty() || !token.expose().iter().all(is_token) {
            return Err(Refusal::NotJwt.into());
        }
        let digest = self.digest(token);
        if let Some(remembered) = self.cache.get(&digest) {
            let ended = remembered.identity.expires.is_some_and(|end| end <= at.wall);
            if at.mono < remembered.until && !ended {
                return Ok(remembered.identity);
            }
            self.cache.remove(&digest);
        }
        let claims = self.answer(token).await?;
        if claims.get("active") != Some(&Json::Bool(true)) {
            return Err(Refusal::Inactive.into());
        }
        if let Some(kind) = claims.get("token_type")
            && !kind.text().is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"))
        {
            return Err(Refusal::Type.into());
        }
        let identity = rules.judge(&claims, Strictness::Asked, at.wall)?;
        if !self.cache_ttl.is_zero() {
            let until = at.mono.saturating_add(self.cache_ttl);
            self.cache.insert(digest, Remembered { identity: identity.clone(), until });
        }
        Ok(identity)
    }

    /// Forgets every answer.
    pub(crate) fn forget(&self) {
        self.cache.clear();
    }

    async fn answer(&self, token: &Secret) -> Result<json::Object, Failure> {
        let form = [("token", token.expose()), ("token_type_hint", b"access_token".as_slice())];
        let request = Request::post_form(&form).repeatable();
        let fields = [("Authorization", self.credentials.as_slice())];
        let said = match self.client.post(&self.url, request, &fields).await {
            Ok(response) if response.status() == 200 => {
                json::object(response.body()).ok_or_else(|| "the answer is no JSON".to_owned())
            }
            Ok(response) => Err(format!("the status is {} instead of 200", response.status())),
            Err(error) => Err(error.to_string()),
        };
        let failed = said.is_err();
        if self.failing.swap(failed, Ordering::Relaxed) != failed {
            let url = &self.url;
            match &said {
                Ok(_) => {
                    tracing::info!(target: "lastpost::auth", %url, "token issuer answers again")
                }
                Err(problem) => {
                    tracing::warn!(target: "lastpost::auth", %url, %problem, "token issuer does not answer");
                }
            }
        }
        said.map_err(|_| Failure::Unavailable)
    }

    fn digest(&self, token: &Secret) -> [u8; 32] {
        let tag = hmac::sign(&self.key, token.expose());
        let mut digest = [0; 32];
        digest.copy_from_slice(tag.as_ref());
        digest
    }
}

/// `Basic` with name and secret, each encoded as in forms.
fn credentials(client_id: &[u8], secret: &[u8]) -> Zeroizing<Vec<u8>> {
    // A form of one pair without a name is `=value`.
    let (id, secret) = (https::form(&[("", client_id)]), https::form(&[("", secret)]));
    let mut pair = Zeroizing::new(Vec::with_capacity(id.len() + secret.len()));
    pair.extend_from_slice(&id[1..]);
    pair.push(b':');
    pair.extend_from_slice(&secret[1..]);
    let mut value = Zeroizing::new(vec![0; 6 + pair.len().div_ceil(3) * 4]);
    value[..6].copy_from_slice(b"Basic ");
    let written = STANDARD.encode_slice(&*pair, &mut value[6..]).unwrap_or(0);
    value.truncate(6 + written);
    value
}
