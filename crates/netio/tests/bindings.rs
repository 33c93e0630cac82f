//! What an authentication can be bound to, compared with what the client knows of the session;
//! and clients' certificates.
#![allow(clippy::unwrap_used, reason = "a test's helpers may fail by panic")]

mod kit;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use kit::*;
use netio::{
    Connection, NamedCertificate, NetError, Tls, TlsBindings, TlsConfig, TlsError, TlsMode,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SignatureAlgorithm, date_time_ymd,
};
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, HandshakeKind, SupportedProtocolVersion, version};
use sha2::{Digest as _, Sha256, Sha384};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A client's certificate and key.
struct Identity {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Identity {
    fn by(authority: Option<&Authority>, purpose: ExtendedKeyUsagePurpose, expired: bool) -> Self {
        let mut params = CertificateParams::new(vec!["aiko.example.jp".to_owned()]).unwrap();
        params.extended_key_usages = vec![purpose];
        if expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let made = match authority {
            Some(authority) => params.signed_by(&key, authority).unwrap(),
            None => params.self_signed(&key).unwrap(),
        };
        Self { certificate: made.der().clone(), key: key.serialize_der() }
    }

    fn good(authority: &Authority) -> Self {
        Self::by(Some(authority), ExtendedKeyUsagePurpose::ClientAuth, false)
    }

    /// A client that shows it if it is asked.
    fn client(
        &self,
        server: &CertificateDer<'static>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(server.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::try_from(self.key.clone()).unwrap();
        ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![self.certificate.clone()], key)
            .unwrap()
    }
}

/// A self-signed certificate for the host, by this algorithm.
fn make_signed(directory: &Path, file: &str, algorithm: &'static SignatureAlgorithm) -> Pair {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let made = CertificateParams::new(vec![HOST.to_owned()]).unwrap().self_signed(&key).unwrap();
    let (certificate, path) =
        (directory.join(format!("{file}.crt")), directory.join(format!("{file}.key")));
    std::fs::write(&certificate, made.pem()).unwrap();
    std::fs::write(&path, key.serialize_pem()).unwrap();
    Pair { certificate, key: path, der: made.der().clone() }
}

/// A house that asks for certificates of one authority.
struct House {
    directory: TempDir,
    pair: Pair,
    tls: Tls,
}

impl House {
    fn new(authority: &Authority) -> Self {
        let (directory, pair, _) = loaded(&[HOST]);
        std::fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
        let tls = Tls::load(&asking(&pair, directory.path())).unwrap();
        Self { directory, pair, tls }
    }

    fn ca(&self) -> std::path::PathBuf {
        self.directory.path().join("ca.pem")
    }
}

fn asking(pair: &Pair, directory: &Path) -> TlsConfig {
    TlsConfig { client_ca: Some(directory.join("ca.pem")), ..pair.config() }
}

/// A daemon that passes on what each session can be bound to, and greets.
fn binding(tls: &Tls) -> (Daemon, UnboundedReceiver<TlsBindings>) {
    let (sender, receiver) = unbounded_channel();
    let daemon = Setup::tls(TlsMode::Implicit, tls).start(move |connection: Connection| {
        let bindings = connection.tls_bindings();
        assert_eq!(connection.has_client_certificate(), bindings.certificate.is_some());
        let bound = bindings.exporter.is_some() || bindings.end_point.is_some();
        assert_eq!(connection.has_bindings(), bound);
        sender.send(bindings).unwrap();
        echo(connection)
    });
    (daemon, receiver)
}

/// What the client knows: its exporter, and how the session began.
async fn visit(daemon: &Daemon, config: impl Into<Arc<ClientConfig>>) -> ([u8; 32], HandshakeKind) {
    let mut client = handshake(connect(daemon.address).await, config, HOST).await.unwrap();
    // Tickets come behind the handshake.
    line(&mut client).await;
    let connection = client.get_ref().1;
    let label = b"EXPORTER-Channel-Binding";
    let exported = connection.export_keying_material([0; 32], label, Some(b"")).unwrap();
    (exported, connection.handshake_kind().unwrap())
}

#[tokio::test]
async fn both_sides_know_the_same_bindings() {
    let (_directory, pair, tls) = loaded(&[HOST]);
    let (daemon, mut seen) = binding(&tls);
    let mut exporters = Vec::new();
    for version in VERSIONS {
        let config = Arc::new(client_with(&[&pair.der], &[], &[version]));
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let (exported, was) = visit(&daemon, Arc::clone(&config)).await;
            let bindings = within(seen.recv()).await.unwrap();
            assert_eq!(was, kind, "{version:?}");
            assert_eq!(bindings.exporter, Some(exported), "{version:?} {kind:?}");
            let shown = Sha256::digest(&pair.der);
            assert_eq!(bindings.end_point.as_deref(), Some(&*shown), "{version:?} {kind:?}");
            assert!(bindings.certificate.is_none());
            exporters.push(exported);
        }
    }
    exporters.sort_unstable();
    exporters.dedup();
    assert_eq!(exporters.len(), 4, "each session has its own");
}

