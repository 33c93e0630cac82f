//! The way to the server: a socket or TCP, with TLS or without, and never more octets at a time
//! than an answer may have.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::config::Place;

/// Most octets that the server may send for one question.
const ANSWER_MAX: u64 = 16 << 20;

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Connects, without TLS yet.
pub(super) async fn connect(place: &Place) -> io::Result<Box<dyn Stream>> {
    match place {
        Place::Unix(path) => match UnixStream::connect(path).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
        },
        Place::Tcp { host, port, .. } => {
            let stream = TcpStream::connect((host.as_str(), *port))
                .await
                .map_err(|error| io::Error::new(error.kind(), format!("{host}:{port}: {error}")))?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
    }
}

/// How much the server may still send.
#[derive(Clone, Debug)]
pub(super) struct Allowance(Arc<AtomicU64>);

impl Allowance {
    /// For the next question.
    pub(super) fn renew(&self) {
        self.0.store(ANSWER_MAX, Ordering::Relaxed);
    }
}

/// A stream that fails rather than bring more than it may.
pub(super) struct Bounded {
    stream: Box<dyn Stream>,
    left: Allowance,
}

impl Bounded {
    pub(super) fn new(stream: Box<dyn Stream>) -> (Self, Allowance) {
        let left = Allowance(Arc::new(AtomicU64::new(ANSWER_MAX)));
        (Self { stream, left: left.clone() }, left)
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let came = u64::try_from(buffer.filled().len().saturating_sub(before)).unwrap_or(u64::MAX);
        let left = &self.left.0;
        let spent = left
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(came))
            .is_err();
        if spent {
            let problem = format!("an answer of more than {ANSWER_MAX} octets");
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, problem)));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_server_that_never_stops_is_stopped() {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let (mut stream, allowance) = Bounded::new(Box::new(ours));
        tokio::spawn(async move { while theirs.write_all(&[7; 1 << 16]).await.is_ok() {} });
        let mut piece = vec![0; 1 << 20];
        stream.read_exact(&mut piece).await.unwrap();
        allowance.renew();
        let mut got = 0;
        let error = loop {
            match stream.read(&mut piece).await {
                Ok(octets) => got += octets as u64,
                Err(error) => break error,
            }
        };
        assert!(got <= ANSWER_MAX && error.to_string().contains("more than"), "{got} {error}");
    }
}
