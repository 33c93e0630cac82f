//! Going over a maildrop once more, when an operator doubts what is remembered of it.

use std::path::Path;

use crate::load::{Loaded, rebuild};
use crate::lock::Lock;
use crate::tree::Root;
use crate::{OpenError, OpenOptions, ScanReport};

/// What [`repair`] found.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RepairReport {
    /// Messages in the maildrop.
    pub messages: usize,
    /// Messages that were remembered with a size they do not have.
    pub sizes_corrected: usize,
    /// How the messages were found: the passes, damage, what was written.
    pub scan: ScanReport,
}

/// Reads both directories and counts every message of the Maildir at `path` anew, under its
/// lock, and replaces what is remembered. Unique ids, order and times of retrieval stay.
///
/// # Errors
/// [`OpenError`], as [`crate::Maildrop::open`] has it; nothing is made that is missing.
pub fn repair(path: &Path, options: &OpenOptions) -> Result<RepairReport, OpenError> {
    let root = Root::open(path, false)?;
    let lock = Lock::take(&root)
        .map_err(|error| root.unavailable("locking", error))?
        .ok_or_else(|| OpenError::InUse { path: path.to_owned() })?;
    let options = OpenOptions { create_missing: false, ..options.clone() };
    let (Loaded { snapshot, report, .. }, sizes_corrected) = rebuild(&root, &lock, &options)?;
    Ok(RepairReport { messages: snapshot.entries().len(), sizes_corrected, scan: report })
}
