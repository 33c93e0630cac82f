//! Directly to the mail exchangers of the recipient's domain: which host, and how it proves itself.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use relay::config::{Hops, RouteConfig, TlsPolicy};
use rustls::ServerConfig;
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsAcceptor;

use crate::kit::{House, NextHop, Options, Reaction, Zone};

const TEXT: &[u8] = b"Subject: hi\r\n\r\nhi\r\n";
const TO: [&str; 1] = ["x@remote.example"];
const HOST: &str = "mx1.remote.example";

/// A certificate of a server's own, that of its key, and what it shows.
struct Proof {
    acceptor: TlsAcceptor,
    digest: Vec<u8>,
    pem: String,
}

fn proof(name: &str) -> Proof {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let made = params.self_signed(&key).unwrap();
    let digest = Sha256::digest(key.subject_public_key_info()).to_vec();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.der().clone()], key.into())
        .unwrap();
    Proof { acceptor: TlsAcceptor::from(Arc::new(config)), digest, pem: made.pem() }
}

/// A host of that name with TLS, and a DNS that knows it alone.
async fn host(proof: &Proof) -> (NextHop, Zone) {
    let options = Options { tls: Some(proof.acceptor.clone()), ..Options::default() };
    let host = NextHop::start(options).await;
    let zone = Zone::new(port(&host), &[(HOST, &["127.0.0.1"])]);
    (host, zone)
}

fn port(host: &NextHop) -> u16 {
    host.address.rsplit(':').next().unwrap().parse().unwrap()
}

/// A house that sends all mail to mail exchangers.
fn house(zone: &Zone, authority: Option<&Path>) -> House {
    let mut house = House::new("unused:25");
    let everybody = RouteConfig {
        domains: vec!["*".to_owned()],
        hops: Hops(vec![vec!["mx".to_owned()]]),
        ..RouteConfig::default()
    };
    house.config.route = vec![everybody];
    house.resolver = Some(zone.resolver(&policies(&house), authority));
    house
}

fn policies(house: &House) -> PathBuf {
    house.directory.path().join("mta-sts")
}

/// Sends one message, and gives the reply that it waits with; `None` if it has left.
async fn send(house: &House) -> Option<String> {
    let running = house.run();
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.settled(&running).await;
    running.stop().await;
    let queue = house.queue().await;
    let reply = queue.first()?.recipients[0].last_reply.clone().unwrap();
    Some(reply.to_string())
}

