//! The client for the next hop.
