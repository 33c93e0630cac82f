//! Gets a policy: one request over HTTPS (RFC 8461 section 3.3), and no more HTTP than that needs.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use netio::{PeerName, TlsClient};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Octets of a policy. RFC 8461 section 3.3 asks for a bound, such as this.
const POLICY_MAX: usize = 64 * 1024;
/// Octets of a response's head.
const HEAD_MAX: usize = 16 * 1024;
/// Fields of a response's head.
const FIELDS_MAX: usize = 100;
const CONNECT_MAX: Duration = Duration::from_secs(15);
/// Addresses that are tried.
const ADDRESSES_MAX: usize = 4;

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Redirections are not followed (RFC 8461 section 3.3).
    #[error("the answer is {0} instead of 200")]
    Status(u16),
    #[error("{0}")]
    Malformed(&'static str),
    #[error("the policy is longer than 64 KiB")]
    TooLong,
}

/// Fetches the policy from the host of that name, at one of these addresses. The caller limits
/// how long that may take.
pub(crate) async fn fetch(
    client: &TlsClient,
    host: &str,
    addresses: &[SocketAddr],
) -> Result<Vec<u8>, FetchError> {
    let name = PeerName::parse(host).ok_or(FetchError::Malformed("no name for a certificate"))?;
    let mut stream = client.connect(&name, connect(addresses).await?).await?;
    let request = format!(
        "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: {host}\r\nUser-Agent: lastpost\r\n\
         Accept: text/plain\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    read_response(&mut stream).await
}

async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut failure = io::Error::other("the policy's host has no address");
    for address in addresses.iter().take(ADDRESSES_MAX) {
        match tokio::time::timeout(CONNECT_MAX, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = error,
            Err(_) => failure = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failure)
}

/// How the end of the body is known.
enum Framing {
    Length(usize),
    Chunked,
    /// The connection's end, which TLS makes certain.
    Close,
}

async fn read_response(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, FetchError> {
    let mut input = Input { stream, octets: Vec::new() };
    let head = input.until(b"\r\n\r\n", HEAD_MAX).await?;
    let framing = read_head(&head)?;
    match framing {
        Framing::Length(length) if length > POLICY_MAX => Err(FetchError::TooLong),
        Framing::Length(length) => input.exactly(length).await,
        Framing::Chunked => read_chunks(&mut input).await,
        Framing::Close => input.all().await,
    }
}

fn read_head(head: &[u8]) -> Result<Framing, FetchError> {
    let text =
        std::str::from_utf8(head).map_err(|_| FetchError::Malformed("the head is not ASCII"))?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1."));
    let status = status.and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status: u16 = status.ok_or(FetchError::Malformed("no HTTP response"))?;
    if status != 200 {
        return Err(FetchError::Status(status));
    }
    let (mut framing, mut is_text) = (Framing::Close, false);
    for line in lines.take_while(|line| !line.is_empty()).take(FIELDS_MAX) {
        let Some((key, value)) = line.split_once(':') else {
            return Err(FetchError::Malformed("a field of the head without a colon"));
        };
        let value = value.trim();
        match key.to_ascii_lowercase().as_str() {
            "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => {
                framing = Framing::Chunked;
            }
            "transfer-encoding" | "content-encoding" if !value.eq_ignore_ascii_case("identity") => {
                return Err(FetchError::Malformed("an encoding that was not asked for"));
            }
            "content-length" if !matches!(framing, Framing::Chunked) => {
                let length = value.parse().map_err(|_| FetchError::Malformed("a wrong length"))?;
                framing = Framing::Length(length);
            }
            "content-type" => {
                let kind = value.split(';').next().unwrap_or_default().trim();
                is_text = kind.eq_ignore_ascii_case("text/plain");
            }
            _ => {}
        }
    }
    match is_text {
        true => Ok(framing),
        // RFC 8461 section 3.2: hosts of web pages that take their users' uploads are no hosts
        // of policies.
        false => Err(FetchError::Malformed("the answer is not text/plain")),
    }
}

async fn read_chunks<R: AsyncRead + Unpin>(
    input: &mut Input<'_, R>,
) -> Result<Vec<u8>, FetchError> {
    const WRONG: FetchError = FetchError::Malformed("a wrong chunk");
    let mut body = Vec::new();
    // Each chunk has an octet at least, so that there cannot be more.
    for _ in 0..=POLICY_MAX {
        let line = input.until(b"\r\n", 1024).await?;
        let digits = line.split(|&octet| octet == b';').next().unwrap_or_default();
        let digits = std::str::from_utf8(digits).map_err(|_| WRONG)?.trim();
        let length = usize::from_str_radix(digits, 16).map_err(|_| WRONG)?;
        if length == 0 {
            return Ok(body);
        }
        if length > POLICY_MAX.saturating_sub(body.len()) {
            return Err(FetchError::TooLong);
        }
        body.extend(input.exactly(length).await?);
        if input.exactly(2).await? != b"\r\n" {
            return Err(WRONG);
        }
    }
    Err(FetchError::TooLong)
}

/// What was read and not yet used.
struct Input<'a, R> {
    stream: &'a mut R,
    octets: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Input<'_, R> {
    /// Reads some more; false at the end.
    async fn more(&mut self) -> Result<bool, FetchError> {
        let mut block = [0; 4096];
        let length = self.stream.read(&mut block).await?;
        self.octets.extend_from_slice(&block[..length]);
        Ok(length > 0)
    }

    /// All before `end`, which is taken away.
    async fn until(&mut self, end: &[u8], limit: usize) -> Result<Vec<u8>, FetchError> {
        let mut searched = 0;
        loop {
            let windows = self.octets[searched..].windows(end.len());
            if let Some(place) = { windows }.position(|window| window == end) {
                let rest = self.octets.split_off(searched + place + end.len());
                let mut taken = std::mem::replace(&mut self.octets, rest);
                taken.truncate(searched + place);
                return Ok(taken);
            }
            searched = (self.octets.len() + 1).saturating_sub(end.len());
            if self.octets.len() > limit {
                return Err(FetchError::Malformed("the head is too long"));
            }
            if !self.more().await? {
                return Err(FetchError::Malformed("the answer breaks off"));
            }
        }
    }

    async fn exactly(&mut self, length: usize) -> Result<Vec<u8>, FetchError> {
        while self.octets.len() < length {
            if !self.more().await? {
                return Err(FetchError::Malformed("the answer breaks off"));
            }
        }
        let rest = self.octets.split_off(length);
        Ok(std::mem::replace(&mut self.octets, rest))
    }

    async fn all(mut self) -> Result<Vec<u8>, FetchError> {
        while self.more().await? {
            if self.octets.len() > POLICY_MAX {
                return Err(FetchError::TooLong);
            }
        }
        Ok(self.octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(response: &[u8]) -> Result<String, String> {
        let mut stream = response;
        let body = read_response(&mut stream).await.map_err(|error| error.to_string())?;
        Ok(String::from_utf8(body).unwrap())
    }

    fn head(fields: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n{fields}\r\n")
    }

    #[tokio::test]
    async fn bodies_of_every_framing() {
        let of = |fields: &str, body: &str| format!("{}{body}", head(fields)).into_bytes();
        assert_eq!(read(&of("Content-Length: 5\r\n", "helloXX")).await.unwrap(), "hello");
        assert_eq!(read(&of("", "hello")).await.unwrap(), "hello");
        let chunks = "3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
        assert_eq!(read(&of("Transfer-Encoding: Chunked\r\n", chunks)).await.unwrap(), "hello");
        assert_eq!(read(&of("Content-Length: 0\r\n", "")).await.unwrap(), "");
    }

    #[tokio::test]
    async fn what_is_no_policy_is_refused() {
        let chunked = |body: &str| head("Transfer-Encoding: chunked\r\n") + body;
        let large = "x".repeat(POLICY_MAX + 1);
        for (response, reason) in [
            (String::new(), "breaks off"),
            ("SSH-2.0-x\r\n\r\n".to_owned(), "no HTTP"),
            ("HTTP/1.1 301 Moved\r\nLocation: https://x/\r\n\r\n".to_owned(), "301"),
            ("HTTP/1.1 404 Not Found\r\n\r\n".to_owned(), "404"),
            ("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nx".to_owned(), "text/plain"),
            ("HTTP/1.1 200 OK\r\n\r\nx".to_owned(), "text/plain"),
            ("HTTP/1.1 200 OK\r\nno colon\r\n\r\nx".to_owned(), "colon"),
            (head("Content-Length: 6\r\n") + "hello", "breaks off"),
            (head("Content-Length: 99999999999\r\n"), "64 KiB"),
            (head("Content-Length: -1\r\n"), "wrong length"),
            (head("Content-Encoding: gzip\r\n") + "x", "encoding"),
            (head("") + &large, "64 KiB"),
            (chunked("fffffff\r\n"), "64 KiB"),
            (chunked("ffffffffffffffffffff\r\n"), "chunk"),
            (chunked("x\r\n"), "chunk"),
            (chunked("1\r\nabc"), "chunk"),
            (chunked("5\r\nhel"), "breaks off"),
            ("X".repeat(HEAD_MAX + 5000), "too long"),
        ] {
            let error = read(response.as_bytes()).await.unwrap_err();
            assert!(error.contains(reason), "{error} lacks {reason}");
        }
        let tiny: String = "1\r\nx\r\n".repeat(POLICY_MAX + 1);
        assert!(read(chunked(&tiny).as_bytes()).await.unwrap_err().contains("64 KiB"));
    }
}
