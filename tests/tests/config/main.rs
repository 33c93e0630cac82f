//! `config/lastpost.toml` says what the code does, and `lastpost check` says what is wrong.

#![allow(clippy::unwrap_used, reason = "a test")]

mod broken;
mod documented;
mod site;
mod table;
