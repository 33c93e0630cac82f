//! One message being signed.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use address::Domain;
use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use crate::canonical::{RelaxedBody, relaxed_field};
use crate::key::Key;
use crate::{DkimConfig, DkimError};

/// Characters of a line of the field.
const LINE: usize = 76;

/// What signatures cover and say, beside the keys.
#[derive(Debug)]
pub(crate) struct Covered {
    /// Names of fields as they are spelled in `h=`, and whether one more is signed than there
    /// is.
    names: Vec<(String, bool)>,
    expire_after: Option<Duration>,
    identity: bool,
}

impl Covered {
    pub(crate) fn new(config: &DkimConfig) -> Self {
        let oversigned = config.oversign.iter().map(|name| (name.clone(), true));
        let signed = config.headers.iter().map(|name| (name.clone(), false));
        Self {
            names: oversigned.chain(signed).collect(),
            expire_after: config.expire_after,
            identity: config.identity,
        }
    }
}

/// A message whose body streams by.
pub struct Signing {
    keys: Vec<Arc<Key>>,
    author: Domain,
    covered: Arc<Covered>,
    body: RelaxedBody,
    digest: Context,
}

impl Signing {
    pub(crate) fn new(keys: Vec<Arc<Key>>, author: Domain, covered: Arc<Covered>) -> Self {
        let body = RelaxedBody::default();
        Self { keys, author, covered, body, digest: Context::new(&SHA256) }
    }

    /// Takes the next octets of the body: what stands behind the blank line, with CRLF line
    /// ends, before any dot-stuffing.
    pub fn body(&mut self, octets: &[u8]) {
        let digest = &mut self.digest;
        self.body.take(octets, &mut |block| digest.update(block));
    }

    /// The whole `DKIM-Signature` fields with their line ends, one for each key, to stand in
    /// front of the header. `section`: the message's header fields as they will be sent, with
    /// or without the blank line behind them. `at`: the time of signing.
    ///
    /// An RSA signature takes a processor for some tenths of a millisecond.
    ///
    /// # Errors
    /// If the header has no `From`, or the library fails.
    pub fn finish(self, section: &[u8], at: Timestamp) -> Result<Vec<u8>, DkimError> {
        let Self { keys, author, covered, body, mut digest } = self;
        body.finish(&mut |block| digest.update(block));
        let body_hash = STANDARD.encode(digest.finish());
        let (names, fields) = select(section, &covered)?;
        let at = at.as_second().max(0);
        let mut output = Vec::new();
        for key in keys {
            let unsigned = begin_field(&key, &author, &covered, &names, &body_hash, at);
            let mut text = fields.clone();
            relaxed_field(b"DKIM-Signature", unsigned.as_bytes(), &mut text);
            let signature = STANDARD.encode(key.sign(&text)?);
            output.extend_from_slice(b"DKIM-Signature:");
            output.extend_from_slice(unsigned.as_bytes());
            let mut rest = signature.as_str();
            while !rest.is_empty() {
                let (line, after) = rest.split_at_checked(LINE - 4).unwrap_or((rest, ""));
                output.extend_from_slice(line.as_bytes());
                output.extend_from_slice(if after.is_empty() { b"\r\n" } else { b"\r\n\t " });
                rest = after;
            }
        }
        Ok(output)
    }
}

impl std::fmt::Debug for Signing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signing").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// The value of the field with an empty `b=`, folded: without the signature it is what is signed
/// (RFC 6376 section 3.5).
fn begin_field(
    key: &Key,
    author: &Domain,
    covered: &Covered,
    names: &[&str],
    body_hash: &str,
    at: i64,
) -> String {
    let mut text = format!(
        " v=1; a={}; c=relaxed/relaxed;\r\n\td={}; s={};\r\n\tt={at};",
        key.algorithm(),
        key.domain,
        key.selector
    );
    if let Some(after) = covered.expire_after {
        let after = i64::try_from(after.as_secs()).unwrap_or(i64::MAX);
        let _ = write!(text, " x={};", at.saturating_add(after));
    }
    if covered.identity && *author != key.domain {
        let _ = write!(text, "\r\n\ti=@{author};");
    }
    text.push_str("\r\n\th=");
    let mut column = 10;
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            text.push(':');
            column += 1;
        }
        if column + name.len() > LINE && index > 0 {
            text.push_str("\r\n\t ");
            column = 9;
        }
        text.push_str(name);
        column += name.len();
    }
    let _ = write!(text, ";\r\n\tbh={body_hash};\r\n\tb=");
    text
}

/// What `h=` names, in order, and the fields themselves in relaxed form with their line ends: of
/// several with one name the last comes first (RFC 6376 section 5.4.2).
fn select<'c>(section: &[u8], covered: &'c Covered) -> Result<(Vec<&'c str>, Vec<u8>), DkimError> {
    let mut by_name: HashMap<Vec<u8>, Vec<&[u8]>> = HashMap::new();
    for (name, value) in fields(section) {
        by_name.entry(name.trim_ascii_end().to_ascii_lowercase()).or_default().push(value);
    }
    let (mut names, mut text) = (Vec::new(), Vec::new());
    for (name, oversigned) in &covered.names {
        let lower = name.to_ascii_lowercase();
        let values = by_name.get(lower.as_bytes()).map(Vec::as_slice).unwrap_or_default();
        if values.is_empty() && lower == "from" {
            return Err(DkimError::NoFrom);
        }
        for value in values.iter().rev() {
            names.push(name.as_str());
            relaxed_field(lower.as_bytes(), value, &mut text);
            text.extend_from_slice(b"\r\n");
        }
        if *oversigned {
            names.push(name.as_str());
        }
    }
    Ok((names, text))
}

/// Name and value, folds included, of each field.
fn fields(section: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = section;
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            let mut end = line_end(rest, 0);
            while matches!(rest.get(end), Some(b' ' | b'\t')) {
                end = line_end(rest, end);
            }
            let (field, after) = rest.split_at(end);
            rest = after;
            if let Some(colon) = memchr::memchr(b':', field) {
                let (name, value) = field.split_at(colon);
                return Some((name, value.get(1..).unwrap_or_default()));
            }
        }
    })
}

fn line_end(text: &[u8], begin: usize) -> usize {
    let rest = text.get(begin..).unwrap_or_default();
    memchr::memchr(b'\n', rest).map_or(text.len(), |lf| begin + lf + 1)
}

#[cfg(test)]
mod tests;
