//! Where mail for a domain goes: by a DNS that says what the test wants, and by servers on the loopback.

#![allow(clippy::unwrap_used, reason = "a test's helpers may fail by panic")]

mod dane;
mod kit;
mod policies;
mod routes;
mod servers;
