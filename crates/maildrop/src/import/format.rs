//! How another server makes unique ids of counters and names.
//!
//! This reads what administrators have in `pop3_uidl_format`, in the style of Dovecot up to 2.3
//! (`%08Xu%08Xv`, `%Mf`) and since 2.4 (`%{uid | hex(8)}`). It is more lenient than
//! [`crate::UidlFormat`], which is for ids yet to be given: what another server gave is a fact.

use std::fmt::Write as _;
use std::str::FromStr;

use md5::{Digest, Md5};

/// Widest field that can be asked for.
const WIDTH_MAX: usize = 70;

/// Most octets of a format.
const FORMAT_MAX: usize = 200;

/// A format of unique ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdFormat {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    variable: Variable,
    hex: bool,
    md5: bool,
    width: Width,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variable {
    Uid,
    Validity,
    FileName,
    Guid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    /// As long as it is.
    Any,
    /// Filled with zeros, never cut.
    AtLeast(usize),
    /// The first so many characters.
    First(usize),
    /// Filled with zeros or cut at the front.
    Last(usize),
}

/// What is wrong with a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdFormatError {
    /// A `%` with something unknown behind it.
    #[error(
        "{0:?} is no variable of an id format: expected %u or %{{uid}}, %v or %{{uidvalidity}}, \
         %f or %{{filename}}, %g or %{{guid}}, also as %08Xu, %{{uid | hex(8)}} or %Mf"
    )]
    Variable(String),
    /// Ids of headers' hashes.
    #[error(
        "ids made of the headers (%m, %{{md5}}) are in no record: list both servers' messages \
         and import a map of file names and ids (--from map)"
    )]
    OfHeaders,
    /// All messages would have one id.
    #[error("{0:?} has neither %u nor %f nor %g in it, so that all messages would have one id")]
    Constant(String),
    /// Too long.
    #[error("an id format has at most {FORMAT_MAX} characters")]
    TooLong,
}

/// What ids are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub(super) uid: u32,
    pub(super) validity: u32,
    pub(super) base: &'a [u8],
    /// The message's own GUID; by default the base name.
    pub(super) guid: Option<&'a [u8]>,
}

impl FromStr for IdFormat {
    type Err = IdFormatError;

    fn from_str(format: &str) -> Result<Self, Self::Err> {
        if format.len() > FORMAT_MAX {
            return Err(IdFormatError::TooLong);
        }
        let parts = parse(format)?;
        let tells_apart = |part: &Part| matches!(part, Part::Field(field) if field.variable != Variable::Validity);
        if parts.iter().any(tells_apart) {
            Ok(Self { parts })
        } else {
            Err(IdFormatError::Constant(format.to_owned()))
        }
    }
}

impl IdFormat {
    /// Dovecot's default, `%08Xu%08Xv`.
    #[must_use]
    pub fn dovecot() -> Self {
        let field = |variable| {
            Part::Field(Field { variable, hex: true, md5: false, width: Width::AtLeast(8) })
        };
        Self { parts: vec![field(Variable::Uid), field(Variable::Validity)] }
    }

    /// A format of Cyrus by its name in `uidl_format` of imapd.conf: `uidonly`, `cyrus`,
    /// `dovecot` or `courier`.
    #[must_use]
    pub fn cyrus(name: &str) -> Option<Self> {
        match name {
            "uidonly" => "%u".parse().ok(),
            "cyrus" => "%v.%u".parse().ok(),
            "dovecot" => Some(Self::dovecot()),
            "courier" => "%v-%u".parse().ok(),
            _ => None,
        }
    }

    /// Whether ids have the UIDVALIDITY in them.
    #[must_use]
    pub fn has_validity(&self) -> bool {
        self.has(Variable::Validity)
    }

    /// Whether ids have the uid in them, so that names alone do not make them.
    #[must_use]
    pub fn has_uid(&self) -> bool {
        self.has(Variable::Uid)
    }

    fn has(&self, variable: Variable) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Field(f) if f.variable == variable))
    }

    /// The id of a message. Whether it may be sent is for [`crate::adopt`] to judge.
    pub(super) fn render(&self, facts: &Facts<'_>) -> String {
        let mut id = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => id.push_str(text),
                Part::Field(field) => id.push_str(&field.render(facts)),
            }
        }
        id
    }
}

