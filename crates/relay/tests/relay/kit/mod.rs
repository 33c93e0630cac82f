//! What the tests share: a next hop that does as it is told, and a house around the relay.

mod house;
mod next_hop;
mod session;
mod zone;

pub(crate) use house::{House, eventually};
pub(crate) use next_hop::{NextHop, Options, Reaction, Seen};
pub(crate) use zone::Zone;
