//! Drafts: a head that comes last and stands first, and reading back before the intake.

use std::collections::BTreeMap;
use std::fs;

use spool::{Draft, IntakeError, Outcome, QueueId, Size, Spool, SpoolConfig};

use crate::kit::*;

/// What was written to `draft`, as its reader tells it.
async fn read_back(draft: &Draft) -> Vec<u8> {
    let mut reader = draft.reader();
    let mut text = Vec::new();
    while let Some(block) = reader.next().await.unwrap() {
        assert!(!block.is_empty() && block.len() <= 64 * 1024);
        text.extend_from_slice(&block);
    }
    assert_eq!(reader.next().await.unwrap(), None, "it ends once and for all");
    text
}

/// Queues a text of `octets` below a head of `head` octets, both of `seed`; gives the whole.
async fn put_with_head(spool: &Spool, seed: u64, head: usize, octets: usize) -> (QueueId, Vec<u8>) {
    let permit = permit().await;
    let mut draft = spool.draft().unwrap();
    draft.set_head(vec![b'x'; 99]);
    for piece in text(seed, octets).chunks(3_000) {
        draft.write(piece).await.unwrap();
    }
    draft.set_head(text(seed + 1, head));
    assert_eq!(draft.octets(), (head + octets) as u64);
    let id = spool.intake(&permit, envelope(&["bob@example.net"]), draft).await.unwrap();
    (id, [text(seed + 1, head), text(seed, octets)].concat())
}

/// In memory, at its border, in a file, and so near to the border that the head decides.
const SHAPES: [(usize, usize); 9] = [
    (0, 0),
    (1, 0),
    (500, 3_000),
    (0, 64 * 1024),
    (20_000, 64 * 1024),
    (700, 64 * 1024 + 1),
    (200_000, 60 * 1024),
    (230_000, 900_000),
    (1, 300_000),
];

#[tokio::test]
async fn a_head_stands_before_the_text_wherever_both_lie_and_across_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let mut spool = open(&config(directory.path()), &clock);
    let mut expected = BTreeMap::new();
    for (seed, (head, octets)) in SHAPES.into_iter().enumerate() {
        let (id, whole) = put_with_head(&spool, 10 * seed as u64, head, octets).await;
        expected.insert(id, whole);
    }
    for restart in [false, true] {
        if restart {
            spool.close().await;
            spool = open(&config(directory.path()), &clock);
        }
        let jobs = spool.claim(start(), 100).await;
        assert_eq!(jobs.len(), SHAPES.len());
        for job in &jobs {
            for _ in 0..2 {
                assert!(read(job).await == expected[&job.id()], "{}", expected[&job.id()].len());
            }
        }
    }
}

#[tokio::test]
async fn a_head_in_the_log_follows_its_message_through_compaction() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let spool = open(&config(directory.path()), &clock);
    let permit = permit().await;
    let mut expected = BTreeMap::new();
    for round in 0..40 {
        let octets = if round % 8 == 0 { 90_000 } else { 50_000 };
        let (id, whole) = put_with_head(&spool, 100 * round, 30_000, octets).await;
        if round % 8 == 0 {
            expected.insert(id, whole);
            continue;
        }
        for job in spool.claim(start(), 100).await {
            if !expected.contains_key(&job.id()) {
                deliver(&spool, job).await;
            }
        }
        put(&spool, &permit, &["bob@example.net"], 1, 1_000).await;
    }
    for job in spool.claim(start(), 100).await {
        if !expected.contains_key(&job.id()) {
            deliver(&spool, job).await;
        }
    }
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while spool.stats().segments > 3 {
        assert!(std::time::Instant::now() < limit, "{:?}", spool.stats());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    spool.close().await;
    let spool = open(&config(directory.path()), &clock);
    let jobs = spool.claim(start(), 100).await;
    assert_eq!(jobs.len(), expected.len());
    for job in &jobs {
        assert!(read(job).await == expected[&job.id()]);
    }
}

#[tokio::test]
async fn a_file_that_changed_below_its_head_is_never_sent_whole_and_a_cut_one_never_tried() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let spool = open(&config(directory.path()), &clock);
    let (id, whole) = put_with_head(&spool, 1, 5_000, 200_000).await;
    let path = directory.path().join("big").join(id.to_string());
    let mut octets = fs::read(&path).unwrap();
    assert_eq!(octets.len(), 200_000, "the head is in the log");
    octets[100_000] ^= 1;
    fs::write(&path, &octets).unwrap();
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
    assert!(got < whole.len());
    drop(job);
    spool.close().await;
    fs::write(&path, &octets[1..]).unwrap();
    let (_spool, report) = Spool::open(&config(directory.path()), clock).unwrap();
    assert_eq!(report.bodies_missing, [id]);
}

#[tokio::test]
async fn a_draft_reads_back_what_was_written_in_memory_and_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let permit = permit().await;
    let spool = open(&config(directory.path()), &clock);
    for octets in [0, 1, 4_096, 70_000, 500_000] {
        let mut draft = spool.draft_sized(octets as u64).unwrap();
        let whole = text(7, octets);
        let (first, second) = whole.split_at(octets / 2);
        draft.write(first).await.unwrap();
        draft.set_head(b"Subject: head\r\n\r\n".to_vec());
        assert!(read_back(&draft).await == first);
        draft.write(second).await.unwrap();
        assert!(read_back(&draft).await == whole);
        assert!(read_back(&draft).await == whole, "a second time");
        spool.intake(&permit, envelope(&["bob@example.net"]), draft).await.unwrap();
        let job = claim_one(&spool, start()).await;
        assert!(read(&job).await == [b"Subject: head\r\n\r\n", &whole[..]].concat());
        spool.settle(job, vec![(0, Outcome::Done)]).await.unwrap();
    }
}

#[tokio::test]
async fn a_head_counts_towards_the_largest_size_and_must_fit_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let clock = clock();
    let permit = permit().await;
    let config = SpoolConfig { message_max: Size::kib(200), ..config(directory.path()) };
    let spool = open(&config, &clock);
    let take = async |head: usize, octets: usize| {
        let mut draft = spool.draft().unwrap();
        draft.write(&text(1, octets)).await.unwrap();
        draft.set_head(vec![b'h'; head]);
        spool.intake(&permit, envelope(&["bob@example.net"]), draft).await.map(|_| ())
    };
    assert_eq!(take(100 * 1024, 100 * 1024).await, Ok(()));
    assert_eq!(take(100 * 1024 + 1, 100 * 1024).await, Err(IntakeError::TooLarge));
    let mut draft = spool.draft().unwrap();
    draft.set_head(vec![b'h'; 150 * 1024]);
    assert_eq!(draft.write(&text(1, 51 * 1024)).await, Err(IntakeError::TooLarge));
    drop(draft);
    spool.close().await;
    let spool = open(&SpoolConfig { message_max: Size::mib(4), ..config }, &clock);
    let mut draft = spool.draft().unwrap();
    draft.set_head(vec![b'h'; 300 * 1024]);
    let refused = spool.intake(&permit, envelope(&["bob@example.net"]), draft).await;
    assert_eq!(refused, Err(IntakeError::TooLarge), "no segment has room for such a head");
}
