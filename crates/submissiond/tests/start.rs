//! What keeps the daemon from starting, and that nothing listens then.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::net::TcpListener;
use std::sync::Arc;

use auth::{AuthConfig, Authenticator, Chain, Directory, SmtpAuth, SystemClock};
use spool::{Spool, SpoolConfig};
use submissiond::{Means, SubmissionConfig, Submissiond};

fn error_of(config: &str, chain: &Chain) -> String {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock::new());
    let spool = SpoolConfig {
        segment_size: spool::Size::mib(1),
        ..SpoolConfig::at(directory.path().join("spool"))
    };
    let nobody = Directory::from_accounts(Vec::new(), None).unwrap();
    let means = Means {
        limits: None,
        filters: filter::Filters::new(&filter::FilterConfig::default()).unwrap(),
        signer: None,
        header: submissiond::HeaderOptions::default(),
        hostname: "mail.example.net".into(),
        authenticator: Authenticator::new(&AuthConfig::default(), nobody).unwrap(),
        spool: Spool::open(&spool, clock.clone()).unwrap().0,
        clock,
        tls: None,
        local_domains: Vec::new(),
    };
    let config: SubmissionConfig = toml::from_str(config).unwrap();
    match Submissiond::bind(&config, means, |_| chain.clone()) {
        Ok(_) => panic!("it starts"),
        Err(error) => error.to_string(),
    }
}

fn smtp_auth() -> Chain {
    Chain::new(vec![Arc::new(SmtpAuth)], Vec::new())
}

#[tokio::test]
async fn an_authority_that_is_not_here_is_not_passed_over() {
    let config = r#"
        [[listen]]
        name = "legacy"
        address = "127.0.0.1:0"
        tls = "none"
        authorities = ["smtp-auth", "retired"]
    "#;
    let error = error_of(config, &smtp_auth());
    assert!(error.starts_with("submission.listen[0].authorities: "), "{error}");
    assert!(error.contains("\"retired\"") && error.contains("[\"smtp-auth\"]"), "{error}");
}

#[tokio::test]
async fn tls_needs_a_certificate() {
    let config = r#"
        [[listen]]
        name = "submission"
        address = "127.0.0.1:0"
    "#;
    let error = error_of(config, &smtp_auth());
    assert!(error.contains("[tls]"), "{error}");
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let config = format!("[[listen]]\nname = \"legacy\"\naddress = \"{address}\"\ntls = \"none\"");
    let error = error_of(&config, &smtp_auth());
    assert!(error.starts_with("submission listener legacy: cannot listen on "), "{error}");
    assert!(error.contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn a_wrong_value_is_named() {
    let error = error_of("errors_max = 0", &Chain::default());
    assert_eq!(error, "submission.errors_max: 0 is out of range; expected 1 to 1000");
}
