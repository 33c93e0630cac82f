//! Search filters (RFC 4515) with variables in their values.
//!
//! The template is read once, when the service starts, and becomes a tree; a login is put into
//! the tree's values as octets and never becomes text that is read as a filter. What would have
//! to be escaped in a filter therefore needs no escape here, and cannot change what is asked.

use super::ber::{OCTETS, SEQUENCE, Writer};
use super::template::{Piece, Values};

/// How deep filters may lie in each other, and how many parts they may have.
const DEPTH_MAX: usize = 16;
const PARTS_MAX: usize = 200;

const EXPECTED: &str = "a filter such as \"(&(objectClass=person)(uid=%n))\"";

/// A filter whose values may hold variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter(Node);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// A comparison by its tag: equal, greater or equal, less or equal, about equal.
    Compare {
        tag: u8,
        attribute: String,
        value: Value,
    },
    Present(String),
    Substrings {
        attribute: String,
        parts: Vec<(u8, Value)>,
    },
    Extensible {
        attribute: String,
        rule: String,
        dn: bool,
        value: Value,
    },
}

type Value = Vec<Piece>;

const AND: u8 = 0xa0;
const OR: u8 = 0xa1;
const NOT: u8 = 0xa2;
const EQUAL: u8 = 0xa3;
const SUBSTRINGS: u8 = 0xa4;
const GREATER: u8 = 0xa5;
const LESS: u8 = 0xa6;
const PRESENT: u8 = 0x87;
const ABOUT: u8 = 0xa8;
const EXTENSIBLE: u8 = 0xa9;
const INITIAL: u8 = 0x80;
const ANY: u8 = 0x81;
const FINAL: u8 = 0x82;

impl Filter {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong, with the character where it is, and what was expected.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { text, at: 0, parts: 0 };
        let node = parser.filter(0)?;
        if parser.at < text.len() {
            return Err(parser.wrong("something behind the filter"));
        }
        Ok(Self(node))
    }

    /// The filter for these values as it goes over the wire (RFC 4511 section 4.5.1); none if
    /// it needs a domain and there is none.
    pub(super) fn write(&self, values: &Values<'_>, into: &mut Writer) -> Option<()> {
        self.0.is_complete(values).then(|| self.0.write(values, into))
    }

    /// Whether it depends on who is asked for.
    pub(super) fn has_variables(&self) -> bool {
        self.0.values(&mut |value| value.iter().any(Piece::is_variable))
    }
}

impl Node {
    /// Whether `found` says yes to any value.
    fn values(&self, found: &mut impl FnMut(&Value) -> bool) -> bool {
        match self {
            Self::And(nodes) | Self::Or(nodes) => nodes.iter().any(|node| node.values(found)),
            Self::Not(node) => node.values(found),
            Self::Compare { value, .. } | Self::Extensible { value, .. } => found(value),
            Self::Present(_) => false,
            Self::Substrings { parts, .. } => parts.iter().any(|(_, value)| found(value)),
        }
    }

    fn is_complete(&self, values: &Values<'_>) -> bool {
        !self.values(&mut |value| value.iter().any(|piece| values.get(piece).is_none()))
    }

