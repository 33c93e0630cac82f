//! CRAM-MD5 (RFC 2195) and EXTERNAL (RFC 4422 appendix A).

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sasl::{DigestCheck, Exchange, Mechanism, SaslError, Step, Terms};

use super::kit::{challenge, exchange, failed, failure, nobodys, say, terms};

fn digest(secret: &[u8], challenge: &[u8]) -> [u8; 16] {
    let mac = Hmac::<Md5>::new_from_slice(secret).unwrap();
    mac.chain_update(challenge).finalize().into_bytes().into()
}

fn check(step: Step) -> DigestCheck {
    match step {
        Step::Digest(check) => check,
        other => panic!("no digest: {other:?}"),
    }
}

#[test]
fn the_example_of_rfc_2195_section_2() {
    let text = "<1896.697170952@postoffice.reston.mci.net>";
    let terms = Terms { challenge: text.to_owned(), ..terms() };
    let (sent, exchange) = challenge(Exchange::new(Mechanism::CramMd5, terms).start());
    assert_eq!(sent, text);
    let check = check(say(exchange, "tim b913a602c7eda7a495b4e6e7334d3890"));
    assert_eq!((check.login(), check.challenge()), ("tim", text.as_bytes()));
    assert!(check.is(&digest(b"tanstaaftanstaaf", text.as_bytes())));
    assert!(!check.is(&digest(b"tanstaaf", text.as_bytes())) && !check.is(&[0; 16]));
}

#[test]
fn a_challenge_has_the_form_of_a_message_id_and_never_comes_twice() {
    let sent = |octet, seconds| {
        let terms = Terms::fresh(&[octet; 18], seconds);
        challenge(Exchange::new(Mechanism::CramMd5, terms).start()).0
    };
    let one = sent(1, 1_700_000_000);
    assert!(one.starts_with('<') && one.ends_with(".1700000000@auth.invalid>"), "{one}");
    assert!(one.bytes().all(|octet| octet.is_ascii_graphic()));
    assert_ne!(one, sent(2, 1_700_000_000));
}

#[test]
fn cram_md5_takes_names_with_spaces_and_nothing_but_lower_case_digits() {
    let answer = |message: &[u8]| say(challenge(exchange(Mechanism::CramMd5).start()).1, message);
    let digits = "0123456789abcdef0123456789abcdef";
    let spaced = check(answer(format!("tim or tom {digits}").as_bytes()));
    assert_eq!(spaced.login(), "tim or tom");
    for message in ["", "tim", digits] {
        assert_eq!(failure(answer(message.as_bytes())), nobodys(SaslError::Malformed));
    }
    for bad in ["", "0", &digits[1..], &digits.to_uppercase(), &format!("{digits}0"), "tom"] {
        let message = format!("tim {bad}");
        assert_eq!(failure(answer(message.as_bytes())), failed(SaslError::Malformed, "tim"));
    }
    let empty = format!(" {digits}");
    assert_eq!(failure(answer(empty.as_bytes())), failed(SaslError::Empty, ""));
    let early = say(exchange(Mechanism::CramMd5), format!("tim {digits}"));
    assert_eq!(failure(early), nobodys(SaslError::Malformed), "no initial response");
}

fn external(message: &[u8]) -> Result<Option<String>, SaslError> {
    match say(exchange(Mechanism::External), message) {
        Step::Certificate { authzid } => Ok(authzid),
        other => Err(failure(other).error),
    }
}

#[test]
fn external_says_as_whom_or_nothing() {
    assert_eq!(external(b""), Ok(None));
    // RFC 4422 appendix A.4.
    assert_eq!(external(b"fred@example.com"), Ok(Some("fred@example.com".to_owned())));
    assert_eq!(external(b"a\0b"), Err(SaslError::Malformed));
    assert_eq!(external(b"\xff"), Err(SaslError::Malformed));
    let (asked, waiting) = challenge(exchange(Mechanism::External).start());
    assert_eq!(asked, "");
    assert!(matches!(say(waiting, b""), Step::Certificate { authzid: None }));
}
