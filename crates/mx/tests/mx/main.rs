//! Where mail for a domain goes: by a DNS that says what the test wants, and by servers on the loopback.

mod dane;
mod kit;
mod policies;
mod routes;
mod servers;
