//! Why a session or a whole measurement failed.

use std::io;
use std::path::PathBuf;

/// Why a measurement could not be made, or a session failed.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A system call failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The server closed the connection in the middle of something.
    #[error("the server closed the connection")]
    Closed,
    /// The server refused a command.
    #[error("{command}: {reply}")]
    Refused {
        /// The command, without arguments.
        command: &'static str,
        /// The reply's first line.
        reply: String,
    },
    /// The server said something that no server may say.
    #[error("{0}")]
    Wrong(String),
    /// A session took longer than it may.
    #[error("a session took more than {0} s")]
    Slow(u64),
    /// The command line does not say enough.
    #[error("{0}")]
    Usage(String),
    /// Another's server, or ours beside it, could not be started or does not do its work.
    #[error("{name}: {why}")]
    Peer {
        /// Whose.
        name: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A file could not be used.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl BenchError {
    /// For `map_err` on system calls.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }

    /// For `map_err` on what is done for a peer.
    pub(crate) fn peer(name: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self::Peer { name, why: error.to_string() }
    }
}
