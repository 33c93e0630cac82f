//! What daemons and hosts tell each other of failed logins.
//!
//! The daemons of one host speak through Unix datagram sockets in a directory that only their
//! user can enter; hosts through streams on a Valkey or Redis server. Each message is sealed
//! under a key that all of them have, names of accounts are digests under the same key, and no
//! clock has to agree with another. Nobody waits for anything here: what cannot be told is
//! counted and lost, and a daemon whose neighbours are all away goes on alone.

mod courier;
mod frame;
mod key;
mod local;
mod rate;
mod server;
mod statistics;
mod url;

pub use courier::{Courier, Publisher, Settings, open};
pub use key::{KeyError, load_or_create_key};
pub use statistics::ShareStatistics;
pub use url::check_url;

/// Why failures cannot be shared as the configuration says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// The section `[auth.share]` is wrong.
    #[error(transparent)]
    Config(#[from] auth::ConfigError),
    /// The system has no random bytes to give.
    #[error("no random bytes: {0}")]
    Random(std::io::Error),
}
