//! A message while it is being received: in memory while small, in a file of its own when
//! large or when memory is short.

use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::layer::{is_full, write_all_at};
use crate::request::Body;
use crate::shared::{BIG, Shared};
use crate::{IntakeError, QueueId};

/// The smallest and the largest piece of memory a draft takes at once.
const CHUNK_MIN: usize = 4 * 1024;
const CHUNK_MAX: usize = 64 * 1024;

/// What a draft in a file gathers before it writes. Not part of `memory_max`, for it must be
/// there when that is used up.
const GATHER: usize = 16 * 1024;

/// The text of a message while it is being received.
///
/// Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Draft {
    shared: Arc<Shared>,
    text: Text,
    octets: u64,
    crc: u32,
    /// A write failed or was abandoned half-way.
    broken: bool,
}

#[derive(Debug)]
enum Text {
    Memory {
        chunks: Vec<Vec<u8>>,
        /// Size of the next chunk, if the client said how much will come.
        hint: usize,
        share: Option<OwnedSemaphorePermit>,
    },
    File {
        file: Arc<File>,
        name: OwnFile,
        gathered: Vec<u8>,
        written: u64,
    },
}

/// A file under `big/`, removed unless the log names it.
#[derive(Debug)]
pub(crate) struct OwnFile {
    shared: Arc<Shared>,
    id: QueueId,
    kept: bool,
}

impl OwnFile {
    pub(crate) fn id(&self) -> QueueId {
        self.id
    }

    /// The log names it.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        if !self.kept {
            self.shared.discard(self.id);
        }
    }
}

/// A finished draft.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) id: QueueId,
    pub(crate) octets: u64,
    pub(crate) crc: u32,
    pub(crate) body: Body,
    pub(crate) file: Option<OwnFile>,
}

impl Draft {
    pub(crate) fn new(shared: Arc<Shared>, expected: u64) -> Self {
        let hint = usize::try_from(expected).unwrap_or(usize::MAX).min(CHUNK_MAX);
        let text = Text::Memory { chunks: Vec::new(), hint, share: None };
        Self { shared, text, octets: 0, crc: 0, broken: false }
    }

    /// Appends stored octets (canonical CRLF lines, unstuffed). Copies them once; waits when
    /// they go to a file. Dropped before it is done, it leaves the draft of no use.
    ///
    /// # Errors
    /// [`IntakeError::TooLarge`] beyond `spool.message_max`, `Full` or `Failed` when a file
    /// cannot be written. After an error the draft is of no use; drop it.
    pub async fn write(&mut self, octets: &[u8]) -> Result<(), IntakeError> {
        if self.broken || self.shared.is_closed() {
            return Err(IntakeError::Failed);
        }
        let total = self.octets + octets.len() as u64;
        if total > self.shared.config.message_max.0 {
            return Err(IntakeError::TooLarge);
        }
        self.broken = true;
        let mut rest = octets;
        if total <= self.shared.config.inline_max.0 {
            rest = self.remember(rest);
        }
        if !rest.is_empty() {
            if let Text::Memory { .. } = self.text {
                self.spill().await?;
            }
            self.append(rest).await?;
        }
        self.crc = crc32c::crc32c_append(self.crc, octets);
        self.octets = total;
        self.broken = false;
        Ok(())
    }

