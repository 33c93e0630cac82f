//! Accounts in the tables of a database server: PostgreSQL, MySQL and MariaDB, asked by queries
//! of the configuration.

mod config;
mod dialect;
mod driver;
#[cfg(feature = "mysql")]
mod mysql;
mod pool;
#[cfg(feature = "postgresql")]
mod postgresql;
mod query;
mod source;
mod stream;

use std::sync::Arc;

use auth::AccountSource;

use crate::{AccountsSetupError, Common};
use dialect::Dialect;

pub use config::{SqlConfig, SqlQueries, SqlTls};

/// Accounts of a PostgreSQL server. Connects when it is asked for the first time. Blocks: reads
/// certificates and the password.
///
/// # Errors
/// The first setting that cannot be obeyed.
#[cfg(feature = "postgresql")]
pub fn open_postgresql(
    name: &str,
    config: &SqlConfig,
    common: &Common,
) -> Result<Arc<dyn AccountSource>, AccountsSetupError> {
    let plan = config.plan(Dialect::Postgresql)?;
    let driver = postgresql::PostgresqlDriver::new(&plan);
    Ok(Arc::new(source::SqlSource::new(name, driver, plan, common)))
}

/// Accounts of a MySQL or MariaDB server. Connects when it is asked for the first time. Blocks:
/// reads certificates and the password.
///
/// # Errors
/// The first setting that cannot be obeyed.
#[cfg(feature = "mysql")]
pub fn open_mysql(
    name: &str,
    config: &SqlConfig,
    common: &Common,
) -> Result<Arc<dyn AccountSource>, AccountsSetupError> {
    let plan = config.plan(Dialect::Mysql)?;
    let driver = mysql::MysqlDriver::new(&plan);
    Ok(Arc::new(source::SqlSource::new(name, driver, plan, common)))
}
