//! The durable queue: a group-committed segment log with recovery and a schedule of attempts.
