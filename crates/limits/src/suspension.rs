//! Accounts that may not send until an admin resumes them: on disk before anybody is told.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use address::AccountKey;
use arc_swap::ArcSwap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::open::{self, LimitsError};

const NAME: &str = "suspended";
const LINE_MAX: u64 = 4096;
/// Octets of a reason that are kept.
const REASON_MAX: usize = 500;

/// Why an account may not send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// Since when.
    pub since: Timestamp,
    /// For the admin: one line, at most 500 octets. Customers are not shown it.
    pub reason: String,
    /// The limit that was reached, as [`crate::Limit::word`]; `None`: an admin did it.
    pub limit: Option<String>,
}

impl Suspension {
    /// A suspension; control characters of `reason` become spaces.
    #[must_use]
    pub fn new(since: Timestamp, reason: &str, limit: Option<&str>) -> Self {
        let mut line: String =
            reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut end = line.len().min(REASON_MAX);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
        Self { since, reason: line, limit: limit.map(str::to_owned) }
    }
}

type Table = HashMap<AccountKey, Suspension>;

/// A line of the file, behind its checksum.
#[derive(Serialize, Deserialize)]
struct Line {
    account: String,
    #[serde(flatten)]
    suspension: Suspension,
}

/// All suspensions. The file is written whole, beside the old one, and flushed with its
/// directory; then it takes the old one's place.
#[derive(Debug)]
pub(crate) struct Suspensions {
    file: PathBuf,
    table: ArcSwap<Table>,
    writing: tokio::sync::Mutex<()>,
}

impl Suspensions {
    /// Reads them. Lines that are damaged are passed over with a warning, and the file as it was
    /// is kept beside the new one.
    pub(crate) fn open(directory: &Path) -> Result<Self, LimitsError> {
        let file = directory.join(NAME);
        let failed = |source| LimitsError::Io { file: file.clone(), source };
        let (table, damaged) = read(&file).map_err(failed)?;
        if damaged > 0 {
            let aside = directory.join(format!("{NAME}.damaged"));
            std::fs::copy(&file, &aside).map_err(failed)?;
            tracing::warn!(
                target: "lastpost::limits",
                file = %file.display(),
                damaged,
                readable = table.len(),
                kept = %aside.display(),
                "lines of the suspended accounts are damaged; look whether one is missing"
            );
            write(&file, &table).map_err(failed)?;
        }
        let table = ArcSwap::from_pointee(table);
        Ok(Self { file, table, writing: tokio::sync::Mutex::new(()) })
    }

    pub(crate) fn get(&self, account: &AccountKey) -> Option<Suspension> {
        let table = self.table.load();
        if table.is_empty() { None } else { table.get(account).cloned() }
    }