/// The report that the sender got.
fn report(house: &House) -> String {
    let mail = house.mail_of("aiko");
    assert_eq!(mail.len(), 1);
    mail[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn opportunistic_where_nothing_is_demanded() {
    // The certificate is of another name, and nobody vouches for it.
    let proof = proof("other.example");
    let (host, zone) = host(&proof).await;
    assert_eq!(send(&house(&zone, None)).await, None);
    assert!(host.messages()[0].tls);
    // Without TLS it goes in clear.
    let plain = NextHop::start(Options::default()).await;
    let zone = Zone::new(port(&plain), &[(HOST, &["127.0.0.1"])]);
    assert_eq!(send(&house(&zone, None)).await, None);
    assert!(!plain.messages()[0].tls);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dns_vouches_for_the_certificate() {
    let proof = proof("other.example");
    let (host, mut zone) = host(&proof).await;
    zone.vouch(HOST, 3, &proof.digest);
    let mut house = house(&zone, None);
    // That is enough for a message that must not go otherwise; but this host does not promise
    // to hand it on the same way.
    assert_eq!(send(&house).await, None);
    assert!(host.messages()[0].tls);
    house.wishes.require_tls = true;
    assert_eq!(send(&house).await, None);
    assert_eq!(host.count(), 1);
    assert!(report(&house).contains("Status: 5.7.30"), "{}", report(&house));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_be_verified_goes_to_whoever_promises_the_same() {
    let proof = proof(HOST);
    let mut options = Options { tls: Some(proof.acceptor.clone()), ..Options::default() };
    options.extensions.push("REQUIRETLS");
    let host = NextHop::start(options).await;
    let mut zone = Zone::new(port(&host), &[(HOST, &["127.0.0.1"])]);
    zone.vouch(HOST, 3, &proof.digest);
    let mut verified = house(&zone, None);
    verified.wishes.require_tls = true;
    assert_eq!(send(&verified).await, None);
    assert!(host.messages()[0].mail.ends_with(" REQUIRETLS"), "{}", host.messages()[0].mail);
    // The same host, TLS and promise; but nobody knows whether it is the right one.
    zone.secure = false;
    let mut unverified = house(&zone, None);
    unverified.wishes.require_tls = true;
    assert_eq!(send(&unverified).await, None);
    assert_eq!(host.count(), 1);
    assert!(report(&unverified).contains("Status: 5.7.30"), "{}", report(&unverified));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dns_vouches_for_another_certificate() {
    let proof = proof(HOST);
    let (host, mut zone) = host(&proof).await;
    zone.vouch(HOST, 3, &[7; 32]);
    let house = house(&zone, None);
    let reply = send(&house).await.unwrap();
    assert!(reply.starts_with("4.7.5 ") && reply.contains("no TLSA record matches"), "{reply}");
    assert_eq!((host.heard("MAIL"), host.connections()), (0, 1), "and not in clear");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dns_vouches_for_a_host_that_offers_no_tls() {
    let plain = NextHop::start(Options::default()).await;
    let mut zone = Zone::new(port(&plain), &[(HOST, &["127.0.0.1"])]);
    zone.vouch(HOST, 3, &[7; 32]);
    let house = house(&zone, None);
    let reply = send(&house).await.unwrap();
    assert!(reply.starts_with("4.7.4 ") && reply.contains("STARTTLS"), "{reply}");
    assert_eq!(plain.heard("MAIL"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dns_without_proof_vouches_for_nobody() {
    let proof = proof(HOST);
    let (host, mut zone) = host(&proof).await;
    zone.vouch(HOST, 3, &[7; 32]);
    zone.secure = false;
    assert_eq!(send(&house(&zone, None)).await, None);
    assert_eq!(host.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_cannot_be_used_demand_tls_alone() {
    let proof = proof("other.example");
    let (host, mut zone) = host(&proof).await;
    zone.vouch(HOST, 0, &[7; 32]);
    assert_eq!(send(&house(&zone, None)).await, None);
    assert!(host.messages()[0].tls);
    let plain = NextHop::start(Options::default()).await;
    let mut zone = Zone::new(port(&plain), &[(HOST, &["127.0.0.1"])]);
    zone.vouch(HOST, 0, &[7; 32]);
    assert!(send(&house(&zone, None)).await.unwrap().starts_with("4.7.4 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_insist_on_tls_gets_through() {
    let proof = proof(HOST);
    let (host, mut zone) = host(&proof).await;
    zone.vouch(HOST, 3, &[7; 32]);
    let mut house = house(&zone, None);
    house.wishes.tls_optional = true;
    let running = house.run();
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.emptied().await;
    assert_eq!(host.count(), 1);
    // The connection was for that message alone.
    house.wishes.tls_optional = false;
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.settled(&running).await;
    running.stop().await;
    assert_eq!((host.count(), house.queue().await.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_configuration_by_dane() {
    let proof = proof("other.example");
    let (host, mut zone) = host(&proof).await;
    zone.vouch(HOST, 3, &proof.digest);
    let by_dane = |zone: &Zone| {
        let mut house = House::new(&format!("{HOST}:{}", port(&host)));
        house.hop().tls = TlsPolicy::Dane;
        house.resolver = Some(zone.resolver(&policies(&house), None));
        house
    };
    assert_eq!(send(&by_dane(&zone)).await, None);
    assert!(host.messages()[0].tls);
    zone.vouch(HOST, 3, &[7; 32]);
    assert!(send(&by_dane(&zone)).await.unwrap().starts_with("4.7.5 "));
    // A host of configuration that is gone can come back: nothing is final.
    let mut gone = by_dane(&zone);
    gone.hop().address = "gone.example".to_owned();
    assert!(send(&gone).await.unwrap().starts_with("4.4.3 "));
}

/// Has the house know a policy of the recipient's domain.
fn know_policy(house: &House, mode: &str, pattern: &str) {
    std::fs::create_dir_all(policies(house)).unwrap();
    let path = policies(house).join("remote.example.json");
    let fetched_at = auth::Clock::now(&*house.clock).wall.as_second();
    let policy = format!(r#"{{"mode":"{mode}","mx":["{pattern}"],"max_age":86400}}"#);
    let mut file = std::fs::File::create(path).unwrap();
    write!(file, r#"{{"id":"1","fetched_at":{fetched_at},"policy":{policy}}}"#).unwrap();
}

/// What becomes of a message to a host that shows a certificate of `name`, under this policy.
async fn under_policy(mode: &str, pattern: &str, name: &str) -> (Option<String>, NextHop) {
    let proof = proof(name);
    let (host, mut zone) = host(&proof).await;
    zone.secure = false;
    let mut authority = tempfile::NamedTempFile::new().unwrap();
    authority.write_all(proof.pem.as_bytes()).unwrap();
    let house = house(&zone, Some(authority.path()));
    know_policy(&house, mode, pattern);
    (send(&house).await, host)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_satisfied() {
    let (waits, host) = under_policy("enforce", "*.remote.example", HOST).await;
    assert_eq!(waits, None);
    assert!(host.messages()[0].tls);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_not_satisfied() {
    let (waits, host) = under_policy("enforce", "*.remote.example", "other.example").await;
    let reply = waits.unwrap();
    assert!(reply.starts_with("4.7.5 TLS handshake failed"), "{reply}");
    assert_eq!((host.heard("MAIL"), host.connections()), (0, 1));
    let (waits, host) = under_policy("enforce", "mx.elsewhere.example", HOST).await;
    let reply = waits.unwrap();
    assert!(reply.starts_with("4.7.5 ") && reply.contains("does not name"), "{reply}");
    assert_eq!(host.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_only_tested() {
    let (waits, host) = under_policy("testing", "mx.elsewhere.example", "other.example").await;
    assert_eq!(waits, None);
    assert!(host.messages()[0].tls);
}

#[tokio::test(flavor = "multi_thread")]
async fn domains_without_hosts_for_mail_send_it_back_at_once() {
    for (domain, status) in [("null.example", "5.1.10"), ("gone.example", "5.1.2")] {
        let mut zone = Zone::new(1, &[]);
        let null = mx::Record::Mx { preference: 0, exchange: String::new() };
        zone.put("null.example", mx::Kind::Mx, vec![null]);
        let house = house(&zone, None);
        let running = house.run();
        house.submit("aiko@example.org", &[&format!("x@{domain}")], TEXT).await;
        house.emptied().await;
        running.stop().await;
        let report = report(&house);
        assert!(report.contains(&format!("Status: {status}\r\n")), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_of_every_host_in_order() {
    let proof = proof(HOST);
    let last = NextHop::start_on("127.0.0.4:0", Options::default()).await;
    let port = port(&last);
    // The first host's first address is closed, its second one refuses; the second host is down
    // for maintenance.
    let script = |reply: &'static str| Options {
        tls: Some(proof.acceptor.clone()),
        script: Box::new(move |seen| match seen.command {
            "connect" => Reaction::SayAndClose(reply),
            _ => Reaction::Polite,
        }),
        ..Options::default()
    };
    let second = format!("127.0.0.2:{port}");
    let second = NextHop::start_on(&second, script("554 5.7.1 not you")).await;
    let third = format!("127.0.0.3:{port}");
    let third = NextHop::start_on(&third, script("421 4.3.2 maintenance")).await;
    let zone = Zone::new(
        port,
        &[
            ("a.example", &["127.0.0.1", "127.0.0.2"]),
            ("b.example", &["127.0.0.3"]),
            ("c.example", &["127.0.0.4"]),
        ],
    );
    let house = house(&zone, None);
    let running = house.run();
    house.submit("aiko@example.org", &TO, TEXT).await;
    house.emptied().await;
    assert_eq!((second.connections(), third.connections(), last.count()), (1, 1, 1));
    assert_eq!(running.stats.deferred.get(), 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_host_that_works_is_enough() {
    let first = NextHop::start_on("127.0.0.1:0", Options::default()).await;
    let port = port(&first);
    let other = NextHop::start_on(&format!("127.0.0.2:{port}"), Options::default()).await;
    let hosts: [(&str, &[&str]); 2] =
        [("a.example", &["127.0.0.1"]), ("b.example", &["127.0.0.2"])];
    let house = house(&Zone::new(port, &hosts), None);
    let running = house.run();
    for _ in 0..5 {
        house.submit("aiko@example.org", &TO, TEXT).await;
    }
    house.emptied().await;
    running.stop().await;
    assert_eq!((first.count(), other.connections()), (5, 0));
}
