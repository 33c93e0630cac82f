//! Exchanges good, bad and hostile.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use proptest::prelude::*;
use sasl::{Credentials, Exchange, Mechanism, RESPONSE_MAX, SaslError, Secret, Step};

fn encode(octets: impl AsRef<[u8]>) -> Vec<u8> {
    STANDARD.encode(octets).into_bytes()
}

fn challenge(step: Step) -> (String, Exchange) {
    match step {
        Step::Challenge { text, exchange } => (text.into_owned(), exchange),
        other => panic!("no challenge: {other:?}"),
    }
}

fn credentials(step: Step) -> Credentials {
    match step {
        Step::Credentials(credentials) => credentials,
        other => panic!("no credentials: {other:?}"),
    }
}

fn failure(step: Step) -> SaslError {
    match step {
        Step::Failed(error) => error,
        other => panic!("no failure: {other:?}"),
    }
}

fn plain(message: impl AsRef<[u8]>) -> Step {
    Exchange::start(Mechanism::Plain, Some(&encode(message)))
}

#[test]
fn plain_with_initial_response() {
    // RFC 4616 section 4: "tim" with "tanstaaftanstaaf".
    let got = credentials(plain(b"\0tim\0tanstaaftanstaaf"));
    assert_eq!((got.authzid, got.login.as_str()), (None, "tim"));
    assert_eq!(got.password.expose(), b"tanstaaftanstaaf");
}

#[test]
fn plain_without_initial_response_asks_with_an_empty_challenge() {
    let (text, exchange) = challenge(Exchange::start(Mechanism::Plain, None));
    assert_eq!(text, "");
    // RFC 4954 section 4.3, example: "test" with "1234".
    let got = credentials(exchange.respond(b"dGVzdAB0ZXN0ADEyMzQ="));
    assert_eq!((got.authzid.as_deref(), got.login.as_str()), (Some("test"), "test"));
    assert_eq!(got.password.expose(), b"1234");
}

#[test]
fn login_asks_for_name_and_password_in_the_very_words_clients_know() {
    let (text, exchange) = challenge(Exchange::start(Mechanism::Login, None));
    assert_eq!(text, "VXNlcm5hbWU6");
    assert_eq!(STANDARD.decode(&text).unwrap(), b"Username:");
    let (text, exchange) = challenge(exchange.respond(&encode("aiko@example.jp")));
    assert_eq!(text, "UGFzc3dvcmQ6");
    assert_eq!(STANDARD.decode(&text).unwrap(), b"Password:");
    let got = credentials(exchange.respond(&encode(b"p\xffss w\xc3\xb6rd")));
    assert_eq!(got.login, "aiko@example.jp");
    assert_eq!(got.password.expose(), b"p\xffss w\xc3\xb6rd");
}

#[test]
fn login_takes_the_name_as_initial_response() {
    let (text, exchange) = challenge(Exchange::start(Mechanism::Login, Some(&encode("aiko"))));
    assert_eq!(text, "UGFzc3dvcmQ6");
    assert_eq!(credentials(exchange.respond(&encode("pw"))).login, "aiko");
}

#[test]
fn an_equals_sign_is_an_empty_initial_response_and_nothing_else() {
    let start = |mechanism| failure(Exchange::start(mechanism, Some(b"=")));
    assert_eq!(start(Mechanism::Plain), SaslError::Malformed);
    assert_eq!(start(Mechanism::Login), SaslError::Empty);
    let (_, exchange) = challenge(Exchange::start(Mechanism::Plain, None));
    assert_eq!(failure(exchange.respond(b"=")), SaslError::NotBase64);
}

#[test]
fn a_star_cancels_at_every_step() {
    for mechanism in Mechanism::ALL {
        let (_, exchange) = challenge(Exchange::start(mechanism, None));
        assert_eq!(failure(exchange.respond(b"*")), SaslError::Cancelled);
    }
    let (_, exchange) = challenge(Exchange::start(Mechanism::Login, Some(&encode("aiko"))));
    assert_eq!(failure(exchange.respond(b"*")), SaslError::Cancelled);
    assert_eq!(failure(Exchange::start(Mechanism::Plain, Some(b"*"))), SaslError::NotBase64);
}

#[test]
fn only_strict_base64_passes() {
    let message = b"\0aiko\0password";
    let mut broken = vec![
        STANDARD_NO_PAD.encode(message).into_bytes(),
        [&encode(message)[..], b" "].concat(),
        [b" ", &encode(message)[..]].concat(),
        [&encode(message)[..], b"\r"].concat(),
        [&encode(message)[..], &encode("x")[..]].concat(),
        URL_SAFE.encode(b"\0a\0\xfb\xff\xfe").into_bytes(),
        b"AGEAYg=".to_vec(),
        b"AGEAYg===".to_vec(),
        b"=AGEAYg=".to_vec(),
        b"A".to_vec(),
        b"\0".to_vec(),
        b"\xff\xff\xff\xff".to_vec(),
    ];
    // Stray bits behind the last octet: two spellings of one password.
    assert_eq!(encode(b"\0a\0b"), b"AGEAYg==");
    broken.push(b"AGEAYh==".to_vec());
    for text in broken {
        let step = Exchange::start(Mechanism::Plain, Some(&text));
        assert_eq!(failure(step), SaslError::NotBase64, "{text:?}");
    }
}

