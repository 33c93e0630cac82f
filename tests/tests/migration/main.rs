//! Customers who come from other servers: they notice nothing.

#![allow(clippy::unwrap_used, reason = "tests")]

mod compare;
mod courier;
mod dovecot;
mod dovecot_server;
mod guide;
mod in_use;
mod kit;
mod names;
mod repair;
mod trees;
