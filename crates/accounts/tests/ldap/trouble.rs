//! Servers that stand still, go away, come back, are somebody else, or are one of several.

use std::time::Instant;

use auth::{AccountSource as _, ManualClock};
use sasl::Secret;

use super::*;

fn manual() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(jiff::Timestamp::UNIX_EPOCH))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_holds_nobody_up_for_long() {
    if !slapd::is_installed() {
        return;
    }
    let server = Slapd::start(PEOPLE);
    let clock = manual();
    let timeout = Duration::from_millis(500);
    let config = LdapConfig { timeout, ..config(&server, LdapMode::Bind) };
    let source = Arc::new(open_at(&config, Arc::clone(&clock) as _));
    assert!(source.find(&key("ann")).await.unwrap().is_some());
    server.freeze();
    let start = Instant::now();
    let asked: Vec<_> = (0..500)
        .map(|_| {
            let source = Arc::clone(&source);
            tokio::spawn(async move { source.find(&key("ann")).await })
        })
        .collect();
    for answer in asked {
        assert!(answer.await.unwrap().is_err());
    }
    let took = start.elapsed();
    // One after the other, on four connections, they would take a minute.
    assert!(took < timeout * 20, "{took:?}");
    let start = Instant::now();
    let error = source.find(&key("ann")).await.unwrap_err();
    assert!(error.problem.contains("not asked again yet"), "{error}");
    assert!(start.elapsed() < timeout, "at once");
    server.thaw();
    // The first that may try succeeds, and with it all.
    clock.advance(Duration::from_secs(60));
    assert!(source.find(&key("ann")).await.unwrap().is_some());
    let ann = source.find(&key("ann")).await.unwrap().unwrap();
    assert_eq!(source.verify(&ann, &Secret::from("ann-secret"), &origin()).await, Ok(true));
}

#[tokio::test]
async fn a_restart_is_not_noticed() {
    if !slapd::is_installed() {
        return;
    }
    let mut server = Slapd::start(PEOPLE);
    let clock = manual();
    let source = open_at(&config(&server, LdapMode::Bind), Arc::clone(&clock) as _);
    let ann = source.find(&key("ann")).await.unwrap().unwrap();
    let secret = Secret::from("ann-secret");
    assert_eq!(source.verify(&ann, &secret, &origin()).await, Ok(true));
    server.stop();
    server.resume();
    assert!(source.find(&key("ann")).await.unwrap().is_some(), "by a new connection");
    assert_eq!(source.verify(&ann, &secret, &origin()).await, Ok(true));
    server.stop();
    let error = source.find(&key("ann")).await.unwrap_err();
    assert!(error.problem.contains("127.0.0.1"), "{error}");
    assert!(source.verify(&ann, &secret, &origin()).await.is_err(), "and not: a wrong password");
    server.resume();
    clock.advance(Duration::from_secs(60));
    assert!(source.find(&key("ann")).await.unwrap().is_some());
}

#[tokio::test]
async fn another_server_steps_in_and_the_first_is_used_again() {
    if !slapd::is_installed() {
        return;
    }
    let mut first = Slapd::start(PEOPLE);
    let second = Slapd::start(PEOPLE);
    let clock = manual();
    let mut config = config(&first, LdapMode::Bind);
    config.servers.push(second.url());
    let source = open_at(&config, Arc::clone(&clock) as _);
    let find = async || source.find(&key("ann")).await.map(|found| found.is_some());
    assert_eq!(find().await, Ok(true));
    first.stop();
    assert_eq!(find().await, Ok(true), "by the second");
    first.resume();
    assert_eq!(find().await, Ok(true));
    clock.advance(Duration::from_secs(60));
    assert_eq!(find().await, Ok(true), "by the first");
    // That it is the first again shows when the second is gone.
    second.freeze();
    assert_eq!(find().await, Ok(true));
    second.thaw();
}

#[tokio::test]
async fn tls_from_the_first_octet_or_by_starttls() {
    if !slapd::is_installed() {
        return;
    }
    let (authority, certificate, key_pem) = certificate::certificate();
    let (stranger, ..) = certificate::certificate();
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good.pem"), folder.path().join("bad.pem"));
    std::fs::write(&good, authority).unwrap();
    std::fs::write(&bad, stranger).unwrap();
    let server = Slapd::start_tls(PEOPLE, &certificate, &key_pem);
    for (url, start_tls) in [(server.tls_url(), false), (server.url(), true)] {
        let config = LdapConfig {
            servers: vec![url.clone()],
            start_tls,
            ca_file: good.clone(),
            ..config(&server, LdapMode::Bind)
        };
        let source = open(&config);
        let ann = source.find(&key("ann")).await.unwrap().unwrap();
        assert_eq!(source.verify(&ann, &Secret::from("ann-secret"), &origin()).await, Ok(true));
        assert!(source.warnings().is_empty());
        let source = open(&LdapConfig { ca_file: bad.clone(), ..config.clone() });
        let error = source.find(&key("ann")).await.unwrap_err();
        assert!(error.problem.contains("certificate"), "{url}: {error}");
        let servers = vec![url.replace("127.0.0.1", "localhost")];
        let source = open(&LdapConfig { servers, ..config });
        let error = source.find(&key("ann")).await.unwrap_err();
        assert!(error.problem.contains("certificate"), "another name: {error}");
    }
    let plain = Slapd::start(PEOPLE);
    let source =
        open(&LdapConfig { start_tls: true, ca_file: good, ..config(&plain, LdapMode::Bind) });
    let error = source.find(&key("ann")).await.unwrap_err();
    assert!(error.problem.contains("StartTLS"), "a server without TLS: {error}");
}

#[tokio::test]
async fn a_socket_of_this_machine_and_a_wrong_service_password() {
    if !slapd::is_installed() {
        return;
    }
    let server = Slapd::start(PEOPLE);
    let socket =
        LdapConfig { servers: vec![server.socket_url()], ..config(&server, LdapMode::Bind) };
    assert!(open(&socket).find(&key("ann")).await.unwrap().is_some());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong");
    std::fs::write(&file, "not-it").unwrap();
    let wrong = LdapConfig { password_file: Some(file.clone()), ..socket.clone() };
    let source = open(&wrong);
    let error = source.find(&key("ann")).await.unwrap_err();
    assert!(error.problem.contains("invalidCredentials"), "{error}");
    assert!(!error.problem.contains("not-it"));
    std::fs::write(&file, "mail-secret").unwrap();
    source.reload().await.unwrap();
    assert!(source.find(&key("ann")).await.unwrap().is_some(), "the new password");
    std::fs::remove_file(&file).unwrap();
    assert!(source.reload().await.is_err());
    assert!(source.find(&key("ann")).await.unwrap().is_some(), "what was read last holds");
    // Nobody's place: that all accounts are gone is not believed.
    let mut elsewhere = socket;
    elsewhere.search.base = format!("ou=peple,{SUFFIX}");
    let error = open(&elsewhere).find(&key("ann")).await.unwrap_err();
    assert!(error.problem.contains("noSuchObject"), "{error}");
    elsewhere.search.base = format!("ou=elsewhere,ou=people,{SUFFIX}");
    let error = open(&elsewhere).find(&key("ann")).await.unwrap_err();
    assert!(error.problem.contains("not followed"), "{error}");
}
