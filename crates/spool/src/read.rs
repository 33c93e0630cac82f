//! Reading a spool that no daemon has open.

use std::path::Path;

use jiff::Timestamp;

use crate::filter::list_page;
use crate::queue::Queue;
use crate::recovery::recover;
use crate::salvage::Salvage;
use crate::shape::Counting;
use crate::spool::{holder, is_locked};
use crate::{Filter, QueueEntry, Shape, ShapeQuery, SpoolError};

/// Messages counted at a time.
const PAGE: usize = 1024;

/// Lists a spool without changing anything in it: for the command line while the daemon is
/// down. Blocking; reads the whole log.
///
/// # Errors
/// [`SpoolError::InUse`] while a daemon has it open, `Io` if it cannot be read.
pub fn list(directory: &Path, filter: &Filter) -> Result<Vec<QueueEntry>, SpoolError> {
    let queue = read(directory)?;
    let mut entries = Vec::new();
    let mut after = filter.after;
    loop {
        let page = filter.page(&queue, after);
        after = page.last().map(|view| view.id);
        if page.is_empty() || !list_page(page, filter, &mut entries) {
            return Ok(entries);
        }
    }
}

/// Counts a spool by domain and age, likewise. `now`: the wall clock.
///
/// # Errors
/// As [`list`].
pub fn shape(directory: &Path, query: ShapeQuery, now: Timestamp) -> Result<Shape, SpoolError> {
    let queue = read(directory)?;
    let mut counting = Counting::new(query, now);
    let mut after = None;
    loop {
        let page = queue.page(after, PAGE);
        let Some(last) = page.last() else {
            return Ok(counting.finish());
        };
        after = Some(last.id);
        counting.page(page);
    }
}

fn read(directory: &Path) -> Result<Queue, SpoolError> {
    if is_locked(directory).map_err(SpoolError::io("lock", directory))? {
        let holder = holder(&directory.join("lock"));
        return Err(SpoolError::InUse { directory: directory.to_path_buf(), holder });
    }
    Ok(recover(directory, &Salvage::ReadOnly)?.queue)
}
