//! The whole house and where its accounts come from: every source, mechanism and defence through
//! both daemons at once, as customers, admins and attackers meet them.

#![allow(clippy::unwrap_used, reason = "a test")]

mod chain;
mod grants; // retire
mod hook;
mod hosts;
mod kit;
mod mechanisms;
mod old_phone;
mod reload;
mod scram;
mod sharing;
mod special;
mod sqlite;
mod tls;
mod tokens;
mod upgrade;
