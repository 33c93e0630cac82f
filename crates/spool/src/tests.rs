//! Tests that need the inside of the crate: formats, torn tails, damage, failing disks, power
//! cuts, memory.

mod damage;
mod faults;
mod formats;
mod kit;
mod memory;
mod power;
