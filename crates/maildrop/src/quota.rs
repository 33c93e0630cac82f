//! How much a Maildir may hold, after the Maildir++ convention.
//!
//! The file `maildirsize` in the Maildir has the limits in its first line and then one line for
//! each change: octets and messages that came, or went with a minus. Whoever delivers or removes
//! adds a line; whoever wants the sum adds them up. There is no lock, and the sum may be a little
//! wrong for a while: the file is counted anew when it grows beyond 5119 octets, or when it says
//! that a message does not fit and could be mistaken.
//!
//! A file that is there is kept up and its limits hold, whoever made it. One is made only where a
//! limit was given to [`crate::Delivery::with_quota`]; that limit then replaces the file's own.
//! A file whose lines make no sense is counted anew. One whose first line makes no sense limits
//! nothing and is left as it is, unless a limit was given.

mod count;
mod file;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::tree::{Root, Stamp, open_message};
use file::Content;

/// The file's name.
const FILE: &str = "maildirsize";
/// A file of so many octets is counted anew.
const FILE_MAX: usize = 5120;
/// A sum that was counted, and not added to since, is believed for so many seconds.
const BELIEVED_SECONDS: i64 = 15 * 60;
/// How often all is counted again because messages came or went meanwhile.
const ROUNDS_MAX: u32 = 3;

/// How much a Maildir and its folders may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Octets of all messages as they are stored; `None`: no limit.
    pub octets: Option<u64>,
    /// Messages; `None`: no limit.
    pub messages: Option<u64>,
}

/// What a Maildir holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Octets of all messages as they are stored.
    pub octets: u64,
    /// Messages.
    pub messages: u64,
}

impl Quota {
    /// Whether one more message of `octets` fits beside what is `used`.
    #[must_use]
    pub fn has_room(&self, used: Usage, octets: u64) -> bool {
        let within = |limit: Option<u64>, now: u64, more| {
            limit.is_none_or(|limit| now.checked_add(more).is_some_and(|sum| sum <= limit))
        };
        within(self.octets, used.octets, octets) && within(self.messages, used.messages, 1)
    }
}

/// As `maildirsize` has it: `1000000S,500C`; no limit at all is `0S`.
impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.octets, self.messages) {
            (octets, None) => write!(f, "{}S", octets.unwrap_or(0)),
            (None, Some(messages)) => write!(f, "{messages}C"),
            (Some(octets), Some(messages)) => write!(f, "{octets}S,{messages}C"),
        }
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets in {} messages", self.octets, self.messages)
    }
}

/// Whether a message may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It may; `noted`: there is a file that must be told of it.
    Fits { noted: bool },
    /// It may not.
    Over { quota: Quota, used: Usage },
}

/// Whether a message of `octets` fits into the Maildir `root`. `given` is the limit we were told;
/// `now` is the time in seconds by the clock that stamps the Maildir's files.
pub(crate) fn admit(
    root: &Root,
    given: Option<Quota>,
    octets: u64,
    now: i64,
) -> io::Result<Admission> {
    let Some(found) = read(root)? else {
        let Some(quota) = given else { return Ok(Admission::Fits { noted: false }) };
        let used = recount(root, quota.to_string().as_bytes(), None)?;
        return Ok(judge(quota, used, octets));
    };
    let Some(quota) = given.or(found.content.quota()) else {
        tracing::warn!(event = "quota-unreadable", maildir = ?root.path());
        return Ok(Admission::Fits { noted: false });
    };
    let limits_stand = found.content.quota() == Some(quota);
    if limits_stand && let Some(sum) = found.content.sum() {
        let age = now.saturating_sub(found.stamp.modified.seconds);
        let certain = sum.lines <= 1 && (0..BELIEVED_SECONDS).contains(&age);
        if certain || quota.has_room(sum.used, octets) {
            return Ok(judge(quota, sum.used, octets));
        }
    }
    let first = match found.content.first_line() {
        Some(line) if limits_stand => line.to_vec(),
        _ => quota.to_string().into_bytes(),
    };
    let used = recount(root, &first, Some(found.mode))?;
    Ok(judge(quota, used, octets))
}

fn judge(quota: Quota, used: Usage, octets: u64) -> Admission {
    if quota.has_room(used, octets) {
        Admission::Fits { noted: true }
    } else {
        Admission::Over { quota, used }
    }
}

/// Notes a message of `octets` that has come in. Failing to is no failure of the delivery: the
/// next count finds the message.
pub(crate) fn note_delivered(root: &Root, octets: u64) {
    report(root, append(root, &file::line(false, octets, 1)).map(|_| ()));
}

