//! An issuer of tokens, and the lines of configuration that trust it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};

pub(crate) const OAUTH: &str = "[oauth]\nissuer = \"https://id.example\"\naudience = [\"mail\"]\n\
                                [oauth.keys]\nfile = \"jwks.json\"\n";

/// An issuer that signs with Ed25519.
pub(crate) struct Issuer(KeyPair);

impl Issuer {
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap())
    }

    /// What lies in `jwks.json`.
    pub(crate) fn keys(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.0.der_bytes());
        format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"1","x":"{x}"}}]}}"#)
    }

    /// A token of `login` that ends at `ends`, in seconds since 1970.
    pub(crate) fn token(&self, login: &str, ends: i64) -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","kid":"1"}"#);
        let claims = format!(
            r#"{{"iss":"https://id.example","aud":"mail","email":"{login}","exp":{ends}}}"#
        );
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
        let signature = self.0.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
