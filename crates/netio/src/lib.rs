//! Listeners, TLS, PROXY protocol, limits, deadlines and drain: drives any session.
//!
//! A [`Listener`] accepts; what it accepts is counted by a [`Gate`], comes through the PROXY
//! protocol and TLS where the listener says so, and reaches the daemon's handler as a
//! [`Connection`]. Every wait on it has a deadline, and while it waits it holds no buffer.
//! A [`Drain`] tells the sessions that the daemon wants to stop.

mod buffers;
mod client;
mod config;
mod connection;
mod drain;
mod error;
mod gate;
mod idleness;
mod listener;
mod pace;
mod proxy;
mod scratch;
mod session;
mod stream;
mod tls;

pub use buffers::{Buffer, BufferPool};
pub use client::{Dane, PeerName, TlsClient, Tlsa, Trust};
pub use config::{ListenConfig, NamedCertificate, TlsConfig, TlsMode};
pub use connection::Connection;
pub use drain::{Drain, DrainTrigger};
pub use error::{AtLimit, NetError, ServeError, TlsError};
pub use gate::{Counts, Gate, Limits};
pub use idleness::Idleness;
pub use listener::{Listener, ServeOptions};
pub use pace::WRITE_RATE_MIN;
pub use tls::{Tls, TlsBindings, TlsInfo};
