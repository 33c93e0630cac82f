//! Local delivery: which recipients have a Maildir here, and the way into it.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use address::{Domain, Mailbox, ReversePath};
use auth::{Answer, Moment};
use bytes::Bytes;
use maildrop::{DeliverError, Delivery, Quota, Usage};
use spool::{BodyReader, Job};
use tokio::runtime::Handle;

use crate::conclude::is_too_late;
use crate::verdict::{Verdict, code};

/// A header longer than this is not looked through for loops.
const HEADER_MAX: usize = 256 * 1024;

/// Where mail for an address goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Into a Maildir.
    Maildir(Place),
    /// Nowhere: the domain is ours, the address does not exist.
    Unknown,
    /// To the next hop.
    Elsewhere,
    /// That cannot be said at the moment: the accounts cannot be looked up.
    Undecided,
}

/// A Maildir, and what it may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it is.
    pub maildir: PathBuf,
    /// Its limit; none: what its own file `maildirsize` says, if there is one.
    pub quota: Option<Quota>,
}

/// Knows which addresses are local. Asked once for each recipient and attempt.
pub trait LocalDelivery: Send + Sync + 'static {
    /// Where mail for `recipient` goes.
    fn destination<'a>(&'a self, recipient: &'a Mailbox) -> Answer<'a, Destination>;
}

/// Accounts and local domains. An account's address at a domain that is not local is a right
/// to send, not a mailbox.
#[derive(Clone, Debug)]
pub struct LocalAccounts {
    directory: auth::Directory,
    domains: auth::DomainSet,
}

impl LocalAccounts {
    /// The accounts of `directory`, at `domains`.
    #[must_use]
    pub fn new(directory: auth::Directory, domains: &[Domain]) -> Self {
        Self { directory, domains: domains.iter().collect() }
    }
}

impl LocalDelivery for LocalAccounts {
    fn destination<'a>(&'a self, recipient: &'a Mailbox) -> Answer<'a, Destination> {
        Box::pin(self.look_up(recipient))
    }
}

impl LocalAccounts {
    async fn look_up(&self, recipient: &Mailbox) -> Destination {
        if !recipient.domain().is_some_and(|domain| self.domains.contains(domain)) {
            return Destination::Elsewhere;
        }
        match self.directory.local_mailbox(recipient).await {
            Ok(Some(account)) => {
                let quota = account
                    .policy()
                    .quota
                    .map(|auth::Quota { octets, messages }| Quota { octets, messages });
                Destination::Maildir(Place { maildir: account.maildir().to_owned(), quota })
            }
            Ok(None) => Destination::Unknown,
            Err(problem) => {
                tracing::warn!(target: "lastpost::relay", %problem, "local recipient not decided");
                Destination::Undecided
            }
        }
    }
}

/// Delivers the message of `job` to one recipient. Blocking; within a runtime's blocking pool.
///
/// A Maildir that is full may have room tomorrow: the message waits for that as long as one that
/// no next hop takes, and comes back as `4.2.2` when its time is over. One that is larger than
/// all the Maildir may hold comes back at once, as `5.2.2` (RFC 3463 section 3.3). So does one
/// that was in this very mailbox before: `5.4.6`.
pub(crate) fn deliver(job: &Job, recipient: &Mailbox, place: &Place, now: Moment) -> Verdict {
    if is_too_late(job, now) {
        return Verdict::failed(code(5, 4, 7), "the time in which to deliver it is over");
    }
    match try_deliver(job, recipient, place) {
        Ok(Some(name)) => Verdict::delivered(name),
        Ok(None) => Verdict::failed(code(5, 4, 6), "it has been in this mailbox before: a loop"),
        Err(DeliverError::OverQuota { quota, octets, .. }) => {
            if quota.has_room(Usage::default(), octets) {
                Verdict::deferred(code(4, 2, 2), "the mailbox is full")
            } else {
                Verdict::failed(code(5, 2, 2), "larger than all that the mailbox may hold")
            }
        }
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

/// `None` if the message goes round in circles.
fn try_deliver(
    job: &Job,
    recipient: &Mailbox,
    place: &Place,
) -> Result<Option<String>, DeliverError> {
    let handle = Handle::current();
    let delivery = Delivery::to(&place.maildir)?.with_quota(place.quota);
    let mut body = handle.block_on(job.body()).map_err(DeliverError::Source)?;
    let block = handle.block_on(body.next()).map_err(DeliverError::Source)?.unwrap_or_default();
    if was_delivered(&block, recipient) {
        return Ok(None);
    }
    let head = trace_header(&job.envelope().sender, recipient);
    let mut message = Message { handle, head: Some(head.into()), body, block };
    delivery.deliver_reader(&mut message).map(|delivered| Some(delivered.name))
}

/// Whether a delivery to `recipient` stands in the header: somebody has sent the message on from
/// the mailbox, and it came back.
fn was_delivered(start: &[u8], recipient: &Mailbox) -> bool {
    let header = start.get(..HEADER_MAX).unwrap_or(start);
    let end = memchr::memmem::find(header, b"\r\n\r\n").unwrap_or(header.len());
    let fields = header.get(..end).unwrap_or_default().split(|&octet| octet == b'\n');
    let mut addresses = fields.filter_map(|line| {
        let (name, value) = line.split_at_checked(DELIVERED_TO.len())?;
        let is_it = name.eq_ignore_ascii_case(DELIVERED_TO);
        let value = std::str::from_utf8(value).ok().filter(|_| is_it)?;
        Mailbox::parse(value.trim()).ok()
    });
    addresses.any(|address| address == *recipient)
}

const DELIVERED_TO: &[u8] = b"Delivered-To:";

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
        if let Some(head) = self.head.as_mut().filter(|head| !head.is_empty()) {
            return Ok(take(head, buffer));
        }
        while self.block.is_empty() {
            match self.handle.block_on(self.body.next())? {
                Some(block) => self.block = block,
                None => return Ok(0),
            }
        }
        Ok(take(&mut self.block, buffer))
    }
}

fn take(from: &mut Bytes, buffer: &mut [u8]) -> usize {
    let length = buffer.len().min(from.len());
    buffer[..length].copy_from_slice(&from.split_to(length));
    length
}

/// An error may name a path, and a path may hold anything.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
