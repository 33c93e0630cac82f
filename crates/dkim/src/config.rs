//! The section `[dkim]` of the configuration.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use address::Domain;
use jiff::fmt::serde::unsigned_duration::friendly::compact::optional as duration;
use serde::Deserialize;

use crate::DkimError;

/// Keys of one domain that sign the same message.
const KEYS_PER_DOMAIN: usize = 2;

/// Names in `headers` and `oversign` together.
const NAMES_MAX: usize = 100;

/// `[dkim]`: whose messages are signed, and what a signature covers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DkimConfig {
    /// The keys, `[[dkim.key]]`; without any, nothing is signed. Two of one domain sign both.
    pub key: Vec<DkimKey>,
    /// Fields that are signed as often as they stand in the header.
    pub headers: Vec<String>,
    /// Fields that are signed once more than they stand in the header, so that none can be added
    /// unnoticed (RFC 6376 section 5.4.2).
    pub oversign: Vec<String>,
    /// How long a signature holds (`x=`); by default it says nothing of its end. "1h" or more.
    #[serde(with = "duration")]
    pub expire_after: Option<Duration>,
    /// Whether a signature names the author's own domain (`i=`), where that lies below the
    /// key's.
    pub identity: bool,
}

/// `[[dkim.key]]`: one key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DkimKey {
    /// The domain whose messages it signs.
    pub domain: String,
    /// The name of the key in DNS: `selector._domainkey.domain`.
    pub selector: String,
    /// PEM file with the private key: RSA of 2048 to 8192 bits (PKCS#8 or PKCS#1), or Ed25519
    /// (PKCS#8).
    pub file: PathBuf,
    /// Whether it signs for the domains below too that have no key of their own.
    #[serde(default = "yes")]
    pub subdomains: bool,
}

const fn yes() -> bool {
    true
}

impl Default for DkimConfig {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            key: Vec::new(),
            headers: names(&[
                "Sender",
                "Message-ID",
                "MIME-Version",
                "Content-Type",
                "Content-Transfer-Encoding",
                "In-Reply-To",
                "References",
                "Resent-Date",
                "Resent-From",
                "Resent-Sender",
                "Resent-To",
                "Resent-Cc",
                "Resent-Message-ID",
                "List-ID",
                "List-Help",
                "List-Unsubscribe",
                "List-Unsubscribe-Post",
                "List-Subscribe",
                "List-Post",
                "List-Owner",
                "List-Archive",
                "TLS-Required",
            ]),
            oversign: names(&["From", "Reply-To", "To", "Cc", "Subject", "Date"]),
            expire_after: None,
            identity: false,
        }
    }
}

impl DkimConfig {
    /// The same with relative key files counted from `directory`.
    #[must_use]
    pub fn relative_to(mut self, directory: &Path) -> Self {
        for key in &mut self.key {
            key.file = directory.join(&key.file);
        }
        self
    }

    /// Checks every value, without looking at the key files.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub fn check(&self) -> Result<(), DkimError> {
        let mut seen = HashSet::new();
        let mut domains: Vec<Domain> = Vec::new();
        for (index, key) in self.key.iter().enumerate() {
            let at = |name: &str| format!("dkim.key[{index}].{name}");
            let domain = key.parsed_domain().map_err(|problem| {
                let expected = "a domain such as \"example.net\"";
                DkimError::config(at("domain"), problem, expected)
            })?;
            if !is_selector(&key.selector) {
                let problem = format!("{:?} is no selector", key.selector);
                let expected = "letters, digits and hyphens, in parts with dots between them";
                return Err(DkimError::config(at("selector"), problem, expected));
            }
            if key.file.as_os_str().is_empty() {
                let expected = "the path of a PEM file with a private key";
                return Err(DkimError::config(at("file"), "it is empty", expected));
            }
            if !seen.insert((domain.clone(), key.selector.to_ascii_lowercase())) {
                let problem = format!("{domain} has another key {:?}", key.selector);
                let expected = "each selector of a domain once";
                return Err(DkimError::config(at("selector"), problem, expected));
            }
            domains.push(domain);
            let count = domains.iter().filter(|other| Some(*other) == domains.last()).count();
            if count > KEYS_PER_DOMAIN {
                let problem = format!("{} has {count} keys", key.domain);
                let expected = "one or two, each of which signs every message";
                return Err(DkimError::config(at("domain"), problem, expected));
            }
        }
        self.check_names()?;
        match self.expire_after {
            Some(after) if after < Duration::from_secs(3600) => {
                let problem = format!("{after:?} is too short for mail that waits on its way");
                Err(DkimError::config("dkim.expire_after".into(), problem, "at least \"1h\""))
            }
            _ => Ok(()),
        }
    }

    fn check_names(&self) -> Result<(), DkimError> {
        let mut seen = HashSet::new();
        for (key, names) in [("dkim.oversign", &self.oversign), ("dkim.headers", &self.headers)] {
            for name in names {
                let fail = |problem: String, expected| {
                    Err(DkimError::config(key.to_owned(), problem, expected))
                };
                let lower = name.to_ascii_lowercase();
                if name.is_empty() || !name.bytes().all(|c| c.is_ascii_graphic() && c != b':') {
                    return fail(format!("{name:?} is no field"), "names such as \"Subject\"");
                }
                if UNSIGNED.contains(&lower.as_str()) {
                    let problem = format!("{name} changes on the way, which breaks the signature");
                    return fail(problem, "fields of the author (RFC 6376 section 5.4.1)");
                }
                if !seen.insert(lower) {
                    return fail(format!("{name} stands twice"), "each field once, in one list");
                }
            }
        }
        if seen.len() > NAMES_MAX {
            let problem = format!("{} names", seen.len());
            return Err(DkimError::config("dkim.headers".into(), problem, "at most 100"));
        }
        if !seen.contains("from") {
            let problem = "From is missing";
            let expected =
                "From among them, without which no signature holds (RFC 6376 section 5.4)";
            return Err(DkimError::config("dkim.oversign".into(), problem, expected));
        }
        Ok(())
    }
}

/// What every hop may write, in lower case.
const UNSIGNED: &[&str] = &[
    "return-path",
    "received",
    "dkim-signature",
    "authentication-results",
    "bcc",
    "resent-bcc",
    "delivered-to",
];

impl DkimKey {
    /// The domain as DNS knows it, in A-labels.
    pub(crate) fn parsed_domain(&self) -> Result<Domain, String> {
        let domain = Domain::parse(&self.domain).map_err(|e| format!("{:?}: {e}", self.domain))?;
        in_ascii(&domain).ok_or_else(|| format!("{:?} cannot stand in DNS", self.domain))
    }
}

/// The domain in A-labels (UTS 46).
pub(crate) fn in_ascii(domain: &Domain) -> Option<Domain> {
    let text = domain.as_str();
    if text.is_ascii() {
        return Some(domain.clone());
    }
    let list = idna::AsciiDenyList::EMPTY;
    let ascii = idna::domain_to_ascii_cow(text.as_bytes(), list).ok()?;
    Domain::parse(&ascii).ok().filter(|domain| domain.as_str().is_ascii())
}

/// Whether it is labels with dots between them (RFC 6376 section 3.1).
pub(crate) fn is_selector(text: &str) -> bool {
    let is_label = |label: &str| {
        let named = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(named)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 127 && text.split('.').all(is_label)
}
