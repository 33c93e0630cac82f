//! Makes segments: one ahead of its use, in the background, or at once if need be.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::layer::Layer;
use crate::names::Names;
use crate::segment::Segment;

/// After a failure nothing is tried for so long: making a file only to learn again that there
/// is no room would cost more than it tells.
const PAUSE: Duration = Duration::from_secs(1);

/// After a failure to make a reserve nothing is tried for so long.
const RESERVE_PAUSE: Duration = Duration::from_secs(60);

/// Files of old segments that are kept in any case.
const SPARES: usize = 4;

/// A segment to be used.
#[derive(Debug)]
struct Ready {
    segment: Segment,
    /// Up to where its blocks are written.
    written: u64,
}

/// The next segments. Behind one lock, so that their numbers are in the order of their use.
#[derive(Debug)]
pub(crate) struct Maker {
    ready: Option<Ready>,
    /// Files without the name of a segment: of old segments that are needed no more, whose
    /// blocks are written, and those made while there was nothing else to do.
    spares: Vec<Ready>,
    next: u32,
    failed: Option<(Duration, io::ErrorKind)>,
    /// Numbers the files made for the reserve.
    reserved: u32,
    reserve_failed: Option<Duration>,
}

/// Where and when segments are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workshop<'a> {
    pub(crate) layer: &'a dyn Layer,
    pub(crate) names: &'a Names,
    pub(crate) directory: &'a Path,
    pub(crate) size: u64,
    /// How many segments to have in reserve.
    pub(crate) reserve: usize,
    /// The monotonic clock.
    pub(crate) now: Duration,
}

impl Maker {
    /// The first segment made will have the number behind `last`.
    pub(crate) fn new(last: u32) -> Self {
        Self {
            ready: None,
            spares: Vec::new(),
            next: last.saturating_add(1),
            failed: None,
            reserved: 0,
            reserve_failed: None,
        }
    }

    /// Makes one ahead, unless one is ready.
    pub(crate) fn prepare(&mut self, at: Workshop<'_>) -> io::Result<()> {
        if self.ready.is_none() {
            self.ready = Some(self.make(at)?);
        }
        Ok(())
    }

    /// Does some of what makes later commits cheap: writes zeros to blocks of the segment that
    /// is ready, then of those in reserve, of which it makes one more if there are too few.
    /// `false`: there is nothing to do. What could not be flushed is not used: a later flush
    /// would not tell.
    pub(crate) fn polish(&mut self, at: Workshop<'_>) -> io::Result<bool> {
        match &self.ready {
            None => Ok(false),
            Some(ready) if ready.written < ready.segment.size => self.polish_ready(at),
            Some(_) => Ok(self.reserve(at)),
        }
    }

    /// As [`Self::polish`], for the segment that is ready alone.
    pub(crate) fn polish_ready(&mut self, at: Workshop<'_>) -> io::Result<bool> {
        let Some(ready) = self.ready.as_mut().filter(|r| r.written < r.segment.size) else {
            return Ok(false);
        };
        match ready.segment.polish(at.layer, ready.written) {
            Ok(written) => {
                ready.written = written;
                Ok(true)
            }
            Err(error) => {
                let _ = at.layer.remove(&ready.segment.path);
                self.ready = None;
                self.note_failure(at, &error);
                Err(error)
            }
        }
    }

    fn reserve(&mut self, at: Workshop<'_>) -> bool {
        let Workshop { layer, directory, size, reserve, now, .. } = at;
        let pauses = |since: Duration| now.saturating_sub(since) < RESERVE_PAUSE;
        if self.reserve_failed.is_some_and(pauses) {
            return false;
        }
        let unwritten = self.spares.iter().position(|spare| spare.written < size);
        let done = match unwritten {
            Some(place) => self.spares[place]
                .segment
                .polish(layer, self.spares[place].written)
                .map(|written| self.spares[place].written = written)
                .inspect_err(|_| {
                    let _ = self.spares.remove(place).segment.remove_spare(layer);
                }),
            None if self.spares.len() < reserve => {
                self.reserved = self.reserved.wrapping_add(1);
                Segment::spare(layer, directory, self.reserved, size)
                    .map(|(segment, written)| self.spares.push(Ready { segment, written }))
            }
            None => return false,
        };
        if let Err(error) = done {
            tracing::warn!(
                target: "lastpost::spool", %error, "spool: no segment can be made for the reserve"
            );
            self.reserve_failed = Some(now);
            return false;
        }
        self.reserve_failed = None;
        true
    }

    /// Gives the room of the reserve back.
    pub(crate) fn shrink(&mut self, layer: &dyn Layer) {
        for spare in self.spares.drain(..) {
            let _ = spare.segment.remove_spare(layer);
        }
    }

    /// The one that is ready, or a new one.
    pub(crate) fn take(&mut self, at: Workshop<'_>) -> io::Result<Arc<Segment>> {
        let ready = match self.ready.take() {
            Some(ready) => ready,
            None => self.make(at)?,
        };
        Ok(Arc::new(ready.segment))
    }

    fn make(&mut self, at: Workshop<'_>) -> io::Result<Ready> {
        let Workshop { layer, names, directory, size, now, .. } = at;
        if let Some((since, kind)) = self.failed
            && now.saturating_sub(since) < PAUSE
        {
            return Err(kind.into());
        }
        let next = self.next.checked_add(1).ok_or(io::ErrorKind::FileTooLarge)?;
        let made = match self.spares.pop() {
            Some(Ready { segment, written }) => segment
                .renew(layer, names, directory, self.next)
                .map(|segment| (segment, written))
                .or_else(|error| {
                    tracing::warn!(
                        target: "lastpost::spool", %error,
                        "spool: an old segment cannot be used again"
                    );
                    Segment::create(layer, names, directory, self.next, size)
                }),
            None => Segment::create(layer, names, directory, self.next, size),
        };
        match made {
            Ok((segment, written)) => {
                self.next = next;
                self.failed = None;
                Ok(Ready { segment, written })
            }
            Err(error) => {
                self.note_failure(at, &error);
                Err(error)
            }
        }
    }

    fn note_failure(&mut self, at: Workshop<'_>, error: &io::Error) {
        self.failed = Some((at.now, error.kind()));
        tracing::error!(
            target: "lastpost::spool", segment = self.next, %error,
            "spool: a new segment cannot be made"
        );
    }

    /// Takes a segment whose file has been set aside, or gives it back to be removed.
    pub(crate) fn offer(&mut self, at: Workshop<'_>, spare: Segment) -> Result<(), Segment> {
        let many = self.spares.len() >= at.reserve.max(SPARES);
        if spare.size != at.size || spare.made != at.size || many {
            return Err(spare);
        }
        self.spares.push(Ready { segment: spare, written: at.size });
        Ok(())
    }

    /// Removes what was made or kept but never used.
    pub(crate) fn clear(&mut self, layer: &dyn Layer) {
        if let Some(ready) = self.ready.take() {
            let _ = layer.remove(&ready.segment.path);
        }
        self.shrink(layer);
    }
}
