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
}
