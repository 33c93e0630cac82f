//! One task over many maildrops: a few threads, and how far they are.

use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use maildrop::OpenError;

/// Maildrops at a time: the disk is the limit, and customers may be using it.
const THREADS_MAX: usize = 4;

/// How often a maildrop in use is tried, and how long in between: ten seconds in all.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(250);

/// Does `task` for each of `items` and returns what came of each, in their order. On a terminal
/// the progress is shown.
pub(super) fn go_over<T: Sync, R: Send>(items: &[T], task: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.clamp(1, THREADS_MAX).min(items.len());
    let bar = progress(items.len());
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { return };
                    let result = task(item);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|&(at, _)| at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// A bar on the standard error; nothing where that is no terminal.
pub(super) fn progress(length: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length as u64), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{bar:40} {pos} of {len} maildrops, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Tries again while another session has the maildrop.
pub(super) fn patiently<R, E>(
    act: impl Fn() -> Result<R, E>,
    in_use: impl Fn(&E) -> bool,
) -> Result<R, E> {
    for _ in 1..TRIES {
        match act() {
            Err(error) if in_use(&error) => std::thread::sleep(PAUSE),
            other => return other,
        }
    }
    act()
}

/// What a report says of a maildrop that could not be opened.
pub(super) fn cannot_open(error: &OpenError) -> String {
    match error {
        OpenError::InUse { .. } => "a session has it; run this again later".to_owned(),
        other => other.to_string(),
    }
}

/// Why files must not be written into the Maildir at `path` by this user.
pub(super) fn wrong_user(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let owner = std::fs::metadata(path).ok()?.uid();
    (rustix::process::geteuid().is_root() && owner != 0).then(|| {
        format!(
            "run this as the daemon's user: what root writes here could not be read by it \
             (the Maildir belongs to uid {owner})"
        )
    })
}
