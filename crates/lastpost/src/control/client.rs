//! The command line's side of the control endpoint: one request, one answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

/// An answer is never larger; lists are paged by their commands.
const ANSWER_OCTETS_MAX: u64 = 256 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Why the daemon could not be asked, or what it refused.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nothing listens at the control address.
    #[error("no daemon answers at {address} (key control.listen): is it running?")]
    NotRunning {
        /// The address.
        address: SocketAddr,
    },
    /// The token that proves who asks cannot be read.
    #[error("{file}: the control token cannot be read: {source}; run this as the daemon's user")]
    Token {
        /// The token's file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// The connection broke.
    #[error("the daemon at {address} did not answer: {source}")]
    Broken {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The daemon said no; its own words.
    #[error("{0}")]
    Refused(String),
}

/// Asks a running daemon.
#[derive(Debug)]
pub struct ControlClient {
    address: SocketAddr,
    token: String,
}

impl ControlClient {
    /// A client for the daemon at `address`, whose token lies in `token_file`.
    ///
    /// # Errors
    /// If the token cannot be read.
    pub fn new(address: SocketAddr, token_file: &Path) -> Result<Self, ControlError> {
        let token = std::fs::read_to_string(token_file).map_err(|source| ControlError::Token {
            file: token_file.display().to_string(),
            source,
        })?;
        Ok(Self { address, token: token.trim().to_owned() })
    }

    /// `GET path`.
    ///
    /// # Errors
    /// If the daemon is not there, does not answer in 30 s, or refuses.
    pub fn get(&self, path: &str) -> Result<String, ControlError> {
        self.request("GET", path, "")
    }

    /// `POST path` with a JSON body.
    ///
    /// # Errors
    /// As [`ControlClient::get`].
    pub fn post(&self, path: &str, body: &str) -> Result<String, ControlError> {
        self.request("POST", path, body)
    }

    fn request(&self, method: &str, path: &str, body: &str) -> Result<String, ControlError> {
        let address = self.address;
        let broken = |source| ControlError::Broken { address, source };
        let mut stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)
            .map_err(|_| ControlError::NotRunning { address })?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT)).map_err(broken)?;
        stream.set_write_timeout(Some(ANSWER_TIMEOUT)).map_err(broken)?;
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n",
            token = self.token,
            length = body.len(),
        );
        stream.write_all(head.as_bytes()).map_err(broken)?;
        stream.write_all(body.as_bytes()).map_err(broken)?;
        let mut answer = Vec::new();
        stream.take(ANSWER_OCTETS_MAX).read_to_end(&mut answer).map_err(broken)?;
        read_answer(&answer)
            .ok_or_else(|| broken(std::io::Error::other("the answer is not HTTP")))?
            .map_err(ControlError::Refused)
    }
}

/// The body of an HTTP answer: `Ok` for 2xx, `Err` otherwise; `None` if it is not HTTP.
fn read_answer(answer: &[u8]) -> Option<Result<String, String>> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status: u16 = head.split(' ').nth(1)?.parse().ok()?;
    let body = body.to_owned();
    Some(if (200..300).contains(&status) { Ok(body) } else { Err(body) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart_by_their_status() {
        assert_eq!(read_answer(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\nyes"), Some(Ok("yes".into())));
        assert_eq!(read_answer(b"HTTP/1.0 422 X\r\n\r\nno"), Some(Err("no".into())));
        assert_eq!(read_answer(b"garbage"), None);
    }
}
