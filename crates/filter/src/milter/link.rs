//! Packets to and from a milter.

use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};

use crate::endpoint::Stream;
use crate::error::FilterError;

/// Octets of a packet from a milter: the largest piece of a body, and some.
const PACKET_MAX: usize = 1024 * 1024 + 64;
/// Octets that are gathered before they are sent.
const GATHER: usize = 128 * 1024;

/// A connection that carries packets.
pub(crate) struct Link {
    stream: Stream,
    input: BytesMut,
    output: BytesMut,
    patience: Duration,
}

impl Link {
    /// Over `stream`, with `patience` for each packet.
    pub(crate) fn new(stream: Stream, patience: Duration) -> Self {
        Self { stream, input: BytesMut::new(), output: BytesMut::new(), patience }
    }

    pub(crate) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Puts a packet on its way; it goes at the next [`receive`](Self::receive) at the latest.
    pub(crate) async fn send(&mut self, letter: u8, data: &[&[u8]]) -> Result<(), FilterError> {
        let octets: usize = data.iter().map(|part| part.len()).sum();
        let length = u32::try_from(octets + 1)
            .map_err(|_| FilterError::Nonsense("a packet for it would be too large"))?;
        self.output.extend_from_slice(&length.to_be_bytes());
        self.output.extend_from_slice(&[letter]);
        for part in data {
            self.output.extend_from_slice(part);
        }
        if self.output.len() >= GATHER { self.flush().await } else { Ok(()) }
    }

    /// Sends what was gathered.
    pub(crate) async fn flush(&mut self) -> Result<(), FilterError> {
        let deadline = Instant::now() + self.patience;
        timeout_at(deadline, self.stream.write_all(&self.output))
            .await
            .map_err(|_| FilterError::TimedOut)??;
        self.output.clear();
        Ok(())
    }

    /// The next packet.
    pub(crate) async fn receive(&mut self) -> Result<(u8, Bytes), FilterError> {
        self.flush().await?;
        let deadline = Instant::now() + self.patience;
        loop {
            if let Some(packet) = self.packet()? {
                return Ok(packet);
            }
            let read = timeout_at(deadline, self.stream.read_buf(&mut self.input))
                .await
                .map_err(|_| FilterError::TimedOut)??;
            if read == 0 {
                return Err(FilterError::Closed);
            }
        }
    }

    fn packet(&mut self) -> Result<Option<(u8, Bytes)>, FilterError> {
        let Some(length) = self.input.first_chunk() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        if length == 0 || length > PACKET_MAX {
            return Err(FilterError::Nonsense("its packet has an impossible length"));
        }
        if self.input.len() < 4 + length {
            return Ok(None);
        }
        self.input.advance(4);
        let mut packet = self.input.split_to(length).freeze();
        let letter = packet.get_u8();
        Ok(Some((letter, packet)))
    }
}
