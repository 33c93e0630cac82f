//! OAUTHBEARER (RFC 7628) and XOAUTH2.

use sasl::{Mechanism, SaslError, Step, TokenCheck, TokenHelp};

use super::kit::{challenge, exchange, failed, failure, nobodys, say};

const TOKEN: &str = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";

fn check(step: Step) -> TokenCheck {
    match step {
        Step::Token(check) => check,
        other => panic!("no token: {other:?}"),
    }
}

fn bearer(message: impl AsRef<[u8]>) -> Step {
    say(exchange(Mechanism::OAuthBearer), message)
}

fn xoauth2(message: impl AsRef<[u8]>) -> Step {
    say(exchange(Mechanism::XOAuth2), message)
}

#[test]
fn the_examples_of_rfc_7628_section_4() {
    let message = format!(
        "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer {TOKEN}\x01\x01"
    );
    let got = check(bearer(message));
    assert_eq!(got.authzid(), Some("user@example.com"));
    assert_eq!(got.token().expose(), TOKEN.as_bytes());
    let message = format!(
        "n,a=user@example.com,\x01host=server.example.com\x01port=587\x01auth=Bearer {TOKEN}\x01\x01"
    );
    check(bearer(message));
    // Section 4.3: a client asks what it needs.
    let asking = "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=\x01\x01";
    assert!(check(bearer(asking)).token().is_empty());
}

#[test]
fn xoauth2_as_its_inventor_describes_it() {
    let got = check(xoauth2("user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmT\x01\x01"));
    assert_eq!(got.authzid(), Some("someuser@example.com"));
    assert_eq!(got.token().expose(), b"ya29.vF9dft4qmT");
}

#[test]
fn a_refused_client_is_told_why_and_then_the_exchange_fails() {
    let help = TokenHelp {
        openid_configuration: "https://id.example/.well-known/openid-configuration",
        scope: "mail",
    };
    let message = "n,,\x01auth=Bearer t\x01\x01";
    let (told, waiting) = challenge(check(bearer(message)).refuse(&help));
    assert_eq!(
        told,
        "{\"status\":\"invalid_token\",\"scope\":\"mail\",\"openid-configuration\":\
         \"https://id.example/.well-known/openid-configuration\"}"
    );
    assert!(matches!(say(waiting, "\x01"), Step::TokenRefused));
    let (told, waiting) = challenge(check(bearer(message)).refuse(&TokenHelp::default()));
    assert_eq!(told, "{\"status\":\"invalid_token\"}");
    assert!(matches!(say(waiting, message), Step::TokenRefused), "no second attempt");
    let first = xoauth2("user=u\x01auth=Bearer t\x01\x01");
    let (told, waiting) = challenge(check(first).refuse(&help));
    assert!(told.starts_with("{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"mail\""));
    assert!(matches!(say(waiting, ""), Step::TokenRefused));
}

#[test]
fn a_token_without_a_name_or_with_an_escaped_one() {
    assert_eq!(check(bearer("n,,\x01auth=Bearer t\x01\x01")).authzid(), None);
    assert_eq!(check(bearer("n,a=,\x01auth=Bearer t\x01\x01")).authzid(), None);
    assert_eq!(check(bearer("y,,\x01auth=BEARER t\x01\x01")).authzid(), None);
    let got = check(bearer("n,a=x=2Cy=3D,\x01k=v\x01auth=bearer  t\x01\x01"));
    assert_eq!((got.authzid(), got.token().expose()), (Some("x,y="), &b"t"[..]));
}

#[test]
fn what_is_no_token_message_is_refused() {
    for message in [
        "",
        "\x01",
        "n,,",
        "n,,\x01",
        "n,\x01auth=Bearer t\x01\x01",
        "auth=Bearer t\x01\x01",
        "p=tls-exporter,,\x01auth=Bearer t\x01\x01",
        "n,u,\x01auth=Bearer t\x01\x01",
        "n,a=x=,\x01auth=Bearer t\x01\x01",
        "n,,\x01\x01",
        "n,,\x01auth=Bearer t\x01",
        "n,,\x01auth=Bearer t",
        "n,,x\x01auth=Bearer t\x01\x01",
    ] {
        assert_eq!(failure(bearer(message)), nobodys(SaslError::Malformed), "{message:?}");
    }
    for rest in [
        "auth=Bearer t\x01",
        "auth=Basic dDp0\x01\x01",
        "auth=Bearer \x01\x01",
        "auth=Bearer =\x01\x01",
        "auth=Bearer a b\x01\x01",
        "auth=Bearer a=b\x01\x01",
        "auth=Bearer t\x01auth=Bearer t\x01\x01",
        "auth=Bearer t\x01auth=\x01\x01",
        "port\x01auth=Bearer t\x01\x01",
        "=x\x01auth=Bearer t\x01\x01",
        "p2=x\x01auth=Bearer t\x01\x01",
        "auth=Bearer t\x01\x01\x01",
        "auth=Bearer t\x01\x01x",
        "auth=Bearer\u{e9} t\x01\x01",
        "auth=Bearert\x01\x01",
        "k=\x7f\x01auth=Bearer t\x01\x01",
    ] {
        let step = bearer(format!("n,a=u,\x01{rest}"));
        assert_eq!(failure(step), failed(SaslError::Malformed, "u"), "{rest:?}");
        let step = xoauth2(format!("user=u\x01{rest}"));
        assert_eq!(failure(step), failed(SaslError::Malformed, "u"), "{rest:?}");
    }
    assert_eq!(failure(xoauth2("user=\x01auth=Bearer t\x01\x01")), failed(SaslError::Empty, ""));
    assert_eq!(failure(xoauth2("name=u\x01auth=Bearer t\x01\x01")), nobodys(SaslError::Malformed));
}

#[test]
fn a_token_is_never_shown() {
    let step = xoauth2("user=u\x01auth=Bearer hunter2\x01\x01");
    assert!(!format!("{step:?}").contains("hunter2"));
}
