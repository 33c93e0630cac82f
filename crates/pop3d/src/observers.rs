//! Telling those who want to know of a login, before the client knows.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use auth::{Login, LoginObserver};

/// How long a client waits for the observers, all together. They have bounds of their own;
/// this one holds if one of them has a defect.
const TIMEOUT: Duration = Duration::from_millis(50);

/// Tells all `observers` at once. Whatever they do, the login goes on: one that takes too long
/// or panics is left behind with a line in the log.
pub(crate) async fn tell(observers: &[Arc<dyn LoginObserver>], login: &Login) {
    if observers.is_empty() {
        return;
    }
    let mut answers: Vec<_> =
        observers.iter().filter_map(|observer| unwinding(|| observer.on_login(login))).collect();
    let all = poll_fn(|cx| {
        answers.retain_mut(|answer| {
            unwinding(|| answer.as_mut().poll(cx)).is_some_and(|poll| poll.is_pending())
        });
        if answers.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    });
    if tokio::time::timeout(TIMEOUT, all).await.is_err() {
        tracing::warn!(
            target: "lastpost::pop3",
            user = %login.account.key(),
            rip = %login.client,
            "login observers too slow"
        );
    }
}

fn unwinding<T>(work: impl FnOnce() -> T) -> Option<T> {
    let outcome = catch_unwind(AssertUnwindSafe(work)).ok();
    if outcome.is_none() {
        tracing::error!(target: "lastpost::pop3", "a login observer panicked: this is a defect");
    }
    outcome
}
