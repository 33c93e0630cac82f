//! The kit of the integration tests: a whole house on ports of the system's choice, with a
//! clock that the test moves, a next hop that remembers, and clients on any loopback address.

mod bridge; // retire
mod house;
mod installation;
mod process;
mod talk;

pub use house::{Customer, House, Plan};
pub use process::{Process, Site};
pub use talk::Talk;

use std::time::{Duration, Instant};

/// Waits until `done` says so; fails the test if it does not within `patience`.
///
/// # Panics
/// If the time is up.
pub fn eventually(patience: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + patience;
    while !done() {
        assert!(Instant::now() < end, "waited {patience:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
