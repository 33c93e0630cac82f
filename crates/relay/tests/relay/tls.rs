//! TLS and AUTH towards the next hop.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use relay::config::{HopConfig, HopProtocol, Hops, RouteConfig, Timeouts, TlsPolicy};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;

use crate::kit::{House, NextHop, Options, Reaction};

const TEXT: &[u8] = b"Subject: hi\r\n\r\nhi\r\n";
const TO: [&str; 1] = ["x@remote.example"];

/// A server's side of TLS for `name`, and the PEM file of who vouches for it.
pub(crate) fn certificate(name: &str) -> (TlsAcceptor, NamedTempFile) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(made.cert.pem().as_bytes()).unwrap();
    (TlsAcceptor::from(Arc::new(config)), file)
}

fn with_tls(acceptor: TlsAcceptor) -> Options {
    Options { tls: Some(acceptor), ..Options::default() }
}

/// The reply that the only message in the queue waits with.
async fn waits_with(house: &House) -> String {
    let queue = house.queue().await;
    assert_eq!(queue.len(), 1);
    queue[0].recipients[0].last_reply.clone().unwrap().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn required_and_certified() {
    let (acceptor, ca) = certificate("127.0.0.1");
    let hop = NextHop::start(with_tls(acceptor)).await;
    let mut house = House::new(&hop.address);
    house.hop().tls = TlsPolicy::Required;
    house.hop().ca_file = Some(ca.path().to_owned());
    let running = house.run();
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.submit("aiko@example.org", &TO, &b"0123456789abcdef\r\n".repeat(60_000)).await;
    house.emptied().await;
    running.stop().await;
    assert_eq!(hop.count(), 2);
    assert!(hop.messages().iter().all(|m| m.tls));
    assert_eq!(hop.heard("EHLO"), 2 * hop.connections(), "once in clear, once under TLS");
}

#[tokio::test(flavor = "multi_thread")]
async fn required_and_not_certified() {
    let (acceptor, _) = certificate("127.0.0.1");
    let (_, other) = certificate("127.0.0.1");
    let hop = NextHop::start(with_tls(acceptor)).await;
    let mut house = House::new(&hop.address);
    house.hop().tls = TlsPolicy::Required;
    house.hop().ca_file = Some(other.path().to_owned());
    let running = house.run();
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.settled(&running).await;
    let reply = waits_with(&house).await;
    assert!(reply.starts_with("4.7.5 TLS handshake failed"), "{reply}");
    running.stop().await;
    assert_eq!(hop.heard("MAIL"), 0, "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn required_and_certified_for_somebody_else() {
    let (acceptor, ca) = certificate("mail.example.net");
    let hop = NextHop::start(with_tls(acceptor)).await;
    let mut house = House::new(&hop.address);
    house.hop().tls = TlsPolicy::Required;
    house.hop().ca_file = Some(ca.path().to_owned());
    let running = house.run();
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.settled(&running).await;
    assert!(waits_with(&house).await.starts_with("4.7.5 "));
    running.stop().await;
    assert_eq!(hop.heard("MAIL"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn required_and_not_offered() {
    let (_, ca) = certificate("127.0.0.1");
    let hop = NextHop::start(Options::default()).await;
    let mut house = House::new(&hop.address);
    house.hop().tls = TlsPolicy::Required;
    house.hop().ca_file = Some(ca.path().to_owned());
    let running = house.run();
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.settled(&running).await;
    let reply = waits_with(&house).await;
    assert!(reply.starts_with("4.7.4 ") && reply.contains("STARTTLS"), "{reply}");
    running.stop().await;
    assert_eq!(hop.heard("MAIL"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn opportunistic_takes_any_certificate() {
    let (acceptor, _) = certificate("nobody.example");
    let hop = NextHop::start(with_tls(acceptor)).await;
    let mut house = House::new(&hop.address);
    house.hop().tls = TlsPolicy::Opportunistic;
    let running = house.run();
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.emptied().await;
    running.stop().await;
    assert!(hop.messages()[0].tls);
}

#[tokio::test(flavor = "multi_thread")]
async fn opportunistic_goes_on_in_clear() {
    // Not offered, refused, promised and then not done.
    let (acceptor, _) = certificate("127.0.0.1");
    let refusing = Options {
        script: Box::new(|seen| match seen.command {
            "STARTTLS" => Reaction::Say("454 4.7.0 not now"),
            _ => Reaction::Polite,
        }),
        ..with_tls(acceptor.clone())
    };
    let breaking = Options {
        script: Box::new(|seen| match seen.command {
            "STARTTLS" => Reaction::SayAndClose("220 go ahead"),
            _ => Reaction::Polite,
        }),
        ..with_tls(acceptor)
    };
    for (options, connections) in [(Options::default(), 1), (refusing, 1), (breaking, 2)] {
        let hop = NextHop::start(options).await;
        let mut house = House::new(&hop.address);
        house.hop().tls = TlsPolicy::Opportunistic;
        let running = house.run();
        house.submit("aiko@example.org", &TO, TEXT).await;
        house.emptied().await;
        running.stop().await;
        assert_eq!((hop.count(), hop.connections()), (1, connections));
        assert!(!hop.messages()[0].tls);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_behind_the_starttls_reply_is_an_attack() {
    let (acceptor, _) = certificate("127.0.0.1");
    let options = Options {
        script: Box::new(|seen| match seen.command {
            "STARTTLS" => Reaction::Say("220 go ahead\n250-injected\n250 AUTH PLAIN"),
            _ => Reaction::Polite,
        }),
        ..with_tls(acceptor)
    };
    let hop = NextHop::start(options).await;
    let mut house = House::new(&hop.address);
    house.hop().tls = TlsPolicy::Opportunistic;
    house.timeouts = Timeouts { handshake: Duration::from_secs(1), ..Timeouts::default() };
    let running = house.run();
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.settled(&running).await;
    let reply = waits_with(&house).await;
    assert!(reply.contains("in clear behind its STARTTLS reply"), "{reply}");
    running.stop().await;
    assert_eq!(hop.heard("MAIL"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn implicit_tls_and_a_login() {
    let (acceptor, ca) = certificate("127.0.0.1");
    let options =
        Options { implicit: true, login: Some(("relay", "pass wort")), ..with_tls(acceptor) };
    let hop = NextHop::start(options).await;
    let mut password = NamedTempFile::new().unwrap();
    password.write_all(b"pass wort\n").unwrap();
    let mut house = House::new(&hop.address);
    house.hop().tls = TlsPolicy::Implicit;
    house.hop().ca_file = Some(ca.path().to_owned());
    house.hop().username = Some("relay".to_owned());
    house.hop().password_file = Some(password.path().to_owned());
    let running = house.run();
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.emptied().await;
    running.stop().await;
    assert!(hop.messages()[0].tls);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_keeps_the_mail() {
    let (acceptor, _) = certificate("127.0.0.1");
    let hop =
        NextHop::start(Options { login: Some(("relay", "right")), ..with_tls(acceptor) }).await;
    let mut password = NamedTempFile::new().unwrap();
    password.write_all(b"wrong").unwrap();
    let mut house = House::new(&hop.address);
    house.hop().tls = TlsPolicy::Opportunistic;
    house.hop().username = Some("relay".to_owned());
    house.hop().password_file = Some(password.path().to_owned());
    let running = house.run();
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.settled(&running).await;
    let reply = waits_with(&house).await;
    assert!(reply.starts_with("4.7.8 ") && reply.contains("535 5.7.8 wrong"), "{reply}");
    assert_eq!(running.stats.connections_failed.get(), 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_never_sent_in_clear_unasked() {
    let hop = NextHop::start(Options { login: Some(("relay", "pw")), ..Options::default() }).await;
    let mut password = NamedTempFile::new().unwrap();
    password.write_all(b"pw").unwrap();
    let mut house = House::new(&hop.address);
    house.hop().tls = TlsPolicy::Opportunistic;
    house.hop().username = Some("relay".to_owned());
    house.hop().password_file = Some(password.path().to_owned());
    let running = house.run();
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.settled(&running).await;
    assert!(waits_with(&house).await.contains("no TLS to protect the password"));
    running.stop().await;
    assert_eq!(hop.heard("AUTH"), 0);

    house.hop().cleartext_login = true;
    let running = house.run();
    house.clock.advance(Duration::from_secs(70));
    house.emptied().await;
    running.stop().await;
    assert_eq!((hop.heard("AUTH"), hop.count()), (1, 1));
}

#[test]
fn certificates_that_cannot_be_used_are_named() {
    let mut house = House::new("127.0.0.1:25");
    house.hop().tls = TlsPolicy::Required;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let empty = NamedTempFile::new().unwrap();
    for path in [empty.path(), std::path::Path::new("/nonexistent/ca.pem")] {
        house.hop().ca_file = Some(path.to_owned());
        let settings = house.settings();
        let local = relay::LocalAccounts::new(
            auth::Directory::from_accounts(Vec::new(), None).unwrap(),
            &[],
        );
        let clock: Arc<dyn auth::Clock> = Arc::clone(&house.clock) as _;
        let relay = relay::Relay::new(&settings, house.spool.clone(), Arc::new(local), clock);
        let message = relay.err().unwrap().to_string();
        assert!(message.contains("relay.next_hop.ca_file"), "{message}");
        assert!(message.contains(&path.display().to_string()), "{message}");
    }
}

/// The SHA-256 of the key in a PEM certificate, in hexadecimal digits with colons.
fn fingerprint(certificate: &NamedTempFile) -> String {
    let pem = std::fs::read(certificate.path()).unwrap();
    let certificate = CertificateDer::from_pem_slice(&pem).unwrap();
    let parsed = rustls::server::ParsedCertificate::try_from(&certificate).unwrap();
    let sum = Sha256::digest(&*parsed.subject_public_key_info());
    sum.iter().map(|octet| format!("{octet:02X}")).collect::<Vec<_>>().join(":")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_expected() {
    let (acceptor, certificate) = certificate("other.example");
    let hop = NextHop::start(with_tls(acceptor)).await;
    let mut house = House::new(&hop.address);
    house.hop().tls = TlsPolicy::Required;
    house.hop().fingerprints = vec!["00".repeat(32), fingerprint(&certificate)];
    let running = house.run();
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.emptied().await;
    running.stop().await;
    assert!(hop.messages()[0].tls);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_expected() {
    let (acceptor, certificate) = certificate("127.0.0.1");
    let hop = NextHop::start(with_tls(acceptor)).await;
    let mut house = House::new(&hop.address);
    house.hop().tls = TlsPolicy::Required;
    // Who is vouched for, but has another key, is not believed.
    house.hop().ca_file = Some(certificate.path().to_owned());
    house.hop().fingerprints = vec!["00".repeat(32)];
    let running = house.run();
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.settled(&running).await;
    running.stop().await;
    let reply = waits_with(&house).await;
    let found = fingerprint(&certificate).replace(':', "").to_lowercase();
    assert!(reply.starts_with("4.7.5 ") && reply.contains(&found), "{reply}");
    assert_eq!(hop.heard("MAIL"), 0);
}

/// A server that takes only clients with this very certificate.
fn for_one_client(client: &NamedTempFile) -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    let pem = std::fs::read(client.path()).unwrap();
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let roots = Arc::new(roots);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_our_own() {
    let made = rcgen::generate_simple_self_signed(vec!["mail.example.org".to_owned()]).unwrap();
    let [mut certificate, mut key] = [(); 2].map(|()| NamedTempFile::new().unwrap());
    certificate.write_all(made.cert.pem().as_bytes()).unwrap();
    key.write_all(made.signing_key.serialize_pem().as_bytes()).unwrap();
    let hop = NextHop::start(with_tls(for_one_client(&certificate))).await;
    let mut house = House::new(&hop.address);
    house.hop().tls = TlsPolicy::Opportunistic;
    house.hop().client_certificate = Some(certificate.path().to_owned());
    house.hop().client_key = Some(key.path().to_owned());
    let running = house.run();
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.emptied().await;
    running.stop().await;
    assert!(hop.messages()[0].tls);
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_address_that_is_configured() {
    let hop = NextHop::start(Options::default()).await;
    let mut house = House::new(&hop.address);
    // Not an address of this host: nothing can be sent from there.
    house.config.source_addresses = vec!["192.0.2.1".parse().unwrap()];
    let running = house.run();
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.settled(&running).await;
    running.stop().await;
    assert!(waits_with(&house).await.starts_with("4.4.1 "));
    assert_eq!(hop.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_socket_in_the_file_system() {
    let hop = NextHop::start(Options::default()).await;
    let mut house = House::new(&hop.address);
    let path = house.directory.path().join("lmtp.sock");
    let lmtp = HopConfig {
        name: "mailboxes".to_owned(),
        address: format!("unix:{}", path.display()),
        protocol: HopProtocol::Lmtp,
        ..HopConfig::default()
    };
    let everybody = RouteConfig {
        domains: vec!["*".to_owned()],
        hops: Hops(vec![vec![lmtp.name.clone()]]),
        ..RouteConfig::default()
    };
    house.config.hop = vec![lmtp];
    house.config.route = vec![everybody];
    let running = house.run();
    house.submit("aiko@example.org", &["x@remote.example", "y@remote.example"], TEXT).await;
    house.settled(&running).await;
    let reply = waits_with(&house).await;
    assert!(reply.starts_with("4.4.1 "), "there is no socket yet: {reply}");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let address = hop.address.clone();
    tokio::spawn(async move {
        let (mut here, _) = listener.accept().await.unwrap();
        let mut there = tokio::net::TcpStream::connect(address).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
    });
    house.clock.advance(Duration::from_secs(70));
    house.emptied().await;
    running.stop().await;
    assert_eq!((hop.heard("LHLO"), hop.messages()[0].recipients.len()), (1, 2));
}