#[tokio::test]
async fn the_end_point_is_of_the_certificate_that_was_shown() {
    let directory = tempfile::tempdir().unwrap();
    let default = make_signed(directory.path(), "ed", &PKCS_ED25519);
    let named = make_signed(directory.path(), "p384", &PKCS_ECDSA_P384_SHA384);
    let config = TlsConfig {
        named: vec![NamedCertificate {
            names: vec![HOST.to_owned()],
            certificate: named.certificate.clone(),
            key: named.key.clone(),
        }],
        ..default.config()
    };
    let tls = Tls::load(&config).unwrap();
    let (daemon, mut seen) = binding(&tls);
    visit(&daemon, client(&[&named.der], &[])).await;
    let bindings = within(seen.recv()).await.unwrap();
    assert_eq!(bindings.end_point.as_deref(), Some(&*Sha384::digest(&named.der)));
    // The other, to a client that names no host: it has no hash to be known by.
    tls.reload_with(&default.config()).unwrap();
    visit(&daemon, client(&[&default.der], &[])).await;
    let bindings = within(seen.recv()).await.unwrap();
    assert!(bindings.end_point.is_none() && bindings.exporter.is_some());
}

#[tokio::test]
async fn in_clear_there_is_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _client = connect(listener.local_addr().unwrap()).await;
    let server = Connection::new(listener.accept().await.unwrap().0).unwrap();
    let bindings = server.tls_bindings();
    assert!(bindings.exporter.is_none() && bindings.end_point.is_none());
    assert!(bindings.certificate.is_none());
    assert!(!server.has_bindings() && !server.has_client_certificate());
}

/// A session outlives the certificate that it began with only as itself: nobody resumes it.
#[tokio::test]
async fn sessions_are_resumed_under_their_certificate_alone() {
    let (directory, old, tls) = loaded(&[HOST]);
    let shared = tls.with_alpn(&[b"pop3"]).unwrap();
    let (daemon, mut seen) = binding(&shared);
    for version in VERSIONS {
        tls.reload_with(&old.config()).unwrap();
        let new = make_pair(directory.path(), "new", &[HOST]);
        let config = Arc::new(client_with(&[&old.der, &new.der], &[], &[version]));
        let kind = async || visit(&daemon, Arc::clone(&config)).await.1;
        assert_eq!(kind().await, HandshakeKind::Full);
        tls.reload().unwrap();
        assert_eq!(kind().await, HandshakeKind::Resumed, "the same files, read again");
        tls.reload_with(&new.config()).unwrap();
        assert_ne!(kind().await, HandshakeKind::Resumed, "{version:?}");
        assert_eq!(kind().await, HandshakeKind::Resumed);
        let mut shown = Vec::new();
        for _ in 0..4 {
            shown.push(within(seen.recv()).await.unwrap().end_point.unwrap());
        }
        let (old, new) = (Sha256::digest(&old.der), Sha256::digest(&new.der));
        assert_eq!(shown, [&*old, &*old, &*new, &*new].map(Box::from));
    }
}

#[tokio::test]
async fn a_certificate_is_asked_for_and_not_required() {
    let authority = authority("clients");
    let house = House::new(&authority);
    let aiko = Identity::good(&authority);
    let (daemon, mut seen) = binding(&house.tls);
    let silent = loaded(&[HOST]);
    let (unasking, mut unasked) = binding(&silent.2);
    for version in VERSIONS {
        let without = client_with(&[&house.pair.der], &[], &[version]);
        let with = Arc::new(aiko.client(&house.pair.der, &[version]));
        visit(&daemon, without).await;
        assert!(within(seen.recv()).await.unwrap().certificate.is_none());
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let (exported, was) = visit(&daemon, Arc::clone(&with)).await;
            let bindings = within(seen.recv()).await.unwrap();
            assert_eq!(was, kind, "{version:?}");
            assert_eq!(bindings.certificate.as_deref(), Some(aiko.certificate.as_ref()));
            assert_eq!(bindings.exporter, Some(exported));
        }
        // Where nobody asks, nobody is told.
        visit(&unasking, aiko.client(&silent.1.der, &[version])).await;
        assert!(within(unasked.recv()).await.unwrap().certificate.is_none());
    }
}

/// What the server says of a handshake with this client.
async fn outcome(tls: &Tls, config: ClientConfig) -> Result<(), NetError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = connect(listener.local_addr().unwrap()).await;
    let client = tokio::spawn(async move {
        if let Ok(mut client) = handshake(stream, config, HOST).await {
            rest(&mut client).await;
        }
    });
    let mut server = Connection::new(listener.accept().await.unwrap().0).unwrap();
    let outcome = server.start_tls(tls, &mut Vec::new(), LONG).await;
    server.close().await;
    within(client).await.unwrap();
    outcome
}

