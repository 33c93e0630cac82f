//! Reading what other POP3 servers recorded of a Maildir: unique ids, order, sizes, counters.
//!
//! The parsers are pure functions from the octets of a file to the ids in it, in the order in
//! which the other server listed its messages. They take any input as hostile: lines, names and
//! numbers have bounds, and what cannot be read is a [`Problem`] with its line number while the
//! rest goes on. [`gather`] finds and reads the files of one Maildir; [`crate::adopt`] takes what
//! it found.
//!
//! | server | file | parser |
//! |---|---|---|
//! | Dovecot | `dovecot-uidlist`, versions 1 and 3 | [`dovecot_uidlist`] |
//! | Courier | `courierpop3dsizelist`, versions 0 to 3 | [`courier_sizelist`] |
//! | Cyrus | a listing of uid and file name | [`uid_listing`] |
//! | qmail-pop3d, tpop3d | the file names alone | [`gather`] |
//! | any other | a list of file name and id | [`id_map`] |

mod courier;
mod dovecot;
mod format;
mod gather;
mod lines;
mod listing;
mod names;
mod sizes;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use crate::{AdoptedId, UidCounters};

pub use courier::courier_sizelist;
pub use dovecot::dovecot_uidlist;
pub use format::{IdFormat, IdFormatError};
pub use gather::{Recipe, Source, gather};
pub use listing::{id_map, uid_listing};

/// Most problems that are named one by one; all are counted.
const NAMED_MAX: usize = 100;

/// Something in a record that could not be taken over.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub what: String,
}

/// Ids of another server, in the order in which it lists the messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// One for each message on record; some of the messages may be gone.
    pub ids: Vec<AdoptedId>,
    /// The counters that the other server would go on with, if it has such.
    pub counters: Option<UidCounters>,
    /// How many lines could not be taken over.
    pub problem_count: u64,
    /// The first hundred of them.
    pub problems: Vec<Problem>,
}

impl Imported {
    fn problem(&mut self, line: u64, what: impl Into<String>) {
        self.problem_count = self.problem_count.saturating_add(1);
        if self.problems.len() < NAMED_MAX {
            self.problems.push(Problem { line, what: what.into() });
        }
    }
}

/// Why nothing could be learnt of a record as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// There is no record: the other server never served this Maildir by POP3, or keeps its
    /// record elsewhere.
    #[error("{}: there is no such file", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The record or the Maildir cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is larger than any record of a maildrop.
    #[error("{}: it has more than {limit} octets, which no record of a maildrop has", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in octets.
        limit: u64,
    },
    /// Its first line is not that of any version known here.
    #[error("line 1: {found:?} is no header of a {of}: expected {expected}")]
    Header {
        /// The line, cut to a bearable length.
        found: String,
        /// Name of the format.
        of: &'static str,
        /// What a header looks like.
        expected: &'static str,
    },
    /// The ids cannot be made without the UIDVALIDITY (RFC 3501 section 2.3.1.1).
    #[error(
        "the ids have the mailbox's UIDVALIDITY in them, which the listing does not tell: give it with --uidvalidity"
    )]
    ValidityMissing,
    /// There is no file to read them from, and no usual place for it.
    #[error("ids of this server come from a file: name it with --file")]
    FileNeeded,
}
