//! Packets: three octets of length, one that counts, and the payload.

use std::pin::Pin;
use std::task::{Context, Waker};

use tokio::io::{AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _};
use zeroize::Zeroizing;

use super::super::driver::Problem;
use super::super::stream::{Allowance, Stream};

/// Longest payload that is taken, in octets.
const PAYLOAD_MAX: usize = 1 << 20;

/// A connection, packet by packet.
pub(super) struct Packets {
    stream: Box<dyn Stream>,
    allowance: Allowance,
    /// The number of the next packet.
    number: u8,
    /// What was received and not read yet.
    buffer: Zeroizing<Vec<u8>>,
}

impl Packets {
    pub(super) fn new(stream: Box<dyn Stream>, allowance: Allowance) -> Self {
        Self { stream, allowance, number: 0, buffer: Zeroizing::default() }
    }

    /// For the next question.
    pub(super) fn renew(&self) {
        self.allowance.renew();
    }

    /// Gives the stream away to be put under TLS, which the next packet comes under.
    ///
    /// # Errors
    /// If something was received already that pretends to have come under TLS.
    pub(super) fn into_stream(self) -> Result<(Box<dyn Stream>, Allowance, u8), Problem> {
        if self.buffer.is_empty() {
            return Ok((self.stream, self.allowance, self.number));
        }
        Err(Problem::Nonsense("octets before TLS".to_owned()))
    }

    pub(super) fn over(stream: Box<dyn Stream>, allowance: Allowance, number: u8) -> Self {
        Self { stream, allowance, number, buffer: Zeroizing::default() }
    }

    /// Sends a command, which begins a new count.
    pub(super) async fn command(&mut self, command: u8, parts: &[&[u8]]) -> Result<(), Problem> {
        self.number = 0;
        let mut payload = Zeroizing::new(vec![command]);
        parts.iter().for_each(|part| payload.extend_from_slice(part));
        self.send(&payload).await
    }

    /// Sends a packet.
    pub(super) async fn send(&mut self, payload: &[u8]) -> Result<(), Problem> {
        let octets = framed(self.number, payload)?;
        self.number = self.number.wrapping_add(1);
        self.stream.write_all(&octets).await?;
        Ok(self.stream.flush().await?)
    }

    /// Receives one.
    pub(super) async fn receive(&mut self) -> Result<Zeroizing<Vec<u8>>, Problem> {
        loop {
            if let Some(header) = self.buffer.first_chunk::<4>() {
                let [low, middle, high, number] = *header;
                let length = u32::from_le_bytes([low, middle, high, 0]) as usize;
                if length > PAYLOAD_MAX {
                    return Err(Problem::Nonsense(format!("a packet of {length} octets")));
                }
                if number != self.number {
                    return Err(Problem::Nonsense(format!(
                        "packet {number} where {} was due",
                        self.number
                    )));
                }
                if let Some(payload) = self.buffer.get(4..4 + length) {
                    let payload = Zeroizing::new(payload.to_vec());
                    self.buffer.drain(..4 + length);
                    self.number = self.number.wrapping_add(1);
                    return Ok(payload);
                }
            }
            self.buffer.reserve(4096);
            if self.stream.read_buf(&mut *self.buffer).await? == 0 {
                return Err(Problem::Closed);
            }
        }
    }

    /// Says goodbye, without waiting for anything.
    pub(super) fn goodbye(&mut self, command: u8) {
        if let Ok(octets) = framed(0, &[command]) {
            let mut context = Context::from_waker(Waker::noop());
            let _ = Pin::new(&mut self.stream).poll_write(&mut context, &octets);
        }
    }
}

fn framed(number: u8, payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let length = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= PAYLOAD_MAX);
    let Some(length) = length else {
        return Err(Problem::Nonsense(format!("a question of {} octets", payload.len())));
    };
    let [low, middle, high, _] = length.to_le_bytes();
    let mut octets = Zeroizing::new(Vec::with_capacity(payload.len() + 4));
    octets.extend_from_slice(&[low, middle, high, number]);
    octets.extend_from_slice(payload);
    Ok(octets)
}

/// Code and message of a packet that says what is wrong.
pub(super) fn error(packet: &[u8]) -> (u16, String) {
    let mut reader = Reader::new(packet.get(1..).unwrap_or_default());
    let code = reader.u16().unwrap_or_default();
    let rest = reader.rest();
    // `#` and five characters of SQLSTATE.
    let text = if rest.first() == Some(&b'#') { rest.get(6..).unwrap_or_default() } else { rest };
    let text: String = String::from_utf8_lossy(text).chars().take(200).collect();
    (code, text)
}

/// Reads a payload piece by piece.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Problem> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or_else(|| Problem::Nonsense("a packet that is too short".to_owned()))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn skip(&mut self, length: usize) -> Result<(), Problem> {
        self.take(length).map(drop)
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(super) fn octet(&mut self) -> Result<u8, Problem> {
        Ok(self.number(1)?.to_le_bytes()[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, Problem> {
        let [a, b, ..] = self.number(2)?.to_le_bytes();
        Ok(u16::from_le_bytes([a, b]))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Problem> {
        let [a, b, c, d, ..] = self.number(4)?.to_le_bytes();
        Ok(u32::from_le_bytes([a, b, c, d]))
    }

    /// A number of so many octets, at most 8, the least first.
    pub(super) fn number(&mut self, octets: usize) -> Result<u64, Problem> {
        let taken = self.take(octets)?;
        let mut all = [0; 8];
        all.iter_mut().zip(taken).for_each(|(to, from)| *to = *from);
        Ok(u64::from_le_bytes(all))
    }

    /// A number in one, three, four or nine octets.
    pub(super) fn length(&mut self) -> Result<u64, Problem> {
        match self.octet()? {
            0xfc => self.number(2),
            0xfd => self.number(3),
            0xfe => self.number(8),
            0xfb | 0xff => Err(Problem::Nonsense("a length of no kind".to_owned())),
            small => Ok(u64::from(small)),
        }
    }

    /// Octets behind their length.
    pub(super) fn text(&mut self) -> Result<&'a [u8], Problem> {
        let length = usize::try_from(self.length()?).unwrap_or(usize::MAX);
        self.take(length)
    }

    /// Octets up to a NUL, or all.
    pub(super) fn until_nul(&mut self) -> &'a [u8] {
        match self.0.iter().position(|octet| *octet == 0) {
            Some(end) => {
                let (text, rest) = self.0.split_at(end);
                self.0 = rest.get(1..).unwrap_or_default();
                text
            }
            None => self.rest(),
        }
    }
}

/// Writes a text behind its length.
pub(super) fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    match (u8::try_from(text.len()), u16::try_from(text.len())) {
        (Ok(small), _) if small < 0xfb => out.push(small),
        (_, Ok(middle)) => {
            out.push(0xfc);
            out.extend_from_slice(&middle.to_le_bytes());
        }
        _ => {
            out.push(0xfe);
            out.extend_from_slice(&(text.len() as u64).to_le_bytes());
        }
    }
    out.extend_from_slice(text);
}
