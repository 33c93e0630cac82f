//! A small client for HTTP/1.1 and HTTPS with bounded answers and bounded waits.
//!
//! [`Client`] asks the few services that a mail system needs: the issuer of tokens, a policy
//! hook. It follows no redirect, sends no cookie, knows no proxy, decodes no compression, and
//! believes nothing about the length of an answer. Connections are kept for the next request,
//! a bounded number of them.

mod client;
mod connect;
mod error;
mod pool;
mod request;
mod response;
mod url;

pub use client::{Client, Settings};
pub use error::HttpsError;
pub use request::{Request, form};
pub use response::Response;
pub use url::Url;
