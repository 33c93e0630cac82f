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

    /// Whether verifiers that find `text` in DNS will take signatures of this key (RFC 6376
    /// section 3.6.1).
    ///
    /// # Errors
    /// Why they will not.
    pub fn agrees_with(&self, text: &[u8]) -> Result<(), String> {
        let text = String::from_utf8_lossy(text);
        let (found, ours) = (tags(&text), tags(&self.text));
        let get = |tags: &[(String, String)], name: &str| {
            tags.iter().find(|(tag, _)| tag == name).map(|(_, value)| value.clone())
        };
        if get(&found, "v").is_some_and(|version| version != "DKIM1") {
            return Err("it is no record of DKIM".to_owned());
        }
        let kind = |tags| get(tags, "k").unwrap_or_else(|| "rsa".to_owned());
        if kind(&found) != kind(&ours) {
            let (found, ours) = (kind(&found), kind(&ours));
            return Err(format!("it is for a key of type {found}, and this one is {ours}"));
        }
        match get(&found, "p") {
            None => return Err("it has no key (p=)".to_owned()),
            Some(key) if key.is_empty() => {
                return Err("the key is revoked (p= is empty)".to_owned());
            }
            key if key != get(&ours, "p") => return Err("it holds another key".to_owned()),
            Some(_) => {}
        }
        let lists = |tag: &str, word: &str| {
            get(&found, tag)
                .is_none_or(|list| list.split(':').any(|item| item == word || item == "*"))
        };
        if !lists("h", "sha256") {
            return Err("it does not allow SHA-256 (h=)".to_owned());
        }
        if !lists("s", "email") {
            return Err("it is not for mail (s=)".to_owned());
        }
        let flags = get(&found, "t").unwrap_or_default();
        if flags.split(':').any(|flag| flag == "y") {
            return Err("it says that the domain is only testing (t=y)".to_owned());
        }
        Ok(())
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

/// The tags of a record, blanks removed.
fn tags(text: &str) -> Vec<(String, String)> {
    text.split(';')
        .filter_map(|tag| tag.split_once('='))
        .map(|(name, value)| {
            let value = value.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            (name.trim().to_owned(), value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dns_says_is_compared() {
        let domain = Domain::parse("example.net").unwrap();
        let record = Record::new(&domain, "s1", "v=DKIM1; k=rsa; p=AbC+/=");
        for good in [
            "v=DKIM1; k=rsa; p=AbC+/=",
            "p=AbC+/=",
            "v=DKIM1;h=sha1:sha256;s=*;t=s; p= AbC\r\n\t+/=;",
            "v=DKIM1; n=note; p=AbC+/=; x=unknown",
        ] {
            assert_eq!(record.agrees_with(good.as_bytes()), Ok(()), "{good}");
        }
        for (bad, says) in [
            ("", "no key"),
            ("v=spf1 -all", "no record of DKIM"),
            ("v=DKIM1; p=", "revoked"),
            ("v=DKIM1; p=abC+/=", "another key"),
            ("v=DKIM1; k=ed25519; p=AbC+/=", "ed25519, and this one is rsa"),
            ("v=DKIM1; h=sha1; p=AbC+/=", "SHA-256"),
            ("v=DKIM1; s=other; p=AbC+/=", "not for mail"),
            ("v=DKIM1; t=s:y; p=AbC+/=", "only testing"),
        ] {
            let problem = record.agrees_with(bad.as_bytes()).unwrap_err();
            assert!(problem.contains(says), "{bad}: {problem}");
        }
        assert!(record.agrees_with(b"\xff\xfe").is_err());
    }

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
