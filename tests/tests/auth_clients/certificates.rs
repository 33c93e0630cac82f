//! EXTERNAL: curl with a certificate of the customer's.

use lastpost_tests::House;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};

use crate::curl::curl;
use crate::kit::{PLAIN, account_of, has, house, tried};

/// A house that trusts an authority of its own, which has issued `NAME.pem` with `NAME.key`.
fn house_with_authority() -> House {
    let mut house = house();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(house.path("client-ca.pem"), authority.pem()).unwrap();
    for (name, address) in
        [("plain", PLAIN), ("other", account_of("PLAIN")), ("none", "x@y.example")]
    {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::Rfc822Name(address.try_into().unwrap())];
        let pair = KeyPair::generate().unwrap();
        let issued = params.signed_by(&pair, &authority).unwrap();
        std::fs::write(house.path(&format!("{name}.pem")), issued.pem()).unwrap();
        std::fs::write(house.path(&format!("{name}.key")), pair.serialize_pem()).unwrap();
    }
    house.stop();
    let file = house.path("lastpost.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("[tls]\n", "[tls]\nclient_ca = \"client-ca.pem\"\n");
    std::fs::write(&file, text).unwrap();
    house.restart();
    house
}

#[test]
fn a_certificate_opens_the_account_that_it_names_and_no_other() {
    if !has("curl", &["--version"]) {
        return;
    }
    let house = house_with_authority();
    for listener in ["pop3", "pop3s", "submission", "submissions"] {
        let attempt = |name: Option<&str>, user: &str| {
            let mut curl = curl(&house, listener, "EXTERNAL");
            if let Some(name) = name {
                curl.arg("--cert").arg(house.path(&format!("{name}.pem")));
                curl.arg("--key").arg(house.path(&format!("{name}.key")));
            }
            tried(curl.arg("--user").arg(format!("{user}:")))
        };
        let (done, said) = attempt(Some("plain"), PLAIN);
        assert!(done && said.contains("AUTH EXTERNAL"), "{said}");
        for (name, user) in [(Some("other"), PLAIN), (Some("none"), PLAIN), (None, PLAIN)] {
            let (done, said) = attempt(name, user);
            assert!(!done, "{said}");
        }
    }
}
