//! A domain's policy, from a host that does as it is told, over TLS.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use netio::Trust;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{Answer, Looking, LookupError};

const DOMAIN: &str = "example.net";
const NOW: i64 = 1_800_000_000;

/// The host of a policy, and the DNS that leads to it.
#[derive(Debug)]
struct Host {
    port: u16,
    directory: tempfile::TempDir,
    said: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
    /// What `_mta-sts` says; `None`: the DNS fails.
    record: Mutex<Option<String>>,
}

fn policy_text(mode: &str, max_age: u64) -> String {
    let body =
        format!("version: STSv1\r\nmode: {mode}\r\nmx: *.example.net\r\nmax_age: {max_age}\r\n");
    response("text/plain", &body)
}

fn response(kind: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}")
}

impl Host {
    async fn start(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(directory.path().join("ca.pem"), certificate.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let said = Arc::new(Mutex::new(policy_text("enforce", 100_000)));
        let asked = Arc::new(AtomicUsize::new(0));
        let (says, counts) = (Arc::clone(&said), Arc::clone(&asked));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counts.fetch_add(1, Ordering::SeqCst);
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                let request = String::from_utf8(request).unwrap();
                assert!(request.starts_with("GET /.well-known/mta-sts.txt HTTP/1.1\r\n"));
                assert!(request.contains("\r\nHost: mta-sts.example.net\r\n"), "{request}");
                let answer = says.lock().unwrap().clone();
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        let record = Mutex::new(Some("v=STSv1; id=1;".to_owned()));
        Self { port, directory, said, asked, record }
    }

    fn say(&self, answer: &str) {
        answer.clone_into(&mut self.said.lock().unwrap());
    }

    fn announce(&self, record: Option<&str>) {
        *self.record.lock().unwrap() = record.map(str::to_owned);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn sts(&self, now: i64) -> Sts {
        let client =
            TlsClient::new(&Trust::File(self.directory.path().join("ca.pem")), &[]).unwrap();
        Sts::open(Some(&self.directory.path().join("cache")), true, client, self.port, now).unwrap()
    }

    async fn mode(&self, sts: &Sts, now: i64) -> Option<StsMode> {
        sts.policy(DOMAIN, self, now).await.map(|policy| policy.mode)
    }
}

impl Lookup for Host {
    fn lookup<'a>(&'a self, name: &'a str, kind: Kind) -> Looking<'a> {
        let found = |record| {
            let records = vec![record];
            Ok(Answer { records, exists: true, ..Answer::default() })
        };
        Box::pin(async move {
            match (name, kind) {
                ("_mta-sts.example.net", Kind::Txt) => match &*self.record.lock().unwrap() {
                    Some(text) => found(Record::Txt(text.clone().into_bytes())),
                    None => Err(LookupError::Timeout),
                },
                ("mta-sts.example.net", Kind::A) => {
                    found(Record::Address(IpAddr::from([127, 0, 0, 1])))
                }
                _ => Ok(Answer::default()),
            }
        })
    }
}

#[tokio::test]
async fn a_policy_is_fetched_once_and_again_when_its_id_changes() {
    let host = Host::start("mta-sts.example.net").await;
    let sts = host.sts(NOW);
    for _ in 0..3 {
        let policy = sts.policy(DOMAIN, &host, NOW).await.unwrap();
        assert!(policy.mode == StsMode::Enforce && policy.names("mx1.example.net"));
    }
    assert_eq!(host.asked(), 1);
    host.say(&policy_text("testing", 100_000));
    assert_eq!(host.mode(&sts, NOW + 5).await, Some(StsMode::Enforce), "the id is the same");
    host.announce(Some("v=STSv1; id=2;"));
    assert_eq!(host.mode(&sts, NOW + 6).await, Some(StsMode::Testing));
    host.announce(Some("v=STSv1; id=3;"));
    host.say(&policy_text("none", 100_000));
    assert_eq!(host.mode(&sts, NOW + 7).await, None, "the domain takes its policy back");
    assert_eq!(host.asked(), 3);
}

#[tokio::test]
async fn a_policy_outlives_restarts_and_whoever_hides_it() {
    let host = Host::start("mta-sts.example.net").await;
    assert_eq!(host.mode(&host.sts(NOW), NOW).await, Some(StsMode::Enforce));
    let sts = host.sts(NOW + 10);
    // The record is suppressed, or gone; then the host of the policy fails.
    host.announce(None);
    assert_eq!(host.mode(&sts, NOW + 99_999).await, Some(StsMode::Enforce));
    host.announce(Some("v=spf1 -all"));
    assert_eq!(host.mode(&sts, NOW + 99_999).await, Some(StsMode::Enforce));
    host.announce(Some("v=STSv1; id=2;"));
    host.say("HTTP/1.1 500 Oops\r\n\r\n");
    assert_eq!(host.mode(&sts, NOW + 99_999).await, Some(StsMode::Enforce));
    assert_eq!(host.mode(&sts, NOW + 100_000).await, None, "it is over");
}

#[tokio::test]
async fn a_policy_is_renewed_in_the_second_half_of_its_life() {
    let host = Host::start("mta-sts.example.net").await;
    let sts = host.sts(NOW);
    host.say(&policy_text("enforce", 400_000));
    host.mode(&sts, NOW).await;
    host.mode(&sts, NOW + 199_999).await;
    assert_eq!(host.asked(), 1);
    host.mode(&sts, NOW + 200_001).await;
    host.mode(&sts, NOW + 200_002).await;
    assert_eq!(host.asked(), 2);
    assert_eq!(host.mode(&sts, NOW + 600_000).await, Some(StsMode::Enforce));
}

#[tokio::test]
async fn bad_answers_are_no_policy_and_not_asked_for_again_at_once() {
    let long = response("text/plain", &"x".repeat(70_000));
    for answer in [
        "HTTP/1.1 302 Found\r\nLocation: https://example.net/\r\n\r\n",
        &response("text/html", "version: STSv1\nmode: enforce\nmx: *.example.net\nmax_age: 9"),
        &response("text/plain", "version: STSv1\nmode: enforce\nmax_age: 9"),
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 500\r\n\r\nversion",
        "",
        &long,
    ] {
        let host = Host::start("mta-sts.example.net").await;
        host.say(answer);
        let sts = host.sts(NOW);
        assert_eq!(host.mode(&sts, NOW).await, None, "{answer:.60}");
        host.say(&policy_text("enforce", 100_000));
        assert_eq!(host.mode(&sts, NOW).await, None, "within five minutes");
        assert_eq!(host.asked(), 1);
    }
}

#[tokio::test]
async fn a_policy_of_another_host_is_none() {
    let host = Host::start("mta-sts.example.org").await;
    assert_eq!(host.mode(&host.sts(NOW), NOW).await, None);
    assert_eq!(host.asked(), 1);
}

#[tokio::test]
async fn without_a_record_nobody_is_asked() {
    let host = Host::start("mta-sts.example.net").await;
    for record in [None, Some("v=spf1 -all"), Some("v=STSv1; id=?")] {
        host.announce(record);
        assert_eq!(host.mode(&host.sts(NOW), NOW).await, None);
    }
    assert_eq!(host.asked(), 0);
}

#[tokio::test]
async fn many_who_ask_at_once_fetch_once() {
    let host = Arc::new(Host::start("mta-sts.example.net").await);
    let sts = Arc::new(host.sts(NOW));
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (host, sts) = (Arc::clone(&host), Arc::clone(&sts));
        asking.spawn(async move { host.mode(&sts, NOW).await });
    }
    let modes = asking.join_all().await;
    assert!(modes.iter().all(|mode| *mode == Some(StsMode::Enforce)));
    assert_eq!(host.asked(), 1);
}

#[tokio::test]
async fn those_that_are_remembered_have_a_bound() {
    let host = Host::start("mta-sts.example.net").await;
    let sts = host.sts(NOW);
    let held = sts.asked("held.example");
    let _fetching = held.fetching.lock().await;
    for n in 0..ASKED_MAX + 10 {
        sts.asked(&format!("d{n}.example"));
    }
    let asked = sts.asked.lock().unwrap();
    assert!(asked.len() <= ASKED_MAX && asked.contains_key("held.example"), "{}", asked.len());
}
