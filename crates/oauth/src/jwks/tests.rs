//! Vectors of the RFCs, and sets of keys as issuers write them.

use super::*;
use crate::claims::Refusal;

const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
/// RFC 7515 appendix A.2.
const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RSA_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
/// RFC 7515 appendix A.3.
const EC: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
const EC_SIGNATURE: &str =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
/// RFC 8037 appendix A.4.
const ED: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const ED_TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
/// RFC 7517 appendix A.1: an EC key for encryption, and an RSA key.
const SET: &str = r#"{"keys":[
  {"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
   "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"},
  {"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
   "e":"AQAB","alg":"RS256","kid":"2011-04-29"}]}"#;

fn rsa() -> String {
    format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"AQAB"}}"#)
}

fn set(keys: &[&str]) -> KeySet {
    KeySet::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes(), &Algorithm::EVERY)
        .unwrap()
}

fn check(set: &KeySet, token: &str) -> Signed {
    set.check(&Jws::parse(token.as_bytes()).unwrap())
}

/// The token with one bit of its signature turned.
fn spoilt(token: &str) -> String {
    let (rest, last) = token.split_at(token.rfind('.').unwrap() + 1);
    let first = if last.starts_with('A') { 'B' } else { 'A' };
    format!("{rest}{first}{}", &last[1..])
}

#[test]
fn vectors_of_the_rfcs() {
    let rs256 = format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.{RSA_SIGNATURE}");
    let es256 = format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}.{EC_SIGNATURE}");
    // RFC 7515 appendix A.1.
    let hs256 = format!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    let secret = [
        3, 35, 53, 75, 43, 15, 165, 188, 131, 126, 6, 101, 119, 123, 166, 143, 90, 179, 40, 230,
        240, 84, 201, 40, 169, 15, 132, 178, 210, 80, 46, 191, 211, 251, 90, 146, 210, 6, 71, 239,
        150, 138, 180, 195, 119, 98, 61, 34, 61, 46, 33, 114, 5, 46, 79, 8, 192, 205, 154, 245,
        103, 208, 128, 163,
    ];
    let shared = KeySet::shared(&secret, &Algorithm::EVERY).unwrap();
    let every = set(&[&rsa(), EC, ED]);
    for (set, token) in [(&every, &*rs256), (&every, &es256), (&every, ED_TOKEN), (&shared, &hs256)]
    {
        assert_eq!(check(set, token), Signed::Right, "{token}");
        assert_eq!(check(set, &spoilt(token)), Signed::UnknownKey, "{token}");
    }
    let token = Jws::parse(hs256.as_bytes()).unwrap();
    assert_eq!(token.kind.as_deref(), Some("jwt"));
    let claims = token.claims().unwrap();
    assert_eq!(claims["exp"].number(), Some(1_300_819_380.0));
    assert_eq!(claims["iss"].text(), Some("joe"));
    // A key verifies by its own algorithm and by no other, and a public key is no secret.
    assert_eq!(check(&every, &hs256), Signed::UnknownKey);
    assert_eq!(check(&shared, &rs256), Signed::UnknownKey);
    let ps256 = format!("eyJhbGciOiJQUzI1NiJ9.{PAYLOAD}.{RSA_SIGNATURE}");
    assert_ne!(check(&every, &ps256), Signed::Right);
}

