//! Delivery of a message into a Maildir: whole and durable, or not at all.
//!
//! The `maildir` crate makes the file in `tmp` (unique name, made exclusively, removed again if
//! it is given up). From there on we go our own way, because its last step renames over what may
//! be there, does not sync `new`, and cannot put the size in CRLF form into the name, which
//! spares the POP3 side reading the whole message at the next login.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use maildir::{Maildir, MaildirError, TemporaryMailFile};
use rustix::fs::{AtFlags, Mode, RenameFlags};
use rustix::io::Errno;
use textproto::Measure;

use crate::quota::{self, Admission};
use crate::tree::Root;
use crate::{DeliverError, OpenError, Quota};

/// Octets copied at a time.
const BLOCK: usize = 64 * 1024;

/// A Maildir that messages are delivered into. Needs no lock and may be used by many at once.
#[derive(Debug)]
pub struct Delivery {
    root: Root,
    maildir: Maildir,
    quota: Option<Quota>,
}

/// A message that has been delivered, durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Its file name in `new`.
    pub name: String,
    /// Octets as stored (`,S=` in the name).
    pub stored: u64,
    /// Octets in CRLF form (`,W=` in the name), as POP3 will announce it.
    pub octets: u64,
}

impl Delivery {
    /// Opens the Maildir at `path`, making it (not its parent) if it is missing.
    ///
    /// # Errors
    /// [`DeliverError::Unavailable`], also if the parent is missing: it may be on a file system
    /// that is not mounted just now.
    pub fn to(path: &Path) -> Result<Self, DeliverError> {
        let root = Root::open(path, true).map_err(|error| match error {
            OpenError::Unavailable { path, doing, source } => {
                DeliverError::Unavailable { path, doing, source }
            }
            other => DeliverError::Source(io::Error::other(other)),
        })?;
        let maildir = Maildir::from(path.to_owned());
        let delivery = Self { root, maildir, quota: None };
        if delivery.root.subdirectory("tmp").is_err() || delivery.root.subdirectory("new").is_err()
        {
            let made = delivery.root.make_subdirectories();
            made.map_err(|errno| delivery.failed("making its directories", errno.into()))?;
        }
        Ok(delivery)
    }

    /// The same with a limit for what the Maildir and its folders may hold, in place of the one
    /// that its file `maildirsize` may have. `None` leaves that one in force.
    ///
    /// The limit is looked at when a message is complete. It is not exact: deliveries at the
    /// same moment may each find room for themselves.
    #[must_use]
    pub fn with_quota(mut self, quota: Option<Quota>) -> Self {
        self.quota = quota.filter(|quota| *quota != Quota::default());
        self
    }

    /// Delivers a message that is in memory. Its octets are stored as they are.
    ///
    /// # Errors
    /// [`DeliverError`]; nothing is left behind.
    pub fn deliver(&self, message: &[u8]) -> Result<Delivered, DeliverError> {
        let mut draft = self.begin()?;
        draft.write_all(message).map_err(|error| self.failed("writing a message", error))?;
        draft.commit()
    }

    /// Delivers what `source` gives until its end, holding one block of it in memory.
    ///
    /// # Errors
    /// [`DeliverError`]; nothing is left behind.
    pub fn deliver_reader(&self, source: &mut impl Read) -> Result<Delivered, DeliverError> {
        let mut draft = self.begin()?;
        let mut buffer = vec![0; BLOCK];
        loop {
            let read = match source.read(&mut buffer) {
                Ok(0) => return draft.commit(),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(DeliverError::Source(error)),
            };
            let block = buffer.get(..read).unwrap_or_default();
            draft.write_all(block).map_err(|error| self.failed("writing a message", error))?;
        }
    }