    fn write(&self, values: &Values<'_>, into: &mut Writer) {
        let fill = |value: &Value| -> Vec<u8> {
            value.iter().filter_map(|piece| values.get(piece)).collect::<Vec<_>>().concat()
        };
        match self {
            Self::And(nodes) => {
                into.put_all(AND, |w| nodes.iter().for_each(|node| node.write(values, w)));
            }
            Self::Or(nodes) => {
                into.put_all(OR, |w| nodes.iter().for_each(|node| node.write(values, w)));
            }
            Self::Not(node) => into.put_all(NOT, |w| node.write(values, w)),
            Self::Compare { tag, attribute, value } => into.put_all(*tag, |w| {
                w.put(OCTETS, attribute.as_bytes());
                w.put(OCTETS, &fill(value));
            }),
            Self::Present(attribute) => into.put(PRESENT, attribute.as_bytes()),
            Self::Substrings { attribute, parts } => into.put_all(SUBSTRINGS, |w| {
                w.put(OCTETS, attribute.as_bytes());
                w.put_all(SEQUENCE, |w| {
                    parts.iter().for_each(|(tag, value)| w.put(*tag, &fill(value)));
                });
            }),
            Self::Extensible { attribute, rule, dn, value } => into.put_all(EXTENSIBLE, |w| {
                const CONTEXT: u8 = 0x80;
                if !rule.is_empty() {
                    w.put(CONTEXT | 1, rule.as_bytes());
                }
                if !attribute.is_empty() {
                    w.put(CONTEXT | 2, attribute.as_bytes());
                }
                w.put(CONTEXT | 3, &fill(value));
                if *dn {
                    w.put(CONTEXT | 4, &[0xff]);
                }
            }),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    parts: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn wrong(&self, what: &str) -> String {
        let column = self.text[..self.at].chars().count() + 1;
        format!("{:?}: {what} at character {column}; expected {EXPECTED}", self.text)
    }

    fn take(&mut self, text: &str) -> bool {
        let there = self.rest().starts_with(text);
        if there {
            self.at += text.len();
        }
        there
    }

    fn expect(&mut self, text: &str) -> Result<(), String> {
        if self.take(text) { Ok(()) } else { Err(self.wrong(&format!("no {text:?}"))) }
    }

    fn filter(&mut self, depth: usize) -> Result<Node, String> {
        self.parts += 1;
        if depth >= DEPTH_MAX || self.parts > PARTS_MAX {
            return Err(self.wrong("too many filters, or too deep in each other,"));
        }
        self.expect("(")?;
        let node = if self.take("&") {
            Node::And(self.list(depth)?)
        } else if self.take("|") {
            Node::Or(self.list(depth)?)
        } else if self.take("!") {
            Node::Not(Box::new(self.filter(depth + 1)?))
        } else {
            self.item()?
        };
        self.expect(")")?;
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, String> {
        let mut nodes = Vec::new();
        while self.rest().starts_with('(') {
            nodes.push(self.filter(depth + 1)?);
        }
        // None at all is "absolute true" or "absolute false" (RFC 4526).
        Ok(nodes)
    }

    fn item(&mut self) -> Result<Node, String> {
        let length = self.rest().find(|c: char| !is_description(c)).unwrap_or(self.rest().len());
        let attribute = self.rest()[..length].to_owned();
        self.at += length;
        if self.rest().starts_with(':') {
            return self.extensible(attribute);
        }
        if attribute.is_empty() {
            return Err(self.wrong("no attribute"));
        }
        for (sign, tag) in [("~=", ABOUT), (">=", GREATER), ("<=", LESS)] {
            if self.take(sign) {
                let value = self.value()?;
                return Ok(Node::Compare { tag, attribute, value });
            }
        }
        self.expect("=")?;
        let mut values = vec![self.value()?];
        while self.take("*") {
            values.push(self.value()?);
        }
        self.equality(attribute, values)
    }

    /// `values`: what stands between the stars.
    fn equality(&self, attribute: String, mut values: Vec<Value>) -> Result<Node, String> {
        if values.len() == 2 && values.iter().all(Vec::is_empty) {
            return Ok(Node::Present(attribute));
        }
        if values.len() == 1 {
            let value = values.pop().unwrap_or_default();
            return Ok(Node::Compare { tag: EQUAL, attribute, value });
        }
        let last = values.len() - 1;
        let kind = |position| match position {
            0 => INITIAL,
            position if position == last => FINAL,
            _ => ANY,
        };
        let parts: Vec<_> = values
            .into_iter()
            .enumerate()
            .map(|(position, value)| (kind(position), value))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        if parts.is_empty() {
            return Err(self.wrong("nothing but stars"));
        }
        Ok(Node::Substrings { attribute, parts })
    }

    /// `attribute:dn:rule:=value`, each of the three optional (RFC 4515 section 3).
    fn extensible(&mut self, attribute: String) -> Result<Node, String> {
        let dn = self.take(":dn:") || self.take(":DN:");
        if dn {
            self.at -= 1;
        }
        let mut rule = String::new();
        if !self.rest().starts_with(":=") {
            self.expect(":")?;
            let length = self.rest().find(|c: char| !is_description(c)).unwrap_or(0);
            self.rest()[..length].clone_into(&mut rule);
            self.at += length;
        }
        self.expect(":=")?;
        if attribute.is_empty() && rule.is_empty() {
            return Err(self.wrong("neither attribute nor rule"));
        }
        let value = self.value()?;
        Ok(Node::Extensible { attribute, rule, dn, value })
    }

    /// A value up to a star or parenthesis, with its escapes and variables resolved.
    fn value(&mut self) -> Result<Value, String> {
        let mut pieces = Vec::new();
        let mut plain = Vec::new();
        while let Some(c) = self.rest().chars().next() {
            if matches!(c, '(' | ')' | '*') {
                break;
            }
            self.at += c.len_utf8();
            match c {
                '\\' => plain.push(self.escaped()?),
                '%' => {
                    let letter = self.rest().chars().next();
                    let piece = match letter {
                        Some('%') => None,
                        letter => Some(letter.and_then(Piece::variable).ok_or_else(|| {
                            self.wrong("a variable other than %u, %n, %d and %%")
                        })?),
                    };
                    self.at += 1;
                    match piece {
                        None => plain.push(b'%'),
                        Some(piece) => {
                            flush(&mut plain, &mut pieces);
                            pieces.push(piece);
                        }
                    }
                }
                c => plain.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        flush(&mut plain, &mut pieces);
        Ok(pieces)
    }

    fn escaped(&mut self) -> Result<u8, String> {
        let digits = self.rest().get(..2);
        let octet = digits
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .ok_or_else(|| self.wrong("a backslash without two hexadecimal digits"))?;
        self.at += 2;
        Ok(octet)
    }
}

fn flush(plain: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
    if !plain.is_empty() {
        pieces.push(Piece::Text(std::mem::take(plain)));
    }
}

/// Of an attribute description (RFC 4512 section 2.5), or of a matching rule.
fn is_description(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ';' | '_')
}

#[cfg(test)]
mod tests;
