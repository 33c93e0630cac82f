//! The DNS record with a public key (RFC 6376 section 3.6).

use std::fmt::Write as _;

use address::Domain;

/// Octets of one string of a TXT record (RFC 1035 section 3.3.14).
const STRING_MAX: usize = 255;

/// A TXT record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its full name, without the final dot.
    pub name: String,
    /// Its text, the strings joined.
    pub text: String,
}

impl Record {
    pub(crate) fn new(domain: &Domain, selector: &str, text: &str) -> Self {
        Self { name: format!("{selector}._domainkey.{domain}"), text: text.to_owned() }
    }

    /// The text in the strings that a record consists of, 255 octets each at most.
    pub fn strings(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.text.as_str();
        std::iter::from_fn(move || {
            // The text is ASCII, so every place is the border of a character.
            let (string, after) = rest.split_at_checked(STRING_MAX).unwrap_or((rest, ""));
            rest = after;
            (!string.is_empty()).then_some(string)
        })
    }

    /// As a zone file has it (RFC 1035 section 5).
    #[must_use]
    pub fn to_zone_file(&self) -> String {
        let mut text = format!("{}. IN TXT (", self.name);
        for string in self.strings() {
            let escaped = string.replace('\\', "\\\\").replace('"', "\\\"");
            let _ = write!(text, "\n    \"{escaped}\"");
        }
        text + " )\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_split() {
        let domain = Domain::parse("example.net").unwrap();
        let record = Record::new(&domain, "s1", &"x".repeat(600));
        let lengths: Vec<usize> = record.strings().map(str::len).collect();
        assert_eq!(lengths, [255, 255, 90]);
        let shown = record.to_zone_file();
        assert!(shown.starts_with("s1._domainkey.example.net. IN TXT (\n    \"xxx"), "{shown}");
        assert!(shown.ends_with("xxx\" )\n"), "{shown}");
        assert_eq!(shown.matches('"').count(), 6);
        let short = Record::new(&domain, "s1", "v=DKIM1; p=");
        assert_eq!(
            short.to_zone_file(),
            "s1._domainkey.example.net. IN TXT (\n    \"v=DKIM1; p=\" )\n"
        );
    }
}
