//! Bounded CRLF lines, and dot-stuffing both ways.
//!
//! What POP3 (RFC 1939) and SMTP (RFC 5321) share below their commands:
//! [`LineReader`] cuts commands and replies out of a caller's buffer, [`DotStuffer`] and
//! [`TopStuffer`] write a stored message as a multi-line answer, [`Measure`] counts what that
//! answer holds, [`DotReader`] takes a message out of `DATA`, and [`ChunkReader`] out of `BDAT`.
//!
//! All of them are incremental: input may be cut anywhere, also within a CRLF, and the result
//! is the same. None of them holds message bytes, so their memory does not depend on input.

#![no_std]

extern crate alloc;

mod chunk_reader;
mod dot_reader;
mod dot_stuffer;
mod line;
mod measure;
mod top;

pub use chunk_reader::ChunkReader;
pub use dot_reader::{DataFault, DataStep, DotReader, LoneLf};
pub use dot_stuffer::DotStuffer;
pub use line::{Line, LineEnd, LineReader};
pub use measure::{Measure, measure};
pub use top::TopStuffer;
