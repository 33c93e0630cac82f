//! Addresses that stand where a name should, also within encoded words (RFC 2047).

use address::Mailbox;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::Unreadable;

/// Clients write base64 with and without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Addresses of one text that are looked at.
const ADDRESSES_MAX: usize = 100;

/// The addresses that a person sees in a text.
pub(super) fn addresses_in(text: &str) -> Vec<Mailbox> {
    let separates = |c: char| c.is_whitespace() || c.is_control() || "<>()[],;:\"\\".contains(c);
    text.split(separates)
        .filter(|word| word.contains('@'))
        .filter_map(|word| Mailbox::parse(word.trim_matches(['.', '\'', '`', '?', '!', '*'])).ok())
        .take(ADDRESSES_MAX)
        .collect()
}

/// What the encoded words of a text say, each series of them in one piece: what is between two
/// of them and is blank belongs to neither (RFC 2047 section 6.2). Wherever they stand: readers
/// decode them in quotes and comments too.
pub(super) fn decoded_words(text: &str) -> Result<String, Unreadable> {
    let mut decoded = String::new();
    let mut rest = text;
    while let Some(begin) = rest.find("=?") {
        let (between, from) = rest.split_at(begin);
        if !between.trim_matches(' ').is_empty() {
            decoded.push(' ');
        }
        match split_word(from) {
            Some((word, after)) => {
                decoded.push_str(&word.decode()?);
                rest = after;
            }
            None => {
                decoded.push(' ');
                rest = from.get(2..).unwrap_or_default();
            }
        }
    }
    Ok(decoded)
}

struct Word<'a> {
    charset: &'a str,
    encoding: &'a str,
    text: &'a str,
}

/// An encoded word at the beginning of a text, and what comes behind it.
fn split_word(text: &str) -> Option<(Word<'_>, &str)> {
    let (charset, rest) = text.strip_prefix("=?")?.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (text, after) = rest.split_once("?=")?;
    let is_word = encoding.len() == 1 && !charset.contains(' ');
    is_word.then_some((Word { charset, encoding, text }, after))
}

impl Word<'_> {
    /// Its text, as far as an address could stand in it.
    fn decode(&self) -> Result<String, Unreadable> {
        // RFC 2231 section 5: a language may follow.
        let charset = self.charset.split('*').next().unwrap_or_default().to_ascii_lowercase();
        // Those in which an octet that looks like ASCII is something else.
        let opaque =
            ["utf-7", "utf-16", "utf-32", "ucs-", "unicode-1-1", "hz-gb", "ebcdic", "cp037"];
        if opaque.iter().any(|name| charset.starts_with(name)) {
            return Err(Unreadable);
        }
        let octets = match self.encoding {
            "Q" | "q" => from_q(self.text),
            "B" | "b" => {
                let letters: Vec<u8> = self.text.bytes().filter(|c| *c != b' ').collect();
                match BASE64.decode(&letters) {
                    Ok(octets) => octets,
                    // What no reader can decode, no reader shows decoded; some show the part
                    // in front of the mistake.
                    Err(_) => return Err(Unreadable),
                }
            }
            _ => return Ok(String::from(" ")),
        };
        Ok(String::from_utf8_lossy(&octets).into_owned())
    }
}

/// RFC 2047 section 4.2.
fn from_q(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        let escaped = match (first, after) {
            (b'=', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                octets.push(high << 4 | low);
                rest = after.get(2..).unwrap_or_default();
            }
            None => octets.push(if first == b'_' { b' ' } else { first }),
        }
    }
    octets
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
