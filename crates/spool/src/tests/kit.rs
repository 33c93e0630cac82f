//! What these tests share: spools on any layer, texts, senders, random numbers.

use std::path::Path;
use std::sync::Arc;

use address::Mailbox;
use auth::{Clock, ManualClock};
use bytes::Bytes;
use jiff::Timestamp;

use crate::layer::Layer;
use crate::{IntakeError, Job, QueueId, Report, Size, Spool, SpoolConfig};

pub(super) fn config(directory: &Path) -> SpoolConfig {
    SpoolConfig {
        segment_size: Size::mib(1),
        reserve: Size(0),
        inline_max: Size::kib(200),
        free_space_min: Size(0),
        free_inodes_min: 0,
        ..SpoolConfig::at(directory)
    }
}

/// Smaller than may be configured: what is done thousands of times is done with little.
pub(super) fn small(directory: &Path) -> SpoolConfig {
    SpoolConfig { segment_size: Size::kib(128), inline_max: Size::kib(24), ..config(directory) }
}

pub(super) fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub(super) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(start()))
}

pub(super) fn open(
    directory: &Path,
    clock: &Arc<ManualClock>,
    layer: &Arc<dyn Layer>,
) -> Result<(Spool, crate::RecoveryReport), crate::SpoolError> {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    Spool::open_on(&config(directory), clock, Arc::clone(layer))
}

/// As [`open`], with [`small`] sizes.
pub(super) fn open_small(
    directory: &Path,
    clock: &Arc<ManualClock>,
    layer: &Arc<dyn Layer>,
) -> Result<(Spool, crate::RecoveryReport), crate::SpoolError> {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    Spool::open_on(&small(directory), clock, Arc::clone(layer))
}

/// Octets that depend on `seed` alone, no two blocks alike.
pub(super) fn text(seed: u64, octets: usize) -> Vec<u8> {
    let mut random = Random(seed);
    let block: Vec<u8> = (0..512).flat_map(|_| random.next().to_le_bytes()).collect();
    let mut text = Vec::with_capacity(octets + block.len());
    while text.len() < octets {
        let number = text.len() as u64 ^ seed;
        text.extend_from_slice(&number.to_le_bytes());
        text.extend_from_slice(&block);
    }
    text.truncate(octets);
    text
}

/// Numbers that depend on the seed alone (splitmix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Queues a message for two recipients.
pub(super) async fn put(spool: &Spool, seed: u64, octets: usize) -> Result<QueueId, IntakeError> {
    let recipients = ["a@example.net", "b@example.net"].map(|text| Mailbox::parse(text).unwrap());
    let report = Report {
        recipients: recipients.to_vec(),
        body: Bytes::from(text(seed, octets)),
        smtputf8: false,
        eight_bit: true,
        require_tls: false,
        at: start(),
    };
    spool.notify(report).await
}

pub(super) async fn read(job: &Job) -> std::io::Result<Vec<u8>> {
    let mut body = job.body().await?;
    let mut text = Vec::new();
    while let Some(block) = body.next().await? {
        text.extend_from_slice(&block);
    }
    Ok(text)
}
