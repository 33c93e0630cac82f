//! What `/proc` tells of the server: CPU time and memory of its processes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde::Serialize;

/// The kernel's unit in `/proc/PID/stat` on every Linux there is.
const TICKS_PER_SECOND: f64 = 100.0;

/// Memory of a set of processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Memory {
    pub(super) processes: usize,
    /// Octets, pages shared with other processes divided among them.
    pub(super) pss: u64,
}

/// The given processes and all their descendants that live now.
fn family(roots: &[u32]) -> BTreeMap<u32, f64> {
    let mut parents: BTreeMap<u32, (u32, f64)> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some((pid, stat)) = pid.and_then(|pid| Some((pid, stat(pid)?))) {
            parents.insert(pid, stat);
        }
    }
    let mut members: BTreeSet<u32> = roots.iter().copied().collect();
    loop {
        let before = members.len();
        for (pid, (parent, _)) in &parents {
            if members.contains(parent) {
                members.insert(*pid);
            }
        }
        if members.len() == before {
            break;
        }
    }
    members.into_iter().filter_map(|pid| Some((pid, parents.get(&pid)?.1))).collect()
}

/// Parent, and CPU seconds of the process and of its children that have ended.
fn stat(pid: u32) -> Option<(u32, f64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(&text)
}

fn parse_stat(text: &str) -> Option<(u32, f64)> {
    // The name in parentheses may hold anything; fields are counted behind it.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let parent = fields.get(1)?.parse().ok()?;
    let ticks =
        fields.get(11..15)?.iter().map(|field| field.parse::<f64>().ok()).sum::<Option<f64>>()?;
    Some((parent, ticks / TICKS_PER_SECOND))
}

/// CPU seconds used so far by the processes and their descendants.
pub(super) fn cpu_seconds(roots: &[u32]) -> f64 {
    family(roots).values().sum()
}

/// Memory used now by the processes and their descendants.
pub(super) fn memory(roots: &[u32]) -> Memory {
    let family = family(roots);
    let pss = family.keys().map(|pid| pss(*pid).unwrap_or(0)).sum();
    Memory { processes: family.len(), pss }
}

fn pss(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// Lets this process open as many files as the system allows it: each session is a descriptor, and
/// the usual limit is 1024.
pub fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if setrlimit(Resource::Nofile, all).is_err() {
        eprintln!("the limit of open files stays as it is");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let line = "7 (a) b (c) R 3 1 1 0 -1 0 1 2 3 4 100 50 25 25 20 0 1";
        assert_eq!(parse_stat(line), Some((3, 2.0)));
        assert_eq!(parse_stat("7 (x"), None);
        assert_eq!(parse_stat("7 (x) R 1"), None);
    }

    #[test]
    fn this_process_is_seen() {
        let me = std::process::id();
        assert!(memory(&[me]).pss > 0);
        assert!(memory(&[me]).processes >= 1);
        assert!(cpu_seconds(&[me]) >= 0.0);
        assert_eq!(memory(&[u32::MAX]), Memory::default());
    }
}
