//! Tables of one account a line: passwd-files, shadow, vpopmail, Courier.

use accounts::Row;

use super::entry::{Entry, Remark, Taken};

/// Longest line in octets.
const LINE_MAX: usize = 64 * 1024;

/// A line that is being read, and where what was cut from it began.
pub(super) struct Line<'a> {
    number: u32,
    text: &'a str,
}

/// A piece of a line, and the character at which it begins, from 1.
#[derive(Clone, Copy)]
struct Piece<'a> {
    text: &'a str,
    place: u32,
}

/// What came of a line: an account with remarks; or none, and why.
pub(super) type Made = Result<(Entry, Vec<Remark>), Skipped>;

pub(super) enum Skipped {
    /// It is wrong.
    Bad(Remark),
    /// It is no account that could log in.
    PassedOver(Remark),
}

impl From<Remark> for Skipped {
    fn from(bad: Remark) -> Self {
        Self::Bad(bad)
    }
}

/// Reads a table; empty lines and comments say nothing.
pub(super) fn read(input: &[u8], make: impl Fn(&Line<'_>) -> Made) -> Taken {
    let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    let mut taken = Taken::default();
    for (number, line) in (1..).zip(input.split(|byte| *byte == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b"#") || line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if line.len() > LINE_MAX {
            let problem = format!("the line is longer than {LINE_MAX} octets");
            taken.bad.push(Remark::new(number, 1, problem));
            continue;
        }
        let text = match std::str::from_utf8(line) {
            Ok(text) => text,
            Err(error) => {
                let before = String::from_utf8_lossy(&line[..error.valid_up_to()]);
                let problem = "an octet that is not UTF-8";
                taken.bad.push(Remark::new(number, place(&before), problem));
                continue;
            }
        };
        match make(&Line { number, text }) {
            Ok((entry, remarks)) => {
                taken.entries.push(entry);
                taken.remarks.extend(remarks);
            }
            Err(Skipped::Bad(bad)) => taken.bad.push(bad),
            Err(Skipped::PassedOver(remark)) => taken.remarks.push(remark),
        }
    }
    taken
}

/// The place behind `before`.
fn place(before: &str) -> u32 {
    u32::try_from(before.chars().count() + 1).unwrap_or(u32::MAX)
}

impl<'a> Line<'a> {
    /// The fields between colons, at most `count`; the last takes the rest.
    fn fields(&self, count: usize) -> Vec<Piece<'a>> {
        let mut at = 0;
        let mut fields = Vec::with_capacity(count);
        for text in self.text.splitn(count, ':') {
            fields.push(Piece { text, place: place(&self.text[..at]) });
            at += text.len() + 1;
        }
        fields
    }

    fn entry(&self, login: Piece<'_>, password: Piece<'_>) -> Result<Entry, Remark> {
        let mut entry = Entry { line: self.number, ..Entry::default() };
        entry.set("login", login.text, login.place)?;
        entry.set("password", password.text, password.place)?;
        Ok(entry)
    }

    fn bad(&self, place: u32, problem: impl Into<String>) -> Skipped {
        Skipped::Bad(Remark::new(self.number, place, problem))
    }
}

/// `login:{SCHEME}hash:uid:gid:gecos:home:shell:extra`.
pub(super) fn passwd_file(line: &Line<'_>) -> Made {
    let fields = line.fields(8);
    let [login, password, rest @ ..] = &fields[..] else {
        return Err(line.bad(1, "expected a colon and {SCHEME}hash after the login"));
    };
    let mut entry = line.entry(*login, *password)?;
    let mut remarks = Vec::new();
    if let Some(home) = rest.get(3).filter(|home| !home.text.is_empty()) {
        entry.set("home", home.text, home.place)?;
    }
    let Some(extra) = rest.get(5) else { return Ok((entry, remarks)) };
    let mut at = 0;
    for word in extra.text.split([' ', '\t']) {
        let here = extra.place + place(&extra.text[..at]) - 1;
        at += word.len() + 1;
        if word.is_empty() {
            continue;
        }
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match name {
            "nologin" => entry.set("disabled", "yes", here)?,
            "userdb_home" if entry.row.home.is_some() => {}
            "userdb_home" => entry.set("home", value, here)?,
            "userdb_mail" => {
                let Some(path) = value.strip_prefix("maildir:") else {
                    let problem = "userdb_mail: expected maildir: and an absolute path";
                    return Err(line.bad(here, problem));
                };
                let path = path.split_once(':').map_or(path, |(path, _)| path);
                if entry.row.maildir.is_none() {
                    entry.set("maildir", path, here)?;
                }
            }
            "userdb_quota_rule" => match dovecot_quota(value) {
                Some(quota) => entry.set("quota", &quota, here)?,
                None => {
                    let problem = format!("{word:?} is not taken over");
                    remarks.push(Remark::new(line.number, here, problem));
                }
            },
            _ if name.starts_with("userdb_") => {
                let problem = format!("{name:?} is not taken over");
                remarks.push(Remark::new(line.number, here, problem));
            }
            _ => match known(name) {
                Some(column) => entry.set(column, value, here)?,
                None => {
                    let shown: String = name.chars().take(32).collect();
                    return Err(line.bad(here, format!("{shown:?} is not obeyed here")));
                }
            },
        }
    }
    Ok((entry, remarks))
}