    pub(crate) fn all(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// Suspends; on disk when it returns. Whether it was not suspended before. Should the disk
    /// fail, the account is suspended all the same, as long as this process lives.
    pub(crate) async fn add(
        &self,
        account: &AccountKey,
        suspension: Suspension,
    ) -> io::Result<bool> {
        self.change(|table| match table.get(account) {
            Some(_) => false,
            None => table.insert(account.clone(), suspension).is_none(),
        })
        .await
    }

    /// Ends a suspension; on disk when it returns. Whether there was one.
    pub(crate) async fn remove(&self, account: &AccountKey) -> io::Result<bool> {
        self.change(|table| table.remove(account).is_some()).await
    }

    async fn change(&self, change: impl FnOnce(&mut Table) -> bool) -> io::Result<bool> {
        let _turn = self.writing.lock().await;
        let mut table = Table::clone(&self.table.load());
        if !change(&mut table) {
            return Ok(false);
        }
        let table = Arc::new(table);
        self.table.store(Arc::clone(&table));
        let file = self.file.clone();
        let written = tokio::task::spawn_blocking(move || write(&file, &table)).await;
        written.map_err(io::Error::other)??;
        Ok(true)
    }
}

fn write(file: &Path, table: &Table) -> io::Result<()> {
    open::replace(file, |output| {
        let mut accounts: Vec<_> = table.iter().collect();
        accounts.sort_unstable_by(|one, other| one.0.cmp(other.0));
        for (account, suspension) in accounts {
            let line = Line { account: account.to_string(), suspension: suspension.clone() };
            let json = serde_json::to_string(&line).map_err(io::Error::other)?;
            writeln!(output, "{:08x} {json}", crc32c::crc32c(json.as_bytes()))?;
        }
        Ok(())
    })
}

/// The table, and the number of lines that are damaged.
fn read(file: &Path) -> io::Result<(Table, usize)> {
    let mut table = Table::new();
    let open = match std::fs::File::open(file) {
        Ok(open) => open,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((table, 0)),
        Err(error) => return Err(error),
    };
    let (mut input, mut line, mut damaged) = (BufReader::new(open), Vec::new(), 0);
    loop {
        line.clear();
        if input.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok((table, damaged));
        }
        match parse(&line) {
            Some((account, suspension)) => {
                table.insert(account, suspension);
            }
            None => damaged += 1,
        }
    }
}

fn parse(line: &[u8]) -> Option<(AccountKey, Suspension)> {
    let text = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (crc, json) = text.split_once(' ')?;
    let sound = u32::from_str_radix(crc, 16).ok()? == crc32c::crc32c(json.as_bytes());
    let line: Line = if sound { serde_json::from_str(json).ok()? } else { return None };
    Some((AccountKey::parse(&line.account, None).ok()?, line.suspension))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> AccountKey {
        AccountKey::parse(name, None).unwrap()
    }

    fn suspension(reason: &str) -> Suspension {
        Suspension::new("2026-11-24T12:00:00Z".parse().unwrap(), reason, Some("messages-per-hour"))
    }

    #[tokio::test]
    async fn a_suspension_is_on_disk_when_it_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let suspensions = Suspensions::open(directory.path()).unwrap();
        assert!(suspensions.add(&key("anna@a.example"), suspension("one\r\ntwo")).await.unwrap());
        assert!(!suspensions.add(&key("anna@a.example"), suspension("later")).await.unwrap());
        // No close, no flush: as after a power cut.
        let again = Suspensions::open(directory.path()).unwrap();
        assert_eq!(again.get(&key("anna@a.example")).unwrap().reason, "one  two");
        assert!(again.remove(&key("anna@a.example")).await.unwrap());
        assert!(!again.remove(&key("anna@a.example")).await.unwrap());
        assert!(Suspensions::open(directory.path()).unwrap().all().is_empty());
    }

    #[tokio::test]
    async fn a_damaged_line_costs_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let suspensions = Suspensions::open(directory.path()).unwrap();
        for name in ["a@a.example", "b@a.example", "c@a.example"] {
            suspensions.add(&key(name), suspension("x")).await.unwrap();
        }
        let file = directory.path().join(NAME);
        let text = std::fs::read_to_string(&file).unwrap().replace("b@a", "d@a");
        std::fs::write(&file, format!("{text}torn")).unwrap();
        let again = Suspensions::open(directory.path()).unwrap();
        assert!(again.get(&key("a@a.example")).is_some());
        assert!(again.get(&key("c@a.example")).is_some());
        assert_eq!(again.all().len(), 2);
        assert!(directory.path().join("suspended.damaged").exists());
    }

    #[tokio::test]
    async fn a_disk_that_fails_lets_nobody_send() {
        let directory = tempfile::tempdir().unwrap();
        let suspensions = Suspensions::open(directory.path()).unwrap();
        std::fs::remove_dir_all(directory.path()).unwrap();
        assert!(suspensions.add(&key("a@a.example"), suspension("x")).await.is_err());
        assert!(suspensions.get(&key("a@a.example")).is_some());
    }
}
