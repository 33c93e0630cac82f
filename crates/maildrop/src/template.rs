//! How new messages get their unique ids: from the file name, or by a template of counters as
//! another server would have given them.
//!
//! A template is written as Dovecot writes its `pop3_uidl_format`, in the old style (`%08Xu`) or
//! the new one (`%{uid | hex(8)}`); what other servers give by default can be written in it too.

use std::fmt::Write as _;
use std::str::FromStr;

use crate::uidl;

/// How a message that has no unique id yet gets one (RFC 1939 section 7).
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub enum UidlFormat {
    /// The base name of its file, as qmail-pop3d had it; nothing needs to be recorded.
    #[default]
    FileName,
    /// Made from counters, and recorded in `lastpost-uidls`.
    Template(UidlTemplate),
}

/// An id with places for the counters. Parsed as a part of [`UidlFormat`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UidlTemplate {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Counter(Counter, Digits),
    /// The base name of the file.
    Name,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counter {
    Uid,
    Validity,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Digits {
    hex: bool,
    /// Filled with zeros to so many digits.
    width: usize,
}

impl Digits {
    /// The most digits a counter of 32 bits has.
    fn most(self) -> usize {
        self.width.max(if self.hex { 8 } else { 10 })
    }

    fn is_fixed(self) -> bool {
        self.width == self.most()
    }
}

/// Widest number that can be asked for.
const WIDTH_MAX: usize = 20;

/// Most octets of a setting.
const SETTING_MAX: usize = 200;

/// What is wrong with a setting for the format of ids.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UidlFormatError {
    /// Neither the word for file names nor a template.
    #[error(
        "an id format is \"filename\", \"courier\", \"cyrus\", \"dovecot\" or a template with %u or %{{uid}}; \
         {0:?} has no counter, so that all messages would have one id"
    )]
    NoCounter(String),
    /// A `%` with something unknown behind it.
    #[error(
        "{0:?} is no variable of an id format: expected %u or %{{uid}}, %v or %{{uidvalidity}}, \
         %f or %{{filename}}, numbers also as %08Xu or %{{uid | hex(8)}}, and %% for a percent sign"
    )]
    Variable(String),
    /// Octets that no id may have.
    #[error(
        "{0:?} cannot stand in an id: expected printable ASCII characters without space \
         (RFC 1939 section 7)"
    )]
    Character(char),
    /// Two numbers without a limit between them.
    #[error(
        "two counters of varying length side by side can give two messages one id: \
         put a character between them (%v.%u) or fix their length (%08Xv%08Xu)"
    )]
    Adjacent,
    /// Ids would be longer than allowed.
    #[error("ids of this format can have {0} characters: expected at most 70 (RFC 1939 section 7)")]
    TooLong(usize),
}

impl TryFrom<String> for UidlFormat {
    type Error = UidlFormatError;

    fn try_from(setting: String) -> Result<Self, Self::Error> {
        setting.parse()
    }
}

impl FromStr for UidlFormat {
    type Err = UidlFormatError;

    /// Reads a setting: `filename` (or `qmail`, which is the same), the name of a server for its
    /// default format (`courier`, `cyrus`, `dovecot`), or a template.
    fn from_str(setting: &str) -> Result<Self, Self::Err> {
        let template = match setting {
            "filename" | "qmail" => return Ok(Self::FileName),
            "courier" => "UID%u-%v",
            "cyrus" => "%v.%u",
            "dovecot" => "%08Xu%08Xv",
            other => other,
        };
        if template.len() > SETTING_MAX {
            return Err(UidlFormatError::TooLong(template.len()));
        }
        let parts = parse(template)?;
        if parts == [Part::Name] {
            return Ok(Self::FileName);
        }
        check(setting, &parts)?;
        Ok(Self::Template(UidlTemplate { parts }))
    }
}

fn parse(mut rest: &str) -> Result<Vec<Part>, UidlFormatError> {
    let mut parts = Vec::new();
    let mut text = String::new();
    while let Some(first) = rest.chars().next() {
        let part = if let Some(behind) = rest.strip_prefix("%%") {
            rest = behind;
            text.push('%');
            continue;
        } else if let Some(inner) = rest.strip_prefix("%{") {
            let (inner, behind) = inner.split_once('}').ok_or_else(|| unknown(rest))?;
            rest = behind;
            braced(inner).ok_or_else(|| UidlFormatError::Variable(format!("%{{{inner}}}")))?
        } else if let Some(behind) = rest.strip_prefix('%') {
            let (part, behind) = short(behind).ok_or_else(|| unknown(rest))?;
            rest = behind;
            part
        } else {
            if !first.is_ascii_graphic() {
                return Err(UidlFormatError::Character(first));
            }
            text.push(first);
            rest = rest.get(1..).unwrap_or_default();
            continue;
        };
        if !text.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut text)));
        }
        parts.push(part);
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(parts)
}

