//! Reading back a draft that is not queued yet, as a filter needs it.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;

use super::{Draft, Text};

/// Octets read from a file at once.
const BLOCK: u64 = 64 * 1024;

/// Reads what was written to a [`Draft`], from the begin, without its head.
#[derive(Debug)]
pub struct DraftReader<'a> {
    draft: &'a Draft,
    /// Octets given so far.
    at: u64,
    /// Pieces of memory given so far.
    piece: usize,
}

impl<'a> DraftReader<'a> {
    pub(super) fn new(draft: &'a Draft) -> Self {
        Self { draft, at: 0, piece: 0 }
    }

    /// The next block (at most 64 KiB), `None` at the end. Dropped before it is done, it may be
    /// called again.
    ///
    /// # Errors
    /// The file system's answer; `BrokenPipe` if writing to the draft had failed.
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.draft.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let block = match &self.draft.text {
            Text::Memory { chunks, .. } => {
                let block = chunks.get(self.piece).map(|chunk| Bytes::copy_from_slice(chunk));
                self.piece += 1;
                block
            }
            Text::File { file, written, .. } if self.at < *written => {
                let length = usize::try_from((*written - self.at).min(BLOCK)).unwrap_or(0);
                let (file, at) = (Arc::clone(file), self.at);
                let read = self.draft.shared.blocking(move || {
                    let mut block = vec![0; length];
                    file.read_exact_at(&mut block, at)?;
                    Ok(block)
                });
                Some(Bytes::from(read.await?))
            }
            Text::File { written, gathered, .. } => {
                let given = usize::try_from(self.at - *written).unwrap_or(usize::MAX);
                gathered.get(given..).map(Bytes::copy_from_slice)
            }
        };
        let block = block.filter(|block| !block.is_empty());
        self.at += block.as_ref().map_or(0, |block| block.len() as u64);
        Ok(block)
    }
}