/// What a session removes, for a Maildir that wants to know. Costs one look for the file, and
/// nothing more where there is none.
pub(crate) struct Removals<'a> {
    /// `None`: nobody wants to know.
    root: Option<&'a Root>,
    octets: u64,
    messages: u64,
}

impl<'a> Removals<'a> {
    pub(crate) fn of(root: &'a Root) -> Self {
        let kept = rustix::fs::statat(root.fd(), FILE, AtFlags::SYMLINK_NOFOLLOW).is_ok();
        Self { root: kept.then_some(root), octets: 0, messages: 0 }
    }

    /// The octets of a message as it is stored, while it is still there.
    pub(crate) fn measure(&self, directory: BorrowedFd<'_>, name: &[u8]) -> u64 {
        if self.root.is_none() {
            return 0;
        }
        crate::name::stored_octets(name).unwrap_or_else(|| {
            let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW);
            stat.map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0))
        })
    }

    /// A message of so many octets has gone.
    pub(crate) fn add(&mut self, octets: u64) {
        self.octets = self.octets.saturating_add(octets);
        self.messages += 1;
    }

    /// Notes them all in one line.
    pub(crate) fn note(self) {
        if let Some(root) = self.root {
            note_removed(root, self.octets, self.messages);
        }
    }
}

/// Notes `count` messages that were removed, of `octets` together as they were stored, in one
/// line. Nothing is made if there is no file. Failing to is no failure of the removal.
fn note_removed(root: &Root, octets: u64, count: u64) {
    if count == 0 {
        return;
    }
    let noted = append(root, &file::line(true, octets, count)).and_then(|size| {
        // Where nobody delivers through quotas, nobody else would ever shorten the file.
        if size < FILE_MAX as u64 {
            return Ok(());
        }
        match read(root)? {
            Some(Found { content, mode, .. }) if content.first_line().is_some() => {
                recount(root, content.first_line().unwrap_or_default(), Some(mode)).map(|_| ())
            }
            _ => Ok(()),
        }
    });
    report(root, noted);
}

fn report(root: &Root, noted: io::Result<()>) {
    if let Err(error) = noted {
        tracing::warn!(event = "quota-not-noted", maildir = ?root.path(), %error);
    }
}

/// The file as it is.
struct Found {
    content: Content,
    stamp: Stamp,
    mode: Mode,
}

/// Reads the file; nothing if there is none, or something that is no file.
fn read(root: &Root) -> io::Result<Option<Found>> {
    let (descriptor, stat) = match open_message(root.fd(), FILE.as_bytes()) {
        Err(Errno::NOENT) => return Ok(None),
        // Somebody else's, and not for us.
        Err(Errno::ACCESS | Errno::PERM) => return Ok(None),
        other => other?,
    };
    let mut bytes = Vec::with_capacity(512);
    File::from(descriptor).take(FILE_MAX as u64).read_to_end(&mut bytes)?;
    let content = Content::parse(&bytes);
    Ok(Some(Found { content, stamp: Stamp::of(&stat), mode: Mode::from_raw_mode(stat.st_mode) }))
}

/// Adds a line in one write; its new size, 0 if there is no file.
fn append(root: &Root, line: &str) -> io::Result<u64> {
    let flags = OFlags::WRONLY
        | OFlags::APPEND
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::NOCTTY
        | OFlags::CLOEXEC;
    let descriptor = match rustix::fs::openat(root.fd(), FILE, flags, Mode::empty()) {
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::NODEV | Errno::ISDIR) => {
            return Ok(0);
        }
        other => other?,
    };
    let mut file = File::from(descriptor);
    if !file.metadata()?.is_file() {
        return Ok(0);
    }
    file.write_all(line.as_bytes())?;
    Ok(file.metadata()?.len())
}

/// Counts the Maildir and its folders, and replaces the file by one with `first_line` and the
/// sum. While messages come and go it is tried again, and in the end there is no file: the next
/// delivery counts anew. That the file cannot be written is no failure.
fn recount(root: &Root, first_line: &[u8], mode: Option<Mode>) -> io::Result<Usage> {
    let mut round = 1;
    loop {
        let (used, before) = count::count(root)?;
        if let Err(error) = file::replace(root, first_line, used, mode) {
            report(root, Err(error));
            return Ok(used);
        }
        if count::stamps(root)? == before {
            return Ok(used);
        }
        if round == ROUNDS_MAX {
            rustix::fs::unlinkat(root.fd(), FILE, AtFlags::empty()).or_else(absent_is_fine)?;
            return Ok(used);
        }
        round += 1;
    }
}

fn absent_is_fine(errno: Errno) -> Result<(), Errno> {
    if errno == Errno::NOENT { Ok(()) } else { Err(errno) }
}
