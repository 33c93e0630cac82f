//! What a restart finds: everything acknowledged, IDs that do not repeat, files swept up.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use jiff::{SignedDuration, Timestamp};
use spool::{Filter, Outcome, QueueId, RecipientState, Size, Spool, SpoolConfig};

use crate::kit::*;

#[tokio::test]
async fn everything_is_there_after_any_number_of_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let mut expected = BTreeMap::new();
    for round in 0..6 {
        let spool = open(&config(directory.path()), &clock);
        assert_eq!(spool.stats().queued, expected.len() as u64);
        for n in 0..20 {
            let seed = round * 100 + n;
            let octets = (seed as usize * 7919) % 100_000;
            let id = put(&spool, &permit, &["bob@example.net"], seed, octets).await;
            assert!(expected.insert(id, (seed, octets)).is_none());
        }
        let mut jobs = spool.claim(start(), 1000).await;
        assert_eq!(jobs.len(), expected.len());
        for job in &jobs {
            let (seed, octets) = expected[&job.id()];
            assert!(read(job).await == text(seed, octets));
        }
        for job in jobs.drain(..7) {
            expected.remove(&job.id());
            deliver(&spool, job).await;
        }
        drop(jobs);
        spool.close().await;
    }
}

#[tokio::test]
async fn ids_do_not_repeat_even_when_all_files_but_the_reservation_are_gone() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let mut seen = BTreeSet::new();
    for round in 0..5 {
        let spool = open(&config(directory.path()), &clock);
        for seed in 0..10 {
            let octets = if seed % 2 == 0 { 10 } else { 100_000 };
            let id = put(&spool, &permit, &["bob@example.net"], seed, octets).await;
            assert!(seen.last().is_none_or(|last| *last < id), "IDs rise");
            assert!(seen.insert(id));
            assert_eq!(id.to_string().len(), 13);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        spool.close().await;
        if round % 2 == 0 {
            for file in fs::read_dir(directory.path()).unwrap() {
                let path = file.unwrap().path();
                if path.extension().is_some_and(|e| e == "seg") {
                    fs::remove_file(path).unwrap();
                }
            }
        }
        clock.step_wall(start() - SignedDuration::from_hours(24 * 365));
    }
}

#[tokio::test]
async fn a_spool_whose_mail_is_all_delivered_does_not_grow() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    for seed in 0..200 {
        put(&spool, &permit, &["bob@example.net"], seed, 50_000).await;
        let job = claim_one(&spool, start()).await;
        deliver(&spool, job).await;
    }
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while spool.stats().segments > 2 {
        assert!(std::time::Instant::now() < limit, "{:?}", spool.stats());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(spool.stats().live_octets, 0);
    // The current segment, the next, and a few whose files wait for another life.
    let files = || fs::read_dir(directory.path()).unwrap().count();
    assert!(files() <= 3 + 2 + 4, "{}", files());
    spool.close().await;
    let spool = open(&config(directory.path()), &clock);
    assert_eq!(spool.stats().queued, 0, "an earlier life of a file has come back");
}

#[tokio::test]
async fn survivors_holds_and_retries_are_copied_out_of_sparse_segments() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let later = start() + SignedDuration::from_hours(5);
    let mut kept = BTreeMap::new();
    for seed in 0..300 {
        let id = put(&spool, &permit, &["a@example.net", "b@example.net"], seed, 20_000).await;
        let job = claim_one(&spool, start()).await;
        if seed % 23 != 0 {
            deliver(&spool, job).await;
            continue;
        }
        let deferred = Outcome::Deferred {
            until: later,
            reply: format!("450 {seed}").into(),
            delay_reported: false,
        };
        spool.settle(job, vec![(0, Outcome::Done), (1, deferred)]).await.unwrap();
        if seed % 2 == 0 {
            spool.hold(id).await.unwrap();
        }
        kept.insert(id, seed);
    }
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while spool.stats().segments > 3 {
        assert!(std::time::Instant::now() < limit, "{:?}", spool.stats());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    check_kept(&spool, &kept, later).await;
    spool.close().await;
    for _ in 0..2 {
        let spool = open(&config(directory.path()), &clock);
        check_kept(&spool, &kept, later).await;
        spool.close().await;
    }
}

async fn check_kept(spool: &Spool, kept: &BTreeMap<QueueId, u64>, later: Timestamp) {
    let listed = spool.list(Filter::default()).await;
    assert_eq!(listed.len(), kept.len());
    for entry in &listed {
        let seed = kept[&entry.id];
        assert_eq!(entry.held, seed.is_multiple_of(2));
        assert_eq!(entry.recipients[0].state, RecipientState::Done);
        assert_eq!(entry.last_reply.as_deref(), Some(&*format!("450 {seed}")));
        assert_eq!(entry.recipients[1].next_attempt, Some(later));
    }
    let jobs = spool.claim(later, 100).await;
    assert_eq!(jobs.len(), kept.values().filter(|seed| *seed % 2 != 0).count());
    for job in &jobs {
        assert!(read(job).await == text(kept[&job.id()], 20_000));
    }
}

