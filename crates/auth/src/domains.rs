//! Domains as DNS sees them: `bücher.example` and `xn--bcher-kva.example` are one.

use std::borrow::Cow;
use std::collections::HashSet;

use address::Domain;
use idna::AsciiDenyList;

/// A domain, or a part of one, in A-labels (RFC 5890, UTS 46); as it is, if it has none.
#[must_use]
pub fn domain_in_ascii(text: &str) -> Cow<'_, str> {
    if !is_international(text) {
        return Cow::Borrowed(text);
    }
    idna::domain_to_ascii_cow(text.as_bytes(), AsciiDenyList::EMPTY).unwrap_or(Cow::Borrowed(text))
}

/// Whether it has labels that can be written in two ways.
pub(crate) fn is_international(text: &str) -> bool {
    !text.is_ascii() || text.split('.').any(|label| label.starts_with("xn--"))
}

/// A set of domains, found in whichever way they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainSet(HashSet<Box<str>>);

impl DomainSet {
    /// Whether `domain` is one of them; those below one of them are not.
    #[must_use]
    pub fn contains(&self, domain: &Domain) -> bool {
        self.0.contains(&*domain_in_ascii(domain.as_str()))
    }
}

impl<'a> FromIterator<&'a Domain> for DomainSet {
    fn from_iter<I: IntoIterator<Item = &'a Domain>>(domains: I) -> Self {
        let in_ascii = |domain: &Domain| domain_in_ascii(domain.as_str()).into_owned().into();
        Self(domains.into_iter().map(in_ascii).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_knows_its_domains_in_every_spelling() {
        let domain = |text: &str| Domain::parse(text).unwrap();
        let listed = ["bücher.example", "XN--R8JZ45G.example", "plain.example"].map(domain);
        let set: DomainSet = listed.iter().collect();
        for within in [
            "bücher.example",
            "BÜCHER.example",
            "xn--bcher-kva.example",
            "例え.example",
            "xn--r8jz45g.example",
            "Plain.Example",
        ] {
            assert!(set.contains(&domain(within)), "{within}");
        }
        for outside in ["bucher.example", "www.plain.example", "xn--bcher-kva.example.net"] {
            assert!(!set.contains(&domain(outside)), "{outside}");
        }
        assert!(!DomainSet::default().contains(&domain("plain.example")));
    }

    #[test]
    fn what_has_no_such_form_stays_as_it_is() {
        for text in ["xn--zzzzzzzzzzzzzz99999.example", "a_b.example", "plain.example", ""] {
            assert_eq!(domain_in_ascii(text), text);
        }
        assert_eq!(domain_in_ascii("日本"), "xn--wgv71a", "a single label");
    }
}
