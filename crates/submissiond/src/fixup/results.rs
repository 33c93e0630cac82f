//! `Authentication-Results` (RFC 8601): ours, and those that only claim to be ours.

use std::fmt::Write as _;

use address::ReversePath;

use crate::header::Field;
use crate::trace::Trace;

/// The field that says who authenticated (RFC 8601 section 2.7.4).
pub(super) fn pass(trace: &Trace<'_>, login: &str) -> String {
    let mut field = format!("Authentication-Results: {};\r\n\tauth=pass", trace.host);
    let _ = write!(field, " smtp.auth={}", value(login));
    // One in UTF-8 would keep the message from hosts that take it but for this field.
    if let ReversePath::Mailbox(sender) = trace.sender
        && sender.is_ascii()
    {
        let _ = write!(field, "\r\n\tsmtp.mailfrom={}", value(&sender.to_string()));
    }
    field.push_str("\r\n");
    field
}

/// A property's value: as it is, if it is a token or an address of atoms, else quoted.
fn value(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".@_+-!#$%&'*/^`{|}~".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted + "\""
}

/// Whether the field claims to be a result of this host's.
pub(super) fn is_forged(field: &Field<'_>, host: &str) -> bool {
    if !field.is("Authentication-Results") {
        return false;
    }
    let Some(rest) = without_comments(field.value) else {
        // Nobody can say whose it is.
        return true;
    };
    let text = rest.trim_ascii_start();
    let id = match text.strip_prefix(b"\"") {
        Some(quoted) => quoted.split(|&octet| octet == b'"').next(),
        None => text.split(|octet| b" \t\r\n;/=".contains(octet)).next(),
    };
    let id: Vec<u8> = id.unwrap_or_default().iter().copied().filter(|&c| c != b'\\').collect();
    id.strip_suffix(b".").unwrap_or(&id).eq_ignore_ascii_case(host.as_bytes())
}

/// The value behind the comments with which it may begin; nothing if one does not end.
fn without_comments(value: &[u8]) -> Option<&[u8]> {
    let mut rest = value.trim_ascii_start();
    while rest.starts_with(b"(") {
        let mut depth = 0_usize;
        let mut escaped = false;
        let end = rest.iter().position(|&octet| {
            match octet {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            depth == 0
        })?;
        rest = rest.get(end + 1..)?.trim_ascii_start();
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::fields;

    fn forged(value: &str) -> bool {
        let section = format!("Authentication-Results:{value}\r\n");
        let field = fields(section.as_bytes()).next().unwrap().unwrap();
        is_forged(&field, "mail.example.net")
    }

    #[test]
    fn what_claims_to_be_ours_is_found() {
        for value in [
            " mail.example.net; auth=pass",
            "mail.example.net;none",
            " MAIL.Example.NET 1; spf=pass",
            "\r\n\tmail.example.net\r\n ; spf=pass",
            " (a (nested) comment) mail.example.net; auth=pass",
            " \"mail.example.net\"; auth=pass",
            " mail.example.net.; auth=pass",
            " mail.example.net/1; auth=pass",
            " (never closed mail.example.org; auth=pass",
        ] {
            assert!(forged(value), "{value}");
        }
        for value in
            ["", " mail.example.org; auth=pass", " x.mail.example.net;", " (mail.example.net) a.b;"]
        {
            assert!(!forged(value), "{value}");
        }
    }

    #[test]
    fn values_are_quoted_where_they_must_be() {
        assert_eq!(value("anna@example.net"), "anna@example.net");
        assert_eq!(value("a b"), "\"a b\"");
        assert_eq!(value("\"a\\;\"@example.net"), "\"\\\"a\\\\;\\\"@example.net\"");
        assert_eq!(value("a;\r\n spf=pass"), "\"a; spf=pass\"");
        assert_eq!(value(""), "\"\"");
        assert_eq!(value("(x)"), "\"(x)\"");
    }
}
