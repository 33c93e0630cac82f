//! Signed tokens: good ones, and forged ones of every kind.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use auth::TokenError;
use common::{Asked, NOW, Signer, b64, claims, config, set};
use oauth::Verifier;

const INVALID: Result<String, TokenError> = Err(TokenError::Invalid);

fn ann() -> Result<String, TokenError> {
    Ok("ann@example.net".to_owned())
}

#[tokio::test]
async fn every_algorithm() {
    for algorithm in ["RS256", "PS256", "ES256", "ES384", "EdDSA"] {
        let (signer, other) = (Signer::new(algorithm), Signer::new(algorithm));
        let (asked, _directory) = Asked::with_file(&[signer.jwk("k")], "");
        let identity = asked.verify(&signer.good("k")).await.unwrap();
        assert_eq!(identity.login, "ann@example.net");
        assert_eq!(identity.expires.unwrap().as_second(), NOW + 600);
        assert_eq!(asked.login(&other.good("k")).await, INVALID, "{algorithm}");
        // The same signature over other claims.
        let good = signer.good("k");
        let parts: Vec<_> = good.split('.').collect();
        let swapped = b64(claims("").replace("ann", "bob"));
        let forged = format!("{}.{swapped}.{}", parts[0], parts[2]);
        assert_eq!(asked.login(&forged).await, INVALID);
        let unsigned = format!("{}.{}.", parts[0], parts[1]);
        assert_eq!(asked.login(&unsigned).await, INVALID);
    }
}

