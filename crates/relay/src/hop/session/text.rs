//! The text of a message as it goes out: as it is stored, or converted.

use std::io;

use bytes::Bytes;
use spool::{BodyReader, Job};

use crate::convert::{Converted, Plan};

/// A text, its first block read.
pub(super) struct Text {
    first: Option<Bytes>,
    rest: Source,
}

enum Source {
    Stored(BodyReader),
    Converted(Box<Converted>),
}

impl Text {
    pub(super) async fn open(job: &Job, plan: Option<&Plan>) -> io::Result<Self> {
        let mut rest = match plan {
            None => Source::Stored(job.body().await?),
            Some(plan) => Source::Converted(Box::new(Converted::open(job, plan).await?)),
        };
        Ok(Self { first: rest.next().await?, rest })
    }

    pub(super) fn first(&self) -> &[u8] {
        self.first.as_deref().unwrap_or_default()
    }

    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        match self.first.take() {
            Some(block) => Ok(Some(block)),
            None => self.rest.next().await,
        }
    }
}

impl Source {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        match self {
            Self::Stored(body) => body.next().await,
            Self::Converted(converted) => converted.next().await,
        }
    }
}

/// Whether the whole text is seven-bit. Reads it.
pub(super) async fn is_ascii(job: &Job) -> io::Result<bool> {
    let mut body = job.body().await?;
    while let Some(block) = body.next().await? {
        if !block.is_ascii() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the header, as far as it lies in the first block, is more than ASCII. A client that
/// says SMTPUTF8 always, as some phones do, is not held to it.
pub(super) fn has_utf8_header(first: &[u8]) -> bool {
    let end = memchr::memmem::find(first, b"\r\n\r\n").unwrap_or(first.len());
    !first.get(..end).unwrap_or_default().is_ascii()
}
