//! The address of the server.

use std::str::FromStr;

use auth::ConfigError;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

const KEY: &str = "auth.share.url";
const EXPECTED: &str = "\"redis://host:port/db\", \"valkey://host:port/db\" or \
                        \"unix:///path/of/socket\"";

/// Whether the URL can be used; it must not hold the password.
///
/// # Errors
/// What is wrong with it.
pub fn check_url(url: &str) -> Result<(), ConfigError> {
    info(url).map(drop)
}

/// The client, with the password from its file.
pub(crate) fn client(url: &str, password: Option<&str>) -> Result<redis::Client, ConfigError> {
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
        return Err(ConfigError {
            key: KEY,
            problem: "a password or user name stands in it".to_owned(),
            expected: "the password in a file of its own: auth.share.password_file",
        });
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
    ConfigError { key: KEY, problem, expected: EXPECTED }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_without_secrets_are_taken() {
        for url in ["redis://127.0.0.1:6379/0", "valkey://h", "unix:///run/valkey.sock"] {
            check_url(url).unwrap();
        }
        for url in [
            "",
            "127.0.0.1",
            "http://h",
            "rediss://h",
            "redis://:secret@h/0",
            "unix:///s?pass=secret",
            "redis://u:p@h",
        ] {
            let error = check_url(url).unwrap_err().to_string();
            assert!(error.starts_with("auth.share.url: ") && !error.contains("secret"), "{error}");
        }
    }
}