impl Field {
    fn render(self, facts: &Facts<'_>) -> String {
        let number = |number: u32| match self.hex {
            true => format!("{number:x}"),
            false => number.to_string(),
        };
        let mut text = match self.variable {
            Variable::Uid => number(facts.uid).into_bytes(),
            Variable::Validity => number(facts.validity).into_bytes(),
            Variable::FileName => facts.base.to_vec(),
            Variable::Guid => facts.guid.unwrap_or(facts.base).to_vec(),
        };
        if self.md5 {
            text = md5_hex(&text).into_bytes();
        }
        let zeros = |wanted: usize| std::iter::repeat_n(b'0', wanted.saturating_sub(text.len()));
        let text = match self.width {
            Width::Any => text,
            Width::AtLeast(width) => zeros(width).chain(text.iter().copied()).collect(),
            Width::First(width) => text.iter().copied().take(width).collect(),
            Width::Last(width) => {
                let filled: Vec<u8> = zeros(width).chain(text.iter().copied()).collect();
                filled.get(filled.len().saturating_sub(width)..).unwrap_or_default().to_vec()
            }
        };
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// The MD5 of `text` in lower-case hexadecimal digits: an identifier here, not a safeguard.
pub(super) fn md5_hex(text: &[u8]) -> String {
    let mut hex = String::with_capacity(32);
    for octet in Md5::digest(text) {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{octet:02x}");
    }
    hex
}

fn parse(format: &str) -> Result<Vec<Part>, IdFormatError> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        let field;
        if let Some(behind) = rest.strip_prefix("%%") {
            text.push('%');
            rest = behind;
            continue;
        } else if let Some(inner) = rest.strip_prefix("%{") {
            let (inner, behind) = inner.split_once('}').ok_or_else(|| unknown(rest))?;
            field = braced(inner)?;
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix('%') {
            let (found, behind) = short(rest, behind)?;
            field = found;
            rest = behind;
        } else {
            text.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        }
        if !text.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut text)));
        }
        parts.push(Part::Field(field));
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(parts)
}

fn unknown(rest: &str) -> IdFormatError {
    IdFormatError::Variable(rest.chars().take(20).collect())
}

/// `08Xu` of `%08Xu`. With the zero a field is filled, without it is cut.
fn short<'a>(whole: &str, text: &'a str) -> Result<(Field, &'a str), IdFormatError> {
    let letters = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.get(..text.len() - letters.len()).unwrap_or_default();
    let width = match digits.parse::<usize>() {
        Err(_) if digits.is_empty() => Width::Any,
        Ok(0) => Width::Any,
        Ok(width) if width > WIDTH_MAX => return Err(unknown(whole)),
        Ok(width) if digits.starts_with('0') => Width::AtLeast(width),
        Ok(width) => Width::First(width),
        Err(_) => return Err(unknown(whole)),
    };
    let (mut hex, mut md5) = (false, false);
    let mut letters = letters;
    loop {
        let mut chars = letters.chars();
        let letter = chars.next();
        letters = chars.as_str();
        let variable = match letter {
            Some('X') => {
                hex = true;
                continue;
            }
            Some('M') => {
                md5 = true;
                continue;
            }
            Some('u') => Variable::Uid,
            Some('v') => Variable::Validity,
            Some('f') => Variable::FileName,
            Some('g') => Variable::Guid,
            Some('m') => return Err(IdFormatError::OfHeaders),
            _ => return Err(unknown(whole)),
        };
        let field = Field { variable, hex, md5, width };
        return if field.is_sound() { Ok((field, letters)) } else { Err(unknown(whole)) };
    }
}

/// `uid | hex(8)` of `%{uid | hex(8)}`.
fn braced(inner: &str) -> Result<Field, IdFormatError> {
    let failed =
        || IdFormatError::Variable(format!("%{{{}}}", inner.chars().take(40).collect::<String>()));
    let mut filters = inner.split('|').map(str::trim);
    let variable = match filters.next() {
        Some("uid") => Variable::Uid,
        Some("uidvalidity") => Variable::Validity,
        Some("filename") => Variable::FileName,
        Some("guid") => Variable::Guid,
        Some("md5") => return Err(IdFormatError::OfHeaders),
        _ => return Err(failed()),
    };
    let mut field = Field { variable, hex: false, md5: false, width: Width::Any };
    let mut raw = false;
    for filter in filters {
        match filter {
            "hex" if !field.hex && !field.md5 => field.hex = true,
            "md5" if !field.hex && !field.md5 => (field.md5, raw) = (true, true),
            "hexlify" if raw => raw = false,
            _ => {
                let width = filter.strip_prefix("hex(").and_then(|f| f.strip_suffix(')'));
                let width = width.and_then(|width| width.trim().parse().ok());
                let width = width.filter(|&width| width <= WIDTH_MAX && !field.hex && !field.md5);
                field.width = match width.ok_or_else(failed)? {
                    0 => Width::Any,
                    width => Width::Last(width),
                };
                field.hex = true;
            }
        }
    }
    if raw || !field.is_sound() { Err(failed()) } else { Ok(field) }
}

impl Field {
    /// Only numbers have hexadecimal digits.
    fn is_sound(self) -> bool {
        !self.hex || matches!(self.variable, Variable::Uid | Variable::Validity)
    }
}