fn unknown(rest: &str) -> UidlFormatError {
    UidlFormatError::Variable(rest.chars().take(20).collect())
}

/// `08Xu` of `%08Xu`: a zero, a width, `X` for hexadecimal digits, the variable.
fn short(text: &str) -> Option<(Part, &str)> {
    let variable = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.get(..text.len() - variable.len())?;
    let hex = variable.strip_prefix(['X', 'x']);
    // Without the zero Dovecot would cut to the width and fill nothing.
    let width = match digits.strip_prefix('0') {
        Some(width) => width.parse().ok().filter(|width| (1..=WIDTH_MAX).contains(width))?,
        None if digits.is_empty() => 0,
        None => return None,
    };
    let digits = Digits { hex: hex.is_some(), width };
    let variable = hex.unwrap_or(variable);
    let part = match variable.chars().next()? {
        'u' => Part::Counter(Counter::Uid, digits),
        'v' => Part::Counter(Counter::Validity, digits),
        'f' | 'g' if digits == Digits::default() => Part::Name,
        _ => return None,
    };
    Some((part, variable.get(1..)?))
}

/// `uid | hex(8)` of `%{uid | hex(8)}`.
fn braced(inner: &str) -> Option<Part> {
    let mut filters = inner.split('|').map(str::trim);
    let variable = filters.next()?;
    let mut digits = Digits::default();
    for filter in filters {
        let width = match filter.strip_prefix("hex")? {
            "" => 0,
            width => width.strip_prefix('(')?.strip_suffix(')')?.trim().parse().ok()?,
        };
        if digits.hex || width > WIDTH_MAX {
            return None;
        }
        digits = Digits { hex: true, width };
    }
    match variable {
        "uid" => Some(Part::Counter(Counter::Uid, digits)),
        "uidvalidity" => Some(Part::Counter(Counter::Validity, digits)),
        // What identifies a Maildir message to Dovecot is its base name.
        "filename" | "guid" if !digits.hex => Some(Part::Name),
        _ => None,
    }
}

fn check(setting: &str, parts: &[Part]) -> Result<(), UidlFormatError> {
    let tells_apart = |part: &Part| matches!(part, Part::Name | Part::Counter(Counter::Uid, _));
    if !parts.iter().any(tells_apart) {
        return Err(UidlFormatError::NoCounter(setting.to_owned()));
    }
    let runs_into =
        |first: &Part, second: &Part| match (first, second) {
            (Part::Text(_), _) => false,
            (Part::Counter(_, digits), _) if digits.is_fixed() => false,
            (Part::Counter(_, digits), Part::Text(text)) => text.starts_with(|c: char| {
                if digits.hex { c.is_ascii_hexdigit() } else { c.is_ascii_digit() }
            }),
            (Part::Name, Part::Text(_)) => false,
            (Part::Counter(..) | Part::Name, Part::Counter(..) | Part::Name) => true,
        };
    for pair in parts.windows(2) {
        if let [first, second] = pair
            && runs_into(first, second)
        {
            return Err(UidlFormatError::Adjacent);
        }
    }
    let length = parts.iter().map(|part| match part {
        Part::Text(text) => text.len(),
        Part::Counter(_, digits) => digits.most(),
        Part::Name => 1,
    });
    let length: usize = length.sum();
    if length > uidl::MAX { Err(UidlFormatError::TooLong(length)) } else { Ok(()) }
}

impl UidlTemplate {
    /// The id of a message; `None` if its name makes it one that may not be sent.
    pub(crate) fn render(&self, uid: u32, validity: u32, base: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(uidl::MAX);
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Name => out.extend_from_slice(base),
                Part::Counter(counter, Digits { hex, width }) => {
                    let value = match counter {
                        Counter::Uid => uid,
                        Counter::Validity => validity,
                    };
                    let mut number = String::new();
                    let written = match hex {
                        true => write!(number, "{value:0width$x}"),
                        false => write!(number, "{value:0width$}"),
                    };
                    written.ok()?;
                    out.extend_from_slice(number.as_bytes());
                }
            }
        }
        uidl::is_valid(&out).then_some(out)
    }
}

#[cfg(test)]
mod tests;
