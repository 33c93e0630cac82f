//! The file `maildirsize`: its text, read as hostile, and its replacement in one step.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::{FILE, FILE_MAX, Quota, Usage};
use crate::tree::Root;

/// A longer first line is none.
const FIRST_LINE_MAX: usize = 256;
/// How many names are tried for a new file.
const NAMES_MAX: u32 = 16;

/// What the lines after the first add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) used: Usage,
    pub(super) lines: usize,
}

/// What a file says.
#[derive(Debug)]
pub(super) struct Content {
    first_line: Option<(Vec<u8>, Quota)>,
    sum: Option<Sum>,
}

impl Content {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut lines = bytes.split_inclusive(|&octet| octet == b'\n');
        let first_line = lines.next().and_then(|line| {
            let line = line.strip_suffix(b"\n").unwrap_or(line).trim_ascii();
            Some((line.to_vec(), parse_limits(line)?))
        });
        // A file that fills the buffer goes on beyond it.
        let sum = if bytes.len() < FILE_MAX { add_up(lines) } else { None };
        Self { first_line, sum }
    }

    /// The limits; nothing if the first line makes no sense.
    pub(super) fn quota(&self) -> Option<Quota> {
        self.first_line.as_ref().map(|(_, quota)| *quota)
    }

    /// The first line as it stands there, if it makes sense: it may name limits of a kind that
    /// we do not know.
    pub(super) fn first_line(&self) -> Option<&[u8]> {
        self.first_line.as_ref().map(|(line, _)| line.as_slice())
    }

    /// The sum; nothing if a line makes no sense or the file is too long.
    pub(super) fn sum(&self) -> Option<Sum> {
        self.sum
    }
}

/// Numbers with a letter each: `S` for octets, `C` for messages, others for what came later.
fn parse_limits(line: &[u8]) -> Option<Quota> {
    if line.len() > FIRST_LINE_MAX {
        return None;
    }
    let mut quota = Quota::default();
    for limit in line.split(|&octet| octet == b',') {
        let (&kind, digits) = limit.trim_ascii().split_last()?;
        let number = u64::try_from(parse_number(digits)?).ok()?;
        let number = (number > 0).then_some(number);
        match kind {
            b'S' => quota.octets = number,
            b'C' => quota.messages = number,
            letter if letter.is_ascii_alphabetic() => {}
            _ => return None,
        }
    }
    Some(quota)
}

fn add_up<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Sum> {
    let (mut octets, mut messages, mut count) = (0_i64, 0_i64, 0);
    for line in lines {
        // Half a line is of a writer that did not come to its end.
        let line = line.strip_suffix(b"\n")?;
        let mut numbers = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        octets = octets.checked_add(parse_number(numbers.next()?)?)?;
        messages = messages.checked_add(parse_number(numbers.next()?)?)?;
        if numbers.next().is_some() {
            return None;
        }
        count += 1;
    }
    let used =
        Usage { octets: u64::try_from(octets).ok()?, messages: u64::try_from(messages).ok()? };
    (count > 0).then_some(Sum { used, lines: count })
}

/// Digits, perhaps behind a minus.
fn parse_number(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if plain { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

/// The line of a change. Padded, as others do, to an even length: some file servers append
/// badly.
pub(super) fn line(removed: bool, octets: u64, messages: u64) -> String {
    let minus = if removed { "-" } else { "" };
    let text = format!("{minus}{octets} {minus}{messages}");
    format!("{text:<13}\n")
}

/// Puts a new file with the sum in the place of the old one. It is made in `tmp`, where what a
/// crash leaves behind is cleared away.
pub(super) fn replace(
    root: &Root,
    first_line: &[u8],
    used: Usage,
    mode: Option<Mode>,
) -> io::Result<()> {
    let tmp = root.subdirectory("tmp")?;
    let (name, descriptor) = create(&tmp)?;
    let mut file = File::from(descriptor);
    let written = (|| {
        // Others that keep the file may run as another user, and were given their rights.
        if let Some(mode) = mode {
            rustix::fs::fchmod(&file, mode & Mode::from_bits_truncate(0o666))?;
        }
        let mut text = first_line.to_vec();
        text.push(b'\n');
        text.extend_from_slice(line(false, used.octets, used.messages).as_bytes());
        file.write_all(&text)?;
        Ok(rustix::fs::renameat(&tmp, name.as_str(), root.fd(), FILE)?)
    })();
    if written.is_err() {
        let _ = rustix::fs::unlinkat(&tmp, name.as_str(), AtFlags::empty());
    }
    written
}

fn create(tmp: &std::os::fd::OwnedFd) -> Result<(String, std::os::fd::OwnedFd), Errno> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let process = std::process::id();
    for _ in 0..NAMES_MAX {
        let name = format!("{FILE}.{process}.{}", NEXT.fetch_add(1, Ordering::Relaxed));
        match rustix::fs::openat(tmp, name.as_str(), flags, Mode::RUSR | Mode::WUSR) {
            Err(Errno::EXIST) => {}
            other => return other.map(|descriptor| (name, descriptor)),
        }
    }
    Err(Errno::EXIST)
}
