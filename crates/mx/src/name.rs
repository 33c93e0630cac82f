//! Names as the DNS has them.

use address::Domain;

/// RFC 1035 section 2.3.4, without length octets and root.
const LENGTH_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// A domain in A-labels (RFC 5891), lower case; `None` if it has no such form.
pub(crate) fn ascii(domain: &Domain) -> Option<String> {
    let text = domain.as_str();
    let name = match text.is_ascii() {
        true => text.to_owned(),
        false => idna::domain_to_ascii(text).ok()?,
    };
    host(&name)
}

/// A host name in lower case without the final dot, if `text` is one: what comes from the DNS
/// may hold any octet, and must not reach a log, a file name or a request as it is.
pub(crate) fn host(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL_MAX
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let fits = text.len() <= LENGTH_MAX && text.split('.').all(is_label);
    fits.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_have_a_labels() {
        let of = |text: &str| ascii(&Domain::parse(text).unwrap());
        assert_eq!(of("Example.ORG").as_deref(), Some("example.org"));
        assert_eq!(of("bücher.example").as_deref(), Some("xn--bcher-kva.example"));
        assert_eq!(of("例え.テスト").as_deref(), Some("xn--r8jz45g.xn--zckzah"));
    }

    #[test]
    fn hosts_are_plain() {
        assert_eq!(host("MX1.Example.net.").as_deref(), Some("mx1.example.net"));
        assert_eq!(host("_25._tcp.a-b.example").as_deref(), Some("_25._tcp.a-b.example"));
        let long = "a.".repeat(128);
        for bad in ["", ".", "a..b", "a b.example", "a\\032b.example", "../x", "a/b", &long] {
            assert_eq!(host(bad), None, "{bad}");
        }
        assert_eq!(host(&format!("{}.example", "a".repeat(64))), None);
    }
}
