//! Where a socket is read to before anybody knows how much there is.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// One TLS record holds at most this much.
const SCRATCH_OCTETS: usize = 16 * 1024;

thread_local! {
    /// One for each thread of the runtime. It is in use only within one poll, which does not
    /// wait, so a waiting connection holds none of it.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_OCTETS].into());
}

/// Reads once from `stream` and passes what there was to `take`, then overwrites it, for it
/// may have been a password. Returns the number of octets, 0 at the end of the stream.
pub(crate) fn poll_read<S: AsyncRead + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    take: impl FnOnce(&[u8]),
) -> Poll<io::Result<usize>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut octets = ReadBuf::new(scratch);
        ready!(Pin::new(stream).poll_read(cx, &mut octets))?;
        let filled = octets.filled_mut();
        take(filled);
        filled.fill(0);
        Poll::Ready(Ok(filled.len()))
    })
}
