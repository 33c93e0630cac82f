//! Power cuts: at any moment, with whatever was not flushed lost sector by sector, every
//! promise made up to then holds; and so it does if the power goes again during the recovery.

use std::sync::Arc;

use super::kit::*;
use super::scenario::{self, Account, check};
use crate::layer::Layer;
use crate::layer::faulty::Faulty;

/// Lives through the scenario; gives the disk and what was promised.
async fn live(directory: &std::path::Path, rounds: u64) -> (Arc<Faulty>, Account) {
    let clock = clock();
    let disk = Arc::new(Faulty::new(directory));
    let layer: Arc<dyn Layer> = disk.clone();
    let (spool, _) = open_small(directory, &clock, &layer).unwrap();
    let mut account = Account::default();
    scenario::run(&spool, &clock, &disk, &mut account, 0..rounds).await;
    spool.close().await;
    assert_eq!(account.refused, Vec::<u64>::new());
    let entries = disk.journal();
    assert!(entries > 150, "{entries}");
    assert!(disk.renewed() > 0, "no segment had a second life");
    (disk, account)
}

/// Cuts the power after `entries` of the journal; `odds`: per cent of what was not flushed that
/// survives, sector by sector.
async fn cut(disk: &Faulty, entries: usize, odds: u64, account: &Account, random: &mut Random) {
    let directory = tempfile::tempdir().unwrap();
    disk.after_power_cut(entries, directory.path(), &mut || random.next() % 100 < odds);
    let case = format!("power cut after {entries}, {odds} % kept");
    again(directory.path(), entries, account, &case, random).await;
    let opened = open_small(
        directory.path(),
        &clock(),
        &(Arc::new(Faulty::with_content(directory.path())) as _),
    );
    let (spool, report) = opened.unwrap();
    assert_eq!(report.damage, vec![], "{case}");
    assert_eq!(report.bodies_missing, vec![], "{case}");
    assert!(!report.numbers_lost, "{case}");
    let fresh = put(&spool, 1, 10).await.unwrap();
    let named = account.promises.get(&fresh).is_some_and(|promise| promise.reached[0].1 <= entries);
    assert!(!named, "{case}: an ID repeats");
    spool.delete(fresh).await.unwrap();
    check(&spool, account, entries, &case).await;
}

/// Recovers, and lets the power go again at some moment of that.
async fn again(
    directory: &std::path::Path,
    mark: usize,
    account: &Account,
    case: &str,
    random: &mut Random,
) {
    if !random.next().is_multiple_of(3) {
        return;
    }
    let copy = tempfile::tempdir().unwrap();
    for name in ["", crate::shared::BIG] {
        let to = copy.path().join(name);
        std::fs::create_dir_all(&to).unwrap();
        for file in std::fs::read_dir(directory.join(name)).unwrap() {
            let file = file.unwrap();
            if file.path().is_file() {
                std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
            }
        }
    }
    let disk = Arc::new(Faulty::with_content(copy.path()));
    let layer: Arc<dyn Layer> = disk.clone();
    let (spool, _) = open_small(copy.path(), &clock(), &layer).unwrap();
    drop(spool);
    let at = random.next() as usize % (disk.journal() + 1);
    let odds = [0, 50, 100][(random.next() % 3) as usize];
    let directory = tempfile::tempdir().unwrap();
    disk.after_power_cut(at, directory.path(), &mut || random.next() % 100 < odds);
    let case = format!("{case}; then again after {at} of the recovery, {odds} % kept");
    let opened = open_small(
        directory.path(),
        &clock(),
        &(Arc::new(Faulty::with_content(directory.path())) as _),
    );
    let (spool, report) = opened.unwrap();
    assert_eq!(report.damage, vec![], "{case}");
    assert_eq!(report.bodies_missing, vec![], "{case}");
    check(&spool, account, mark, &case).await;
}

#[test]
fn every_promise_survives_a_power_cut_at_every_other_moment() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let (disk, account) = live(directory.path(), 9).await;
        let mut random = Random(7);
        for entries in (0..=disk.journal()).step_by(2) {
            // Nothing, half or nearly all of what was not flushed survives.
            let odds = [0, 50, 95, 100][entries / 2 % 4];
            cut(&disk, entries, odds, &account, &mut random).await;
        }
    });
}

#[test]
#[ignore = "heavy: some ten thousand power cuts; run in release by .ci/run"]
fn every_promise_survives_power_cuts_of_every_kind_at_every_moment() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let (disk, account) = live(directory.path(), 16).await;
        let mut random = Random(11);
        for entries in 0..=disk.journal() {
            for odds in [0, 100, 5, 30, 50, 70, 95] {
                cut(&disk, entries, odds, &account, &mut random).await;
            }
        }
    });
}
