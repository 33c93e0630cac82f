//! Reading a spool that no daemon has open.

use std::path::Path;

use crate::admin::list_page;
use crate::recovery::recover;
use crate::salvage::Salvage;
use crate::spool::{holder, is_locked};
use crate::{Filter, QueueEntry, SpoolError};

/// Lists a spool without changing anything in it: for the command line while the daemon is
/// down. Blocking; reads the whole log.
///
/// # Errors
/// [`SpoolError::InUse`] while a daemon has it open, `Io` if it cannot be read.
pub fn list(directory: &Path, filter: &Filter) -> Result<Vec<QueueEntry>, SpoolError> {
    if is_locked(directory).map_err(SpoolError::io("lock", directory))? {
        let holder = holder(&directory.join("lock"));
        return Err(SpoolError::InUse { directory: directory.to_path_buf(), holder });
    }
    let queue = recover(directory, &Salvage::ReadOnly)?.queue;
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
