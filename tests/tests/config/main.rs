//! `config/lastpost.toml` and the admin's guide say what the code does, and `lastpost check` says
//! what is wrong.

#![allow(clippy::unwrap_used, reason = "a test")]

mod accounts;
mod admin;
mod broken;
mod documented;
mod keys;
mod routes;
mod site;
mod table;
mod upgrade;
