//! The submission session.
