//! How a maildrop's messages were found.

/// What the state file was good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StateUse {
    /// Nothing has changed since it was written: no directory was read.
    Current,
    /// Sizes, ids and order were taken from it, the rest from the directories.
    Stale,
    /// There was none.
    Missing,
    /// There was one that could not be read or used, for this reason.
    Rejected(&'static str),
}

/// How the messages were found: for the log, for tests and for `maildrop show`.
#[derive(Clone, Debug, serde::Serialize)]
#[non_exhaustive]
pub struct ScanReport {
    /// What the state file was good for.
    pub state: StateUse,
    /// Passes over `new` and `cur`; 0 when the state was current.
    pub passes: u32,
    /// Directory entries read, in all passes.
    pub entries: usize,
    /// Messages whose size was in no name and no state, and had to be counted.
    pub files_counted: usize,
    /// Octets read for that.
    pub octets_counted: u64,
    /// Messages listed with the size they are stored with, because they cannot be read.
    pub files_unreadable: usize,
    /// Files given a new name, because another file had the same base name.
    pub files_renamed: usize,
    /// Whether the state was written, or added to.
    pub state_written: bool,
    /// Octets written to it.
    pub state_octets_written: u64,
    /// Whether the record of ids was read: not where the state is a copy of it.
    pub record_read: bool,
    /// Whether the record was written.
    pub record_written: bool,
    /// Lines of the record that were damaged and left out.
    pub lines_damaged: usize,
    /// New messages that are not shown, because their ids could not be put on record.
    pub messages_withheld: usize,
}

impl ScanReport {
    pub(crate) fn new(state: StateUse) -> Self {
        Self {
            state,
            passes: 0,
            entries: 0,
            files_counted: 0,
            octets_counted: 0,
            files_unreadable: 0,
            files_renamed: 0,
            state_written: false,
            state_octets_written: 0,
            record_read: false,
            record_written: false,
            lines_damaged: 0,
            messages_withheld: 0,
        }
    }
}
