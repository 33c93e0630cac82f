//! Whether an OAuth bearer token is good, and whose it is.
//!
//! A [`Verifier`] knows one issuer. It checks signed tokens (JWT, RFC 7519, by the advice of
//! RFC 8725) with the issuer's keys, from a file or a URL; or it asks the issuer about each
//! token (RFC 7662). What a token says is never believed before its signature is.

mod algorithm;
mod claims;
mod config;
mod introspection;
mod json;
mod jwks;
mod jws;
mod key;
mod keys;
mod remote;
mod rules;
mod verifier;

pub use config::{IntrospectionConfig, KeysConfig, OAuthConfig};
pub use verifier::{OAuthError, Verifier};
