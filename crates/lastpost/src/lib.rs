//! Configuration, wiring, command line, control side and signals of the daemons.
//!
//! This is the only room that knows all others. [`service::Service`] puts them together in one
//! function that reads like the picture in `docs/architecture.md`.

#[cfg(feature = "pop-before-smtp")] // retire
pub mod bridge; // retire
pub mod cli;
mod compare;
pub mod config;
pub mod control;
pub mod daemon;
pub mod demo;
mod logging;
mod secrecy;
pub mod service;
mod signals;
