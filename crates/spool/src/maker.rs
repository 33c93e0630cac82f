//! Makes segments: one ahead of its use, in the background, or at once if need be.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::layer::Layer;
use crate::segment::Segment;

/// After a failure nothing is tried for so long: filling a file with zeros only to learn
/// again that there is no room would cost more than it tells.
const PAUSE: Duration = Duration::from_secs(1);

/// Spare files that are kept.
const SPARES: usize = 4;

/// The next segments. Behind one lock, so that their numbers are in the order of their use.
#[derive(Debug)]
pub(crate) struct Maker {
    ready: Option<Arc<Segment>>,
    /// Files of segments that are needed no more, to be used again: nothing must be written
    /// twice then.
    spares: Vec<Segment>,
    next: u32,
    failed: Option<(Duration, io::ErrorKind)>,
}

impl Maker {
    /// The first segment made will have the number behind `last`.
    pub(crate) fn new(last: u32) -> Self {
        Self { ready: None, spares: Vec::new(), next: last.saturating_add(1), failed: None }
    }

    /// Makes one ahead, unless one is ready.
    pub(crate) fn prepare(
        &mut self,
        layer: &dyn Layer,
        directory: &std::path::Path,
        size: u64,
        now: Duration,
    ) -> io::Result<()> {
        if self.ready.is_none() {
            self.ready = Some(self.make(layer, directory, size, now)?);
        }
        Ok(())
    }

    /// The one that is ready, or a new one.
    pub(crate) fn take(
        &mut self,
        layer: &dyn Layer,
        directory: &std::path::Path,
        size: u64,
        now: Duration,
    ) -> io::Result<Arc<Segment>> {
        match self.ready.take() {
            Some(segment) => Ok(segment),
            None => self.make(layer, directory, size, now),
        }
    }

    fn make(
        &mut self,
        layer: &dyn Layer,
        directory: &std::path::Path,
        size: u64,
        now: Duration,
    ) -> io::Result<Arc<Segment>> {
        if let Some((at, kind)) = self.failed
            && now.saturating_sub(at) < PAUSE
        {
            return Err(kind.into());
        }
        let next = self.next.checked_add(1).ok_or(io::ErrorKind::FileTooLarge)?;
        let made = match self.spares.pop() {
            Some(spare) => spare.renew(layer, directory, self.next).or_else(|error| {
                tracing::warn!(%error, "spool: an old segment cannot be used again");
                Segment::create(layer, directory, self.next, size)
            }),
            None => Segment::create(layer, directory, self.next, size),
        };
        match made {
            Ok(segment) => {
                self.next = next;
                self.failed = None;
                Ok(Arc::new(segment))
            }
            Err(error) => {
                self.failed = Some((now, error.kind()));
                tracing::error!(
                    segment = self.next, %error, "spool: a new segment cannot be made"
                );
                Err(error)
            }
        }
    }

    /// Takes a segment whose file has been set aside, or gives it back to be removed.
    pub(crate) fn offer(&mut self, spare: Segment, size: u64) -> Result<(), Segment> {
        if spare.size != size || spare.made != size || self.spares.len() >= SPARES {
            return Err(spare);
        }
        self.spares.push(spare);
        Ok(())
    }

    /// Removes what was made or kept but never used.
    pub(crate) fn clear(&mut self, layer: &dyn Layer) {
        if let Some(segment) = self.ready.take() {
            let _ = layer.remove(&segment.path);
        }
        for spare in self.spares.drain(..) {
            let _ = spare.remove_spare(layer);
        }
    }
}
