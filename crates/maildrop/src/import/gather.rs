//! What another server knew of one Maildir, read from where it keeps it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::format::md5_hex;
use super::{
    IdFormat, ImportError, Imported, courier_sizelist, dovecot_uidlist, id_map, names, sizes,
    uid_listing,
};
use crate::AdoptedId;

/// Octets of a record; four million messages have less.
const FILE_MAX: u64 = 1 << 30;

/// Whose record it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Dovecot, with its mail in this Maildir.
    Dovecot,
    /// Courier.
    Courier,
    /// Cyrus, whose mail was exported into this Maildir.
    Cyrus,
    /// qmail-pop3d: the ids are the file names.
    Qmail,
    /// tpop3d: the ids are the MD5 of the file names.
    Tpop3d,
    /// Any other server, by a list of names and ids.
    Map,
}

/// How to read another server's record.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Whose it is.
    pub source: Source,
    /// How that server makes ids, where its record does not tell; `None`: by its default.
    pub format: Option<IdFormat>,
    /// The UIDVALIDITY, where the record does not tell.
    pub validity: Option<u32>,
    /// The record; `None`: in its usual place in the Maildir.
    pub file: Option<PathBuf>,
}

impl Recipe {
    /// The file that is read for the Maildir at `path`; `None` if its names are enough.
    #[must_use]
    pub fn file_for(&self, path: &Path) -> Option<PathBuf> {
        let usual = match self.source {
            Source::Dovecot => "dovecot-uidlist",
            Source::Courier => "courierpop3dsizelist",
            Source::Qmail | Source::Tpop3d => return None,
            Source::Cyrus | Source::Map => return self.file.clone(),
        };
        Some(self.file.clone().unwrap_or_else(|| path.join(usual)))
    }
}

/// Reads what another server recorded of the Maildir at `path`. Nothing is written, and nothing
/// is locked: that server should not be running on this Maildir, or its later deliveries count
/// as messages without record. Blocking.
///
/// # Errors
/// [`ImportError`] if nothing could be learnt.
pub fn gather(path: &Path, recipe: &Recipe) -> Result<Imported, ImportError> {
    let name_of = |base: &[u8]| String::from_utf8_lossy(base).into_owned();
    match recipe.source {
        Source::Qmail => return Ok(names::ids(names::list(path)?, name_of)),
        Source::Tpop3d => return Ok(names::ids(names::list(path)?, md5_hex)),
        _ => {}
    }
    let file = recipe.file_for(path).ok_or(ImportError::FileNeeded)?;
    let input = read(&file, recipe.file.is_some())?;
    let mut imported = match recipe.source {
        Source::Dovecot => {
            let format = recipe.format.clone().unwrap_or_else(IdFormat::dovecot);
            dovecot_uidlist(&input, &format)?
        }
        Source::Courier => courier_sizelist(&input)?,
        Source::Cyrus => {
            let format = recipe.format.clone().or_else(|| IdFormat::cyrus("cyrus"));
            let format = format.unwrap_or_else(IdFormat::dovecot);
            uid_listing(&input, &format, recipe.validity)?
        }
        Source::Map | Source::Qmail | Source::Tpop3d => id_map(&input),
    };
    check_sizes(path, &mut imported.ids)?;
    Ok(imported)
}

/// Asks the files which recorded sizes can be right.
fn check_sizes(path: &Path, ids: &mut [AdoptedId]) -> Result<(), ImportError> {
    if ids.iter().any(|id| id.octets.is_some()) {
        let files = names::list(path)?;
        let files: HashMap<&[u8], &names::File> =
            files.iter().map(|file| (file.base.as_slice(), file)).collect();
        let file_of = |base: &[u8]| files.get(base).map(|file| (file.stored, file.is_ended()));
        sizes::check(ids, file_of);
    }
    Ok(())
}

fn read(path: &Path, given: bool) -> Result<Vec<u8>, ImportError> {
    let failed = |source: io::Error| {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => ImportError::Missing { path },
            _ => ImportError::Read { path, source },
        }
    };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    // Within a Maildir, whose owner makes what he likes there, no link leads elsewhere.
    let flags = if given { flags } else { flags | OFlags::NOFOLLOW };
    let file =
        rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
    let file = File::from(file);
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("it is no regular file")));
    }
    let mut input = Vec::new();
    file.take(FILE_MAX + 1).read_to_end(&mut input).map_err(failed)?;
    if input.len() as u64 > FILE_MAX {
        return Err(ImportError::TooLarge { path: path.to_owned(), limit: FILE_MAX });
    }
    Ok(input)
}