    /// Begins a message that is written piece by piece.
    ///
    /// # Errors
    /// [`DeliverError`] if no file can be made.
    pub fn begin(&self) -> Result<Draft<'_>, DeliverError> {
        let file = self.maildir.open_file_in_tmp().map_err(|error| {
            let source = match error {
                MaildirError::Io(source) => source,
                other => io::Error::other(other),
            };
            self.failed("making a file in tmp", source)
        })?;
        Ok(Draft { delivery: self, file, measure: Measure::new(), stored: 0 })
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> DeliverError {
        let path = self.root.path().to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => DeliverError::Full { path, source },
            _ => DeliverError::Unavailable { path, doing, source },
        }
    }
}

/// A message that is being written. Dropped without [`commit`](Self::commit), it leaves nothing.
/// Each write goes to the file at once: write large pieces.
#[derive(Debug)]
pub struct Draft<'a> {
    delivery: &'a Delivery,
    file: TemporaryMailFile,
    measure: Measure,
    stored: u64,
}

impl Draft<'_> {
    /// Delivers the message: its octets are on disk, then its name is in `new`, then that is on
    /// disk.
    ///
    /// # Errors
    /// [`DeliverError`]; nothing is left behind.
    pub fn commit(self) -> Result<Delivered, DeliverError> {
        let (stored, octets) = (self.stored, self.measure.octets());
        let noted = self.admit(stored)?;
        let name = self
            .publish(stored, octets)
            .map_err(|(doing, source)| self.delivery.failed(doing, source))?;
        if noted {
            quota::note_delivered(&self.delivery.root, stored);
        }
        Ok(Delivered { name, stored, octets })
    }

    /// Whether the message is to be noted in `maildirsize`; an error if there is no room for it.
    fn admit(&self, stored: u64) -> Result<bool, DeliverError> {
        let Delivery { root, quota, .. } = self.delivery;
        // What was written a moment ago has the time by the Maildir's own clock.
        let admitted = std::fs::metadata(self.file.path())
            .and_then(|written| quota::admit(root, *quota, stored, written.mtime()));
        match admitted {
            Ok(Admission::Fits { noted }) => Ok(noted),
            Ok(Admission::Over { quota, used }) => {
                let path = root.path().to_owned();
                Err(DeliverError::OverQuota { path, quota, used, octets: stored })
            }
            Err(error) => Err(self.delivery.failed("adding up what is there", error)),
        }
    }

    fn publish(&self, stored: u64, octets: u64) -> Result<String, (&'static str, io::Error)> {
        let doing = |what| move |errno: Errno| (what, io::Error::from(errno));
        let writing = |error| ("syncing a message", error);
        // The crate keeps the file to itself; another descriptor of it syncs the same octets.
        let file = File::open(self.file.path()).map_err(writing)?;
        rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR).map_err(doing("setting rights"))?;
        file.sync_all().map_err(writing)?;

        let temporary = self.file.path().file_name().and_then(|name| name.to_str());
        let temporary = temporary.ok_or(("naming a message", Errno::INVAL.into()))?;
        // A colon would begin the flags; the convention for it is an octal escape.
        let unique = temporary.replace(':', "\\072");
        let name = format!("{unique},S={stored},W={octets}");

        let root = &self.delivery.root;
        let tmp = root.subdirectory("tmp").map_err(doing("opening tmp"))?;
        let new = root.subdirectory("new").map_err(doing("opening new"))?;
        match rustix::fs::linkat(&tmp, temporary, &new, name.as_str(), AtFlags::empty()) {
            Ok(()) => {}
            // File systems without hard links.
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK | Errno::NOSYS) => {
                let whole = RenameFlags::NOREPLACE;
                rustix::fs::renameat_with(&tmp, temporary, &new, name.as_str(), whole)
                    .map_err(doing("moving a message to new"))?;
            }
            Err(errno) => return Err(doing("moving a message to new")(errno)),
        }
        rustix::fs::fsync(&new).map_err(|errno| {
            // It will be tried again; twice would be worse than late.
            let _ = rustix::fs::unlinkat(&new, name.as_str(), AtFlags::empty());
            doing("syncing new")(errno)
        })?;
        Ok(name)
    }
}

impl Write for Draft<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.file.write(octets)?;
        self.measure.add(octets.get(..written).unwrap_or_default());
        self.stored += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
