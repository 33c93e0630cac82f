//! EXTERNAL over accounts.

use address::Mailbox;
use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, KeyPair, OtherNameValue, SanType};
use sasl::Mechanism;

use super::*;
use crate::Account;
use crate::testing::key;

/// A certificate with these names.
fn certificate(common: Option<&str>, names: Vec<SanType>) -> Arc<[u8]> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(common) = common {
        params.distinguished_name.push(DnType::CommonName, common);
    }
    params.subject_alt_names = names;
    let pair = KeyPair::generate().unwrap();
    params.self_signed(&pair).unwrap().der().to_vec().into()
}

fn mail(address: &str) -> SanType {
    SanType::Rfc822Name(address.try_into().unwrap())
}

/// A user principal name of Microsoft's.
fn principal(name: &str) -> SanType {
    let kind = vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3];
    SanType::OtherName((kind, OtherNameValue::Utf8String(name.to_owned())))
}

/// `ann` owns `info@` and `sales@`, `bob` owns `sales@`, `off` is disabled.
fn office() -> Authenticator {
    let of = |login: &str, also: &[&str], disabled| {
        let addresses = [login].iter().chain(also).map(|a| Mailbox::parse(a).unwrap()).collect();
        Account::new(key(login), addresses, cheap("right"), "/m".into(), disabled)
    };
    let accounts = vec![
        of("ann@example.net", &["info@example.net", "sales@example.net"], false),
        of("bob@example.net", &["sales@example.net"], false),
        of("off@example.net", &[], true),
    ];
    Authenticator::new(&config(), directory(accounts)).unwrap()
}

async fn tried(
    auth: &Authenticator,
    certificate: &Arc<[u8]>,
    authzid: &str,
) -> Result<String, Denied> {
    let facts = TlsFacts { certificate: Some(Arc::clone(certificate)), ..tls() };
    opened(talk(auth, Mechanism::External, facts, &[authzid]).await.0)
}

#[tokio::test]
async fn a_certificate_opens_the_account_that_it_names() {
    let auth = office();
    for (names, authzid) in [
        (certificate(None, vec![mail("ann@example.net")]), ""),
        (certificate(None, vec![mail("Ann@EXAMPLE.net")]), "ann@example.net"),
        (certificate(None, vec![mail("info@example.net")]), ""),
        (certificate(None, vec![mail("info@example.net")]), "ann@example.net"),
        (certificate(None, vec![mail("info@example.net")]), "info@example.net"),
        (certificate(None, vec![mail("sales@example.net")]), "ann@example.net"),
        (certificate(Some("bob@example.net"), vec![mail("ann@example.net")]), ""),
        (certificate(None, vec![principal("bob@example.net"), mail("ann@example.net")]), ""),
        (certificate(None, vec![principal("ann@example.net")]), ""),
        (certificate(Some("ann@example.net"), vec![]), ""),
        (
            certificate(None, vec![mail("ann@example.net"), mail("bob@example.net")]),
            "ann@example.net",
        ),
    ] {
        let answer = tried(&auth, &names, authzid).await;
        assert_eq!(answer.as_deref(), Ok("ann@example.net"), "{authzid}");
    }
}

#[tokio::test]
async fn a_certificate_that_names_nobody_or_several_opens_nothing() {
    let auth = office();
    for (names, authzid) in [
        (certificate(None, vec![mail("ann@example.net")]), "bob@example.net"),
        (certificate(None, vec![mail("ann@example.net")]), "ann"),
        (certificate(None, vec![mail("ann@example.net")]), "../ann@example.net"),
        (certificate(None, vec![mail("off@example.net")]), ""),
        (certificate(None, vec![mail("nobody@example.net")]), ""),
        (certificate(None, vec![mail("sales@example.net")]), ""),
        (certificate(None, vec![mail("sales@example.net")]), "sales@example.net"),
        (certificate(None, vec![mail("ann@example.net"), mail("bob@example.net")]), ""),
        (certificate(Some("Ann"), vec![]), ""),
        (certificate(Some("Ann"), vec![]), "ann@example.net"),
        (certificate(None, vec![SanType::DnsName("ann.example.net".try_into().unwrap())]), ""),
        (certificate(None, vec![principal("ann")]), "ann@example.net"),
        (Arc::from(&b""[..]), "ann@example.net"),
        (Arc::from(&b"\x30\x03abc"[..]), "ann@example.net"),
    ] {
        let before = counted(&auth);
        assert_eq!(tried(&auth, &names, authzid).await, Err(Denied::Invalid), "{authzid}");
        assert_eq!(counted(&auth).1 - before.1, 1, "{authzid}");
    }
    let end = talk(&auth, Mechanism::External, tls(), &["ann@example.net"]).await.0;
    assert_eq!(opened(end), Err(Denied::Invalid), "no certificate");
}

#[tokio::test]
async fn a_certificate_is_not_a_master_user() {
    let (auth, _file) = with_masters();
    let names = certificate(None, vec![mail("plain@example.net")]);
    assert_eq!(tried(&auth, &names, "").await.as_deref(), Ok("plain@example.net"));
    let answer = tried(&auth, &names, "plain@example.net*help").await;
    assert_eq!(answer, Err(Denied::Invalid));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_certificate_panics(place in any::<usize>(), octet in any::<u8>(), cut in any::<usize>()) {
        thread_local! {
            static SOUND: Arc<[u8]> = certificate(
                Some("ann@example.net"),
                vec![mail("ann@example.net"), principal("bob@example.net")],
            );
        }
        let mut der = SOUND.with(|sound| sound.to_vec());
        let length = der.len();
        der[place % length] = octet;
        let _ = super::super::certificate::names_of(&der);
        der.truncate(cut % length);
        prop_assert!(super::super::certificate::names_of(&der).is_empty());
    }
}
