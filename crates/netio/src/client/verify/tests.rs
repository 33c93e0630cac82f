//! Certificates, chains and what the DNS says of them: right, wrong and malformed.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    PublicKeyData as _, date_time_ymd,
};
use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256, Sha512};
use tokio::net::{TcpListener, TcpStream};

use super::super::{Dane, PeerName, TlsClient, Tlsa, Trust};
use crate::{Tls, TlsConfig};

const HOST: &str = "mx1.example.net";

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str, above: Option<&Authority>) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    match above {
        Some(above) => CertifiedIssuer::signed_by(params, key, above).unwrap(),
        None => CertifiedIssuer::self_signed(params, key).unwrap(),
    }
}

/// A server, with what it shows.
struct Server {
    directory: tempfile::TempDir,
    tls: Tls,
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

/// How a server's certificate is made.
struct Making<'a> {
    name: &'a str,
    expired: bool,
    /// Who vouches for it; itself if nobody.
    by: Option<&'a Authority>,
    /// What it sends behind its own certificate.
    sent: &'a [&'a Authority],
}

impl Default for Making<'_> {
    fn default() -> Self {
        Self { name: HOST, expired: false, by: None, sent: &[] }
    }
}

impl Server {
    fn make(making: &Making<'_>) -> Self {
        let mut params = CertificateParams::new(vec![making.name.to_owned()]).unwrap();
        if making.expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let made = match making.by {
            Some(by) => params.signed_by(&key, by).unwrap(),
            None => params.self_signed(&key).unwrap(),
        };
        let chain: String = making.sent.iter().map(|authority| authority.pem()).collect();
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("c.pem"), made.pem() + &chain).unwrap();
        std::fs::write(path("k.pem"), key.serialize_pem()).unwrap();
        let config = TlsConfig {
            certificate: path("c.pem"),
            key: path("k.pem"),
            client_ca: None,
            named: vec![],
        };
        let tls = Tls::load(&config).unwrap();
        let certificate = made.der().clone();
        Self { tls, certificate, key: key.subject_public_key_info(), directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What comes of a handshake.
    async fn shake(&self, client: &TlsClient) -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (there, _) = listener.accept().await.unwrap();
        let accepted = self.tls.accept(there, Duration::from_secs(30));
        let name = PeerName::parse(HOST).unwrap();
        let (_, connected) = tokio::join!(accepted, client.connect(&name, here));
        connected.map(|_| ())
    }

    async fn by_dane(&self, records: &[Tlsa], names: &[&str]) -> Result<(), String> {
        let names = names.iter().map(|name| PeerName::parse(name).unwrap()).collect();
        let trust = Trust::Dane(Dane { records: records.to_vec(), names });
        let client = TlsClient::new(&trust, &[]).unwrap();
        self.shake(&client).await.map_err(|error| error.to_string())
    }
}

fn tlsa(usage: u8, selector: u8, matching: u8, data: impl Into<Vec<u8>>) -> Tlsa {
    Tlsa { usage, selector, matching, data: data.into().into() }
}

fn sha256(octets: &[u8]) -> Vec<u8> {
    Sha256::digest(octets).to_vec()
}

fn sha512(octets: &[u8]) -> Vec<u8> {
    Sha512::digest(octets).to_vec()
}

#[tokio::test]
async fn the_servers_own_certificate_by_every_selector_and_digest() {
    let server = Server::make(&Making::default());
    let (whole, key) = (server.certificate.as_ref(), server.key.as_slice());
    for (selector, selected) in [(0, whole), (1, key)] {
        for (matching, data) in
            [(0, selected.to_vec()), (1, sha256(selected)), (2, sha512(selected))]
        {
            let good = tlsa(3, selector, matching, data.clone());
            assert_eq!(server.by_dane(&[good], &[HOST]).await, Ok(()), "3 {selector} {matching}");
            let mut other = data;
            *other.last_mut().unwrap() ^= 1;
            let bad = tlsa(3, selector, matching, other);
            let error = server.by_dane(&[bad], &[HOST]).await.unwrap_err();
            assert!(error.contains("no TLSA record matches"), "{error}");
        }
    }
}

