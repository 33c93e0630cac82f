//! A Maildir seen as an RFC 1939 maildrop: lock, scan, UIDL, retrieve, update; and delivery
//! into one.
//!
//! Everything here is blocking file I/O, but for what is named `cached`: an asynchronous caller
//! runs it on a bounded pool.
//! [`Maildrop`] is `Send + Sync` and works through `&self`, so it can be shared in an `Arc`.
//!
//! ```text
//! Maildrop::open(&Path, &OpenOptions) -> Result<Maildrop, OpenError>      lock, then list
//! maildrop.len() / is_empty() / octets()                                  STAT
//! maildrop.message(index) -> Option<MessageInfo { octets, uidl, .. }>     0-based
//! maildrop.messages() -> impl ExactSizeIterator<Item = MessageInfo>       LIST, UIDL
//! maildrop.retrieve(index) -> Result<MessageReader, RetrieveError>        RETR, TOP
//! reader.size() / left() -> u64; reader: io::Read; reader.note_octets(counted)
//! maildrop.retrieve_cached(index) / reader.read_cached(&mut [u8])         the same without waiting
//! maildrop.update(&deleted, &retrieved, at) -> UpdateReport               QUIT
//! maildrop.scan_report() -> &ScanReport
//! drop(maildrop)                                                          unlock
//! Delivery::to(&Path) -> Result<Delivery, DeliverError>                   then
//!     delivery.deliver(&[u8]) / deliver_reader(&mut impl Read) -> Result<Delivered, DeliverError>
//!     delivery.begin() -> Draft: Write; draft.commit() -> Result<Delivered, DeliverError>
//! create(&Path) -> io::Result<()>                                         new Maildir, with parents
//! summary(&Path) -> Result<Summary, OpenError>                            without a lock
//! maildrop.ages(index) -> Ages { arrived, retrieved }                     for retention
//! adopt(&Path, &[AdoptedId], Option<UidCounters>, &AdoptOptions) -> Result<AdoptReport, AdoptError>
//! repair(&Path, &OpenOptions) -> Result<RepairReport, OpenError>
//! expire(&Path, &Retention, now, &OpenOptions) -> Result<ExpireReport, OpenError>
//! purge_tmp(&Path, now, older_than) -> Result<PurgeReport, OpenError>     without a lock
//! ```
//!
//! # What is on disk
//! Besides `tmp`, `new` and `cur` a Maildir gets `lastpost.lock` and `lastpost-state`. The latter
//! remembers sizes, ids, order and when messages were first retrieved, and spares a box that has
//! not changed the reading of its directories. It can be removed at any time: ids and order stay,
//! sizes are learnt again, and messages count as never retrieved. Ids and order that do not follow
//! from the file names are in `lastpost-uidls`, which is not to be removed: it is on disk before a
//! session shows what it says. Messages are never changed, and only removed by
//! [`Maildrop::update`] and [`expire`]. Where a [`Quota`] is given, or another server has one, there
//! is the file `maildirsize` of Maildir++ as well.
//!
//! # Sizes
//! RFC 1939 wants exact octets of the CRLF form. They come from the state file, or from `,W=` in
//! the file name, or the file is counted. A name can lie: whoever sends a message counts along, and
//! what [`MessageReader::note_octets`] is told is what the next session announces.

mod adopt;
mod ages;
mod arrange;
mod cached;
mod delivery;
mod error;
mod ids;
pub mod import;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
mod listing;
mod load;
mod lock;
mod maildrop;
mod measure;
mod merge;
mod moves;
mod name;
mod options;
mod purge;
mod quota;
mod reader;
mod record;
mod repair;
mod report;
mod retention;
mod snapshot;
mod state;
mod summary;
mod template;
mod tree;
mod uidl;
mod update;

pub use adopt::{
    AdoptConflict, AdoptError, AdoptOptions, AdoptReport, AdoptedId, UidCounters, adopt,
};
pub use ages::Ages;
pub use delivery::{Delivered, Delivery, Draft};
pub use error::{DeliverError, OpenError, RetrieveError};
pub use maildrop::{Maildrop, MessageInfo};
pub use options::OpenOptions;
pub use purge::{PurgeReport, TMP_KEPT, purge_tmp};
pub use quota::{Quota, Usage};
pub use reader::MessageReader;
pub use repair::{RepairReport, repair};
pub use report::{ScanReport, StateUse};
pub use retention::{ExpireReport, Retention, expire, would_expire};
pub use summary::{Summary, SummaryMessage, summary};
pub use template::{UidlFormat, UidlFormatError, UidlTemplate};
pub use tree::create;
pub use update::{RemovalFailure, UpdateReport};
