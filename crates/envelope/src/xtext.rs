//! The coding `xtext` of parameter values (RFC 3461 section 4).

use alloc::string::String;
use alloc::vec::Vec;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Decodes `text`; `None` if it is not xtext: printable ASCII without `=` and blanks, in which `+`
/// begins two upper-case hexadecimal digits.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let digit = |octet: u8| HEX.iter().position(|&hex| hex == octet);
    let mut decoded = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        match octet {
            b'+' => {
                let value = digit(octets.next()?)? << 4 | digit(octets.next()?)?;
                decoded.push(u8::try_from(value).ok()?);
            }
            b'=' => return None,
            b'!'..=b'~' => decoded.push(octet),
            _ => return None,
        }
    }
    Some(decoded)
}

/// Decodes the form of UTF-8 (`utf-8-addr-unitext`, RFC 6533 section 3): printable characters, in
/// which `\x{…}` holds the code point of one that must not stand there as it is, in upper-case
/// hexadecimal digits. `None` if `text` is not of that form, or if what it holds is a control
/// character.
#[must_use]
pub fn decode_unitext(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c == '\\' {
            let (digits, behind) = rest.strip_prefix("\\x{")?.split_once('}')?;
            let upper = |octet: u8| octet.is_ascii_digit() || (b'A'..=b'F').contains(&octet);
            if !(1..=6).contains(&digits.len()) || !digits.bytes().all(upper) {
                return None;
            }
            let embedded = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            decoded.push(Some(embedded).filter(|c| !c.is_control())?);
            rest = behind;
        } else if c.is_control() || matches!(c, ' ' | '=' | '+') {
            return None;
        } else {
            decoded.push(c);
            rest = rest.get(c.len_utf8()..)?;
        }
    }
    Some(decoded)
}

/// Encodes `octets`.
#[must_use]
pub fn encode(octets: &[u8]) -> String {
    let mut encoded = String::with_capacity(octets.len());
    for &octet in octets {
        match octet {
            b'!'..=b'~' if octet != b'+' && octet != b'=' => encoded.push(char::from(octet)),
            _ => {
                encoded.push('+');
                encoded.push(char::from(HEX[usize::from(octet >> 4)]));
                encoded.push(char::from(HEX[usize::from(octet & 15)]));
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Some(all));
        for bad in ["+", "+4", "+4g", "+2b", "a b", "=", "é", "\u{7f}"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_form_of_utf_8() {
        let decoded = |text| decode_unitext(text);
        assert_eq!(decoded("jörg@example.org").as_deref(), Some("jörg@example.org"));
        assert_eq!(decoded("j\\x{F6}r\\x{1F600}\\x{2B}").as_deref(), Some("jör😀+"));
        for bad in [
            "a b",
            "a=b",
            "a+b",
            "a\\",
            "a\\x",
            "\\x{}",
            "\\x{f6}",
            "\\x{D}",
            "\\x{D800}",
            "\\x{1234567}",
        ] {
            assert_eq!(decoded(bad), None, "{bad}");
        }
    }
}
