//! The PROXY protocol, versions 1 and 2, as a trusted proxy sends it before anything else.

use std::io;
use std::net::SocketAddr;

use proxy_header::{ParseConfig, Protocol, ProxyHeader};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// The longest line of version 1, end included (specification, section 2.1).
const V1_OCTETS_MAX: usize = 107;
/// Version 2 allows 65 551 octets; what proxies add to the addresses stays far below this.
const V2_OCTETS_MAX: usize = 4096;
const V1_SIGNATURE: &[u8] = b"PROXY ";
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, command, family and length.
const V2_FIXED_OCTETS: usize = 16;
const V2_LOCAL: u8 = 0x20;

/// Takes the header off `stream` and nothing else. Returns the address of the client, or
/// `None` if the proxy speaks for itself (LOCAL) or does not say for whom (UNKNOWN).
///
/// # Errors
/// `InvalidData` for anything but a header; what the socket says otherwise.
pub(crate) async fn read_header(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let mut header = Vec::new();
    let mut seen = [0; 256];
    loop {
        // Looked at first and taken afterwards, so that octets behind the header stay where
        // they are: they may be a TLS handshake.
        let count = stream.peek(&mut seen).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let before = header.len();
        header.extend_from_slice(seen.get(..count).unwrap_or_default());
        let length = length(&header)?;
        let own = length.unwrap_or(header.len()).min(header.len());
        header.truncate(own);
        let taken = seen.get_mut(..own - before).unwrap_or_default();
        stream.read_exact(taken).await?;
        if length == Some(header.len()) {
            return parse(&header);
        }
    }
}

/// Length of the header that `input` begins with, `None` if that cannot be seen yet.
fn length(input: &[u8]) -> io::Result<Option<usize>> {
    if begins(input, V1_SIGNATURE) {
        let line = input.get(..V1_OCTETS_MAX).unwrap_or(input);
        return match line.iter().position(|&octet| octet == b'\n') {
            Some(lf) => Ok(Some(lf + 1)),
            None if line.len() == V1_OCTETS_MAX => Err(invalid("the line is too long")),
            None => Ok(None),
        };
    }
    if !begins(input, V2_SIGNATURE) {
        return Err(invalid("there is none"));
    }
    match input.get(..V2_FIXED_OCTETS) {
        Some([.., high, low]) => {
            let total = V2_FIXED_OCTETS + usize::from(u16::from_be_bytes([*high, *low]));
            if total > V2_OCTETS_MAX {
                return Err(invalid("it is too long"));
            }
            Ok(Some(total))
        }
        _ => Ok(None),
    }
}

/// Whether `input` begins with `signature`, or is the beginning of it.
fn begins(input: &[u8], signature: &[u8]) -> bool {
    input.iter().zip(signature).all(|(octet, expected)| octet == expected)
}

/// The address in a whole header.
fn parse(header: &[u8]) -> io::Result<Option<SocketAddr>> {
    // LOCAL means that the rest of the block is to be ignored, whatever it is.
    if header.starts_with(V2_SIGNATURE) && header.get(V2_SIGNATURE.len()) == Some(&V2_LOCAL) {
        return Ok(None);
    }
    let config = ParseConfig { include_tlvs: false, ..ParseConfig::default() };
    match ProxyHeader::parse(header, config) {
        Ok((parsed, length)) if length == header.len() => Ok(parsed
            .proxied_address()
            .filter(|address| address.protocol == Protocol::Stream)
            .map(|address| {
                SocketAddr::new(address.source.ip().to_canonical(), address.source.port())
            })),
        _ => Err(invalid("it is malformed")),
    }
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("PROXY header: {reason}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADERS: [&[u8]; 4] = [
        b"PROXY TCP4 192.0.2.1 10.0.0.1 57005 110\r\n",
        b"PROXY UNKNOWN\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\x0a\0\0\x01\xde\xad\0\x6e",
        b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
    ];

    #[test]
    fn a_header_is_measured_from_any_beginning_of_it() {
        for header in HEADERS {
            for cut in 0..header.len() {
                let seen = length(&header[..cut]).unwrap();
                assert!(seen.is_none_or(|length| length == header.len()), "{header:?} at {cut}");
            }
            let followed = [header, b"\r\nQUIT\r\n"].concat();
            assert_eq!(length(&followed).unwrap(), Some(header.len()));
            assert!(parse(header).is_ok());
        }
    }

    proptest! {
        #[test]
        fn nothing_hostile_gets_further_than_an_error(
            which in 0_usize..4,
            at in 0_usize..64,
            octets in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut input = HEADERS[which].to_vec();
            let at = at.min(input.len());
            input.splice(at.., octets);
            if let Ok(Some(length)) = length(&input) {
                prop_assert!(length <= V2_OCTETS_MAX);
                if let Some(header) = input.get(..length) {
                    let _ = parse(header);
                }
            }
        }
    }
}
