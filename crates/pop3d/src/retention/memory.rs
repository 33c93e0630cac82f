//! When maildrops were gone through last, and when they are to be next: kept in a small file, so
//! that a restart neither repeats the work nor puts it off for ever.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

/// The first line of the file.
const HEAD: &str = "lastpost-retention 1";
/// A longer file is none of ours.
const FILE_MAX: u64 = 4096;
/// A run that is late by more than this is not made up for at once: it may be the clock that is
/// wrong.
const LATE_MAX: i64 = 7 * 24 * 60 * 60;

/// What is remembered. Times are in seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// What the configuration said when `due` was set.
    policy: String,
    /// When a run came to its end; 0: none has.
    last: i64,
    /// When the next run begins.
    due: i64,
    /// The login at which a run that was broken off goes on.
    pub(super) resume: Option<String>,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing yet.
    Wait,
    /// A run.
    Run,
    /// Nothing, for a whole period from now. To be written down.
    PutOff(Reason),
    /// Nothing, until the clock is past the last run: it has been set back.
    Behind,
}

/// Why nothing is removed for a whole period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The policy is a new one, and the operator should see first what it would remove.
    NewPolicy,
    /// The clock was set forward while the daemon ran.
    ClockStepped,
    /// The run is very late: the daemon was off for long, or the clock is wrong.
    VeryLate,
}

impl Reason {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::NewPolicy => "the policy is new",
            Self::ClockStepped => "the clock was set forward",
            Self::VeryLate => "the last run was long ago",
        }
    }
}

impl Memory {
    /// What is to be done at `now`. `stepped`: whether the clock was set forward since the last
    /// time this was asked.
    pub(super) fn plan(&mut self, now: i64, policy: &str, every: i64, stepped: bool) -> Plan {
        let reason = if self.policy != policy {
            Some(Reason::NewPolicy)
        } else if stepped {
            Some(Reason::ClockStepped)
        } else if now < self.last {
            return Plan::Behind;
        } else if now.saturating_sub(self.due) > LATE_MAX {
            Some(Reason::VeryLate)
        } else {
            None
        };
        if let Some(reason) = reason {
            policy.clone_into(&mut self.policy);
            self.due = now.saturating_add(every);
            self.resume = None;
            return Plan::PutOff(reason);
        }
        // The clock was ahead when it was set, or the period was longer.
        self.due = self.due.min(now.saturating_add(every));
        if now < self.due { Plan::Wait } else { Plan::Run }
    }

    /// A run that began at `begun` has come to its end at `ended`.
    pub(super) fn finished(&mut self, begun: i64, ended: i64, every: i64) {
        self.last = ended;
        self.due = begun.saturating_add(every).max(ended);
        self.resume = None;
    }

    pub(super) fn due(&self) -> i64 {
        self.due
    }

    /// Reads the file; nothing is remembered if there is none.
    ///
    /// # Errors
    /// If it cannot be read or makes no sense.
    pub(super) fn read(file: &Path) -> io::Result<Self> {
        let mut text = String::new();
        match File::open(file) {
            Ok(file) => file.take(FILE_MAX).read_to_string(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        Self::parse(&text).ok_or_else(|| io::Error::other("it makes no sense"))
    }

    /// Replaces the file in one step, durably.
    ///
    /// # Errors
    /// What the system says; the old file is still there.
    pub(super) fn write(&self, file: &Path) -> io::Result<()> {
        let new = file.with_extension("new");
        let mut written = File::create(&new)?;
        written.write_all(self.text().as_bytes())?;
        written.sync_all()?;
        std::fs::rename(&new, file)?;
        let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    }

    pub(super) fn text(&self) -> String {
        let Self { policy, last, due, resume } = self;
        let mut text = format!("{HEAD}\npolicy {policy}\nlast {last}\ndue {due}\n");
        if let Some(login) = resume {
            text += &format!("resume {login}\n");
        }
        text
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        (lines.next()? == HEAD).then_some(())?;
        let policy = lines.next()?.strip_prefix("policy ")?.to_owned();
        let last = lines.next()?.strip_prefix("last ")?.parse().ok()?;
        let due = lines.next()?.strip_prefix("due ")?.parse().ok()?;
        let resume = match lines.next() {
            Some(line) => Some(line.strip_prefix("resume ")?.to_owned()),
            None => None,
        };
        lines.next().is_none().then_some(Self { policy, last, due, resume })
    }
}
