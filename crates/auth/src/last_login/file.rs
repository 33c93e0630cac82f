//! The file of last logins: lines appended, and now and then the whole written anew.
//!
//! A line is `2026-11-24T12:00:00Z 192.0.2.1 pop3 tls login`. The login stands last, the
//! newest line of a login counts. Appending is cheap and a torn last line is harmless; when
//! most lines are outdated the file is replaced by one without them.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use address::AccountKey;

use super::{LastLogin, LastLoginError};
use crate::Service;

const NAME: &str = "last-logins";
const LINE_MAX: u64 = 1024;
/// So many outdated lines are never worth a rewrite.
const WASTE_MIN: usize = 4096;

pub(super) struct StateFile {
    path: PathBuf,
    file: File,
    /// Octets that are whole lines.
    length: u64,
    lines: usize,
    damaged: bool,
    /// Held as long as this process keeps the file.
    _lock: File,
}

impl StateFile {
    /// Opens or creates it, and says what it holds.
    pub(super) fn open(
        directory: &Path,
    ) -> Result<(Self, HashMap<AccountKey, LastLogin>), LastLoginError> {
        let path = directory.join(NAME);
        let failed = |file: &Path| {
            let file = file.to_owned();
            move |source| LastLoginError::Io { file, source }
        };
        let lock_path = directory.join(format!("{NAME}.lock"));
        let lock = private().write(true).open(&lock_path).map_err(failed(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(LastLoginError::InUse { file: lock_path });
            }
            Err(std::fs::TryLockError::Error(source)) => return Err(failed(&lock_path)(source)),
        }
        let file = private().append(true).read(true).open(&path).map_err(failed(&path))?;
        let mut state =
            Self { path: path.clone(), file, length: 0, lines: 0, damaged: false, _lock: lock };
        let records = state.read().map_err(failed(&path))?;
        if state.damaged || state.is_wasteful(records.len()) {
            let all: Vec<_> = records.iter().map(|(key, record)| (key.clone(), *record)).collect();
            state.rewrite(&all).map_err(failed(&path))?;
        }
        Ok((state, records))
    }

    fn read(&mut self) -> io::Result<HashMap<AccountKey, LastLogin>> {
        let mut records = HashMap::new();
        let mut input = BufReader::new(&self.file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let got = input.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)?;
            if got == 0 {
                break;
            }
            self.length += got as u64;
            self.lines += 1;
            match line.strip_suffix(b"\n").and_then(parse) {
                Some((key, record)) => {
                    records.insert(key, record);
                }
                None => self.damaged = true,
            }
        }
        Ok(records)
    }

    /// Appends and syncs. After a failure the file ends where it ended before.
    pub(super) fn append(&mut self, records: &[(AccountKey, LastLogin)]) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let mut text = String::with_capacity(records.len() * 64);
        for (key, record) in records {
            render(&mut text, key, record);
        }
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.length += text.len() as u64;
                self.lines += records.len();
                Ok(())
            }
            Err(error) => {
                // If even that fails, the next start drops the torn line.
                let _ = self.file.set_len(self.length);
                Err(error)
            }
        }
    }

    /// Whether most of its lines are outdated, with `live` accounts.
    pub(super) fn is_wasteful(&self, live: usize) -> bool {
        self.damaged || self.lines > 2 * live + WASTE_MIN
    }

    #[cfg(test)]
    pub(super) fn replace_handle(&mut self, file: File) {
        self.file = file;
    }

    /// Lets the next write replace the file whole.
    pub(super) fn want_rewrite(&mut self) {
        self.damaged = true;
    }

    /// Replaces the file by one with these records alone.
    pub(super) fn rewrite(&mut self, records: &[(AccountKey, LastLogin)]) -> io::Result<()> {
        let new = self.path.with_extension("new");
        // Whatever lies there is of a process that was killed while it wrote.
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = private().append(true).read(true).open(&new)?;
        let mut output = BufWriter::new(&file);
        let mut text = String::new();
        let mut length = 0;
        for (key, record) in records {
            text.clear();
            render(&mut text, key, record);
            output.write_all(text.as_bytes())?;
            length += text.len() as u64;
        }
        output.flush()?;
        drop(output);
        file.sync_all()?;
        std::fs::rename(&new, &self.path)?;
        if let Some(directory) = self.path.parent() {
            File::open(directory)?.sync_all()?;
        }
        self.file = file;
        self.length = length;
        self.lines = records.len();
        self.damaged = false;
        Ok(())
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    options
}

fn render(text: &mut String, key: &AccountKey, record: &LastLogin) {
    let service = match record.service {
        Service::Pop3 => "pop3",
        Service::Submission => "submission",
    };
    let tls = if record.tls { "tls" } else { "clear" };
    let seconds = jiff::Timestamp::from_second(record.at.as_second()).unwrap_or(record.at);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{seconds} {} {service} {tls} {key}", record.client);
}

fn parse(line: &[u8]) -> Option<(AccountKey, LastLogin)> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split(' ');
    let at = words.next()?.parse().ok()?;
    let client = words.next()?.parse().ok()?;
    let service = match words.next()? {
        "pop3" => Service::Pop3,
        "submission" => Service::Submission,
        _ => return None,
    };
    let tls = match words.next()? {
        "tls" => true,
        "clear" => false,
        _ => return None,
    };
    let key = AccountKey::parse(words.next()?, None).ok()?;
    words.next().is_none().then_some((key, LastLogin { at, client, service, tls }))
}
