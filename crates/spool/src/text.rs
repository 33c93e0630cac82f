//! The text of a queued message: where it is, and reading it in blocks.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;

use crate::message::Summary;
use crate::queue::View;
use crate::record::Header;
use crate::segment::Segment;
use crate::shared::Shared;
use crate::view::Stored;

/// Octets read from a file at once.
const BLOCK: usize = 128 * 1024;

/// Texts up to this size are read together with the envelope: one trip to the disk less.
pub(crate) const EAGER: u32 = 16 * 1024;

/// Where a text is.
#[derive(Debug)]
pub(crate) enum Text {
    Read(Bytes),
    Log {
        segment: Arc<Segment>,
        offset: u32,
        header: Header,
    },
    /// In a file of its own; the head that the record holds goes before.
    Own {
        segment: Arc<Segment>,
        offset: u32,
        header: Header,
    },
}

impl Text {
    /// That of a message which has been read; a small one is read too, if `eager`. Blocking.
    pub(crate) fn of(view: &View, stored: &Stored, eager: bool) -> io::Result<Self> {
        let (offset, header) = (view.entry.message.offset, stored.header);
        let segment = Arc::clone(&view.segment);
        if stored.message.summary.external {
            return Ok(Self::Own { segment, offset, header });
        }
        if eager && header.body_len <= EAGER {
            return Ok(Self::Read(segment.read_body(offset, &header)?.into()));
        }
        Ok(Self::Log { segment, offset, header })
    }
}

#[derive(Debug)]
enum Source {
    Whole(Option<Bytes>),
    /// `crc`: of what has been read, the head included.
    File {
        head: Bytes,
        file: Arc<File>,
        at: u64,
        left: u64,
        crc: u32,
        wanted: u32,
    },
}

/// Reads a stored text in blocks.
#[derive(Debug)]
pub struct BodyReader {
    shared: Arc<Shared>,
    source: Source,
}

impl BodyReader {
    /// Opens a text for reading from its begin.
    pub(crate) async fn open(
        shared: &Arc<Shared>,
        text: &Text,
        summary: &Summary,
    ) -> io::Result<Self> {
        let shared = Arc::clone(shared);
        let source = match text {
            Text::Read(text) => Source::Whole(Some(text.clone())),
            Text::Log { segment, offset, header } => {
                let (segment, offset, header) = (Arc::clone(segment), *offset, *header);
                let octets = usize::try_from(header.span()).unwrap_or(usize::MAX);
                let at_hand = header.body_len <= EAGER && segment.is_in_memory(offset, octets);
                let body = match at_hand {
                    true => segment.read_body(offset, &header)?,
                    false => shared.blocking(move || segment.read_body(offset, &header)).await?,
                };
                Source::Whole(Some(body.into()))
            }
            Text::Own { segment, offset, header } => {
                let path = shared.own_file(summary.id);
                let (segment, offset, header) = (Arc::clone(segment), *offset, *header);
                let opened = shared.blocking(move || {
                    let head = segment.read_body(offset, &header)?;
                    Ok((head, File::open(path)?))
                });
                let (head, file) = opened.await?;
                let left = summary.octets.saturating_sub(head.len() as u64);
                let (file, wanted) = (Arc::new(file), summary.crc);
                Source::File { head: head.into(), file, at: 0, left, crc: header.body_crc, wanted }
            }
        };
        Ok(Self { shared, source })
    }

    /// Opens the text of a message that may be claimed by somebody else.
    pub(crate) async fn of(shared: &Arc<Shared>, view: View) -> io::Result<Self> {
        let read = shared.blocking(move || {
            let stored = view.read()?;
            let text = Text::of(&view, &stored, false)?;
            Ok((text, stored.message.summary))
        });
        let (text, summary) = read.await?;
        Self::open(shared, &text, &summary).await
    }

    /// The next block (at most 128 KiB from a file of its own, its head before that in one;
    /// otherwise the whole text),
    /// `None` at the end. Dropped before it is done, it may be called again.
    ///
    /// # Errors
    /// The file system's answer, or `InvalidData` in place of the last block if the checksum
    /// does not match: the transfer must be broken off then, not ended.
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let (file, at, left, crc, wanted) = match &mut self.source {
            Source::Whole(text) => return Ok(text.take().filter(|text| !text.is_empty())),
            Source::File { head, .. } if !head.is_empty() => return Ok(Some(std::mem::take(head))),
            Source::File { left: 0, .. } => return Ok(None),
            Source::File { file, at, left, crc, wanted, .. } => (file, at, left, crc, wanted),
        };
        let length = usize::try_from(*left).unwrap_or(BLOCK).min(BLOCK);
        let (source, from) = (Arc::clone(file), *at);
        let read = self.shared.blocking(move || {
            let mut block = vec![0; length];
            source.read_exact_at(&mut block, from)?;
            Ok(block)
        });
        let block = read.await?;
        let sum = crc32c::crc32c_append(*crc, &block);
        if length as u64 == *left && sum != *wanted {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the checksum of the message's own file does not match",
            ));
        }
        (*crc, *at, *left) = (sum, *at + length as u64, *left - length as u64);
        Ok(Some(block.into()))
    }
}
