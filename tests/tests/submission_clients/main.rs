//! Real mail programs that send, and what they ask for beyond a plain message. That their octets
//! arrive is shown in `clients`.

#![allow(clippy::unwrap_used, reason = "a test")]

mod curl;
mod kit;
mod msmtp;
mod openssl;
mod perl;
mod python;
mod swaks;
