//! A token taken apart: three parts of base64url (RFC 7515 section 7.1), the first of which says
//! how the third was made.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::algorithm::Algorithm;
use crate::claims::Refusal;
use crate::json::{self, Object};

/// Longest token in octets: more than a SASL message can carry.
pub(crate) const TOKEN_MAX: usize = 16 * 1024;

/// A signed token that nobody believes yet.
#[derive(Debug)]
pub(crate) struct Jws<'a> {
    pub(crate) algorithm: Algorithm,
    /// Which of the issuer's keys it says that it was signed with.
    pub(crate) key_id: Option<String>,
    /// What sort of token it says that it is, in lower case and without `application/`.
    pub(crate) kind: Option<String>,
    /// What was signed.
    pub(crate) message: &'a [u8],
    pub(crate) signature: Vec<u8>,
    payload: &'a [u8],
}

impl<'a> Jws<'a> {
    pub(crate) fn parse(token: &'a [u8]) -> Result<Self, Refusal> {
        if token.len() > TOKEN_MAX {
            return Err(Refusal::TooLong);
        }
        let mut dots = token.iter().enumerate().filter(|(_, octet)| **octet == b'.');
        let (Some((first, _)), Some((second, _)), None) = (dots.next(), dots.next(), dots.next())
        else {
            return Err(Refusal::NotJwt);
        };
        let header = json::object(&decode(&token[..first])?).ok_or(Refusal::Header)?;
        let text = |name: &str| match header.get(name) {
            None => Ok(None),
            Some(value) => value.text().map(Some).ok_or(Refusal::Header),
        };
        // An extension that must be understood is not (RFC 7515 section 4.1.11); a payload that
        // is not encoded or is compressed needs one.
        if ["crit", "b64", "zip", "enc"].iter().any(|name| header.contains_key(*name)) {
            return Err(Refusal::Header);
        }
        // Keys that a token brings along (`jwk`, `jku`, `x5u`, `x5c`) are not even looked at.
        let algorithm = text("alg")?.and_then(Algorithm::parse).ok_or(Refusal::Algorithm)?;
        let kind = text("typ")?.map(|kind| {
            let kind = kind.to_ascii_lowercase();
            kind.strip_prefix("application/").map_or(kind.clone(), str::to_owned)
        });
        Ok(Self {
            algorithm,
            key_id: text("kid")?.map(str::to_owned),
            kind,
            message: &token[..second],
            signature: decode(&token[second + 1..])?,
            payload: &token[first + 1..second],
        })
    }

    /// What it says. Only to be asked once the signature was found right.
    pub(crate) fn claims(&self) -> Result<Object, Refusal> {
        json::object(&decode(self.payload)?).ok_or(Refusal::Payload)
    }
}

/// Strictly: neither padding nor white space nor bits that mean nothing.
fn decode(part: &[u8]) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Base64)
}
