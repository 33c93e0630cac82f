//! Truncation at every octet, flipped bits, torn batches, wiped blocks: what reads is kept,
//! what was acknowledged and does not read is reported.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::kit::*;
use crate::layer::Disk;
use crate::record::{HEADER, Header};
use crate::recovery::{Recovered, recover};
use crate::salvage::Salvage;
use crate::scan::scan;
use crate::segment::{FIRST_RECORD, Opened, Segment, encode_header};
use crate::{QueueId, Spool};

/// Octets of the segments here.
const SMALL: usize = 96 * 1024;

/// Where a record lies: its message, if it is one, and its octets.
#[derive(Clone, Debug)]
struct Place {
    id: Option<QueueId>,
    header: Header,
    from: usize,
    until: usize,
}

/// A spool's first segment with some batches in it, and what lies where.
struct Sample {
    _directory: tempfile::TempDir,
    directory: PathBuf,
    path: PathBuf,
    octets: Vec<u8>,
    places: Vec<Place>,
}

impl Sample {
    /// `waves` of messages, each wave sent at once so that it makes one batch, or a few.
    async fn new(waves: &[usize], octets: usize) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().to_path_buf();
        let (spool, _) = open(&directory, &clock(), &(Arc::new(Disk) as _)).unwrap();
        let mut seed = 0;
        for wave in waves {
            let mut all = Vec::new();
            for _ in 0..*wave {
                let spool = spool.clone();
                all.push(tokio::spawn(async move { put(&spool, seed, octets).await.unwrap() }));
                seed += 1;
            }
            for one in all {
                one.await.unwrap();
            }
        }
        spool.close().await;
        let path = directory.join("00000001.seg");
        let mut octets = fs::read(&path).unwrap();
        let segment = open_segment(&path);
        // A smaller segment than the least that may be configured: it is read thousands of
        // times.
        octets.truncate(SMALL);
        let header = encode_header(1, segment.salt, SMALL as u64);
        for copy in [0, 4096] {
            octets[copy..copy + 32].copy_from_slice(&header);
        }
        fs::write(&path, &octets).unwrap();
        let segment = open_segment(&path);
        let mut places = Vec::new();
        scan(&segment, u64::MAX, |found| {
            places.push(Place {
                id: crate::message::decode_summary(found.meta).ok().map(|s| s.id),
                header: found.header,
                from: found.offset as usize,
                until: (found.offset + found.header.span()) as usize,
            });
        });
        Self { _directory: temporary, directory, path, octets, places }
    }

    fn last_batch(&self) -> u32 {
        self.places.last().unwrap().header.batch
    }

    fn in_last_batch(&self) -> impl Iterator<Item = &Place> {
        let last = self.last_batch();
        self.places.iter().filter(move |place| place.header.batch == last)
    }

    /// What recovery makes of these octets.
    fn recover(&self, octets: &[u8]) -> Recovered {
        fs::write(&self.path, octets).unwrap();
        recover(&self.directory, &Salvage::ReadOnly).unwrap()
    }

    fn queued(&self, recovered: &Recovered) -> BTreeSet<QueueId> {
        let all = self.places.iter().filter_map(|place| place.id);
        all.filter(|id| recovered.queue.get(*id).is_some()).collect()
    }

    fn expected(&self, keep: impl Fn(&Place) -> bool) -> BTreeSet<QueueId> {
        self.places.iter().filter(|p| keep(p)).filter_map(|p| p.id).collect()
    }
}

