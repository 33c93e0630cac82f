//! Local delivery: which recipients have a Maildir here, and the way into it.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use address::{Domain, Mailbox, ReversePath};
use bytes::Bytes;
use maildrop::{DeliverError, Delivery};
use spool::{BodyReader, Job};
use tokio::runtime::Handle;

use crate::verdict::{Verdict, code};

/// Where mail for an address goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Into this Maildir.
    Maildir(PathBuf),
    /// Nowhere: the domain is ours, the address does not exist.
    Unknown,
    /// To the next hop.
    Elsewhere,
}

/// Knows which addresses are local. Asked once for each recipient and attempt; must not block.
pub trait LocalDelivery: Send + Sync + 'static {
    /// Where mail for `recipient` goes.
    fn destination(&self, recipient: &Mailbox) -> Destination;
}

/// Accounts and local domains. An account's address at a domain that is not local is a right
/// to send, not a mailbox.
#[derive(Clone, Debug)]
pub struct LocalAccounts {
    directory: auth::Directory,
    domains: Vec<Domain>,
}

impl LocalAccounts {
    /// The accounts of `directory`, at `domains`.
    #[must_use]
    pub fn new(directory: auth::Directory, domains: Vec<Domain>) -> Self {
        Self { directory, domains }
    }
}

impl LocalDelivery for LocalAccounts {
    fn destination(&self, recipient: &Mailbox) -> Destination {
        if !recipient.domain().is_some_and(|domain| self.domains.contains(domain)) {
            return Destination::Elsewhere;
        }
        match self.directory.local_mailbox(recipient) {
            Some(account) => Destination::Maildir(account.maildir().to_owned()),
            None => Destination::Unknown,
        }
    }
}

/// Delivers the message of `job` to one recipient. Blocking; within a runtime's blocking pool.
pub(crate) fn deliver(job: &Job, recipient: &Mailbox, maildir: &Path) -> Verdict {
    match try_deliver(job, recipient, maildir) {
        Ok(name) => Verdict::delivered(name),
        Err(error) => {
            let status = match &error {
                DeliverError::Full { .. } => code(4, 2, 2),
                DeliverError::Unavailable { .. } => code(4, 2, 0),
                _ => code(4, 3, 0),
            };
            Verdict::deferred(status, printable(&error.to_string()))
        }
    }
}

fn try_deliver(job: &Job, recipient: &Mailbox, maildir: &Path) -> Result<String, DeliverError> {
    let handle = Handle::current();
    let delivery = Delivery::to(maildir)?;
    let body = handle.block_on(job.body()).map_err(DeliverError::Source)?;
    let head = trace_header(&job.envelope().sender, recipient);
    let mut message = Message { handle, head: Some(head.into()), body, block: Bytes::new() };
    delivery.deliver_reader(&mut message).map(|delivered| delivered.name)
}

/// RFC 5321 section 4.4: the final delivery keeps the envelope sender. The envelope recipient
/// is kept beside it, as is the custom.
fn trace_header(sender: &ReversePath, recipient: &Mailbox) -> Vec<u8> {
    let mut head = Vec::new();
    // Writing to memory cannot fail.
    let _ = write!(head, "Return-Path: {sender}\r\nDelivered-To: {recipient}\r\n");
    head
}

/// The message as it is stored: two lines of ours, then the text.
struct Message {
    handle: Handle,
    head: Option<Bytes>,
    body: BodyReader,
    block: Bytes,
}

impl Read for Message {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.block.is_empty() {
            let next = match self.head.take() {
                Some(head) => Some(head),
                None => self.handle.block_on(self.body.next())?,
            };
            match next {
                Some(block) => self.block = block,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.block.len());
        buffer[..length].copy_from_slice(&self.block.split_to(length));
        Ok(length)
    }
}

/// An error may name a path, and a path may hold anything.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
