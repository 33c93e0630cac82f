//! Questions that wait for the driver. Each token is the only way to its reply.

mod exchange;
mod login;
mod message;
mod tls;
mod update;
mod xclient;

pub use exchange::PendingSasl;
pub use login::{LoginFacts, LoginRefusal, PendingLogin};
pub use message::{MessageRefusal, PendingMessage};
pub use tls::{Handshake, PendingTls};
pub use update::PendingUpdate;
pub use xclient::PendingXclient;
