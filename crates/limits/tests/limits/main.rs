//! The limits from outside: attacks, neighbours, crashes, clocks and crowds.

mod attacks;
mod crowd;
mod disk;
mod kit;
mod neighbours;
mod notices;
mod settlement;
mod time;
