//! What a token must say, as the configuration has it.

use std::time::Duration;

use crate::algorithm::Algorithm;
use crate::config::OAuthConfig;
use crate::verifier::OAuthError;

/// The longest leeway: beyond it an end is no end.
const LEEWAY_MAX: Duration = Duration::from_secs(5 * 60);
/// Entries of each list.
const LIST_MAX: usize = 64;

/// Checked settings.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) issuer: String,
    pub(crate) audience: Vec<String>,
    pub(crate) login_claim: String,
    pub(crate) domain: String,
    pub(crate) scopes: Vec<String>,
    /// Claim, and the value that it must have or hold.
    pub(crate) required: Vec<(String, String)>,
    pub(crate) types: Vec<String>,
    pub(crate) leeway: Duration,
}

impl Rules {
    pub(crate) fn new(config: &OAuthConfig) -> Result<Self, OAuthError> {
        if config.login_claim.is_empty() {
            return Err(OAuthError::new(
                "oauth.login_claim",
                "it is empty",
                "a claim's name such as \"email\"",
            ));
        }
        if config.leeway > LEEWAY_MAX {
            let problem = format!("{:?} is too long", config.leeway);
            return Err(OAuthError::new("oauth.leeway", problem, "\"0s\" to \"5m\""));
        }
        for (key, list) in [
            ("oauth.audience", &config.audience),
            ("oauth.scopes", &config.scopes),
            ("oauth.required_claims", &config.required_claims),
            ("oauth.types", &config.types),
        ] {
            if list.len() > LIST_MAX || list.iter().any(String::is_empty) {
                let expected = "at most 64 entries, none of them empty";
                return Err(OAuthError::new(
                    key,
                    "the list is too long or has an empty entry",
                    expected,
                ));
            }
        }
        let required = config.required_claims.iter().map(|rule| match rule.split_once('=') {
            Some((claim, value)) if !claim.is_empty() => Ok((claim.to_owned(), value.to_owned())),
            _ => Err(OAuthError::new(
                "oauth.required_claims",
                format!("{rule:?} has no claim and value"),
                "entries such as \"email_verified=true\"",
            )),
        });
        let is_domain = |domain: &str| {
            !domain.contains(['@', ' ']) && !domain.starts_with('.') && domain.len() <= 255
        };
        if !is_domain(&config.domain) {
            let problem = format!("{:?} is no domain", config.domain);
            return Err(OAuthError::new(
                "oauth.domain",
                problem,
                "a domain such as \"example.net\", or \"\"",
            ));
        }
        Ok(Self {
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            login_claim: config.login_claim.clone(),
            domain: config.domain.clone(),
            scopes: config.scopes.clone(),
            required: required.collect::<Result<_, _>>()?,
            types: config.types.iter().map(|kind| kind.to_ascii_lowercase()).collect(),
            leeway: config.leeway,
        })
    }
}

/// The algorithms that may be used: those of public keys, or, with a shared secret, its own.
pub(crate) fn algorithms(names: &[String], shared: bool) -> Result<Vec<Algorithm>, OAuthError> {
    const KEY: &str = "oauth.keys.algorithms";
    let expected = match shared {
        true => "HS256, HS384 or HS512, for keys.secret_file and its like",
        false => "RS256, PS256, ES256, ES384 or EdDSA",
    };
    let mut found = Vec::new();
    for name in names {
        let wrong = || OAuthError::new(KEY, format!("{name:?} cannot be used here"), expected);
        let algorithm = Algorithm::parse(name).ok_or_else(wrong)?;
        if algorithm.mac().is_some() != shared {
            return Err(wrong());
        }
        if !found.contains(&algorithm) {
            found.push(algorithm);
        }
    }
    match found.is_empty() {
        true => Err(OAuthError::new(KEY, "the list is empty", expected)),
        false => Ok(found),
    }
}
