//! The address of the server.

use std::str::FromStr;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

use crate::config::ConfigError;

const KEY: &str = "limits.shared";
const EXPECTED: &str = "\"redis://host:port/db\", \"valkey://host:port/db\" or \
                        \"unix:///path/of/socket\"";

/// Whether the URL can be used; it must not hold the password.
pub(crate) fn check_url(url: &str) -> Result<(), ConfigError> {
    info(url).map(drop)
}

/// The client, with the password from its file.
pub(super) fn client(url: &str, password: Option<&str>) -> Result<redis::Client, ConfigError> {
    let mut info = info(url)?;
    if let Some(password) = password {
        let settings = info.redis_settings().clone().set_password(password);
        info = info.set_redis_settings(settings);
    }
    redis::Client::open(info).map_err(|error| wrong(error.to_string()))
}

fn info(url: &str) -> Result<ConnectionInfo, ConfigError> {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest);
    if authority.split('/').next().unwrap_or_default().contains('@') || url.contains("pass=") {
        let problem = "a password or user name stands in it";
        let expected = "the password in a file of its own: limits.shared_password_file";
        return Err(ConfigError::new(KEY, problem, expected));
    }
    let info = ConnectionInfo::from_str(url)
        .and_then(IntoConnectionInfo::into_connection_info)
        .map_err(|_| wrong(format!("{url:?} is no address of a server")))?;
    match info.addr() {
        ConnectionAddr::Tcp(..) | ConnectionAddr::Unix(_) => Ok(info),
        _ => Err(wrong(format!("{url:?}: TLS is not spoken to it"))),
    }
}

fn wrong(problem: String) -> ConfigError {
    ConfigError::new(KEY, problem, EXPECTED)
}
