//! Whom a client believes.

use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::{Tls, TlsConfig};

struct Server {
    directory: tempfile::TempDir,
    tls: Tls,
}

fn server() -> Server {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["pop.example".to_owned()]).unwrap();
    let (certificate, key) = (directory.path().join("c.pem"), directory.path().join("k.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let config = TlsConfig { certificate, key, client_ca: None, named: Vec::new() };
    let tls = Tls::load(&config).unwrap().with_alpn(&[b"pop3"]).unwrap();
    Server { directory, tls }
}

/// What comes of a handshake.
async fn shake(server: &Server, trust: &Trust, name: &str, protocol: &[u8]) -> io::Result<()> {
    let client = TlsClient::new(trust, &[protocol]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (there, _) = listener.accept().await.unwrap();
    let accepted = server.tls.accept(there, Duration::from_secs(30));
    let name = PeerName::parse(name).unwrap();
    let (_, connected) = tokio::join!(accepted, client.connect(&name, here));
    connected.map(|_| ())
}

#[tokio::test]
async fn only_who_is_vouched_for_is_believed() {
    let server = self::server();
    let known = Trust::File(server.directory.path().join("c.pem"));
    assert!(shake(&server, &known, "pop.example", b"pop3").await.is_ok());
    assert!(shake(&server, &known, "imap.example", b"pop3").await.is_err());
    assert!(shake(&server, &known, "127.0.0.1", b"pop3").await.is_err());
    // Another protocol is another service (ALPACA).
    assert!(shake(&server, &known, "pop.example", b"h2").await.is_err());
    let other = self::server();
    let stranger = Trust::File(other.directory.path().join("c.pem"));
    assert!(shake(&server, &stranger, "pop.example", b"pop3").await.is_err());
    assert!(shake(&server, &Trust::Anybody, "imap.example", b"pop3").await.is_ok());
}

#[test]
fn files_without_authorities_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    let made = |path: &Path| TlsClient::new(&Trust::File(path.to_owned()), &[]).unwrap_err();
    assert!(made(&path).to_string().contains("ca.pem: "));
    for text in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&path, text).unwrap();
        assert!(made(&path).to_string().contains("ca.pem holds no PEM certificate"), "{text}");
    }
    assert_eq!(PeerName::parse("a b"), None);
}
