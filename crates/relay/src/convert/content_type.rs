//! What the header of a part says of it (RFC 2045 sections 5 and 6).

use super::fields;

/// How the content of a part is encoded already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// `7bit`, or nothing is said.
    SevenBit,
    EightBit,
    Binary,
    /// `base64`, `quoted-printable`, or what this program does not know: the content is ASCII.
    Encoded,
}

/// What a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Multipart {
        boundary: Vec<u8>,
        /// `multipart/digest`: its parts are messages unless they say otherwise.
        digest: bool,
        signed: bool,
    },
    /// `message/rfc822` or `message/global`.
    Message,
    Leaf {
        text: bool,
    },
    /// What must not be encoded, and cannot be taken apart.
    Indivisible,
}

/// The header of one part, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entity {
    pub(super) kind: Kind,
    pub(super) encoding: Encoding,
    /// There is a `Content-Type`.
    pub(super) typed: bool,
    /// There is a `MIME-Version`.
    pub(super) versioned: bool,
    /// A domain signed it (RFC 6376, RFC 8617).
    pub(super) domain_signed: bool,
}

/// Reads a header section. `in_digest`: what is not typed is a message.
pub(super) fn read(section: &[u8], in_digest: bool) -> Entity {
    let mut content_type = None;
    let mut encoding = Encoding::SevenBit;
    let (mut versioned, mut domain_signed, mut encoded_once) = (false, false, false);
    for field in fields::of(section) {
        let Some((name, value)) = fields::split(field) else { continue };
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        if is(b"content-type") && content_type.is_none() {
            content_type = Some(value);
        } else if is(b"content-transfer-encoding") && !encoded_once {
            encoding = read_encoding(value);
            encoded_once = true;
        } else if is(b"mime-version") {
            versioned = true;
        } else if is(b"dkim-signature") || is(b"arc-message-signature") {
            domain_signed = true;
        }
    }
    let kind = match content_type {
        None if in_digest => Kind::Message,
        None => Kind::Leaf { text: true },
        Some(value) => read_kind(value),
    };
    // RFC 2045 section 6.4 forbids it; what is there nevertheless is one block to us.
    let opaque = encoding == Encoding::Encoded && !matches!(kind, Kind::Leaf { .. });
    let kind = if opaque { Kind::Leaf { text: false } } else { kind };
    Entity { kind, encoding, typed: content_type.is_some(), versioned, domain_signed }
}

fn read_encoding(value: &[u8]) -> Encoding {
    let word = value.trim_ascii().split(|&o| matches!(o, b';' | b' ' | b'(')).next();
    let word = word.unwrap_or_default();
    let is = |other: &[u8]| word.eq_ignore_ascii_case(other);
    match () {
        () if is(b"8bit") => Encoding::EightBit,
        () if is(b"binary") => Encoding::Binary,
        () if is(b"7bit") || word.is_empty() => Encoding::SevenBit,
        () => Encoding::Encoded,
    }
}

fn read_kind(value: &[u8]) -> Kind {
    let value = without_comments(value);
    let (kind, parameters) = match value.iter().position(|&o| o == b';') {
        Some(at) => value.split_at(at),
        None => (value.as_slice(), &b""[..]),
    };
    let kind = kind.trim_ascii().to_ascii_lowercase();
    if let Some(subtype) = kind.strip_prefix(b"multipart/") {
        let digest = subtype == b"digest";
        let signed = subtype == b"signed";
        return match parameter(parameters, b"boundary").filter(|b| !b.is_empty()) {
            Some(boundary) => Kind::Multipart { boundary, digest, signed },
            None => Kind::Indivisible,
        };
    }
    match kind.as_slice() {
        b"message/rfc822" | b"message/global" => Kind::Message,
        // RFC 2046 sections 5.2.2 and 5.2.3.
        b"message/partial" | b"message/external-body" => Kind::Indivisible,
        _ => Kind::Leaf { text: kind.starts_with(b"text/") || kind.starts_with(b"message/") },
    }
}

/// Comments stand in brackets, which may be nested (RFC 5322 section 3.2.2).
fn without_comments(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    for &octet in value {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted || depth > 0 => escaped = true,
            b'"' if depth == 0 => quoted = !quoted,
            b'(' if !quoted => depth = depth.saturating_add(1),
            b')' if !quoted && depth > 0 => {
                depth -= 1;
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            out.push(octet);
        }
    }
    out
}

/// The value of a parameter: a token or a quoted string.
fn parameter(parameters: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut rest = parameters;
    loop {
        rest = rest.trim_ascii_start().strip_prefix(b";")?.trim_ascii_start();
        let equals = rest.iter().position(|&o| matches!(o, b'=' | b';'));
        let (found, behind) = rest.split_at(equals?);
        let Some(behind) = behind.strip_prefix(b"=") else {
            rest = behind;
            continue;
        };
        let (value, behind) = parameter_value(behind.trim_ascii_start());
        if found.trim_ascii().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = behind;
    }
}

fn parameter_value(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|&o| o == b';').unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (value.trim_ascii().to_vec(), rest);
    };
    let mut value = Vec::new();
    let mut octets = quoted.iter().enumerate();
    while let Some((at, &octet)) = octets.next() {
        match octet {
            b'"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            b'\\' => value.extend(octets.next().map(|(_, &octet)| octet)),
            b'\r' | b'\n' => {}
            _ => value.push(octet),
        }
    }
    (value, b"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boundary(value: &str) -> Option<String> {
        match read_kind(value.as_bytes()) {
            Kind::Multipart { boundary, .. } => Some(String::from_utf8(boundary).unwrap()),
            _ => None,
        }
    }

    #[test]
    fn boundaries_in_all_their_dress() {
        for (value, expected) in [
            (" multipart/mixed; boundary=abc", "abc"),
            (" MULTIPART/MIXED; charset=\"a;b\"; Boundary=\"a b\\\"c\"", "a b\"c"),
            (" multipart/mixed (a ; boundary=no (really)) ;\r\n\tboundary = x ; a=b", "x"),
            (" multipart/mixed; flag; boundary=y", "y"),
        ] {
            assert_eq!(boundary(value).as_deref(), Some(expected), "{value}");
        }
        assert_eq!(read_kind(b" multipart/mixed; boundary=\"\""), Kind::Indivisible);
        assert_eq!(read_kind(b" multipart/mixed"), Kind::Indivisible);
        assert_eq!(read_kind(b" message/partial; id=1"), Kind::Indivisible);
    }

    #[test]
    fn what_is_not_said() {
        let plain = read(b"Subject: hi\r\n", false);
        assert_eq!(plain.kind, Kind::Leaf { text: true });
        assert!(!plain.typed && !plain.versioned);
        assert_eq!(read(b"", true).kind, Kind::Message);
        let odd = read(
            b"Content-Type: multipart/mixed; boundary=a\r\nContent-Transfer-Encoding: base64\r\n",
            false,
        );
        assert_eq!(odd.kind, Kind::Leaf { text: false });
    }
}