    /// Octets so far.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Copies as much into memory as there is room for; gives back what is left.
    fn remember<'a>(&mut self, mut octets: &'a [u8]) -> &'a [u8] {
        let Text::Memory { chunks, hint, share } = &mut self.text else {
            return octets;
        };
        loop {
            if let Some(last) = chunks.last_mut() {
                let room = last.capacity() - last.len();
                let (now, later) = octets.split_at(room.min(octets.len()));
                last.extend_from_slice(now);
                octets = later;
            }
            if octets.is_empty() {
                return octets;
            }
            let have: usize = chunks.iter().map(Vec::len).sum();
            let want = have.max(octets.len()).max(std::mem::take(hint));
            let want = want.clamp(CHUNK_MIN, CHUNK_MAX).next_multiple_of(1024);
            let kib = (want / 1024) as u32;
            let Ok(more) = Arc::clone(&self.shared.memory).try_acquire_many_owned(kib) else {
                return octets;
            };
            match share {
                Some(share) => share.merge(more),
                None => *share = Some(more),
            }
            chunks.push(Vec::with_capacity(want));
        }
    }

    /// Turns a draft in memory into one in a file.
    async fn spill(&mut self) -> Result<(), IntakeError> {
        let id = self.shared.numbers.take().ok_or(IntakeError::Failed)?;
        let name = OwnFile { shared: Arc::clone(&self.shared), id, kept: false };
        let empty = Text::Memory { chunks: Vec::new(), hint: 0, share: None };
        let Text::Memory { chunks, share, .. } = std::mem::replace(&mut self.text, empty) else {
            return Err(IntakeError::Failed);
        };
        let (layer, path) = (Arc::clone(&self.shared.layer), self.shared.own_file(id));
        let begun = self.shared.blocking(move || {
            let file = layer.create(&path)?;
            let written: usize = chunks.iter().map(Vec::len).sum();
            let mut slices: Vec<_> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
            write_all_at(&*layer, &file, &mut slices, 0)?;
            drop(share);
            // The name goes along: given up meanwhile, the file is removed after it was made.
            Ok((Arc::new(file), written as u64, name))
        });
        let (file, written, name) = begun.await.map_err(refused)?;
        self.text = Text::File { file, name, gathered: Vec::with_capacity(GATHER), written };
        Ok(())
    }

    /// Appends to the file.
    async fn append(&mut self, octets: &[u8]) -> Result<(), IntakeError> {
        let Text::File { file, gathered, written, .. } = &mut self.text else {
            return Err(IntakeError::Failed);
        };
        if gathered.len() + octets.len() <= GATHER {
            gathered.extend_from_slice(octets);
            return Ok(());
        }
        let mut whole = std::mem::take(gathered);
        whole.extend_from_slice(octets);
        let length = whole.len() as u64;
        let (layer, file, at) = (Arc::clone(&self.shared.layer), Arc::clone(file), *written);
        let wrote = self.shared.blocking(move || {
            write_all_at(&*layer, &file, &mut [IoSlice::new(&whole)], at)?;
            whole.clear();
            whole.shrink_to(GATHER);
            Ok(whole)
        });
        *gathered = wrote.await.map_err(refused)?;
        *written += length;
        Ok(())
    }

    /// Makes the text durable, if it has a file of its own, and hands it over.
    pub(crate) async fn finish(self) -> Result<Finished, IntakeError> {
        if self.broken || self.shared.is_closed() {
            return Err(IntakeError::Failed);
        }
        match self.text {
            Text::Memory { chunks, share, .. } => {
                let id = self.shared.numbers.take().ok_or(IntakeError::Failed)?;
                let chunks = chunks.into_iter().map(Bytes::from).collect();
                // At most `inline_max`, which is far below 4 GiB.
                let octets = u32::try_from(self.octets).map_err(|_| IntakeError::TooLarge)?;
                let body = Body { chunks, octets, crc: self.crc, _memory: share };
                Ok(Finished { id, octets: self.octets, crc: self.crc, body, file: None })
            }
            Text::File { file, name, gathered, written } => {
                let layer = Arc::clone(&self.shared.layer);
                let directory = self.shared.directory().join(BIG);
                let synced = self.shared.blocking(move || {
                    write_all_at(&*layer, &file, &mut [IoSlice::new(&gathered)], written)?;
                    layer.sync(&file)?;
                    layer.sync_directory(&directory)
                });
                synced.await.map_err(refused)?;
                let (id, octets, crc) = (name.id(), self.octets, self.crc);
                Ok(Finished { id, octets, crc, body: Body::default(), file: Some(name) })
            }
        }
    }
}

fn refused(error: io::Error) -> IntakeError {
    tracing::error!(%error, "spool: a message could not be written to its own file");
    if is_full(&error) { IntakeError::Full } else { IntakeError::Failed }
}
