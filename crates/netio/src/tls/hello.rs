//! What a client's first message says that the TLS library does not pass on.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// More of a first message than this is not looked at; it may be refused for its length anyhow.
const HELLO_OCTETS_MAX: usize = 64 * 1024;
/// The content type of records that carry the handshake (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;
/// The type of a ClientHello (RFC 8446 section 4).
const CLIENT_HELLO: u8 = 1;
/// The extension `extended_master_secret` (RFC 7627 section 5.1).
const EXTENDED_MASTER_SECRET: u16 = 23;

/// A stream of which the beginning is kept.
pub(super) struct Overheard {
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Overheard {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, heard: Vec::new() }
    }

    pub(super) fn into_inner(self) -> TcpStream {
        self.stream
    }

    /// Whether the client would have the master secret bound to its session (RFC 7627).
    pub(super) fn offers_extended_master_secret(&self) -> bool {
        let hello = message(&self.heard);
        hello.as_deref().and_then(extensions).is_some_and(offers_extended_master_secret)
    }
}

/// The first message of the handshake, put together from its records.
fn message(mut records: &[u8]) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        if let [_, high, middle, low, body @ ..] = message.as_slice() {
            let length = u32::from_be_bytes([0, *high, *middle, *low]);
            if let Some(body) = body.get(..usize::try_from(length).ok()?) {
                return (message.first() == Some(&CLIENT_HELLO)).then(|| body.to_vec());
            }
        }
        let (&[kind, _, _, high, low], rest) = records.split_first_chunk()?;
        let (fragment, rest) = rest.split_at_checked(u16::from_be_bytes([high, low]).into())?;
        if kind != HANDSHAKE || fragment.is_empty() {
            return None;
        }
        message.extend_from_slice(fragment);
        records = rest;
    }
}

/// The extensions of a ClientHello (RFC 5246 section 7.4.1.2, RFC 8446 section 4.1.2).
fn extensions(hello: &[u8]) -> Option<&[u8]> {
    const VERSION_AND_RANDOM: usize = 2 + 32;
    let rest = hello.get(VERSION_AND_RANDOM..)?;
    let (_session_id, rest) = short_vector(rest)?;
    let (_cipher_suites, rest) = vector(rest)?;
    let (_compression_methods, rest) = short_vector(rest)?;
    Some(vector(rest)?.0)
}

fn offers_extended_master_secret(extensions: &[u8]) -> bool {
    let mut rest = extensions;
    while let Some((kind, tail)) = extension(rest) {
        if kind == EXTENDED_MASTER_SECRET {
            return true;
        }
        rest = tail;
    }
    false
}

/// The type of the first extension, and those behind it.
fn extension(octets: &[u8]) -> Option<(u16, &[u8])> {
    let (kind, rest) = octets.split_first_chunk()?;
    Some((u16::from_be_bytes(*kind), vector(rest)?.1))
}

/// A vector with its length in one octet, and what is behind it.
fn short_vector(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = octets.split_first()?;
    rest.split_at_checked(length.into())
}

/// The same with its length in two octets.
fn vector(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

impl AsyncRead for Overheard {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = octets.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(cx, octets);
        let new = octets.filled().get(before..).unwrap_or_default();
        let room = HELLO_OCTETS_MAX.saturating_sub(this.heard.len());
        this.heard.extend_from_slice(new.get(..new.len().min(room)).unwrap_or_default());
        outcome
    }
}

impl AsyncWrite for Overheard {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
