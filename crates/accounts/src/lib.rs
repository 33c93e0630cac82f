//! Where the accounts of a provider lie: databases, directories and services behind one trait.
//!
//! [`SourceConfig`] is one source of the configuration; [`SourceConfig::open`] makes of it an
//! [`auth::AccountSource`]. Whatever a back-end finds becomes a [`Row`] first, so that the same
//! words mean the same everywhere.

#[cfg(feature = "app-passwords")]
pub mod app_passwords;
#[cfg(any(feature = "ldap", feature = "http", feature = "postgresql", feature = "mysql"))]
mod breaker;
mod config;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "ldap")]
pub mod ldap;
#[cfg(any(feature = "ldap", feature = "http"))]
mod local;
pub mod record;
mod section;
#[cfg(any(feature = "postgresql", feature = "mysql"))]
pub mod sql;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(test)]
mod testing;

pub use config::{AccountsSetupError, Common, PasswdFileConfig, SourceConfig, SourceKind};
pub use record::{Row, RowProblem, UnknownColumn};
pub use section::AccountsSection;
