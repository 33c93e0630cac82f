//! A Maildir with as many messages as a measurement needs.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, RawDir};

use super::BenchError;

/// Octets of the buffer that directory entries are read into.
const BUFFER: usize = 64 << 10;

/// A Maildir that belongs to the measurement, with all that is in it.
pub(super) struct Maildir {
    path: PathBuf,
    owner: Option<u32>,
    messages: usize,
    delivered: usize,
}

impl Maildir {
    /// The Maildir at `path`, whose files are to belong to `owner`.
    pub(super) fn new(path: PathBuf, owner: Option<u32>) -> Self {
        Self { path, owner, messages: 0, delivered: 0 }
    }

    /// Messages that are in it now.
    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    /// Replaces all mail by `count` messages of `size` octets in `cur`, whose names say how
    /// large they are or do not.
    pub(super) fn fill(
        &mut self,
        count: usize,
        size: usize,
        with_sizes: bool,
    ) -> Result<(), BenchError> {
        self.empty()?;
        let text = message(size);
        let lines = text.iter().filter(|&&octet| octet == b'\n').count();
        for number in 0..count {
            let mut name = format!("{}.M{number}P1.bench", 1_600_000_000 + number);
            if with_sizes {
                name.push_str(&format!(",S={},W={}", text.len(), text.len() + lines));
            }
            name.push_str(":2,");
            self.write("cur", &name, &text)?;
        }
        self.messages = count;
        Ok(())
    }

    /// Delivers one message more, as a Maildir wants it.
    pub(super) fn deliver(&mut self, size: usize) -> Result<(), BenchError> {
        let text = message(size);
        let name = format!("{}.M1P1.bench", 1_900_000_000 + self.delivered);
        self.write("tmp", &name, &text)?;
        let (from, to) = (self.path.join("tmp").join(&name), self.path.join("new").join(&name));
        fs::rename(&from, &to).map_err(failed(&from))?;
        self.delivered += 1;
        self.messages += 1;
        Ok(())
    }

    /// Removes all mail.
    pub(super) fn empty(&self) -> Result<(), BenchError> {
        for place in ["new", "cur", "tmp"] {
            let directory = self.path.join(place);
            for entry in fs::read_dir(&directory).map_err(failed(&directory))? {
                let path = entry.map_err(failed(&directory))?.path();
                fs::remove_file(&path).map_err(failed(&path))?;
            }
        }
        Ok(())
    }

    /// Removes files beside `new` and `cur` whose names begin so.
    pub(super) fn remove_beside(&self, prefix: &str) -> Result<(), BenchError> {
        for entry in fs::read_dir(&self.path).map_err(failed(&self.path))? {
            let entry = entry.map_err(failed(&self.path))?;
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                fs::remove_file(entry.path()).map_err(failed(&entry.path()))?;
            }
        }
        Ok(())
    }

    /// One bare pass over `new` and `cur`: what any server must do that knows nothing.
    pub(super) fn pass(&self) -> Result<Duration, BenchError> {
        let began = Instant::now();
        let mut found = 0;
        for place in ["new", "cur"] {
            let path = self.path.join(place);
            found += entries(&path).map_err(failed(&path))?;
        }
        let took = began.elapsed();
        if found == self.messages {
            return Ok(took);
        }
        Err(BenchError::Wrong(format!(
            "{}: {found} files, where {} were written",
            self.path.display(),
            self.messages
        )))
    }

    fn write(&self, place: &str, name: &str, text: &[u8]) -> Result<(), BenchError> {
        let path = self.path.join(place).join(name);
        let own = |()| self.owner.map_or(Ok(()), |owner| chown(&path, Some(owner), Some(owner)));
        fs::write(&path, text).and_then(own).map_err(failed(&path))
    }
}

/// Entries of a directory but `.` and `..`.
fn entries(path: &Path) -> io::Result<usize> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory: OwnedFd = rustix::fs::open(path, flags, Mode::empty())?;
    let mut buffer = Vec::with_capacity(BUFFER);
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    let mut found = 0;
    while let Some(entry) = entries.next() {
        found += usize::from(!entry?.file_name().to_bytes().starts_with(b"."));
    }
    Ok(found)
}

/// LF line ends, as Maildirs have them.
fn message(size: usize) -> Vec<u8> {
    let mut text = b"From: <x@example.org>\nSubject: one of many\n\n".to_vec();
    let line = b"The quick brown fox jumps over the lazy dog, again and again and again.\n";
    while text.len() + line.len() <= size {
        text.extend_from_slice(line);
    }
    text
}

fn failed(path: &Path) -> impl Fn(io::Error) -> BenchError {
    move |error| BenchError::File { path: path.to_owned(), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_comes_and_goes() {
        let directory = tempfile::tempdir().unwrap();
        for place in ["new", "cur", "tmp"] {
            fs::create_dir(directory.path().join(place)).unwrap();
        }
        let mut maildir = Maildir::new(directory.path().to_owned(), None);
        maildir.fill(30, 300, true).unwrap();
        maildir.deliver(300).unwrap();
        assert_eq!(maildir.messages(), 31);
        assert!(maildir.pass().unwrap() > Duration::ZERO);
        let names: Vec<String> = fs::read_dir(directory.path().join("cur"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let size = message(300).len();
        assert!(size <= 300 && size > 200);
        assert!(names.iter().all(|name| name.contains(&format!(",S={size},W="))), "{names:?}");

        fs::write(directory.path().join("lastpost-state"), "x").unwrap();
        fs::write(directory.path().join("lastpost.lock"), "").unwrap();
        maildir.remove_beside("lastpost-").unwrap();
        assert!(!directory.path().join("lastpost-state").exists());
        assert!(directory.path().join("lastpost.lock").exists());

        fs::remove_file(directory.path().join("cur").join(&names[0])).unwrap();
        assert!(maildir.pass().unwrap_err().to_string().contains("30 files, where 31 were"));
        maildir.fill(3, 300, false).unwrap();
        assert!(maildir.pass().is_ok());
        maildir.empty().unwrap();
        assert_eq!(entries(&directory.path().join("cur")).unwrap(), 0);
    }
}
