//! What a process holds, as `/proc` tells, and what a series of times comes to.

use std::fs;
use std::time::Duration;

use lastpost_tests::eventually;

use crate::kit::{PATIENCE, Shop};

/// Open descriptors of the daemon, and how many of them are sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptors {
    pub(crate) all: usize,
    pub(crate) sockets: usize,
}

/// As they are once nothing opens or closes any more: a session that has just ended may still be
/// on its way out.
pub(crate) fn descriptors(shop: &Shop) -> Descriptors {
    let (mut last, mut same) = (descriptors_now(shop), 0);
    eventually(PATIENCE, "descriptors to settle", || {
        let now = descriptors_now(shop);
        same = if now == last { same + 1 } else { 0 };
        last = now;
        same >= 20
    });
    last
}

fn descriptors_now(shop: &Shop) -> Descriptors {
    let mut found = Descriptors { all: 0, sockets: 0 };
    for entry in fs::read_dir(format!("/proc/{}/fd", shop.daemon().id())).unwrap() {
        // One that has been closed meanwhile has no target.
        let Ok(target) = fs::read_link(entry.unwrap().path()) else { continue };
        found.all += 1;
        found.sockets += usize::from(target.to_string_lossy().starts_with("socket:"));
    }
    found
}

/// Waits until the daemon holds what it held before: no session, no file, no lock.
pub(crate) fn wait_for_descriptors(shop: &Shop, before: Descriptors) {
    let what = format!("all sessions and files to be closed, {before:?} to be left");
    eventually(PATIENCE, &what, || {
        let now = descriptors_now(shop);
        now.sockets <= before.sockets && now.all <= before.all
    });
}

/// Most descriptors that the daemon may open.
pub(crate) fn descriptors_max(shop: &Shop) -> usize {
    let limits = fs::read_to_string(format!("/proc/{}/limits", shop.daemon().id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line.split_whitespace().nth(3).unwrap().parse().unwrap_or(usize::MAX)
}

/// Octets in memory, pages shared with other processes divided among them.
pub(crate) fn memory(shop: &Shop) -> u64 {
    let path = format!("/proc/{}/smaps_rollup", shop.daemon().id());
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}

/// Median and 99th percentile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) median: Duration,
    pub(crate) p99: Duration,
}

impl Times {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
        Self { median: at(50), p99: at(99) }
    }
}

#[test]
fn percentiles_are_of_the_sorted_times() {
    let times = Times::of((1..=100).rev().map(Duration::from_millis).collect());
    assert_eq!(times.median, Duration::from_millis(51));
    assert_eq!(times.p99, Duration::from_millis(100));
    assert_eq!(Times::of(vec![Duration::ZERO]).p99, Duration::ZERO);
}
