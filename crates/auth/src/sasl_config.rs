//! `[auth.sasl]`: which mechanisms clients may choose from, and what those tell a stranger.

use std::ops::RangeInclusive;

use sasl::{Mechanism, Offer};
use serde::{Deserialize, Serialize};

use crate::{Account, ConfigError, Scheme, ScramHash};

/// RFC 7677 section 4 wants 4096 at least; above the other a client in a telephone takes longer
/// than people wait.
const ITERATIONS: RangeInclusive<u32> = 4096..=1_000_000;
/// Those that every account can use, and those that something else in the configuration asks for.
const BY_DEFAULT: [Mechanism; 5] = [
    Mechanism::OAuthBearer,
    Mechanism::XOAuth2,
    Mechanism::External,
    Mechanism::Plain,
    Mechanism::Login,
];
/// Those that clients choose by themselves and that do not work for every account, with the hash
/// whose keys they need.
const CHOSEN: [(Mechanism, Option<ScramHash>); 3] = [
    (Mechanism::ScramSha256, Some(ScramHash::Sha256)),
    (Mechanism::ScramSha1, Some(ScramHash::Sha1)),
    (Mechanism::CramMd5, None),
];
/// Longest text that an error of OAUTHBEARER carries.
const TEXT_MAX: usize = 512;

/// `[auth.sasl]`: which mechanisms clients may choose from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SaslConfig {
    /// The mechanisms that are offered, each by its registered name, where they can work: those
    /// with a token need `[oauth]`, EXTERNAL needs `tls.client_ca` and a client with a
    /// certificate. Clients choose by themselves, and take one of SCRAM where they see it: name
    /// one only when the passwords of all accounts are stored as its keys or as `{PLAIN}`, for
    /// the others then fail there.
    pub mechanisms: Vec<String>,
    /// How many rounds SCRAM asks for where no keys are stored: for `{PLAIN}` accounts and for
    /// names that nobody has. Most stored keys should have this number too.
    pub scram_iterations: u32,
    /// Where a client whose token was refused finds the identity provider (RFC 7628 section
    /// 3.2.2): a URL that ends in `/.well-known/openid-configuration`. Empty: it is not told.
    pub openid_configuration: String,
    /// The scopes that a token needs, separated by spaces, told to a client whose token was
    /// refused. Empty: not told.
    pub oauth_scope: String,
}

impl Default for SaslConfig {
    fn default() -> Self {
        Self {
            mechanisms: BY_DEFAULT.map(|mechanism| mechanism.name().to_owned()).to_vec(),
            scram_iterations: 15_000,
            openid_configuration: String::new(),
            oauth_scope: String::new(),
        }
    }
}

impl SaslConfig {
    /// The mechanisms as a set. A name that is none is left out; [`Self::check`] tells of it.
    #[must_use]
    pub fn offer(&self) -> Offer {
        self.mechanisms.iter().filter_map(|name| Mechanism::parse(name.as_bytes())).collect()
    }

    /// What the operator should know of these settings and his accounts, which are looked at one
    /// by one.
    #[must_use]
    pub fn warnings<'a>(&self, accounts: impl IntoIterator<Item = &'a Account>) -> Vec<String> {
        let offer = self.offer();
        if !CHOSEN.iter().any(|(mechanism, _)| offer.contains(*mechanism)) {
            return Vec::new();
        }
        let mut tally = Tally::default();
        for account in accounts {
            tally.count(account, self.scram_iterations);
        }
        let mut warnings = Vec::new();
        let Tally { all, unable, other_rounds } = tally;
        for ((mechanism, _), unable) in CHOSEN.into_iter().zip(unable) {
            if offer.contains(mechanism) && unable > 0 {
                warnings.push(format!(
                    "auth.sasl.mechanisms: {unable} of {all} accounts cannot log in by \
                     {mechanism}, which clients choose by themselves; see `lastpost account schemes`"
                ));
            }
        }
        if other_rounds > 0 {
            warnings.push(format!(
                "auth.sasl.scram_iterations: {other_rounds} accounts have keys with another \
                 number than {}, by which a stranger sees that there is such an account",
                self.scram_iterations
            ));
        }
        warnings
    }

    /// Checks every value.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub fn check(&self) -> Result<(), ConfigError> {
        for name in &self.mechanisms {
            if Mechanism::parse(name.as_bytes()).is_none() {
                return Err(ConfigError {
                    key: "auth.sasl.mechanisms",
                    problem: format!("{name:?} is none that there is"),
                    expected: "some of SCRAM-SHA-256-PLUS, SCRAM-SHA-256, SCRAM-SHA-1, \
                               OAUTHBEARER, XOAUTH2, EXTERNAL, PLAIN, LOGIN, CRAM-MD5",
                });
            }
        }
        if !ITERATIONS.contains(&self.scram_iterations) {
            return Err(ConfigError {
                key: "auth.sasl.scram_iterations",
                problem: format!("{} is out of range", self.scram_iterations),
                expected: "4096 to 1000000",
            });
        }
        let texts = [
            ("auth.sasl.openid_configuration", &self.openid_configuration, false),
            ("auth.sasl.oauth_scope", &self.oauth_scope, true),
        ];
        for (key, text, spaces) in texts {
            let fits = |byte: u8| match byte {
                b' ' => spaces,
                b'"' | b'\\' => false,
                _ => byte.is_ascii_graphic(),
            };
            if text.len() > TEXT_MAX || !text.bytes().all(fits) {
                return Err(ConfigError {
                    key,
                    problem: format!("{text:?} cannot be told to a client"),
                    expected: "at most 512 printable characters of ASCII, no quotation mark, no \
                               backslash, and spaces in a list of scopes alone",
                });
            }
        }
        Ok(())
    }
}

