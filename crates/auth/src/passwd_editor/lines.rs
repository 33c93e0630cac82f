//! Changes to single lines, field by field.

use std::path::Path;

use zeroize::Zeroizing;

use super::{EditError, NewAccount};
use crate::StoredHash;
use crate::passwd_file::{Fields, parse_cohort};

/// The lines of a file with their ends.
pub(super) fn split(content: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    content.split_inclusive(|b| *b == b'\n').map(|line| Zeroizing::new(line.to_vec())).collect()
}

/// A line, and its end.
pub(super) fn without_end(line: &[u8]) -> (&[u8], &'static [u8]) {
    if let Some(text) = line.strip_suffix(b"\r\n") {
        return (text, b"\r\n");
    }
    line.strip_suffix(b"\n").map_or((line, b""), |text| (text, b"\n"))
}

/// A line and its end.
pub(super) fn joined(line: &str, end: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut octets = Zeroizing::new(Vec::with_capacity(line.len() + end.len()));
    octets.extend_from_slice(line.as_bytes());
    octets.extend_from_slice(end);
    octets
}

/// The line of a new account.
pub(super) fn render(new: &NewAccount) -> Result<Zeroizing<String>, EditError> {
    check_hash(&new.hash)?;
    let home = match &new.home {
        Some(home) => expressible("the home", home, &[':'])?,
        None => "",
    };
    let mut words = Vec::new();
    words.extend(list("addresses=", &new.addresses)?);
    words.extend(list("send_as=", &new.send_as)?);
    if let Some(maildir) = &new.maildir {
        let maildir = expressible("maildir=", maildir, &[' ', '\t'])?;
        words.push(format!("maildir={maildir}"));
    }
    if new.disabled {
        words.push("disabled=yes".to_owned());
    }
    if new.must_change {
        words.push("must_change=yes".to_owned());
    }
    if let Some(cohort) = &new.cohort {
        let wrong = EditError::Inexpressible { what: "cohort=", found: "more than a name" };
        let cohort = parse_cohort(cohort).map_err(|_| wrong)?;
        words.push(format!("cohort={cohort}"));
    }
    words.extend(new.policy.words());
    let hash = new.hash.to_field();
    let extra = words.join(" ");
    Ok(Zeroizing::new(format!("{}:{}::::{home}::{extra}", new.key, hash.as_str())))
}

/// A word with a list, unless it is empty.
fn list(what: &'static str, values: &[impl ToString]) -> Result<Option<String>, EditError> {
    if values.is_empty() {
        return Ok(None);
    }
    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
    if values.iter().any(|value| value.contains([' ', '\t', ',', '\r', '\n'])) {
        let found = "an address with a space or a comma";
        return Err(EditError::Inexpressible { what, found });
    }
    Ok(Some(format!("{what}{}", values.join(","))))
}

/// Only `{PLAIN}` can hold a character that ends the field.
pub(super) fn check_hash(hash: &StoredHash) -> Result<(), EditError> {
    if hash.to_field().contains([':', '\r', '\n', '\0']) {
        let found = "a colon or a line end";
        return Err(EditError::Inexpressible { what: "the password field", found });
    }
    Ok(())
}

fn expressible<'a>(
    what: &'static str,
    path: &'a Path,
    besides: &[char],
) -> Result<&'a str, EditError> {
    let wrong = |found| EditError::Inexpressible { what, found };
    let text = path.to_str().ok_or_else(|| wrong("octets that are not UTF-8"))?;
    if text.contains(|c: char| c.is_control()) {
        return Err(wrong("a control character"));
    }
    if text.contains(besides) {
        return Err(wrong("a space or a colon"));
    }
    Ok(text)
}

/// The line with another hash. The locks of shadow(5) stay before it.
pub(super) fn with_hash(line: &str, hash: &StoredHash) -> Zeroizing<String> {
    let old = Fields::split(line).get(Fields::HASH);
    let locked = old.starts_with(['!', '*']);
    let lock = if locked { "!" } else { "" };
    with_field(line, Fields::HASH, &format!("{lock}{}", hash.to_field().as_str()))
}

/// The line with `must_change=` as stated.
pub(super) fn with_must_change(line: &str, must_change: bool) -> Zeroizing<String> {
    let extra = Fields::split(line).get(Fields::EXTRA);
    let said = extra.split([' ', '\t']).any(|word| word.starts_with("must_change="));
    if !said && !must_change {
        return Zeroizing::new(line.to_owned());
    }
    let words = extra.split([' ', '\t']);
    let mut words: Vec<&str> =
        words.filter(|word| !word.is_empty() && !word.starts_with("must_change=")).collect();
    if must_change {
        words.push("must_change=yes");
    }
    with_field(line, Fields::EXTRA, &words.join(" "))
}

/// The line with `disabled=` as stated; nothing if there is no password to enable.
pub(super) fn with_disabled(line: &str, disabled: bool) -> Option<Zeroizing<String>> {
    let extra = Fields::split(line).get(Fields::EXTRA);
    let mut words: Vec<&str> = extra
        .split([' ', '\t'])
        .filter(|word| {
            let key = word.split_once('=').map_or(*word, |(key, _)| key);
            !word.is_empty() && key != "disabled" && key != "nologin"
        })
        .collect();
    if disabled {
        words.push("disabled=yes");
        return Some(with_field(line, Fields::EXTRA, &words.join(" ")));
    }
    let hash = Fields::split(line).get(Fields::HASH);
    let open = hash.trim_start_matches(['!', '*']);
    if open.is_empty() {
        return None;
    }
    let enabled = with_field(line, Fields::EXTRA, &words.join(" "));
    Some(if open == hash { enabled } else { with_field(&enabled, Fields::HASH, open) })
}

/// The line with another field `index`; fields that are missing before it are added empty.
fn with_field(line: &str, index: usize, value: &str) -> Zeroizing<String> {
    let fields = Fields::split(line);
    let mut changed = Zeroizing::new(String::with_capacity(line.len() + value.len() + 8));
    if index >= fields.count {
        changed.push_str(line);
        if !value.is_empty() {
            changed.extend(std::iter::repeat_n(':', index + 1 - fields.count));
            changed.push_str(value);
        }
        return changed;
    }
    let range = fields.range(index);
    changed.push_str(&line[..range.start]);
    changed.push_str(value);
    changed.push_str(&line[range.end..]);
    changed
}
