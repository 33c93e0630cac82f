//! A private key that signs for a domain.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use address::Domain;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use crate::config::DkimKey;
use crate::{DkimError, Record};

/// Largest key file in octets.
const FILE_MAX: u64 = 64 * 1024;

const EXPECTED: &str = "one private key in PEM: RSA of 2048 to 8192 bits or Ed25519, such as \
                        `lastpost dkim keygen` makes";

/// A key, ready to sign.
pub(crate) struct Key {
    pub(crate) domain: Domain,
    pub(crate) selector: String,
    pub(crate) subdomains: bool,
    pair: Pair,
}

enum Pair {
    Rsa(rsa::KeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    /// Reads a key file; says too whether others could.
    pub(crate) fn read(
        config: &DkimKey,
        index: usize,
    ) -> Result<(Self, Option<String>), DkimError> {
        let domain = config.parsed_domain().map_err(|problem| {
            let key = format!("dkim.key[{index}].domain");
            DkimError::config(key, problem, "a domain such as \"example.net\"")
        })?;
        let (pem, warning) = read_file(&config.file)?;
        let pair = Pair::parse(&pem).map_err(|problem| DkimError::Key {
            file: config.file.clone(),
            problem,
            expected: EXPECTED,
        })?;
        let (selector, subdomains) = (config.selector.clone(), config.subdomains);
        Ok((Self { domain, selector, subdomains, pair }, warning))
    }

    /// A key from PEM.
    #[cfg(test)]
    pub(crate) fn from_pem(domain: &str, selector: &str, pem: &[u8]) -> Result<Self, String> {
        let domain = Domain::parse(domain).map_err(|e| e.to_string())?;
        let pair = Pair::parse(pem)?;
        Ok(Self { domain, selector: selector.to_owned(), subdomains: true, pair })
    }

    /// The value of `a=`.
    pub(crate) const fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "rsa-sha256",
            Pair::Ed25519(_) => "ed25519-sha256",
        }
    }

    /// Signs `text`: RSA its digest with PKCS#1 padding (RFC 6376 section 3.3), Ed25519 the
    /// digest as a message (RFC 8463 section 3).
    pub(crate) fn sign(&self, text: &[u8]) -> Result<Vec<u8>, DkimError> {
        let failed =
            || DkimError::Sign { domain: self.domain.to_string(), selector: self.selector.clone() };
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let random = SystemRandom::new();
                pair.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature)
                    .map_err(|_| failed())?;
                Ok(signature)
            }
            Pair::Ed25519(pair) => {
                let digest = digest(&SHA256, text);
                let signature = pair.try_sign(digest.as_ref()).map_err(|_| failed())?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }

    /// What verifiers look up.
    pub(crate) fn record(&self) -> Option<Record> {
        self.pair.record(&self.domain, &self.selector)
    }
}

impl Pair {
    fn parse(pem: &[u8]) -> Result<Self, String> {
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|e| e.to_string())?;
        let rejected = |e: aws_lc_rs::error::KeyRejected| format!("the key is refused: {e}");
        match &der {
            PrivateKeyDer::Pkcs1(der) => {
                rsa::KeyPair::from_der(der.secret_pkcs1_der()).map(Self::Rsa).map_err(rejected)
            }
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                // OpenSSL writes Ed25519 keys without their public half.
                match Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
                    Ok(pair) => Ok(Self::Ed25519(pair)),
                    Err(_) => rsa::KeyPair::from_pkcs8(der).map(Self::Rsa).map_err(rejected),
                }
            }
            _ => Err("it holds a key of a kind that DKIM does not know".to_owned()),
        }
    }

    fn record(&self, domain: &Domain, selector: &str) -> Option<Record> {
        let (kind, key) = match self {
            Self::Rsa(pair) => {
                let der: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
                ("rsa", STANDARD.encode(der.as_ref()))
            }
            Self::Ed25519(pair) => ("ed25519", STANDARD.encode(pair.public_key().as_ref())),
        };
        Some(Record::new(domain, selector, &format!("v=DKIM1; k={kind}; p={key}")))
    }
}

/// The record of a private key that was just made.
pub(crate) fn record_of(pem: &[u8], domain: &Domain, selector: &str) -> Option<Record> {
    Pair::parse(pem).ok()?.record(domain, selector)
}

fn read_file(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Option<String>), DkimError> {
    let failed = |source| DkimError::File { action: "read the key", file: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    let mut pem = Zeroizing::new(Vec::new());
    file.take(FILE_MAX + 1).read_to_end(&mut pem).map_err(failed)?;
    if pem.len() as u64 > FILE_MAX {
        let problem = format!("it is larger than {FILE_MAX} octets");
        return Err(DkimError::Key { file: path.to_owned(), problem, expected: EXPECTED });
    }
    let warning = (mode & 0o007 != 0).then(|| {
        format!(
            "{}: every user of this machine can read the private key; chmod o-rwx",
            path.display()
        )
    });
    Ok((pem, warning))
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({} of {} for {})", self.selector, self.domain, self.algorithm())
    }
}
