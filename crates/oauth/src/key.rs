//! One key of an issuer.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::algorithm::{Algorithm, Kind};
use crate::json::Object;

/// Bits of an RSA key.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Octets of a secret that is shared: as many as the shortest digest (RFC 7518 section 3.2).
pub(crate) const SHARED_LEAST: usize = 32;

/// A key that verifies, by certain algorithms alone.
pub(crate) struct Key {
    id: Option<String>,
    kind: Kind,
    ways: Vec<(Algorithm, Way)>,
}

enum Way {
    Public(ParsedPublicKey),
    Shared(Box<hmac::Key>),
}

impl Key {
    /// A key of a set (RFC 7517), for those of the `allowed` algorithms that it can be used
    /// with. None: it is none for signatures, is not understood, or is too weak.
    pub(crate) fn from_jwk(jwk: &Object, allowed: &[Algorithm]) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(|value| value.text());
        let (kind, material) = match (text("kty")?, text("crv")) {
            ("RSA", _) => (Kind::Rsa, rsa(text("n")?, text("e")?)?),
            ("EC", Some("P-256")) => (Kind::P256, point(text("x")?, text("y")?, 32)?),
            ("EC", Some("P-384")) => (Kind::P384, point(text("x")?, text("y")?, 48)?),
            ("OKP", Some("Ed25519")) => (Kind::Ed25519, exactly(text("x")?, 32)?),
            // A secret among public keys is a mistake of the issuer.
            _ => return None,
        };
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        if let Some(purposes) = jwk.get("key_ops")
            && !purposes.list()?.iter().any(|purpose| purpose.text() == Some("verify"))
        {
            return None;
        }
        let only = match jwk.get("alg") {
            None => None,
            Some(name) => Some(Algorithm::parse(name.text()?)?),
        };
        let ways = allowed
            .iter()
            .filter(|way| way.kind() == kind && only.is_none_or(|only| only == **way))
            .filter_map(|&way| {
                let key = ParsedPublicKey::new(way.verification()?, &material).ok()?;
                Some((way, Way::Public(key)))
            })
            .collect();
        Self { id: text("kid").map(str::to_owned), kind, ways }.usable()
    }

    /// A secret that is shared with the issuer.
    pub(crate) fn shared(secret: &[u8], allowed: &[Algorithm]) -> Option<Self> {
        let ways = allowed
            .iter()
            .filter_map(|&way| {
                Some((way, Way::Shared(Box::new(hmac::Key::new(way.mac()?, secret)))))
            })
            .collect();
        Self { id: None, kind: Kind::Shared, ways }.usable()
    }

    fn usable(self) -> Option<Self> {
        (!self.ways.is_empty()).then_some(self)
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Its name in the issuer's set.
    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether `signature` is one of `message` by this key and that algorithm.
    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let way = self.ways.iter().find(|(possible, _)| *possible == algorithm);
        match way {
            Some((_, Way::Public(key))) => key.verify_sig(message, signature).is_ok(),
            Some((_, Way::Shared(key))) => hmac::verify(key, message, signature).is_ok(),
            None => false,
        }
    }
}

fn rsa(modulus: &str, exponent: &str) -> Option<Vec<u8>> {
    let (n, e) = (number(modulus)?, number(exponent)?);
    let bits = (n.len() * 8).checked_sub(n.first()?.leading_zeros() as usize)?;
    if !RSA_BITS.contains(&bits) {
        return None;
    }
    let der: PublicKeyX509Der<'_> = RsaPublicKeyComponents { n, e }.as_der().ok()?;
    Some(der.as_ref().to_vec())
}

/// A number without the zeros in front that some issuers write.
fn number(text: &str) -> Option<Vec<u8>> {
    let octets = URL_SAFE_NO_PAD.decode(text).ok()?;
    let start = octets.iter().position(|octet| *octet != 0)?;
    Some(octets[start..].to_vec())
}

/// A point of a curve, not compressed (SEC 1 section 2.3.3); that it is on the curve is
/// checked by who takes it.
fn point(x: &str, y: &str, length: usize) -> Option<Vec<u8>> {
    Some([&[4], &*exactly(x, length)?, &*exactly(y, length)?].concat())
}

fn exactly(text: &str, length: usize) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok().filter(|octets| octets.len() == length)
}