#[tokio::test]
async fn for_the_servers_own_certificate_name_and_period_do_not_matter() {
    let server =
        Server::make(&Making { name: "other.example", expired: true, ..Making::default() });
    let record = tlsa(3, 1, 1, sha256(&server.key));
    assert_eq!(server.by_dane(&[record], &[HOST]).await, Ok(()));
}

#[tokio::test]
async fn one_record_of_several_is_enough() {
    let server = Server::make(&Making::default());
    let next = tlsa(3, 1, 1, sha256(b"the next key"));
    let records = [next, tlsa(3, 1, 1, sha256(&server.key))];
    assert_eq!(server.by_dane(&records, &[HOST]).await, Ok(()));
}

#[tokio::test]
async fn the_stronger_digest_of_the_same_thing_decides() {
    let server = Server::make(&Making::default());
    let weak = tlsa(3, 1, 1, sha256(&server.key));
    let strong = |key: &[u8]| tlsa(3, 1, 2, sha512(key));
    assert!(server.by_dane(&[weak.clone(), strong(b"other")], &[HOST]).await.is_err());
    assert_eq!(server.by_dane(&[weak.clone(), strong(&server.key)], &[HOST]).await, Ok(()));
    // Of another thing they say nothing, nor does one that is too short.
    let whole = tlsa(3, 0, 2, sha512(b"other"));
    let broken = tlsa(3, 1, 2, vec![0; 63]);
    assert_eq!(server.by_dane(&[weak, whole, broken], &[HOST]).await, Ok(()));
}

#[tokio::test]
async fn records_that_smtp_cannot_use_let_nobody_in() {
    let server = Server::make(&Making::default());
    for record in [
        tlsa(0, 1, 1, sha256(&server.key)),
        tlsa(1, 1, 1, sha256(&server.key)),
        tlsa(255, 1, 1, sha256(&server.key)),
        tlsa(3, 2, 1, sha256(&server.key)),
        tlsa(3, 1, 3, sha256(&server.key)),
        tlsa(3, 1, 1, Vec::new()),
        tlsa(3, 1, 0, Vec::new()),
    ] {
        assert!(!record.is_usable(), "{record}");
        assert!(server.by_dane(std::slice::from_ref(&record), &[HOST]).await.is_err(), "{record}");
    }
    assert!(server.by_dane(&[], &[HOST]).await.is_err());
}

#[tokio::test]
async fn an_authority_of_the_chain() {
    let root = authority("Root", None);
    let middle = authority("Middle", Some(&root));
    let server =
        Server::make(&Making { by: Some(&middle), sent: &[&middle, &root], ..Making::default() });
    for anchor in [&middle, &root] {
        for record in [
            tlsa(2, 0, 0, anchor.der().to_vec()),
            tlsa(2, 0, 1, sha256(anchor.der())),
            tlsa(2, 1, 1, sha256(&anchor.key().subject_public_key_info())),
            tlsa(2, 1, 2, sha512(&anchor.key().subject_public_key_info())),
        ] {
            let record = [record];
            assert_eq!(server.by_dane(&record, &["a.example", HOST]).await, Ok(()), "{record:?}");
            let error = server.by_dane(&record, &["other.example"]).await.unwrap_err();
            assert!(error.contains("not valid for"), "{error}");
            assert!(server.by_dane(&record, &[]).await.is_err());
        }
    }
    let stranger = authority("Root", None);
    let record = tlsa(2, 0, 1, sha256(stranger.der()));
    assert!(server.by_dane(&[record], &[HOST]).await.is_err());
}