/// How many accounts there are, and who of them a mechanism does not work for.
#[derive(Default)]
struct Tally {
    all: usize,
    unable: [usize; CHOSEN.len()],
    /// Stored keys with another number of rounds than is named for nobody.
    other_rounds: usize,
}

impl Tally {
    fn count(&mut self, account: &Account, rounds: u32) {
        self.all += 1;
        let hash = account.hash();
        let is_plain = hash.is_some_and(|hash| hash.scheme() == Scheme::Plain);
        for (unable, (_, scram)) in self.unable.iter_mut().zip(CHOSEN) {
            let keys = scram.and_then(|scram| hash?.scram(scram));
            let able = match scram {
                Some(_) => keys.is_some(),
                None => hash.is_some_and(|hash| hash.scheme() == Scheme::CramMd5),
            };
            *unable += usize::from(!is_plain && !able);
            self.other_rounds += usize::from(keys.is_some_and(|keys| keys.iterations() != rounds));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{account, cheap, plain};
    use crate::{Argon2Params, HashRecipe};

    fn key_of(config: &SaslConfig) -> &'static str {
        config.check().unwrap_err().key
    }

    #[test]
    fn no_mechanism_that_only_some_accounts_can_use_is_offered_unasked() {
        let config = SaslConfig::default();
        config.check().unwrap();
        assert!(config.offer().iter().eq(BY_DEFAULT));
        let config: SaslConfig =
            toml::from_str("mechanisms = ['cram-md5', 'SCRAM-SHA-1']").unwrap();
        config.check().unwrap();
        assert!(config.offer().iter().eq([Mechanism::ScramSha1, Mechanism::CramMd5]));
    }

    #[test]
    fn a_mechanism_that_some_accounts_cannot_use_is_warned_of() {
        let keys = |rounds| {
            let recipe = HashRecipe::new(Scheme::ScramSha256, Argon2Params::default()).unwrap();
            recipe.with_rounds(rounds).unwrap().make(b"right").unwrap()
        };
        let accounts = [
            account("ann@example.net", plain("right"), false),
            account("bob@example.net", cheap("right"), false),
            account("eve@example.net", keys(4096), false),
        ];
        let of = |mechanisms: &str, rounds: u32| {
            let text = format!("mechanisms = [{mechanisms}]\nscram_iterations = {rounds}");
            toml::from_str::<SaslConfig>(&text).unwrap().warnings(&accounts)
        };
        assert!(of("'PLAIN', 'LOGIN'", 15_000).is_empty());
        let warnings = of("'SCRAM-SHA-256', 'SCRAM-SHA-1', 'CRAM-MD5'", 4096);
        let expected = [
            "1 of 3 accounts cannot log in by SCRAM-SHA-256,",
            "2 of 3 accounts cannot log in by SCRAM-SHA-1,",
            "2 of 3 accounts cannot log in by CRAM-MD5,",
        ];
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        for (warning, expected) in warnings.iter().zip(expected) {
            assert!(warning.contains(expected), "{warning}");
        }
        let warnings = of("'SCRAM-SHA-256'", 15_000);
        assert!(warnings[1].contains("1 accounts have keys with another number"), "{warnings:?}");
    }

    #[test]
    fn what_cannot_be_obeyed_is_named() {
        let config = SaslConfig::default;
        let mechanisms = vec!["PLAIN".to_owned(), "ANONYMOUS".to_owned()];
        assert_eq!(key_of(&SaslConfig { mechanisms, ..config() }), "auth.sasl.mechanisms");
        for scram_iterations in [0, 4095, 1_000_001] {
            let config = SaslConfig { scram_iterations, ..config() };
            assert_eq!(key_of(&config), "auth.sasl.scram_iterations");
        }
        for text in ["a\"b", "a\\b", "a\nb", "a b", &"a".repeat(513)] {
            let openid_configuration = text.to_owned();
            let config = SaslConfig { openid_configuration, ..config() };
            assert_eq!(key_of(&config), "auth.sasl.openid_configuration", "{text:?}");
        }
        let oauth_scope = "mail openid".to_owned();
        SaslConfig { oauth_scope, ..config() }.check().unwrap();
    }
}
