//! A domain's policy (RFC 8461 section 3), and the record that announces it.

use serde::{Deserialize, Serialize};

use crate::name;

/// RFC 8461 section 3.2: one year.
const MAX_AGE_MAX: u64 = 31_557_600;
/// Patterns that are kept; the largest hosters have some dozens.
const PATTERNS_MAX: usize = 100;
/// RFC 8461 section 3.1.
const ID_MAX: usize = 32;

/// What a sender is to do about hosts that do not satisfy the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StsMode {
    /// Not send to them.
    Enforce,
    /// Send all the same.
    Testing,
    /// Forget that there was a policy.
    None,
}

/// A domain's policy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct StsPolicy {
    /// How strict it is.
    pub mode: StsMode,
    /// The domain's hosts: names, or `*.` and a name for one label in front of it.
    pub mx: Vec<String>,
    /// For how many seconds it holds after it was fetched.
    pub max_age: u64,
}

impl StsPolicy {
    /// Reads a policy. Unknown keys are ignored, and of a key that may stand once the first
    /// counts; `None` if something is missing or wrong.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (mut version, mut mode, mut max_age, mut mx) = (None, None, None, Vec::new());
        for line in text.lines().map(|line| line.trim_end_matches(['\r', ' ', '\t'])) {
            if line.is_empty() {
                continue;
            }
            let (key, value) = line.split_once(':')?;
            let value = value.trim();
            match key.trim_end() {
                "version" => _ = version.get_or_insert(value),
                "mode" => _ = mode.get_or_insert(value),
                "max_age" => _ = max_age.get_or_insert(value),
                "mx" if mx.len() < PATTERNS_MAX => mx.push(pattern(value)?),
                _ => {}
            }
        }
        let mode = match mode? {
            "enforce" => StsMode::Enforce,
            "testing" => StsMode::Testing,
            "none" => StsMode::None,
            _ => return None,
        };
        let max_age = max_age.filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
        let max_age = max_age.parse::<u64>().ok()?.min(MAX_AGE_MAX);
        let is_whole = version == Some("STSv1") && (mode == StsMode::None || !mx.is_empty());
        is_whole.then_some(Self { mode, mx, max_age })
    }

    /// Whether `host` (A-labels, lower case) is one of the domain's hosts (RFC 8461 section
    /// 4.1).
    #[must_use]
    pub fn names(&self, host: &str) -> bool {
        self.mx.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
            None => host == pattern,
        })
    }
}

fn pattern(text: &str) -> Option<String> {
    match text.strip_prefix("*.") {
        Some(parent) => name::host(parent).map(|parent| format!("*.{parent}")),
        None => name::host(text),
    }
}

/// The id in a record of `_mta-sts` (RFC 8461 section 3.1); `None` if it is no such record.
fn announced(record: &[u8]) -> Option<&str> {
    let mut fields = std::str::from_utf8(record).ok()?.split(';').map(str::trim);
    if fields.next()? != "v=STSv1" {
        return None;
    }
    let id = fields.find_map(|field| field.split_once('=').filter(|(key, _)| *key == "id"))?.1;
    let is_id =
        (1..=ID_MAX).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_alphanumeric());
    is_id.then_some(id)
}

/// The id that the records of `_mta-sts` announce. Several announcements are none.
pub(crate) fn announced_id<'a>(records: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let mut versions = records.filter(|record| record.starts_with(b"v=STSv1"));
    let only = versions.next()?;
    let id = announced(only)?;
    versions.next().is_none().then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.Example.net\r\nmax_age: 604800\r\n";

    fn parse(text: &str) -> Option<StsPolicy> {
        StsPolicy::parse(text.as_bytes())
    }

    #[test]
    fn the_example_of_the_rfc() {
        let policy = parse(GOOD).unwrap();
        assert_eq!((policy.mode, policy.max_age), (StsMode::Enforce, 604_800));
        assert!(policy.names("mail.example.com") && policy.names("mx.example.net"));
        for other in ["example.net", "a.b.example.net", "x.mail.example.com", "mail.example.org"] {
            assert!(!policy.names(other), "{other}");
        }
    }

    #[test]
    fn other_line_ends_spaces_keys_and_repetitions() {
        let text = "version:STSv1\nmode:   testing\nfuture: x\nmode: enforce\n\nmx:a.example \nmax_age:  99999999999 \n";
        let policy = parse(text).unwrap();
        assert_eq!((policy.mode, policy.max_age), (StsMode::Testing, MAX_AGE_MAX));
        assert_eq!(policy.mx, ["a.example"]);
        assert_eq!(parse("version: STSv1\nmode: none\nmax_age: 5").unwrap().mode, StsMode::None);
    }

    #[test]
    fn bad_policies_are_none() {
        for (from, to) in [
            ("STSv1", "STSv2"),
            ("version: STSv1\r\n", ""),
            ("enforce", "force"),
            ("mode: enforce\r\n", ""),
            ("mx: mail.example.com\r\nmx: *.Example.net\r\n", ""),
            ("max_age: 604800", "max_age: -1"),
            ("max_age: 604800", "max_age:"),
            ("max_age: 604800", "max_age: 99999999999999999999999"),
            ("max_age: 604800\r\n", ""),
            ("mail.example.com", "*.*.example.com"),
            ("mail.example.com", "mail example.com"),
            ("mail.example.com", "mail.*"),
            ("mode: enforce", "mode enforce"),
            ("604800", "604800\u{0}"),
        ] {
            assert_eq!(parse(&GOOD.replace(from, to)), None, "{from} {to}");
        }
        assert_eq!(StsPolicy::parse(b"\xff"), None);
        assert_eq!(parse("<html><body>Not found</body></html>"), None);
    }

    #[test]
    fn announcements() {
        let id = |records: &[&str]| announced_id(records.iter().map(|text| text.as_bytes()));
        assert_eq!(id(&["v=STSv1; id=20160831085700Z;"]).as_deref(), Some("20160831085700Z"));
        assert_eq!(id(&["v=STSv1;id=a"]).as_deref(), Some("a"));
        assert_eq!(id(&["v=spf1 -all", "v=STSv1; x=y; id=1"]).as_deref(), Some("1"));
        for bad in [
            &["v=STSv1; id="][..],
            &["v=STSv1"],
            &["v=STSv1; id=a-b"],
            &["v=STSv10; id=a"],
            &["id=a; v=STSv1"],
            &["v=STSv1; id=a", "v=STSv1; id=b"],
            &["v=STSv1; id=123456789012345678901234567890123"],
            &[],
        ] {
            assert_eq!(id(bad), None, "{bad:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_strange(text: Vec<u8>, host in "[a-z.*]{0,20}") {
            if let Some(policy) = StsPolicy::parse(&text) {
                let _ = policy.names(&host);
            }
            let _ = announced_id([text.as_slice()].into_iter());
        }
    }
}