#[tokio::test]
async fn an_authority_that_is_not_sent() {
    let root = authority("Root", None);
    let server = Server::make(&Making { by: Some(&root), ..Making::default() });
    // Its record must hold it whole; a digest of what is not there helps nobody.
    let whole = tlsa(2, 0, 0, root.der().to_vec());
    assert_eq!(server.by_dane(&[whole], &[HOST]).await, Ok(()));
    let digest = tlsa(2, 0, 1, sha256(root.der()));
    assert!(server.by_dane(&[digest], &[HOST]).await.is_err());
    let garbage = tlsa(2, 0, 0, vec![0x30; 100]);
    assert!(server.by_dane(&[garbage], &[HOST]).await.is_err());
}

#[tokio::test]
async fn an_authority_that_is_sent_but_did_not_sign() {
    let root = authority("Root", None);
    // Anybody can send the certificate of somebody else's authority.
    let server = Server::make(&Making { sent: &[&root], ..Making::default() });
    let record = tlsa(2, 0, 1, sha256(root.der()));
    assert!(server.by_dane(&[record], &[HOST]).await.is_err());
}

#[tokio::test]
async fn an_authority_does_not_make_up_for_name_and_period() {
    let root = authority("Root", None);
    let record = [tlsa(2, 0, 1, sha256(root.der()))];
    let sent = [&root];
    let making = || Making { by: Some(&root), sent: &sent, ..Making::default() };
    let expired = Server::make(&Making { expired: true, ..making() });
    let error = expired.by_dane(&record, &[HOST]).await.unwrap_err();
    assert!(error.contains("expired"), "{error}");
    let other = Server::make(&Making { name: "mx2.example.net", ..making() });
    assert!(other.by_dane(&record, &[HOST]).await.is_err());
    let wildcard = Server::make(&Making { name: "*.example.net", ..making() });
    assert_eq!(wildcard.by_dane(&record, &[HOST]).await, Ok(()));
}

#[tokio::test]
async fn pins_are_of_the_key_alone() {
    let server =
        Server::make(&Making { name: "other.example", expired: true, ..Making::default() });
    let pin: [u8; 32] = Sha256::digest(&server.key).into();
    let client = |pins: Vec<[u8; 32]>| TlsClient::new(&Trust::Pinned(pins), &[]).unwrap();
    assert!(server.shake(&client(vec![[7; 32], pin])).await.is_ok());
    let error = server.shake(&client(vec![[7; 32]])).await.unwrap_err().to_string();
    let found: String = pin.iter().map(|octet| format!("{octet:02x}")).collect();
    assert!(error.contains(&found), "{error}");
    assert!(server.shake(&client(Vec::new())).await.is_err());
}

#[tokio::test]
async fn a_certificate_of_ones_own() {
    let server = Server::make(&Making::default());
    let (certificate, key) = (server.path("c.pem"), server.path("k.pem"));
    let made = |certificate: &PathBuf, key: &PathBuf| {
        TlsClient::with_identity(&Trust::Anybody, &[], Some((certificate, key)))
    };
    // A server that does not ask for one is none the wiser.
    assert!(server.shake(&made(&certificate, &key).unwrap()).await.is_ok());
    let error = made(&certificate, &server.path("none.pem")).unwrap_err().to_string();
    assert!(error.contains("none.pem"), "{error}");
    let other = Server::make(&Making::default());
    let error = made(&certificate, &other.path("k.pem")).unwrap_err().to_string();
    assert!(error.contains("not the private key"), "{error}");
}

#[tokio::test]
async fn the_same_trust_for_another_protocol() {
    let server = Server::make(&Making::default());
    let tls = server.tls.with_alpn(&[b"http/1.1"]).unwrap();
    let server = Server { tls, ..server };
    let client = TlsClient::new(&Trust::File(server.path("c.pem")), &[b"smtp"]).unwrap();
    assert!(server.shake(&client).await.is_err());
    assert!(server.shake(&client.with_alpn(&[b"http/1.1"])).await.is_ok());
}