fn open_segment(path: &Path) -> Segment {
    match Segment::open(path, 1, false).unwrap().unwrap() {
        Opened::Segment(segment) => segment,
        Opened::Retired => panic!("it is in use"),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn zeros_from_any_octet_of_the_last_batch_on_keep_the_rest_quietly() {
    let sample = runtime().block_on(Sample::new(&[1, 3, 9], 200));
    let last = sample.last_batch();
    let from = sample.places.iter().filter(|p| p.header.batch == last).map(|p| p.from).min();
    let until = sample.places.last().unwrap().until;
    for cut in from.unwrap()..=until {
        let mut octets = sample.octets.clone();
        octets[cut..].fill(0);
        let recovered = sample.recover(&octets);
        // What ends in zeros anyway is whole without them.
        let whole = |p: &Place| octets[p.from..p.until] == sample.octets[p.from..p.until];
        assert_eq!(sample.queued(&recovered), sample.expected(whole), "zeros from {cut}");
        assert_eq!(recovered.report.damage, vec![], "zeros from {cut}");
    }
}

#[test]
fn a_file_cut_at_any_octet_keeps_what_is_left_of_it_and_is_loud() {
    let sample = runtime().block_on(Sample::new(&[1, 3, 6], 200));
    let until = sample.places.last().unwrap().until;
    let tail = sample.places.iter().rev().nth(4).unwrap().from;
    for cut in (0..tail).step_by(61).chain(tail..until).chain([SMALL - 1]) {
        let recovered = sample.recover(&sample.octets[..cut]);
        let kept = sample.expected(|place| place.until <= cut);
        let queued = sample.queued(&recovered);
        assert!(queued.is_superset(&kept), "cut at {cut}: {queued:?} {kept:?}");
        assert!(!recovered.report.damage.is_empty(), "cut at {cut}");
    }
    assert_eq!(sample.recover(&sample.octets).report.damage, vec![]);
}

#[test]
fn a_flipped_bit_anywhere_costs_one_record_and_is_loud_if_it_was_acknowledged() {
    let sample = runtime().block_on(Sample::new(&[2, 5, 5, 3], 700));
    let last = sample.last_batch();
    let mut random = Random(3);
    for _ in 0..1500 {
        let places = &sample.places;
        let place = &places[(random.next() % places.len() as u64) as usize];
        let content = HEADER + (place.header.meta_len + place.header.body_len) as usize;
        let at = place.from + (random.next() % content as u64) as usize;
        let mut octets = sample.octets.clone();
        octets[at] ^= 1 << (random.next() % 8);
        let recovered = sample.recover(&octets);
        let kept = sample.expected(|other| other.from != place.from);
        assert_eq!(sample.queued(&recovered), kept, "octet {at}");
        let loud = !recovered.report.damage.is_empty();
        assert_eq!(loud, place.header.batch < last, "octet {at}, batch {}", place.header.batch);
        if let [damage] = &recovered.report.damage[..] {
            assert!(damage.from <= at as u64 && at as u64 <= damage.until);
        }
    }
}

#[test]
fn wiped_blocks_are_loud_even_where_only_zeros_are_left() {
    let sample = runtime().block_on(Sample::new(&[1, 1, 1, 1, 1, 1], 100));
    let last = sample.last_batch();
    for place in &sample.places {
        let mut octets = sample.octets.clone();
        let block = place.from / 4096 * 4096;
        octets[block..block + 4096].fill(0);
        let recovered = sample.recover(&octets);
        let kept = sample.expected(|other| other.from / 4096 != place.from / 4096);
        assert_eq!(sample.queued(&recovered), kept);
        assert_eq!(recovered.report.damage.is_empty(), place.header.batch == last);
    }
}

#[test]
fn what_a_torn_batch_wrote_out_of_order_is_kept_quietly() {
    // How a wave falls into batches is the scheduler's choice: take one whose last has several.
    let sample = (0..200)
        .map(|_| runtime().block_on(Sample::new(&[2, 20], 1500)))
        .find(|sample| sample.in_last_batch().count() >= 3)
        .expect("a wave with a batch to tear");
    let places: Vec<_> = sample.in_last_batch().collect();
    let mut random = Random(5);
    for _ in 0..300 {
        let mut octets = sample.octets.clone();
        let (from, until) = (places[0].from, places.last().unwrap().until);
        for sector in (from / 512)..=(until / 512) {
            if random.next().is_multiple_of(3) {
                octets[sector * 512..(sector + 1) * 512].fill(0);
            }
        }
        let recovered = sample.recover(&octets);
        let kept = sample.expected(|place| {
            octets[place.from..place.until] == sample.octets[place.from..place.until]
        });
        assert_eq!(sample.queued(&recovered), kept);
        assert_eq!(recovered.report.damage, vec![]);
    }
}

#[test]
fn a_message_that_contains_another_spools_log_is_only_a_message() {
    // Whoever can read a segment cannot have its records read as ours, for the salt differs.
    let foreign = runtime().block_on(Sample::new(&[3], 500));
    let directory = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let (spool, _) = open(directory.path(), &clock(), &(Arc::new(Disk) as _)).unwrap();
        let report = crate::Report {
            recipients: vec!["a@example.net".parse().unwrap()],
            body: foreign.octets[..60_000].to_vec().into(),
            smtputf8: false,
            eight_bit: true,
            require_tls: false,
            at: start(),
        };
        spool.notify(report).await.unwrap();
        put(&spool, 1, 10).await.unwrap();
        spool.close().await;
    });
    let path = directory.path().join("00000001.seg");
    let mut octets = fs::read(&path).unwrap();
    octets[FIRST_RECORD as usize + 20] ^= 1;
    fs::write(&path, &octets).unwrap();
    let recovered = recover(directory.path(), &Salvage::ReadOnly).unwrap();
    assert_eq!(recovered.report.queued, 1);
    assert_eq!(recovered.report.damage.len(), 1);
}