#[tokio::test]
async fn smaller_segments_than_before_still_give_out_what_the_larger_ones_hold() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let small = config(directory.path());
    let large =
        SpoolConfig { segment_size: Size::mib(8), inline_max: Size::mib(2), ..small.clone() };
    let spool = open(&large, &clock);
    put(&spool, &permit, &["bob@example.net"], 1, 1_500_000).await;
    put(&spool, &permit, &["bob@example.net"], 2, 10_000).await;
    spool.close().await;
    for _ in 0..2 {
        let spool = open(&small, &clock);
        put(&spool, &permit, &["bob@example.net"], 3, 10).await;
        let job = spool.claim(start(), 10).await.into_iter().find(|job| job.octets() == 1_500_000);
        assert!(read(&job.unwrap()).await == text(1, 1_500_000));
        spool.close().await;
    }
    let spool = open(&small, &clock);
    for job in spool.claim(start(), 10).await {
        deliver(&spool, job).await;
    }
    assert_eq!(spool.stats().queued, 0);
}

/// Run it with `cargo test --release -p spool -- --ignored recovery_of`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes 2 GiB"]
async fn recovery_of_a_gibibyte_takes_less_than_five_seconds() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let clock = clock();
    let config = SpoolConfig { segment_size: Size::mib(64), ..config(directory.path()) };
    let spool = open(&config, &clock);
    let mut senders = tokio::task::JoinSet::new();
    for task in 0..64 {
        let spool = spool.clone();
        senders.spawn(async move {
            let permit = permit().await;
            for _ in 0..4_000 {
                put(&spool, &permit, &["bob@example.net"], task, 4_096).await;
            }
        });
    }
    senders.join_all().await;
    spool.close().await;
    let begin = std::time::Instant::now();
    let (spool, report) = Spool::open(&config, clock).unwrap();
    let took = begin.elapsed();
    println!("{took:?} for {} octets and {} messages", report.octets, report.queued);
    assert_eq!(report.queued, 256_000);
    assert!(report.octets >= 1 << 30);
    assert!(took.as_secs() < 5, "{took:?}");
    drop(spool);
}

#[tokio::test]
async fn leftovers_are_swept_up_and_foreign_files_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let id = put(&spool, &permit, &["bob@example.net"], 1, 200_000).await;
    spool.close().await;
    let big = directory.path().join("big");
    fs::write(big.join("0000000000abc"), b"of no message").unwrap();
    fs::write(big.join("README"), b"of the administrator").unwrap();
    fs::write(directory.path().join("00000099.new"), b"half made").unwrap();
    fs::write(directory.path().join("notes.seg"), b"of the administrator").unwrap();
    let (spool, report) = Spool::open(&config(directory.path()), clock.clone()).unwrap();
    assert_eq!((report.orphans_deleted, report.queued), (1, 1));
    assert!(big.join(id.to_string()).exists());
    assert!(big.join("README").exists());
    assert!(!directory.path().join("00000099.new").exists());
    assert!(directory.path().join("notes.seg").exists());
    drop(spool);
    // A text that is cut short is never sent, but its message stays for the administrator.
    fs::write(big.join(id.to_string()), b"cut").unwrap();
    let (spool, report) = Spool::open(&config(directory.path()), clock.clone()).unwrap();
    assert_eq!(report.bodies_missing, [id]);
    assert!(spool.claim(start(), 10).await.is_empty());
    let listed = spool.list(Filter::default()).await;
    assert!(listed[0].damaged);
    spool.delete(id).await.unwrap();
}

#[tokio::test]
async fn a_text_that_changed_on_disk_is_never_sent_whole() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let spool = open(&config(directory.path()), &clock);
    let id = put(&spool, &permit, &["bob@example.net"], 1, 500_000).await;
    let path = directory.path().join("big").join(id.to_string());
    let mut octets = fs::read(&path).unwrap();
    octets[250_000] ^= 1;
    fs::write(&path, octets).unwrap();
    let job = claim_one(&spool, start()).await;
    let mut body = job.body().await.unwrap();
    let mut got = 0;
    let error = loop {
        match body.next().await {
            Ok(Some(block)) => got += block.len(),
            Ok(None) => panic!("it ended as if it were whole"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    assert!(got < 500_000);
}

#[tokio::test]
async fn offline_listing_shows_the_queue_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (clock, permit) = (clock(), permit().await);
    let config = SpoolConfig { segment_size: Size::mib(2), ..config(directory.path()) };
    let spool = open(&config, &clock);
    for seed in 0..400 {
        put(&spool, &permit, &["bob@example.net"], seed, 1000).await;
    }
    let held = spool.list(Filter { limit: 1, ..Filter::default() }).await[0].id;
    spool.hold(held).await.unwrap();
    let online = spool.list(Filter::default()).await;
    spool.close().await;
    fs::write(directory.path().join("big").join("0000000000abc"), b"orphan").unwrap();
    let files = || -> BTreeMap<_, _> {
        let list = |at: &std::path::Path| {
            fs::read_dir(at).unwrap().map(|f| f.unwrap().path()).collect::<Vec<_>>()
        };
        list(directory.path())
            .into_iter()
            .chain(list(&directory.path().join("big")))
            .filter(|path| path.is_file())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect()
    };
    let before = files();
    let offline = spool::read::list(directory.path(), &Filter::default()).unwrap();
    assert_eq!(offline, online);
    let only = Filter { held: Some(true), ..Filter::default() };
    assert_eq!(spool::read::list(directory.path(), &only).unwrap().len(), 1);
    assert!(files() == before);
    assert!(spool::read::list(&directory.path().join("nowhere"), &only).is_err());
}
