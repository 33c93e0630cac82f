//! PLAIN (RFC 4616) and LOGIN.

use sasl::{Credentials, Exchange, Mechanism, SaslError, Step};

use super::kit::{challenge, exchange, failed, failure, nobodys, say};

fn credentials(step: Step) -> Credentials {
    match step {
        Step::Password(credentials) => credentials,
        other => panic!("no password: {other:?}"),
    }
}

fn plain(message: impl AsRef<[u8]>) -> Step {
    say(exchange(Mechanism::Plain), message)
}

#[test]
fn the_examples_of_rfc_4616_section_4() {
    let got = credentials(plain("\0tim\0tanstaaftanstaaf"));
    assert_eq!((got.authzid, &*got.login), (None, "tim"));
    assert_eq!(got.password.expose(), b"tanstaaftanstaaf");
    let (asked, exchange) = challenge(exchange(Mechanism::Plain).start());
    assert_eq!(asked, "");
    let got = credentials(say(exchange, "Ursel\0Kurt\0xipj3plmq"));
    assert_eq!((got.authzid.as_deref(), &*got.login), (Some("Ursel"), "Kurt"));
    assert_eq!(got.password.expose(), b"xipj3plmq");
}

#[test]
fn a_plain_message_that_is_none_still_tells_whose_it_was() {
    for message in ["", "user", "user\0password", "tim"] {
        assert_eq!(failure(plain(message)), nobodys(SaslError::Malformed), "{message:?}");
    }
    for message in ["\0tim\0pass\0word", "\0tim\0\0", "\0tim\0password\0"] {
        assert_eq!(failure(plain(message)), failed(SaslError::Malformed, "tim"), "{message:?}");
    }
    assert_eq!(failure(plain("\0tim\0")), failed(SaslError::Empty, "tim"));
    assert_eq!(failure(plain("\0\0password")), failed(SaslError::Empty, ""));
    assert_eq!(failure(plain("tim\0\0password")), failed(SaslError::Empty, ""));
    assert_eq!(failure(plain(b"\0t\xffm\0p")), failed(SaslError::Malformed, "t\u{fffd}m"));
    assert_eq!(failure(plain(b"\xff\0tim\0p")), failed(SaslError::Malformed, "tim"));
    assert_eq!(credentials(plain(b"\0tim\0\xff\xfe")).password.expose(), b"\xff\xfe");
}

fn login(name: &[u8], password: &[u8]) -> Step {
    let (asked, exchange) = challenge(exchange(Mechanism::Login).start());
    assert_eq!(asked, "Username:");
    let (asked, exchange) = challenge(say(exchange, name));
    assert_eq!(asked, "Password:");
    say(exchange, password)
}

#[test]
fn login_asks_in_the_words_that_clients_look_for() {
    let got = credentials(login(b"aiko@example.jp", b"pass word"));
    assert_eq!((got.authzid, &*got.login), (None, "aiko@example.jp"));
    assert_eq!(got.password.expose(), b"pass word");
}

#[test]
fn login_takes_the_name_as_an_initial_response() {
    let (asked, exchange) = challenge(say(exchange(Mechanism::Login), "aiko"));
    assert_eq!(asked, "Password:");
    assert_eq!(credentials(say(exchange, "p")).login, "aiko");
}

#[test]
fn login_refuses_what_is_no_name_and_no_password() {
    assert_eq!(failure(login(b"", b"p")), failed(SaslError::Empty, ""));
    assert_eq!(failure(login(b"", b"")), failed(SaslError::Empty, ""));
    assert_eq!(failure(login(b"aiko", b"")), failed(SaslError::Empty, "aiko"));
    assert_eq!(failure(login(b"aiko", b"p\0")), failed(SaslError::Malformed, "aiko"));
    for (name, shown) in [(&b"a\0b"[..], "a\0b"), (b"\xff", "\u{fffd}")] {
        let step = say(exchange(Mechanism::Login), name);
        assert_eq!(failure(step), failed(SaslError::Malformed, shown));
    }
}

#[test]
fn a_failure_is_a_refusal_or_a_mistake_of_the_client() {
    assert!(SaslError::Empty.is_refusal() && SaslError::ChannelBinding.is_refusal());
    assert!(SaslError::Wrong.is_refusal() && !SaslError::Malformed.is_refusal());
    assert!(!SaslError::Cancelled.is_refusal() && !SaslError::NotBase64.is_refusal());
}

#[test]
fn an_exchange_shows_no_secret() {
    let (_, waiting) = challenge(say(Exchange::new(Mechanism::Login, super::kit::terms()), "aiko"));
    assert!(!format!("{waiting:?}").contains("Secret("));
    let step = say(waiting, "hunter2");
    assert!(!format!("{step:?}").contains("hunter2"));
}
