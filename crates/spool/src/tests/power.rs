//! Power cuts: at any moment, with whatever was not flushed lost sector by sector, every
//! promise made up to then holds.

use std::sync::Arc;

use super::kit::*;
use crate::layer::faulty::Faulty;
use crate::layer::{Disk, Layer};

#[test]
fn every_promise_survives_a_power_cut_at_any_moment() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let clock = clock();
        let faulty = Arc::new(Faulty::new(directory.path()));
        let layer: Arc<dyn Layer> = faulty.clone();
        let (spool, _) = open(directory.path(), &clock, &layer).unwrap();
        let mark = || faulty.journal();
        let account = scenario(&spool, &clock, 14, &mark).await;
        spool.close().await;
        assert_eq!(account.refused, Vec::<u64>::new());
        let entries = faulty.journal();
        assert!(entries > 150, "{entries}");
        assert!(faulty.renewed() > 0, "no segment had a second life");
        let mut random = Random(7);
        for cut in 0..=entries {
            cut_and_check(&faulty, cut, &account, &mut random).await;
        }
    });
}

async fn cut_and_check(faulty: &Faulty, cut: usize, account: &Account, random: &mut Random) {
    // Nothing, half or nearly all of what was not flushed survives.
    let odds = [0, 50, 95][(random.next() % 3) as usize];
    let directory = tempfile::tempdir().unwrap();
    faulty.after_power_cut(cut, directory.path(), &mut || random.next() % 100 < odds);
    let case = format!("power cut after {cut}, {odds} % kept");
    let (spool, report) = open(directory.path(), &clock(), &(Arc::new(Disk) as _)).unwrap();
    assert_eq!(report.damage, vec![], "{case}");
    assert_eq!(report.bodies_missing, vec![], "{case}");
    assert!(!report.numbers_lost, "{case}");
    let fresh = put(&spool, 1, 10).await.unwrap();
    let named = account.promises.get(&fresh).is_some_and(|promise| promise.reached[0].1 <= cut);
    assert!(!named, "{case}: an ID repeats");
    spool.delete(fresh).await.unwrap();
    check(&spool, account, cut, &case).await;
}
