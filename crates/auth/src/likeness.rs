//! When two addresses are the same to a right: hosts as DNS sees them, local parts as SMTP
//! means them.

use std::borrow::Cow;

use address::{Domain, Host, Mailbox};

use crate::domains::{domain_in_ascii, is_international};

/// Whether two addresses are one: A-labels equal their U-labels (RFC 5890), a quoted local part
/// equals the same one without quotes (RFC 5321 section 4.1.2), and case counts nowhere.
pub(crate) fn same_mailbox(a: &Mailbox, b: &Mailbox) -> bool {
    if a == b {
        return true;
    }
    let quoted = a.local().starts_with('"') || b.local().starts_with('"');
    if a.host() == b.host() && !quoted {
        return false;
    }
    let hosts = match (a.host(), b.host()) {
        (Host::Domain(a), Host::Domain(b)) => same_domain(a, b),
        (Host::Literal(a), Host::Literal(b)) => a == b,
        _ => false,
    };
    hosts && {
        let (a, b) = (unquoted(a.local()), unquoted(b.local()));
        a.to_lowercase() == b.to_lowercase()
    }
}

/// Whether two domains are one.
pub(crate) fn same_domain(a: &Domain, b: &Domain) -> bool {
    a == b || domain_in_ascii(a.as_str()) == domain_in_ascii(b.as_str())
}

/// The address in the one spelling that [`same_mailbox`] compares: for tables.
pub(crate) fn canonical(mailbox: &Mailbox) -> Cow<'_, Mailbox> {
    let Host::Domain(domain) = mailbox.host() else { return Cow::Borrowed(mailbox) };
    let local = unquoted(mailbox.local());
    if !is_international(domain.as_str())
        && matches!(local, Cow::Borrowed(same) if same == mailbox.local())
    {
        return Cow::Borrowed(mailbox);
    }
    let domain =
        Domain::parse(&domain_in_ascii(domain.as_str())).unwrap_or_else(|_| domain.clone());
    // What cannot do without quotes gets them back, with no more escapes than it needs.
    Mailbox::new(&local, domain.clone())
        .or_else(|_| Mailbox::new(&quoted(&local), domain))
        .map_or(Cow::Borrowed(mailbox), Cow::Owned)
}

/// The address in the one spelling that tables can look up by equality of octets: in lower
/// case, its domain in A-labels, its local part without quotes that it can do without. Two
/// addresses have the same one exactly if they are one to [`crate::Account::owns`].
#[must_use]
pub fn address_key(mailbox: &Mailbox) -> String {
    canonical(mailbox).to_string().chars().flat_map(char::to_lowercase).collect()
}

/// The local part without quotes and escapes.
fn unquoted(local: &str) -> Cow<'_, str> {
    let Some(inner) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Cow::Borrowed(local);
    };
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        text.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    Cow::Owned(text)
}

fn quoted(text: &str) -> String {
    let mut local = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            local.push('\\');
        }
        local.push(c);
    }
    local + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailbox(text: &str) -> Mailbox {
        Mailbox::parse(text).unwrap()
    }

    fn same(a: &str, b: &str) -> bool {
        let (a, b) = (mailbox(a), mailbox(b));
        let result = same_mailbox(&a, &b);
        assert_eq!(result, same_mailbox(&b, &a), "{a} {b}");
        assert_eq!(result, canonical(&a) == canonical(&b), "{a} {b}: in tables");
        assert_eq!(result, address_key(&a) == address_key(&b), "{a} {b}: in databases");
        result
    }

    #[test]
    fn spellings_of_one_address_are_one() {
        assert!(same("anna@example.net", "ANNA@Example.NET"));
        assert!(same("anna@bücher.example", "anna@xn--bcher-kva.example"));
        assert!(same("anna@BÜCHER.example", "anna@XN--BCHER-KVA.example"));
        assert!(same("anna@例え.example", "anna@xn--r8jz45g.example"));
        assert!(same("\"anna\"@example.net", "anna@example.net"));
        assert!(same("\"an\\na\"@example.net", "Anna@example.net"));
        assert!(same("\"a b\"@example.net", "\"A\\ b\"@example.net"));
        assert!(same("anna@[192.0.2.1]", "ANNA@[192.0.2.1]"));
        assert!(same("müller@example.net", "MÜLLER@example.net"));
    }

    #[test]
    fn different_addresses_are_not() {
        assert!(!same("anna@example.net", "anna@example.org"));
        assert!(!same("anna@example.net", "hanna@example.net"));
        assert!(!same("anna@bücher.example", "anna@bucher.example"));
        // A Cyrillic letter that looks like a Latin one.
        assert!(!same("anna@example.net", "anna@ex\u{430}mple.net"));
        assert!(!same("\"a b\"@example.net", "ab@example.net"));
        assert!(!same("anna+x@example.net", "anna@example.net"));
        assert!(!same("anna@[192.0.2.1]", "anna@[192.0.2.2]"));
        assert!(!same("anna@xn--a.example", "anna@xn--b.example"), "no labels at all");
    }
}
