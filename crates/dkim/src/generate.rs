//! New keys.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use address::Domain;
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::config::{in_ascii, is_selector};
use crate::{DkimError, Record, key};

/// Characters of a line of PEM (RFC 7468 section 2).
const LINE: usize = 64;

/// What kind of key to make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyType {
    /// RSA of 2048 bits, which every verifier knows.
    #[default]
    Rsa2048,
    /// RSA of 4096 bits; its record is too long for some DNS providers.
    Rsa4096,
    /// Ed25519 (RFC 8463): short and fast, and not yet known to every verifier. Sign with an RSA
    /// key beside it.
    Ed25519,
}

/// Makes a key and writes it to `file` (PKCS#8 in PEM), which only its owner may read.
///
/// # Errors
/// If the file is there already, or cannot be written; if domain or selector is none.
pub fn generate(
    domain: &Domain,
    selector: &str,
    kind: KeyType,
    file: &Path,
) -> Result<Record, DkimError> {
    let domain = in_ascii(domain).ok_or_else(|| {
        DkimError::config("--domain".into(), domain.as_str(), "a domain that DNS can hold")
    })?;
    if !is_selector(selector) {
        let problem = format!("{selector:?} is no selector");
        let expected = "letters, digits and hyphens, in parts with dots between them";
        return Err(DkimError::config("--selector".into(), problem, expected));
    }
    let pem = pem(kind).ok_or(DkimError::Generate)?;
    let record = key::record_of(pem.as_bytes(), &domain, selector).ok_or(DkimError::Generate)?;
    let failed =
        |source| DkimError::File { action: "write the new key", file: file.to_owned(), source };
    let mut opened =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(failed)?;
    opened.write_all(pem.as_bytes()).and_then(|()| opened.sync_all()).map_err(failed)?;
    Ok(record)
}

fn pem(kind: KeyType) -> Option<Zeroizing<String>> {
    let der: Pkcs8V1Der<'_> = match kind {
        KeyType::Rsa2048 => rsa::KeyPair::generate(rsa::KeySize::Rsa2048).ok()?.as_der().ok()?,
        KeyType::Rsa4096 => rsa::KeyPair::generate(rsa::KeySize::Rsa4096).ok()?.as_der().ok()?,
        KeyType::Ed25519 => Ed25519KeyPair::generate().ok()?.as_der().ok()?,
    };
    let encoded = Zeroizing::new(STANDARD.encode(der.as_ref()));
    let mut pem = Zeroizing::new(String::with_capacity(encoded.len() + encoded.len() / 32 + 64));
    pem.push_str("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(LINE).unwrap_or((rest, ""));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    Some(pem)
}
