//! The example of docs/accounts/ldap.md works as it stands there; only places are others.

use auth::{AuthConfig, Authenticator, Clock as _, Directory, SystemClock};
use sasl::Secret;

use super::*;
use crate::certificate::certificate;
use crate::fences::{fenced, source};

#[tokio::test]
async fn the_example_of_the_page() {
    if !slapd::is_installed() {
        return;
    }
    let (authority, certificate, key_pem) = certificate();
    let (entries, access) = (fenced("ldap.md", "ldif"), fenced("ldap.md", "slapd"));
    let server = Slapd::with(&entries, &access, Some((&certificate, &key_pem)));
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).display().to_string()
    };
    let mut configuration = fenced("ldap.md", "toml");
    for (written, here) in [
        ("ldaps://ldap1.example.net", server.tls_url()),
        ("ldaps://ldap2.example.net", server.tls_url()),
        ("/etc/lastpost/ldap-ca.pem", place("ca", &authority)),
        ("/etc/lastpost/ldap.password", place("password", "change-this\n")),
    ] {
        assert!(configuration.contains(written), "{written}");
        configuration = configuration.replace(written, &here);
    }
    let (source, domain) = source(&configuration);
    let source = source.open(&common(Arc::new(SystemClock::new()))).unwrap();
    assert!(source.warnings().is_empty(), "{:?}", source.warnings());
    let directory = Directory::chain(vec![Arc::clone(&source)], Some(domain)).unwrap();
    let settings = AuthConfig { failure_delay: Duration::ZERO, ..AuthConfig::default() };
    let auth = Authenticator::new(&settings, directory.clone()).unwrap();
    let clock = SystemClock::new();
    let log_in = async |login: &str, password: &str| {
        auth.verify(login, &Secret::from(password), &origin(), clock.now()).await
    };
    for login in ["ann", "ann@example.net", "a.miller@example.net"] {
        let account = log_in(login, "correct horse").await.unwrap().account;
        assert_eq!(account.key().as_str(), "ann@example.net");
        assert_eq!(account.maildir(), std::path::Path::new("/srv/mail/ann/Maildir"));
        assert_eq!(account.cohort(), Some("business"));
    }
    assert_eq!(auth.statistics().cached, 2, "one bind");
    for (login, password) in [
        ("ben", "battery staple"),
        ("ann", "battery staple"),
        ("mail", "change-this"),
        ("nobody", "correct horse"),
    ] {
        assert!(log_in(login, password).await.is_err(), "{login}");
    }
    let owner = directory.local_mailbox(&mailbox("ben@example.net")).await.unwrap().unwrap();
    assert!(owner.is_disabled(), "mail still reaches him");
    let listed = source.page(None, 10).await.unwrap().unwrap();
    assert_eq!(listed.len(), 2);
}