#[test]
fn a_response_has_a_limit_of_its_own() {
    let password = vec![b'p'; RESPONSE_MAX / 4 * 3 - 3];
    let longest = encode([b"\0a\0", &password[..]].concat());
    assert_eq!(longest.len(), RESPONSE_MAX);
    let got = credentials(Exchange::start(Mechanism::Plain, Some(&longest)));
    assert_eq!(got.password.expose(), password);
    let longer = vec![b'A'; RESPONSE_MAX + 1];
    for mechanism in Mechanism::ALL {
        assert_eq!(failure(Exchange::start(mechanism, Some(&longer))), SaslError::TooLong);
        let (_, exchange) = challenge(Exchange::start(mechanism, None));
        assert_eq!(failure(exchange.respond(&longer)), SaslError::TooLong);
    }
}

#[test]
fn malformed_messages_are_told_from_refused_ones() {
    let cases: &[(&[u8], SaslError)] = &[
        (b"", SaslError::Malformed),
        (b"aiko", SaslError::Malformed),
        (b"\0aiko", SaslError::Malformed),
        (b"\0aiko\0pass\0word", SaslError::Malformed),
        (b"\0aiko\0\0", SaslError::Malformed),
        (b"\0\xff\xfe\0pw", SaslError::Malformed),
        (b"\xff\0aiko\0pw", SaslError::Malformed),
        (b"\0\0pw", SaslError::Empty),
        (b"\0aiko\0", SaslError::Empty),
        (b"root\0aiko\0pw", SaslError::ForeignIdentity),
        (b"aik\0aiko\0pw", SaslError::ForeignIdentity),
    ];
    for (message, want) in cases {
        let got = failure(plain(message));
        assert_eq!(got, *want, "{message:?}");
        let refused = matches!(want, SaslError::Empty | SaslError::ForeignIdentity);
        assert_eq!(got.is_refusal(), refused);
    }
    let login = |name: &[u8]| Exchange::start(Mechanism::Login, Some(&encode(name)));
    assert_eq!(failure(login(b"ai\0ko")), SaslError::Malformed);
    assert_eq!(failure(login(b"\xff")), SaslError::Malformed);
    let (_, exchange) = challenge(login(b"aiko"));
    assert_eq!(failure(exchange.clone().respond(b"")), SaslError::Empty);
    assert_eq!(failure(exchange.respond(&encode(b"p\0w"))), SaslError::Malformed);
}

#[test]
fn ones_own_identity_may_be_named_in_any_case() {
    let got = credentials(plain(b"Aiko@Example.jp\0aiko@example.jp\0pw"));
    assert_eq!(got.authzid.as_deref(), Some("Aiko@Example.jp"));
}

#[test]
fn names_of_mechanisms() {
    assert_eq!(Mechanism::parse(b"plain"), Some(Mechanism::Plain));
    assert_eq!(Mechanism::parse(b"LoGiN"), Some(Mechanism::Login));
    for unknown in [&b""[..], b"PLAIN ", b"CRAM-MD5", b"PLA\0N", b"\xff"] {
        assert_eq!(Mechanism::parse(unknown), None);
    }
    assert_eq!(Mechanism::ALL.map(|mechanism| mechanism.to_string()), ["PLAIN", "LOGIN"]);
}

#[test]
fn secrets_are_never_printed() {
    let got = credentials(plain(b"\0aiko\0hunter2"));
    for printed in [format!("{got:?}"), format!("{got:#?}"), format!("{:?}", got.password)] {
        assert!(printed.contains("Secret(..)"), "{printed}");
        assert!(!printed.contains("hunter2") && !printed.contains("104"), "{printed}");
    }
    assert_eq!(format!("{:?}", Secret::default()), "Secret(..)");
    assert!(Secret::default().is_empty() && !Secret::from("x").is_empty());
}

proptest! {
    #[test]
    fn every_line_is_answered(line in prop::collection::vec(any::<u8>(), 0..64), plain: bool) {
        let mechanism = if plain { Mechanism::Plain } else { Mechanism::Login };
        let (_, exchange) = challenge(Exchange::start(mechanism, None));
        let _ = exchange.respond(&line);
        let _ = Exchange::start(mechanism, Some(&line));
    }

    #[test]
    fn what_a_client_sends_arrives(login in "[^\0]{1,40}", password in prop::collection::vec(1_u8.., 1..80)) {
        let message = [b"\0", login.as_bytes(), b"\0", &password[..]].concat();
        let got = credentials(plain(&message));
        prop_assert_eq!(&got.login, &login);
        prop_assert_eq!(got.password.expose(), &password[..]);
        let (_, exchange) = challenge(Exchange::start(Mechanism::Login, Some(&encode(&login))));
        let got = credentials(exchange.respond(&encode(&password)));
        prop_assert_eq!(got.login, login);
        prop_assert_eq!(got.password.expose(), &password[..]);
    }
}
