//! A message while it is being received: in memory while small, in a file of its own when
//! large or when memory is short.

mod reader;

use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::layer::{is_full, write_all_at};
use crate::names::Begun;
use crate::request::Body;
use crate::segment::Segment;
use crate::shared::Shared;
use crate::{IntakeError, QueueId};

pub use reader::DraftReader;

/// The smallest and the largest piece of memory a draft takes at once.
const CHUNK_MIN: usize = 4 * 1024;
const CHUNK_MAX: usize = 64 * 1024;

/// What a draft in a file gathers before it writes. Not part of `memory_max`, for it must be
/// there when that is used up.
const GATHER: usize = 16 * 1024;

/// Octets from which on two checksums are combined instead of being made anew.
const COMBINE_MIN: usize = 128 * 1024;

/// The text of a message while it is being received.
///
/// Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Draft {
    shared: Arc<Shared>,
    /// What goes before all that was written.
    head: Vec<u8>,
    text: Text,
    /// Octets written, without the head.
    octets: u64,
    /// Of what was written.
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
    /// Before it was made.
    begun: Begun,
    kept: bool,
}

impl OwnFile {
    fn new(shared: &Arc<Shared>, id: QueueId) -> Self {
        Self { shared: Arc::clone(shared), id, begun: shared.big.begin(), kept: false }
    }

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
        Self { shared, head: Vec::new(), text, octets: 0, crc: 0, broken: false }
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
        if self.head.len() as u64 + total > self.shared.config.message_max.0 {
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

    /// Octets so far, the head among them.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.head.len() as u64 + self.octets
    }

    /// Puts `head` before all that was or will be written, in the place of an earlier one.
    /// Whether it fits is told by the intake: it must be smaller than a quarter of a segment.
    pub fn set_head(&mut self, head: Vec<u8>) {
        self.head = head;
    }

    /// Reads back what was written, without the head.
    #[must_use]
    pub fn reader(&self) -> DraftReader<'_> {
        DraftReader::new(self)
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
        let name = OwnFile::new(&self.shared, id);
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
    pub(crate) async fn finish(mut self) -> Result<Finished, IntakeError> {
        if self.broken || self.shared.is_closed() {
            return Err(IntakeError::Failed);
        }
        let config = &self.shared.config;
        let most = Segment::capacity(config.segment_size.0) / 4;
        let head_octets = self.head.len() as u64;
        if self.octets() > config.message_max.0 || head_octets > most {
            return Err(IntakeError::TooLarge);
        }
        if let Text::Memory { .. } = self.text
            && self.octets() > most.max(config.inline_max.0)
        {
            self.spill().await?;
        }
        let octets = self.octets();
        let head = Bytes::from(self.head);
        let head_crc = crc32c::crc32c(&head);
        let tail = usize::try_from(self.octets).map_err(|_| IntakeError::TooLarge)?;
        let crc = match (&self.text, head_octets) {
            (_, 0) => self.crc,
            // Combining costs as much as going over so much again.
            (Text::Memory { chunks, .. }, _) if tail <= COMBINE_MIN => {
                chunks.iter().fold(head_crc, |crc, chunk| crc32c::crc32c_append(crc, chunk))
            }
            _ => crc32c::crc32c_combine(head_crc, self.crc, tail),
        };
        let head = (!head.is_empty()).then_some(head);
        match self.text {
            Text::Memory { chunks, share, .. } => {
                let id = self.shared.numbers.take().ok_or(IntakeError::Failed)?;
                let chunks = head.into_iter().chain(chunks.into_iter().map(Bytes::from)).collect();
                // At most a quarter of a segment, which is far below 4 GiB.
                let length = u32::try_from(octets).map_err(|_| IntakeError::TooLarge)?;
                let body = Body { chunks, octets: length, crc, _memory: share };
                Ok(Finished { id, octets, crc, body, file: None })
            }
            Text::File { file, name, gathered, written } => {
                let (shared, begun) = (Arc::clone(&self.shared), name.begun);
                let synced = self.shared.blocking(move || {
                    let layer = &*shared.layer;
                    write_all_at(layer, &file, &mut [IoSlice::new(&gathered)], written)?;
                    layer.sync(&file)?;
                    shared.big.flush(layer, begun)
                });
                synced.await.map_err(refused)?;
                let id = name.id();
                let length = u32::try_from(head_octets).map_err(|_| IntakeError::TooLarge)?;
                let chunks = head.into_iter().collect();
                let body = Body { chunks, octets: length, crc: head_crc, _memory: None };
                Ok(Finished { id, octets, crc, body, file: Some(name) })
            }
        }
    }
}

fn refused(error: io::Error) -> IntakeError {
    tracing::error!(
        target: "lastpost::spool", %error, "spool: a message could not be written to its own file"
    );
    if is_full(&error) { IntakeError::Full } else { IntakeError::Failed }
}