#[test]
fn sets_as_issuers_write_them() {
    let found = KeySet::parse(SET.as_bytes(), &Algorithm::EVERY).unwrap();
    assert_eq!(found.len(), 1, "a key for encryption signs nothing");
    assert_eq!(found.keys[0].id(), Some("2011-04-29"));
    // With a zero in front of the modulus, as some write it; unknown members are passed over.
    let zero = format!(r#"{{"kty":"RSA","n":"AKH4FgriAA","e":"AQAB"}},{}"#, rsa());
    let unknown = r#"{"kty":"OKP","crv":"X448","x":"AA"},{"kty":"oct","k":"AAAA"},{"kty":"new"}"#;
    let many = format!(r#"{{"x":[1,{{}}],"keys":[{zero},{unknown},"text",{{}},{ED}]}}"#);
    assert_eq!(KeySet::parse(many.as_bytes(), &Algorithm::EVERY).unwrap().len(), 2);
}

#[test]
fn keys_that_are_for_something_else() {
    let with = |member: &str| rsa().replace("\"kty\"", &format!("{member},\"kty\""));
    for member in [
        r#""use":"enc""#,
        r#""key_ops":["sign"]"#,
        r#""key_ops":"verify""#,
        r#""alg":"RSA-OAEP""#,
        r#""alg":"none""#,
        r#""alg":"HS256""#,
        r#""alg":"ES256""#,
        r#""alg":5"#,
    ] {
        let text = format!(r#"{{"keys":[{}]}}"#, with(member));
        assert!(KeySet::parse(text.as_bytes(), &Algorithm::EVERY).is_err(), "{member}");
    }
    // A key that is for PS256 does not verify RS256.
    let rs256 = format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.{RSA_SIGNATURE}");
    assert_eq!(check(&set(&[&with(r#""alg":"RS256","use":"sig""#)]), &rs256), Signed::Right);
    assert_ne!(check(&set(&[&with(r#""alg":"PS256""#)]), &rs256), Signed::Right);
    let only = KeySet::parse(format!(r#"{{"keys":[{}]}}"#, rsa()).as_bytes(), &[Algorithm::Ps256]);
    assert_ne!(check(&only.unwrap(), &rs256), Signed::Right);
}

#[test]
fn sets_that_are_of_no_use() {
    let weak = format!(r#"{{"keys":[{{"kty":"RSA","n":"{}","e":"AQAB"}}]}}"#, &RSA_N[..172]);
    let huge = format!(r#"{{"keys":[{{"kty":"RSA","n":"{}","e":"AQAB"}}]}}"#, RSA_N.repeat(8));
    let off_curve = format!(r#"{{"keys":[{}]}}"#, EC.replace("x_FEz", "x_FEy"));
    let short = format!(r#"{{"keys":[{}]}}"#, ED.replace("11qY", ""));
    let twice = format!(r#"{{"keys":[{}]}}"#, EC.replace("\"crv\"", "\"kty\":\"EC\",\"crv\""));
    let long = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(JWKS_MAX));
    for text in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"keys":{}}"#,
        r#"{"keys":[]}"#,
        r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#,
        r#"{"keys":[{"kty":"RSA"}]}"#,
        r#"{"keys":[{"kty":"RSA","n":"","e":""}]}"#,
        r#"{"keys":[{"kty":"RSA","n":"====","e":"AQAB"}]}"#,
        "<html>not found</html>",
        &weak,
        &huge,
        &off_curve,
        &short,
        &twice,
        &long,
    ] {
        let found = KeySet::parse(text.as_bytes(), &Algorithm::EVERY);
        assert!(found.is_err(), "{}", &text[..text.len().min(100)]);
    }
}

#[test]
fn tokens_name_their_key() {
    let key = |id: &str| rsa().replace("\"kty\"", &format!(r#""kid":"{id}","kty""#));
    // {"alg":"RS256","kid":"b"}: the signature is another's, which does not matter here.
    let token = format!("eyJhbGciOiJSUzI1NiIsImtpZCI6ImIifQ.{PAYLOAD}.{RSA_SIGNATURE}");
    assert_eq!(check(&set(&[&key("b"), &key("a")]), &token), Signed::Wrong);
    assert_eq!(check(&set(&[&key("a")]), &token), Signed::UnknownKey);
    let plain = format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.{RSA_SIGNATURE}");
    assert_eq!(check(&set(&[&key("a")]), &plain), Signed::Right, "it names none");
    // A name may stand twice, for keys of two kinds, and for an old and a new one.
    let same = EC.replace("\"kty\"", r#""kid":"a","kty""#);
    assert_eq!(check(&set(&[&same, &key("a")]), &plain), Signed::Right);
}

#[test]
fn what_is_no_signed_token() {
    let with = |header: &str| format!("{}.{PAYLOAD}.AAAA", base64_url(header));
    let long = format!("{}.{PAYLOAD}.{}", base64_url(r#"{"alg":"RS256"}"#), "A".repeat(TOKEN));
    for (token, refusal) in [
        (String::new(), Refusal::NotJwt),
        ("a".to_owned(), Refusal::NotJwt),
        ("a.b".to_owned(), Refusal::NotJwt),
        ("a.b.c.d".to_owned(), Refusal::NotJwt),
        ("a.b.c.d.e".to_owned(), Refusal::NotJwt),
        ("..".to_owned(), Refusal::Header),
        (long, Refusal::TooLong),
        (format!("eyJhbGciOiJSUzI1NiJ9=.{PAYLOAD}.AAAA"), Refusal::Base64),
        (format!("eyJhbGciOiJSUzI1NiJ9\n.{PAYLOAD}.AAAA"), Refusal::Base64),
        (format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.A"), Refusal::Base64),
        (format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.AB"), Refusal::Base64),
        (format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.+/+/"), Refusal::Base64),
        (with(r#"{"alg":"none"}"#), Refusal::Algorithm),
        (with(r#"{"alg":"None"}"#), Refusal::Algorithm),
        (with(r#"{"alg":"rs256"}"#), Refusal::Algorithm),
        (with(r#"{"alg":"RS1"}"#), Refusal::Algorithm),
        (with(r#"{"alg":""}"#), Refusal::Algorithm),
        (with("{}"), Refusal::Algorithm),
        (with(r#"{"alg":null}"#), Refusal::Header),
        (with(r#"{"alg":["RS256"]}"#), Refusal::Header),
        (with(r#"{"alg":"RS256","alg":"none"}"#), Refusal::Header),
        (with(r#"{"alg":"RS256","kid":7}"#), Refusal::Header),
        (with(r#"{"alg":"RS256","typ":{}}"#), Refusal::Header),
        (with(r#"{"alg":"RS256","crit":["exp"]}"#), Refusal::Header),
        (with(r#"{"alg":"RS256","b64":false}"#), Refusal::Header),
        (with(r#"{"alg":"RS256","zip":"DEF"}"#), Refusal::Header),
        (with(r#"{"alg":"RS256"} x"#), Refusal::Header),
        (with("[]"), Refusal::Header),
        (with(&"[".repeat(5000)), Refusal::Header),
    ] {
        let found = Jws::parse(token.as_bytes()).map(|_| ()).unwrap_err();
        assert_eq!(found, refusal, "{}", &token[..token.len().min(60)]);
    }
}

const TOKEN: usize = crate::jws::TOKEN_MAX;

proptest::proptest! {
    /// Whatever comes: an answer, and never that it is right.
    #[test]
    fn noise_is_answered(
        token in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
        header in ".{0,80}",
        flips in proptest::collection::vec((0_usize..500, 0_u8..8), 1..4),
    ) {
        let _ = Jws::parse(&token);
        let _ = crate::json::object(&token);
        let _ = KeySet::parse(&token, &Algorithm::EVERY);
        let _ = Jws::parse(format!("{}.{PAYLOAD}.AAAA", base64_url(&header)).as_bytes());
        let good = format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}.{EC_SIGNATURE}");
        let mut octets = good.clone().into_bytes();
        for (place, bit) in flips {
            let length = octets.len();
            octets[place % length] ^= 1 << bit;
        }
        if octets != good.as_bytes()
            && let Ok(token) = Jws::parse(&octets)
        {
            proptest::prop_assert_ne!(set(&[EC]).check(&token), Signed::Right);
        }
    }
}

fn base64_url(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}
