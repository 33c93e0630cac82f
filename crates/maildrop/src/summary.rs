//! A look at a maildrop from outside, for an operator.

use std::path::Path;

use crate::load::{Loaded, load};
use crate::maildrop::fresh_handles;
use crate::report::ScanReport;
use crate::snapshot::Snapshot;
use crate::tree::{Place, Root};
use crate::{OpenError, OpenOptions};

/// One message in a [`Summary`].
#[derive(Clone, Debug, serde::Serialize)]
pub struct SummaryMessage {
    /// Size in CRLF form.
    pub octets: u64,
    /// Unique id.
    pub uidl: String,
    /// `new/…` or `cur/…`; octets that are not UTF-8 are replaced.
    pub file: String,
}

/// What a maildrop holds.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Summary {
    /// Octets of all messages in CRLF form.
    pub octets: u64,
    /// How many of the messages are in `new`.
    pub new: usize,
    /// The messages, in the order POP3 shows them.
    pub messages: Vec<SummaryMessage>,
    /// How they were found.
    pub scan: ScanReport,
}

/// Looks at the Maildir at `path` without lock and without changing anything: a session may be
/// going on meanwhile. It shows what that session or the next one sees, but that messages no
/// session has seen yet are shown with their file names as ids, even where counters will be used.
///
/// # Errors
/// [`OpenError::Unavailable`] if it is missing or cannot be read, [`OpenError::TooMany`].
pub fn summary(path: &Path) -> Result<Summary, OpenError> {
    let Loaded { snapshot, report, .. } = fresh_handles(|| {
        let root = Root::open(path, false)?;
        load(&root, None, &OpenOptions::default())
    })?;
    let messages: Vec<_> = snapshot.entries().iter().map(|e| message(&snapshot, e)).collect();
    let new = snapshot.entries().iter().filter(|entry| entry.place == Place::New).count();
    Ok(Summary { octets: snapshot.octets(), new, messages, scan: report })
}

fn message(snapshot: &Snapshot, entry: &crate::snapshot::Entry) -> SummaryMessage {
    let info = crate::maildrop::info(snapshot, entry);
    let name = String::from_utf8_lossy(snapshot.name(entry));
    SummaryMessage {
        octets: info.octets,
        uidl: info.uidl.to_owned(),
        file: format!("{}/{name}", entry.place.name()),
    }
}