#[tokio::test]
async fn a_certificate_that_does_not_verify_ends_the_handshake() {
    use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    let (ours, theirs) = (authority("clients"), authority("somebody"));
    let house = House::new(&ours);
    for version in VERSIONS {
        let client = |identity: Identity| identity.client(&house.pair.der, &[version]);
        for (name, refused, says) in [
            ("another authority's", Identity::good(&theirs), "UnknownIssuer"),
            ("its own", Identity::by(None, ClientAuth, false), ""),
            ("expired", Identity::by(Some(&ours), ClientAuth, true), "expired"),
            ("for servers", Identity::by(Some(&ours), ServerAuth, false), ""),
        ] {
            let error = outcome(&house.tls, client(refused)).await.unwrap_err();
            assert!(matches!(error, NetError::ClientCertificate(_)), "{name}: {error}");
            let shown = error.to_string();
            assert!(shown.contains("the client's certificate does not verify"), "{shown}");
            assert!(shown.contains(says), "{name}: {shown}");
        }
        outcome(&house.tls, client(Identity::good(&ours))).await.unwrap();
        // Other failures are called what they were.
        let stranger = authority("nobody the client knows");
        let distrusting = Identity::good(&ours).client(stranger.der(), &[version]);
        let error = outcome(&house.tls, distrusting).await.unwrap_err();
        assert!(matches!(error, NetError::Handshake(_)), "{error}");
    }
}

#[tokio::test]
async fn authorities_are_read_again_with_the_certificates() {
    let (first, second) = (authority("first"), authority("second"));
    let house = House::new(&first);
    let (daemon, mut seen) = binding(&house.tls);
    let shows = async |seen: &mut UnboundedReceiver<TlsBindings>| {
        within(seen.recv()).await.unwrap().certificate.is_some()
    };
    let old = Arc::new(Identity::good(&first).client(&house.pair.der, &VERSIONS));
    assert_eq!(visit(&daemon, Arc::clone(&old)).await.1, HandshakeKind::Full);
    assert!(shows(&mut seen).await);

    // Rubbish changes nothing.
    for rubbish in ["", "rubbish", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    {
        std::fs::write(house.ca(), rubbish).unwrap();
        let error = house.tls.reload().unwrap_err();
        assert!(matches!(error, TlsError::NoCertificate { .. }), "{rubbish}: {error}");
        assert!(error.to_string().contains("ca.pem"), "{error}");
    }
    std::fs::remove_file(house.ca()).unwrap();
    assert!(matches!(house.tls.reload().unwrap_err(), TlsError::Read { .. }));
    visit(&daemon, Arc::clone(&old)).await;
    assert!(shows(&mut seen).await);

    // The first authority is dismissed: who comes back with a ticket is no longer vouched for.
    std::fs::write(house.ca(), second.pem()).unwrap();
    house.tls.reload().unwrap();
    assert_eq!(visit(&daemon, Arc::clone(&old)).await.1, HandshakeKind::Resumed);
    assert!(!shows(&mut seen).await);
    let mut fresh = ClientConfig::clone(&old);
    fresh.resumption = Resumption::disabled();
    let error = outcome(&house.tls, fresh).await.unwrap_err();
    assert!(matches!(error, NetError::ClientCertificate(_)), "{error}");
    visit(&daemon, Identity::good(&second).client(&house.pair.der, &VERSIONS)).await;
    assert!(shows(&mut seen).await);

    // Both, and then nobody is asked.
    std::fs::write(house.ca(), first.pem() + &second.pem()).unwrap();
    house.tls.reload().unwrap();
    for authority in [&first, &second] {
        visit(&daemon, Identity::good(authority).client(&house.pair.der, &VERSIONS)).await;
        assert!(shows(&mut seen).await);
    }
    house.tls.reload_with(&house.pair.config()).unwrap();
    visit(&daemon, Identity::good(&first).client(&house.pair.der, &VERSIONS)).await;
    assert!(!shows(&mut seen).await);
}

/// A client of TLS 1.2 that does not bind its master secret to the session: its exporter would
/// be no binding (RFC 9266 section 4.2), the certificate still is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_extended_master_secret_there_is_no_exporter() {
    if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
        assert!(std::env::var_os("LASTPOST_REQUIRE_CLIENTS").is_none(), "openssl is missing");
        println!("skipped: openssl is not installed");
        return;
    }
    let (directory, pair, tls) = loaded(&[HOST]);
    let (daemon, mut seen) = binding(&tls);
    let options = directory.path().join("openssl.cnf");
    for (setting, has_exporter) in
        [("ExtendedMasterSecret", true), ("-ExtendedMasterSecret", false)]
    {
        let text = format!(
            "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nOptions = {setting}\n"
        );
        std::fs::write(&options, text).unwrap();
        let mut client = Command::new("openssl")
            .args(["s_client", "-tls1_2", "-quiet", "-connect", &daemon.address.to_string()])
            .args(["-servername", HOST])
            .env("OPENSSL_CONF", &options)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let bindings = within(seen.recv()).await.unwrap();
        client.kill().unwrap();
        client.wait().unwrap();
        assert_eq!(bindings.exporter.is_some(), has_exporter, "{setting}");
        assert_eq!(bindings.end_point.as_deref(), Some(&*Sha256::digest(&pair.der)));
    }
}
