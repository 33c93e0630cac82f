//! The spool as its users see it: intake, delivery, restart, administration, crowds, crashes.

mod admin;
mod crowd;
mod delivery;
mod intake;
mod kill;
mod kit;
mod restart;