/// The column that a word of the extra field sets.
fn known(name: &str) -> Option<&'static str> {
    let column = Row::COLUMNS.iter().find(|column| **column == name)?;
    (!["login", "password", "home"].contains(column)).then_some(column)
}

/// `*:storage=1G`, `*:bytes=1G` and `*:messages=1000` as this server writes quotas.
fn dovecot_quota(rule: &str) -> Option<String> {
    let (mut octets, mut messages) = ("0".to_owned(), "0");
    for limit in rule.strip_prefix("*:")?.split(':') {
        match limit.split_once('=')? {
            // Without a unit `storage` counts in KiB.
            ("storage", value) if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                octets = format!("{value}K");
            }
            ("storage" | "bytes", value) => octets = value.to_owned(),
            ("messages", value) => messages = value,
            _ => return None,
        }
    }
    Some(format!("{octets},{messages}"))
}

/// shadow(5): `login:hash:` and seven numbers.
pub(super) fn shadow(line: &Line<'_>) -> Made {
    let fields = line.fields(9);
    let [login, password, ..] = &fields[..] else {
        return Err(line.bad(1, "expected a colon and a hash after the login"));
    };
    if password.text.trim_start_matches(['!', '*']).is_empty() || password.text == "x" {
        let problem = format!("{}: no password; passed over", login.text);
        return Err(Skipped::PassedOver(Remark::new(line.number, password.place, problem)));
    }
    let entry = line.entry(*login, *password)?;
    let mut remarks = Vec::new();
    if let Some(expires) = fields.get(7).filter(|expires| !expires.text.is_empty()) {
        let problem = "the day on which the account expires is not taken over";
        remarks.push(Remark::new(line.number, expires.place, problem));
    }
    Ok((entry, remarks))
}

/// vpasswd: `login:hash:uid:flags:gecos:home:quota:password`.
pub(super) fn vpopmail(line: &Line<'_>) -> Made {
    let fields = line.fields(8);
    let [login, password, _, flags, _, home, rest @ ..] = &fields[..] else {
        return Err(line.bad(1, "expected login:hash:uid:flags:gecos:home:quota"));
    };
    let mut entry = line.entry(*login, *password)?;
    let mut remarks = Vec::new();
    entry.set("home", home.text, home.place)?;
    if !matches!(flags.text, "" | "0") {
        let problem = format!("the flags {:?} are not taken over", flags.text);
        remarks.push(Remark::new(line.number, flags.place, problem));
    }
    if let Some(quota) = rest.first() {
        match maildir_quota(quota.text) {
            Some(limit) if limit.is_empty() => {}
            Some(limit) => entry.set("quota", &limit, quota.place)?,
            None => {
                let problem = format!("quota {:?}; expected 1000000S,1000C or NOQUOTA", quota.text);
                return Err(line.bad(quota.place, problem));
            }
        }
    }
    Ok((entry, remarks))
}

/// `52428800S,1000C` or `NOQUOTA` as this server writes quotas; empty: none.
fn maildir_quota(text: &str) -> Option<String> {
    if matches!(text, "" | "NOQUOTA") {
        return Some(String::new());
    }
    let (mut octets, mut messages) = ("0", "0");
    for limit in text.split(',') {
        match (limit.strip_suffix('S'), limit.strip_suffix('C')) {
            (Some(value), _) => octets = value,
            (_, Some(value)) => messages = value,
            _ => octets = limit,
        }
    }
    let none = [octets, messages].iter().all(|value| value.bytes().all(|digit| digit == b'0'));
    Some(if none { String::new() } else { format!("{octets},{messages}") })
}

/// Courier's userdb: `login`, TAB, and `name=value` between bars.
pub(super) fn userdb(line: &Line<'_>) -> Made {
    let Some((login, rest)) = line.text.split_once('\t') else {
        return Err(line.bad(1, "expected a TAB after the login"));
    };
    let mut entry = Entry { line: line.number, ..Entry::default() };
    entry.set("login", login, 1)?;
    let mut remarks = Vec::new();
    let mut at = login.len() + 1;
    for field in rest.split('|') {
        let here = place(&line.text[..at]);
        at += field.len() + 1;
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        match name {
            "" | "uid" | "gid" | "shell" => {}
            "home" => entry.set("home", value, here)?,
            "mail" => entry.set("maildir", value, here)?,
            // The password of POP3, where it has one of its own.
            "pop3pw" => entry.set("password", value, here)?,
            "systempw" if entry.row.password.is_none() => entry.set("password", value, here)?,
            "quota" => match maildir_quota(value) {
                Some(limit) if limit.is_empty() => {}
                Some(limit) => entry.set("quota", &limit, here)?,
                None => return Err(line.bad(here, "quota: expected 1000000S,1000C")),
            },
            _ => {
                let shown: String = name.chars().take(32).collect();
                let problem = format!("{shown:?} is not taken over");
                remarks.push(Remark::new(line.number, here, problem));
            }
        }
    }
    Ok((entry, remarks))
}
