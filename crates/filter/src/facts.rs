//! What filters are told.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;

use bytes::Bytes;

/// The client and its session, as known when the transaction begins.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its address.
    pub address: IpAddr,
    /// Its port; 0 if it is not known.
    pub port: u16,
    /// The name it gave in `HELO` or `EHLO`: untrusted, printable.
    pub hello: String,
    /// Whether it said `EHLO`.
    pub extended: bool,
    /// The name of the listener.
    pub listener: String,
    /// This host's name.
    pub host: String,
    /// The login, and the mechanism it came by, if the client has authenticated or a grant
    /// stands for it.
    pub login: Option<String>,
    /// The SASL mechanism, such as `PLAIN`; none for a grant.
    pub mechanism: Option<String>,
    /// Version and cipher, such as `TLSv1.3` and `TLS_AES_256_GCM_SHA384`.
    pub tls: Option<(String, String)>,
}

/// `MAIL`.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The reverse path without brackets; empty for the null path.
    pub path: &'a str,
    /// The announced size.
    pub size: Option<u64>,
}

/// `RCPT`.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// The forward path without brackets.
    pub path: &'a str,
    /// Recipients that were accepted before.
    pub before: u32,
}

/// The message, at its end.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// A word that finds the message in the log.
    pub token: &'a str,
    /// The header section as it will be sent, without the line of this host's own trace and
    /// without the blank line: CRLF lines.
    pub header: &'a [u8],
    /// The body.
    pub body: &'a dyn Text,
    /// Its octets and the header's together.
    pub octets: u64,
    /// As in [`Sender::path`].
    pub sender: &'a str,
    /// The recipients that were accepted.
    pub recipients: &'a [String],
}

/// Mail text that can be read, more than once if need be.
pub trait Text: Send + Sync {
    /// Reads it from the start.
    fn open(&self) -> Box<dyn TextReader + '_>;
}

/// A block, or the end.
pub type NextBlock<'a> = Pin<Box<dyn Future<Output = io::Result<Option<Bytes>>> + Send + 'a>>;

/// Mail text, block by block.
pub trait TextReader: Send {
    /// The next block; `None` at the end.
    ///
    /// # Errors
    /// If the text cannot be read.
    fn next(&mut self) -> NextBlock<'_>;
}

/// Text in memory, as a filter may have put it there.
impl Text for Vec<Bytes> {
    fn open(&self) -> Box<dyn TextReader + '_> {
        Box::new(self.iter())
    }
}

impl TextReader for std::slice::Iter<'_, Bytes> {
    fn next(&mut self) -> NextBlock<'_> {
        let block = Iterator::next(self).cloned();
        Box::pin(std::future::ready(Ok(block)))
    }
}
