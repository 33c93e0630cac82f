//! TLS and AUTH towards the next hop.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use relay::config::{Timeouts, TlsPolicy};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
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
            Vec::new(),
        );
        let clock: Arc<dyn auth::Clock> = Arc::clone(&house.clock) as _;
        let relay = relay::Relay::new(&settings, house.spool.clone(), Arc::new(local), clock);
        let message = relay.err().unwrap().to_string();
        assert!(message.contains("relay.next_hop.ca_file"), "{message}");
        assert!(message.contains(&path.display().to_string()), "{message}");
    }
}
