//! Which way mail takes: destinations, and the table that names one for each recipient.

mod pattern;
mod table;
mod target;

pub use pattern::Pattern;
pub use table::{Course, Question, Routes, Stop};
pub use target::{LmtpSocket, LmtpTarget, Target};

#[cfg(test)]
mod tests;
