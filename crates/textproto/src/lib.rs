//! Bounded CRLF lines, and dot-stuffing both ways.
