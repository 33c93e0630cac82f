//! The floors of free space and inodes: mail is refused in time, goes on being delivered, and
//! is not taken and refused by turns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::Clock;

use super::kit::*;
use crate::layer::faulty::{Fault, Faulty};
use crate::layer::{Free, Layer};
use crate::{IntakeError, Outcome, Size, Spool, SpoolConfig};

const MIB: u64 = 1024 * 1024;

fn free(mib: u64, inodes: Option<u64>) -> Free {
    Free { octets: mib * MIB, inodes }
}

/// A spool with floors of 100 MiB and 1000 inodes.
fn open_with_floors(directory: &std::path::Path) -> (Spool, Arc<Faulty>) {
    let disk = Arc::new(Faulty::new(directory));
    disk.pretend(free(1000, Some(100_000)));
    let config = SpoolConfig {
        free_space_min: Size::mib(100),
        free_inodes_min: 1000,
        message_max: Size::mib(500),
        ..small(directory)
    };
    let layer = Arc::clone(&disk) as Arc<dyn Layer>;
    let (spool, _) = Spool::open_on(&config, clock() as Arc<dyn Clock>, layer).unwrap();
    (spool, disk)
}

async fn eventually(spool: &Spool, full: bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while spool.stats().full != full {
        assert!(Instant::now() < limit, "it does not become {full}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn below_a_floor_mail_is_refused_until_there_is_clearly_more() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, disk) = open_with_floors(directory.path());
    put(&spool, 1, 100).await.unwrap();
    let floors = [
        (free(99, Some(100_000)), free(105, Some(100_000)), free(113, Some(100_000))),
        (free(1000, Some(999)), free(1000, Some(1100)), free(1000, Some(1126))),
        (free(1, None), free(111, None), free(1000, None)),
    ];
    for (below, little_more, enough) in floors {
        disk.pretend(below);
        spool.shared.measure();
        assert_eq!(spool.draft().map(|_| ()), Err(IntakeError::Full));
        disk.pretend(little_more);
        spool.shared.measure();
        assert!(spool.stats().full, "{little_more:?} would change with the next message");
        disk.pretend(enough);
        spool.shared.measure();
        spool.draft().unwrap();
        // From above, the floor itself counts.
        disk.pretend(little_more);
        spool.shared.measure();
        assert!(!spool.stats().full);
    }
    disk.pretend(free(0, Some(0)));
    eventually(&spool, true).await;
    for job in spool.claim(start(), 10).await {
        spool.settle(job, vec![(0, Outcome::Done), (1, Outcome::Done)]).await.unwrap();
    }
    put(&spool, 2, 100).await.unwrap();
    assert_eq!(spool.stats().queued, 1, "it was delivered, and the report was taken");
}

#[tokio::test]
async fn an_announced_message_that_would_go_below_the_floor_is_refused_before_it_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, disk) = open_with_floors(directory.path());
    disk.pretend(free(200, Some(100_000)));
    spool.shared.measure();
    assert_eq!(spool.draft_sized(101 * MIB).map(|_| ()), Err(IntakeError::Full));
    spool.draft_sized(99 * MIB).unwrap();
    spool.draft_sized(0).unwrap();
}

#[tokio::test]
async fn a_full_disk_is_told_as_full_at_each_step_and_mail_is_taken_when_there_is_room() {
    use rustix::io::Errno;
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let disk = Arc::new(Faulty::new(directory.path()));
    let layer: Arc<dyn Layer> = disk.clone();
    let (spool, _) = open_small(directory.path(), &clock, &layer).unwrap();
    // A file of its own: made, written, flushed; a message in the log; and no new segment.
    for (seed, octets) in [(1, 40_000), (2, 100), (3, 20_000)] {
        disk.fail(Some(Fault::lasting(disk.calls(), Errno::NOSPC)));
        assert_eq!(put(&spool, seed, octets).await, Err(IntakeError::Full));
        assert_eq!(put(&spool, seed, octets).await, Err(IntakeError::Full));
        disk.fail(None);
        clock.advance(Duration::from_secs(2));
        put(&spool, seed, octets).await.unwrap();
    }
    assert_eq!(spool.stats().queued, 3);
}
