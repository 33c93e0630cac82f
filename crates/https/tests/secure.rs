//! HTTPS: whom a client believes, and addresses of both families.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use https::{Client, HttpsError, Settings, Url};
use rustls::ServerConfig;
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

struct Server {
    directory: tempfile::TempDir,
    port: u16,
}

/// A server with a certificate of its own for `localhost`, 127.0.0.1 and ::1.
async fn server(address: &str) -> Option<Server> {
    let directory = tempfile::tempdir().unwrap();
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    std::fs::write(directory.path().join("c.pem"), made.cert.pem()).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let tls = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(address).await.ok()?;
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = tls.accept(stream).await else {
                    return;
                };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(octet) = stream.read_u8().await else { return };
                    head.push(octet);
                }
                // The end of this body is the end of the connection, which TLS must vouch for.
                let answer: &[u8] = match head.starts_with(b"GET /cut") {
                    true => b"HTTP/1.1 200 OK\r\n\r\nhal",
                    false => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                };
                stream.write_all(answer).await.unwrap();
                stream.flush().await.unwrap();
            });
        }
    });
    Some(Server { directory, port })
}

fn client(server: &Server) -> Client {
    let ca_file = Some(server.directory.path().join("c.pem"));
    let generous = Duration::from_secs(60);
    let settings =
        Settings { ca_file, connect_timeout: generous, timeout: generous, ..Settings::default() };
    Client::new(&settings).unwrap()
}

fn url(host: &str, server: &Server, target: &str) -> Url {
    Url::parse(&format!("https://{host}:{}{target}", server.port)).unwrap()
}

#[tokio::test]
async fn names_and_addresses_are_proven() {
    let here = server("127.0.0.1:0").await.unwrap();
    let client = client(&here);
    for host in ["localhost", "127.0.0.1"] {
        let response = client.get(&url(host, &here, "/"), &[]).await.unwrap();
        assert_eq!(response.body(), b"hello", "{host}");
    }
    let unnamed = client.get(&url("127.0.0.2", &here, "/"), &[]).await;
    // Only 127.0.0.1 is listened on; whoever answered there would be refused for the name.
    assert!(unnamed.is_err());
    let cut = client.get(&url("localhost", &here, "/cut"), &[]).await.unwrap_err();
    assert!(matches!(cut, HttpsError::Broken(_)), "{cut}");
}

#[tokio::test]
async fn strangers_are_refused() {
    let (here, other) =
        (server("127.0.0.1:0").await.unwrap(), server("127.0.0.1:0").await.unwrap());
    let error = client(&other).get(&url("localhost", &here, "/"), &[]).await.unwrap_err();
    assert!(matches!(error, HttpsError::Tls { .. }), "{error}");
    // TLS is spoken to a server that does not.
    let clear = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = clear.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = clear.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        }
    });
    let url = Url::parse(&format!("https://127.0.0.1:{port}/")).unwrap();
    let error = client(&here).get(&url, &[]).await.unwrap_err();
    assert!(matches!(error, HttpsError::Tls { .. }), "{error}");
}

#[tokio::test]
async fn addresses_of_the_sixth_version() {
    let Some(here) = server("[::1]:0").await else {
        println!("skipped: this machine has no IPv6");
        return;
    };
    let client = client(&here);
    // The name has addresses of both families, and only one of them answers.
    for host in ["[::1]", "localhost"] {
        match client.get(&url(host, &here, "/"), &[]).await {
            Ok(response) => assert_eq!(response.body(), b"hello", "{host}"),
            Err(HttpsError::Connect { .. }) if host == "localhost" => {
                println!("skipped: localhost has no address of version 6 here");
            }
            Err(error) => panic!("{host}: {error}"),
        }
    }
}

#[test]
fn an_authority_file_that_cannot_be_used_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let ca_file = Some(directory.path().join("ca.pem"));
    let settings = Settings { ca_file, ..Settings::default() };
    assert!(Client::new(&settings).unwrap_err().to_string().contains("ca.pem"));
}
