//! Submission in a whole house, from the client to the next hop: filters, limits, routes, and the
//! figures of all of it.

#![allow(clippy::unwrap_used, reason = "a test")]

mod domains;
mod filters;
mod hop;
mod kit;
mod limits;
mod metrics;
mod milter;
mod rewriting;
mod routes;
mod submitter;