#[tokio::test]
async fn algorithms_are_not_the_tokens_choice() {
    let signer = Signer::new("RS256");
    let (asked, _directory) = Asked::with_file(&[signer.jwk("k")], "");
    let with = |header: &str| signer.token(header, &claims(""));
    assert_eq!(asked.login(&with(r#"{"alg":"RS256"}"#)).await, ann());
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"PS256"}"#,
        r#"{"alg":"RS384"}"#,
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"RS256","kid":"other"}"#,
        r#"{"alg":"RS256","typ":"logout+jwt"}"#,
        r#"{"alg":"RS256","crit":["x"],"x":1}"#,
    ] {
        assert_eq!(asked.login(&with(header)).await, INVALID, "{header}");
    }
    // A key that the token brings along is no key.
    let thief = Signer::new("RS256");
    let own = format!(r#"{{"alg":"RS256","kid":"k","jwk":{}}}"#, thief.jwk("k"));
    assert_eq!(asked.login(&thief.token(&own, &claims(""))).await, INVALID);
    let url = r#"{"alg":"RS256","kid":"k","jku":"http://127.0.0.1/x","x5u":"http://127.0.0.1/y"}"#;
    assert_eq!(asked.login(&thief.token(url, &claims(""))).await, INVALID);
}

#[tokio::test]
async fn a_public_key_is_never_a_secret() {
    let signer = Signer::new("RS256");
    let jwk = signer.jwk("k");
    let (asked, directory) = Asked::with_file(std::slice::from_ref(&jwk), "");
    let file = std::fs::read(directory.path().join("jwks.json")).unwrap();
    let modulus = jwk.split('"').nth(11).unwrap().as_bytes().to_vec();
    for secret in [file, jwk.into_bytes(), modulus, b"k".to_vec(), Vec::new()] {
        let forger = Signer::Shared(secret);
        for id in ["k", "other"] {
            assert_eq!(asked.login(&forger.good(id)).await, INVALID);
        }
    }
}

#[tokio::test]
async fn a_shared_secret_only_where_it_is_configured() {
    let directory = tempfile::tempdir().unwrap();
    let secret = "0123456789abcdef0123456789abcdef";
    std::fs::write(directory.path().join("secret"), format!("{secret}\n")).unwrap();
    let table = "[keys]\nalgorithms = [\"HS256\"]\nsecret_file = \"secret\"\n";
    let asked = Asked::new(&config(table).relative_to(directory.path()));
    assert_eq!(asked.login(&Signer::Shared(secret.into()).good("k")).await, ann());
    assert_eq!(asked.login(&Signer::Shared(b"other".to_vec()).good("k")).await, INVALID);
    assert_eq!(asked.login(&Signer::new("ES256").good("k")).await, INVALID);
    std::fs::write(directory.path().join("secret"), "too short").unwrap();
    let config = config(table).relative_to(directory.path());
    let error = Verifier::open(&config, common::clock() as _).unwrap_err();
    assert!(
        error.to_string().contains("9 octets") && !error.to_string().contains("short"),
        "{error}"
    );
}

#[tokio::test]
async fn claims_decide() {
    let signer = Signer::new("ES256");
    let rules = "scopes = [\"mail\"]\nrequired_claims = [\"tenant=a\"]\n";
    let (asked, _directory) = Asked::with_file(&[signer.jwk("k")], rules);
    let good = claims(r#""tenant":"a","#);
    let with = |text: &str| signer.token(r#"{"alg":"ES256"}"#, text);
    let said = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        with(&good.replace(from, to))
    };
    let end = format!("\"exp\":{}", NOW + 600);
    let at = |seconds: i64| format!("\"exp\":{}", NOW + seconds);
    for token in [
        with(&good),
        said(r#"["x","mail"]"#, r#""mail""#),
        said(&end, &at(-29)),
        said(&end, &format!("{}.5", at(10))),
        said(&end, &format!("{end},\"nbf\":{}", NOW + 29)),
        said("openid mail", "mail"),
        said(r#""scope":"openid mail""#, r#""scp":["mail","x"]"#),
        said(r#""tenant":"a""#, r#""tenant":["b","a"]"#),
        said(r#""email""#, r#""email_verified":true,"email""#),
        said(&end, &format!("{end},\"exp2\":null,\"x\":{{\"y\":[1]}}")),
        signer.token(r#"{"alg":"ES256","typ":"application/at+JWT"}"#, &good),
    ] {
        assert_eq!(asked.login(&token).await, ann(), "{token}");
    }
    for token in [
        said("https://id.example", "https://id.example/"),
        said("https://id.example", "https://ID.example"),
        said(r#""iss":"https://id.example""#, r#""iss":["https://id.example"]"#),
        said(r#""iss":"https://id.example","#, ""),
        said(r#"["x","mail"]"#, r#"["x","Mail"]"#),
        said(r#"["x","mail"]"#, "[]"),
        said(r#"["x","mail"]"#, "null"),
        said(r#""aud":["x","mail"],"#, ""),
        said(&end, &at(-31)),
        said(&end, "\"exp\":0"),
        said(&end, "\"exp\":\"9999999999\""),
        said(&end, "\"exp\":null"),
        said(&end, "\"exp\":1e400"),
        said(&format!("{end},"), ""),
        said(&end, &format!("{end},\"nbf\":{}", NOW + 31)),
        said(&end, &format!("{end},\"nbf\":\"soon\"")),
        said(&format!("\"iat\":{}", NOW - 60), &format!("\"iat\":{}", NOW + 3600)),
        said("openid mail", "openid mails"),
        said("openid mail", "openid\tmail"),
        said(r#","scope":"openid mail""#, ""),
        said(r#""tenant":"a""#, r#""tenant":"b""#),
        said(r#""tenant":"a""#, r#""tenant":[["a"]]"#),
        said(r#""tenant":"a","#, ""),
        said("ann@example.net", ""),
        said("ann@example.net", "ann@example.net\\u0000"),
        said("ann@example.net", &"a".repeat(400)),
        said(r#""email":"ann@example.net""#, r#""email":["ann@example.net"]"#),
        said(r#""email":"ann@example.net","#, ""),
        said(r#""email""#, r#""email_verified":false,"email""#),
        said(r#""email""#, r#""email_verified":"no","email""#),
        // Twice the same name: which one counts is a matter of taste, and so none does.
        said(r#""email""#, r#""email":"root@example.net","email""#),
        said(&end, &format!("{end},\"exp\":{}", NOW + 9999)),
        with("[]"),
        with("null"),
        with(""),
        with(&good[..good.len() - 1]),
        with(&with(&good)),
    ] {
        assert_eq!(asked.login(&token).await, INVALID, "{token}");
    }
}

#[tokio::test]
async fn ends_far_away_are_no_trouble() {
    let signer = Signer::new("EdDSA");
    let (asked, _directory) = Asked::with_file(&[signer.jwk("k")], "");
    let end = format!("\"exp\":{}", NOW + 600);
    for far in ["1e300", "99999999999999999999999999", "18446744073709551615"] {
        let claims = claims("").replace(&end, &format!("\"exp\":{far}"));
        let identity = asked.verify(&signer.token(r#"{"alg":"EdDSA"}"#, &claims)).await.unwrap();
        assert_eq!(identity.expires, Some(jiff::Timestamp::MAX), "{far}");
    }
}

#[tokio::test]
async fn which_claim_names_the_account() {
    let signer = Signer::new("EdDSA");
    let rules = "login_claim = \"preferred_username\"\ndomain = \"example.net\"\n";
    let (asked, _directory) = Asked::with_file(&[signer.jwk("k")], rules);
    for (name, login) in [("ann", "ann@example.net"), ("ann@x.example", "ann@x.example")] {
        let claims = claims(&format!(r#""preferred_username":"{name}","#));
        let token = signer.token(r#"{"alg":"Ed25519"}"#, &claims);
        assert_eq!(asked.login(&token).await.as_deref(), Ok(login));
    }
    assert_eq!(asked.login(&signer.good("k")).await, INVALID, "it has no such claim");
}

#[tokio::test]
async fn noise_of_every_length() {
    let signer = Signer::new("ES384");
    let (asked, _directory) = Asked::with_file(&[signer.jwk("k")], "");
    let good = signer.good("k");
    for end in 0..good.len() {
        assert_eq!(asked.login(&good[..end]).await, INVALID, "{end}");
    }
    assert_eq!(asked.login(&format!("{good}A")).await, INVALID);
    assert_eq!(asked.login(&format!(" {good}")).await, INVALID);
    assert_eq!(asked.login(&"x".repeat(1 << 20)).await, INVALID);
    assert_eq!(asked.login(&format!("{good}.{}", "A".repeat(20_000))).await, INVALID);
    assert_eq!(asked.login(&good).await, ann());
}

#[tokio::test]
async fn a_changed_file_counts_and_a_broken_one_does_not() {
    let (first, second) = (Signer::new("EdDSA"), Signer::new("EdDSA"));
    let rules = "";
    let (asked, directory) = Asked::with_file(&[first.jwk("1")], rules);
    let path = directory.path().join("jwks.json");
    tokio::time::pause();
    let task = tokio::spawn(std::sync::Arc::clone(&asked.verifier).keep_fresh());
    // Half of a file, as an editor that does not rename leaves it.
    std::fs::write(&path, &set(&[second.jwk("2")])[..40]).unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    assert_eq!(asked.login(&first.good("1")).await, ann());
    std::fs::write(&path, set(&[second.jwk("2")])).unwrap();
    common::until(async || asked.login(&second.good("2")).await.is_ok()).await;
    assert_eq!(asked.login(&first.good("1")).await, INVALID, "its key is gone");
    std::fs::remove_file(&path).unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    assert_eq!(asked.login(&second.good("2")).await, ann());
    task.abort();
    // A reload says what is wrong.
    assert!(asked.verifier.reload().await.unwrap_err().contains("jwks.json: "));
    std::fs::write(&path, set(&[first.jwk("1")])).unwrap();
    asked.verifier.reload().await.unwrap();
    assert_eq!(asked.login(&first.good("1")).await, ann());
}

#[test]
#[ignore = "figures: what one verification costs"]
fn cost_of_a_verification() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for algorithm in ["RS256", "PS256", "ES256", "ES384", "EdDSA"] {
        let signer = Signer::new(algorithm);
        let (asked, _directory) = Asked::with_file(&[signer.jwk("k")], "");
        let (good, count) = (signer.good("k"), 5000);
        let begun = std::time::Instant::now();
        runtime.block_on(async {
            for _ in 0..count {
                asked.login(&good).await.unwrap();
            }
        });
        println!("{algorithm}: {:?} for each token", begun.elapsed() / count);
    }
}
