//! What the control side tells, as JSON and as text.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// What a reload has read again.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reloaded {
    /// Files and sections, in order.
    pub parts: Vec<String>,
}

/// A listener.
#[derive(Debug, Serialize, Deserialize)]
pub struct Listening {
    /// Its name, such as `pop3s` or `legacy`.
    pub name: String,
    /// Its address.
    pub address: String,
}

/// What the daemon is doing.
#[derive(Debug, Serialize, Deserialize)]
pub struct Status {
    /// Version of the program.
    pub version: String,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Listeners.
    pub listeners: Vec<Listening>,
    /// Messages in the queue.
    pub queued: u64,
    /// Further counters, by name.
    pub counters: Vec<(String, u64)>,
}

impl Status {
    /// For a person.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "lastpost {}, up {} s", self.version, self.uptime_s);
        for Listening { name, address } in &self.listeners {
            let _ = writeln!(text, "{name:<14} {address}");
        }
        let _ = writeln!(text, "{:<14} {}", "queued", self.queued);
        for (name, value) in &self.counters {
            let _ = writeln!(text, "{name:<30} {value}");
        }
        text
    }
}
