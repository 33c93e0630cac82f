//! What the tests share: a spool in a temporary directory, senders, texts.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use address::{AccountKey, Mailbox, ReversePath};
use auth::{
    Account, Attempt, Chain, Channel, Clock, Login, ManualClock, Permit, Service, SmtpAuth,
    StoredHash, authorize,
};
use jiff::Timestamp;
use spool::{
    Envelope, InboundEnvelope, Job, LocalRecipients, Outcome, QueueId, Recipient, Size, Spool,
    SpoolConfig,
};

pub(crate) const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// Small segments and no floors.
pub(crate) fn config(directory: &Path) -> SpoolConfig {
    SpoolConfig {
        segment_size: Size::mib(1),
        reserve: Size(0),
        inline_max: Size::kib(64),
        free_space_min: Size(0),
        free_inodes_min: 0,
        ..SpoolConfig::at(directory)
    }
}

pub(crate) fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(start()))
}

pub(crate) fn open(config: &SpoolConfig, clock: &Arc<ManualClock>) -> Spool {
    let (spool, report) = Spool::open(config, Arc::clone(clock) as Arc<dyn Clock>).unwrap();
    assert_eq!(report.damage, vec![]);
    assert_eq!(report.bodies_missing, vec![]);
    spool
}

pub(crate) fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

pub(crate) fn account() -> Arc<Account> {
    Arc::new(Account::new(
        AccountKey::parse("alice@example.org", None).unwrap(),
        vec![mailbox("alice@example.org"), mailbox("a.liddell@example.org")],
        StoredHash::parse("{PLAIN}secret").unwrap(),
        "/nonexistent/alice".into(),
        false,
    ))
}

/// A permit, by the only way there is.
pub(crate) async fn permit() -> Permit {
    let at = clock().now();
    let channel = Channel { service: Service::Submission, tls: true, genuine_address: true };
    let login = Login { account: account(), client: CLIENT, channel, at, acting: None };
    let sender = ReversePath::Mailbox(mailbox("alice@example.org"));
    let attempt = Attempt {
        client: CLIENT,
        genuine_address: true,
        login: Some(&login),
        failed_auth: false,
        sender: &sender,
        helo: "pc.example.org",
        extended: true,
        tls: true,
        listener: "submission",
        at,
    };
    authorize(&Chain::new(vec![Arc::new(SmtpAuth)], vec![]), &attempt).await.unwrap()
}

pub(crate) fn envelope(recipients: &[&str]) -> Envelope {
    Envelope {
        sender: ReversePath::Mailbox(mailbox("alice@example.org")),
        recipients: recipients.iter().map(|text| Recipient::new(mailbox(text))).collect(),
        smtputf8: false,
        coding: envelope::Coding::EightBit,
        wishes: spool::Wishes::default(),
        received_at: start(),
    }
}

/// Octets that depend on `seed` alone.
pub(crate) fn text(seed: u64, octets: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut text = Vec::with_capacity(octets + 8);
    while text.len() < octets {
        text.extend_from_slice(&next());
    }
    text.truncate(octets);
    text
}

/// Queues a message for `recipients` with the text of `seed`.
pub(crate) async fn put(
    spool: &Spool,
    permit: &Permit,
    recipients: &[&str],
    seed: u64,
    octets: usize,
) -> QueueId {
    let mut draft = spool.draft().unwrap();
    draft.write(&text(seed, octets)).await.unwrap();
    spool.intake(permit, envelope(recipients), draft).await.unwrap()
}

/// An envelope from outside to alice.
pub(crate) fn inbound() -> InboundEnvelope {
    let mut recipients = LocalRecipients::new();
    recipients.push(mailbox("Alice@example.org").into(), &account()).unwrap();
    InboundEnvelope {
        sender: ReversePath::Mailbox(mailbox("bob@elsewhere.example")),
        recipients,
        smtputf8: false,
        coding: envelope::Coding::SevenBit,
        wishes: spool::Wishes::default(),
        client: CLIENT,
        received_at: start(),
    }
}

pub(crate) async fn read(job: &Job) -> Vec<u8> {
    let mut body = job.body().await.unwrap();
    let mut text = Vec::new();
    while let Some(block) = body.next().await.unwrap() {
        assert!(!block.is_empty());
        text.extend_from_slice(&block);
    }
    assert_eq!(text.len() as u64, job.octets());
    text
}

/// Claims the one message that is due.
pub(crate) async fn claim_one(spool: &Spool, at: Timestamp) -> Job {
    let mut jobs = spool.claim(at, 10).await;
    assert_eq!(jobs.len(), 1);
    jobs.remove(0)
}

/// Settles every remaining recipient as delivered.
pub(crate) async fn deliver(spool: &Spool, job: Job) {
    let outcomes = job.remaining().iter().map(|r| (r.index, Outcome::Done)).collect();
    spool.settle(job, outcomes).await.unwrap();
}
