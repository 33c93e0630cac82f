//! Chores of the project: `tidy` (house rules), `retire` (what is marked to go with the bridge,
//! and a rehearsal of it) and `bench` (a load client for POP3 and submission).

pub mod bench;
mod metadata;
pub mod retire;
pub mod tidy;
