//! Tests that need the inside of the crate: formats, torn tails, damage, failing disks, power
//! cuts, memory.

mod damage;
mod faults;
mod floors;
mod formats;
mod kit;
mod memory;
mod power;
mod scenario;