#[test]
fn damage_is_copied_aside_and_the_good_records_move_out_of_the_segment() {
    let sample = runtime().block_on(Sample::new(&[1, 1, 1, 1], 5_000));
    let bad = &sample.places[1];
    let mut octets = sample.octets.clone();
    octets[bad.from + 50] ^= 0x10;
    fs::write(&sample.path, &octets).unwrap();
    runtime().block_on(async {
        let (spool, report) = reopen(&sample.directory);
        let [damage] = &report.damage[..] else {
            panic!("{report:?}");
        };
        assert_eq!((damage.from, damage.segment.as_path()), (bad.from as u64, &*sample.path));
        let copy = fs::read(damage.copy.as_ref().unwrap()).unwrap();
        assert_eq!(copy, octets[damage.from as usize..damage.until as usize]);
        assert_eq!(report.queued, 3);
        let limit = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while sample.path.exists() {
            assert!(std::time::Instant::now() < limit, "the damaged segment is still in use");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        spool.close().await;
        let (spool, report) = reopen(&sample.directory);
        assert_eq!((report.damage.len(), report.queued), (0, 3));
        for job in spool.claim(start(), 10).await {
            assert_eq!(read(&job).await.unwrap().len(), 5_000);
        }
    });
}

#[test]
fn a_seal_makes_damage_to_the_last_batch_of_a_finished_segment_loud() {
    let sample = runtime().block_on(Sample::new(&[1, 1], 5_000));
    // A second start writes a second segment, whose first record seals the first.
    runtime().block_on(async {
        let (spool, _) = reopen(&sample.directory);
        put(&spool, 77, 10).await.unwrap();
        spool.close().await;
    });
    let last = sample.places.last().unwrap();
    let mut flipped = sample.octets.clone();
    flipped[last.until - 20] ^= 1;
    let mut wiped = sample.octets.clone();
    wiped[last.from..].fill(0);
    for octets in [flipped, wiped] {
        let recovered = sample.recover(&octets);
        assert_eq!(recovered.report.damage.len(), 1);
        assert_eq!(recovered.report.queued, 2);
    }
    assert_eq!(sample.recover(&sample.octets).report.damage, vec![]);
}

#[test]
fn a_segment_without_a_header_is_set_aside_and_one_copy_of_it_is_enough() {
    let sample = runtime().block_on(Sample::new(&[3], 100));
    for copy in [0, 4096] {
        let mut octets = sample.octets.clone();
        octets[copy..copy + 4096].fill(0xee);
        let recovered = sample.recover(&octets);
        assert_eq!((recovered.report.queued, recovered.report.damage.len()), (3, 0));
    }
    let mut octets = sample.octets.clone();
    octets[..8192].fill(0xee);
    fs::write(&sample.path, &octets).unwrap();
    runtime().block_on(async {
        let (spool, report) = reopen(&sample.directory);
        assert_eq!((report.queued, report.damage.len()), (0, 1));
        assert_eq!(fs::read(report.damage[0].copy.as_ref().unwrap()).unwrap(), octets);
        put(&spool, 1, 10).await.unwrap();
    });
}

fn reopen(directory: &Path) -> (Spool, crate::RecoveryReport) {
    open(directory, &clock(), &(Arc::new(Disk) as _)).unwrap()
}
