//! Questions that wait for the driver. Each token is the only way to its reply.

mod login;
mod message;
mod tls;
mod update;

pub use login::{LoginRefusal, PendingLogin};
pub use message::{MessageRefusal, PendingMessage};
pub use tls::{Handshake, PendingTls};
pub use update::PendingUpdate;
