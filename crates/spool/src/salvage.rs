//! What recovery may do to the disk: sweep up after a crash, copy damage aside, look after
//! texts that have files of their own. Reading offline, it does none of it.

use std::collections::HashMap;
use std::fs;
use std::io::{self, IoSlice, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::layer::{Layer, write_all_at};
use crate::queue::{Marks, Queue};
use crate::segment::{Opened, Segment};
use crate::shared::BIG;
use crate::{Damage, QueueId, RecoveryReport, SpoolError};

/// Octets that are read and written at once.
const PIECE: usize = 1024 * 1024;

/// Where copies of damage go.
const DAMAGED: &str = "damaged";

/// See the module.
#[derive(Debug)]
pub(crate) enum Salvage {
    /// The spool is ours.
    Write(Arc<dyn Layer>),
    /// Only to look.
    ReadOnly,
}

impl Salvage {
    /// Opens a segment. `Ok(None)`: neither copy of its header is whole.
    pub(crate) fn open(&self, path: &Path, generation: u32) -> io::Result<Option<Opened>> {
        Segment::open(path, generation, matches!(self, Self::Write(_)))
    }

    /// Removes a file that was being made when its maker died.
    pub(crate) fn remove_unfinished(&self, path: &Path) {
        if let Self::Write(layer) = self
            && let Err(error) = layer.remove(path)
        {
            tracing::warn!(
                target: "lastpost::spool", path = %path.display(), %error,
                "spool: a leftover cannot be removed"
            );
        }
    }

    /// Makes durable what the scan has found in the last batch of a segment that nothing tells
    /// the end of: its writer may have died between the write and the flush, or after a flush
    /// that failed. Then what is read may be in the kernel's memory alone, and a flush would
    /// succeed without it; so it is written once more. `false`: it must be copied before
    /// anything is built on it.
    pub(crate) fn flush(&self, segment: &Segment, from: u64, until: u64) -> bool {
        let Self::Write(layer) = self else {
            return true;
        };
        let flushed = rewrite(&**layer, segment, from, until);
        flushed
            .inspect_err(|error| {
                tracing::error!(
                    target: "lastpost::spool",
                    segment = %segment.path.display(), %error,
                    "spool: the last segment cannot be flushed; what lives in it is copied"
                );
            })
            .is_ok()
    }

    /// Moves a file that is no segment any more out of the way.
    pub(crate) fn set_aside(&self, path: &Path) -> Damage {
        let until = fs::metadata(path).map_or(0, |meta| meta.len());
        let copy = match self {
            Self::ReadOnly => None,
            Self::Write(layer) => {
                let moved = damaged_directory(path).and_then(|directory| {
                    let to = directory.join(path.file_name().unwrap_or_default());
                    layer.rename(path, &to)?;
                    Ok(to)
                });
                moved.inspect_err(|error| could_not_copy(path, error)).ok()
            }
        };
        tracing::error!(
            target: "lastpost::spool",
            segment = %path.display(), copy = ?copy,
            "spool: both headers of a segment are damaged; all mail in it is lost to the queue"
        );
        Damage { segment: path.to_path_buf(), from: 0, until, copy }
    }

    /// Copies octets of a segment to a file of their own.
    pub(crate) fn copy_aside(&self, segment: &Segment, from: u64, until: u64) -> Option<PathBuf> {
        if let Self::ReadOnly = self {
            return None;
        }
        let copied = damaged_directory(&segment.path).and_then(|directory| {
            let path = directory.join(format!("{:08}-{from}.part", segment.generation));
            let mut source = fs::File::open(&segment.path)?;
            source.seek(SeekFrom::Start(from))?;
            let mut copy = fs::File::create(&path)?;
            io::copy(&mut source.take(until - from), &mut copy)?;
            copy.sync_all()?;
            Ok(path)
        });
        copied.inspect_err(|error| could_not_copy(&segment.path, error)).ok()
    }

    /// Deletes files below `big/` that belong to no message; holds messages whose file is
    /// missing or has another size than it had.
    pub(crate) fn check_own_files(
        &self,
        directory: &Path,
        queue: &mut Queue,
        own_files: &HashMap<u64, u64>,
        report: &mut RecoveryReport,
    ) -> Result<(), SpoolError> {
        let Self::Write(layer) = self else {
            return Ok(());
        };
        let big = directory.join(BIG);
        let mut present = HashMap::new();
        for file in fs::read_dir(&big).map_err(SpoolError::io("read", &big))? {
            let file = file.map_err(SpoolError::io("read", &big))?;
            let id = file.file_name().to_str().and_then(|name| name.parse::<QueueId>().ok());
            let Some(id) = id else {
                continue;
            };
            if own_files.contains_key(&id.as_u64()) {
                let size = file.metadata().map_or(0, |meta| meta.len());
                present.insert(id.as_u64(), size);
            } else if layer.remove(&file.path()).is_ok() {
                report.orphans_deleted += 1;
            }
        }
        for (id, octets) in own_files {
            if present.get(id) == Some(octets) {
                continue;
            }
            let id = QueueId::from_u64(*id);
            tracing::error!(
                target: "lastpost::spool", %id, octets,
                "spool: the text of a queued message is missing or cut"
            );
            queue.change(id, |entry| entry.marks.set(Marks::BROKEN, true));
            report.bodies_missing.push(id);
        }
        report.bodies_missing.sort_unstable();
        Ok(())
    }
}

fn rewrite(layer: &dyn Layer, segment: &Segment, from: u64, until: u64) -> io::Result<()> {
    let mut at = from;
    while at < until {
        let mut piece = vec![0; usize::try_from(until - at).unwrap_or(PIECE).min(PIECE)];
        segment.file.read_exact_at(&mut piece, at)?;
        write_all_at(layer, &segment.file, &mut [IoSlice::new(&piece)], at)?;
        at += piece.len() as u64;
    }
    layer.sync(&segment.file)
}

fn damaged_directory(segment: &Path) -> io::Result<PathBuf> {
    let directory = segment.parent().unwrap_or_else(|| Path::new(".")).join(DAMAGED);
    match fs::create_dir(&directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(directory),
    }
}

fn could_not_copy(path: &Path, error: &io::Error) {
    tracing::error!(
        target: "lastpost::spool", path = %path.display(), %error,
        "spool: damage cannot be copied aside"
    );
}
