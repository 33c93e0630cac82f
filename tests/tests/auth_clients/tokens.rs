//! OAUTHBEARER and XOAUTH2: curl with a token of the house's issuer.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use lastpost_tests::House;
use sha2::Sha256;

use crate::curl::curl;
use crate::kit::{account_of, has, house_with, tried};

const SECRET: &[u8] = b"a secret of the issuer, long enough for it";

/// A token (RFC 7519) for `login`, which ends ten years after the house begins.
fn token(login: &str) -> String {
    let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let claims = format!(
        r#"{{"iss":"https://id.example","aud":"mail","exp":2095000000,"email":"{login}"}}"#
    );
    let signed = format!("{}.{}", part(r#"{"alg":"HS256"}"#), part(&claims));
    let mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap().chain_update(&signed);
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// curl chooses OAUTHBEARER wherever it sees it.
fn house(mechanism: &str) -> House {
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("issuer.secret");
    std::fs::write(&secret, SECRET).unwrap();
    let oauth = format!(
        "[oauth]\nissuer = \"https://id.example\"\naudience = [\"mail\"]\n\
         [oauth.keys]\nsecret_file = {:?}\nalgorithms = [\"HS256\"]\n",
        secret.display().to_string()
    );
    house_with(&[mechanism], &oauth)
}

fn attempt(
    house: &House,
    listener: &str,
    mechanism: &str,
    login: &str,
    token: &str,
) -> (bool, String) {
    let mut curl: Command = curl(house, listener, mechanism);
    curl.arg("--user").arg(login).arg("--oauth2-bearer").arg(token);
    tried(&mut curl)
}

#[test]
fn a_token_opens_the_account_that_it_is_for_and_no_other() {
    if !has("curl", &["--version"]) {
        return;
    }
    let login = account_of("PLAIN");
    for mechanism in ["OAUTHBEARER", "XOAUTH2"] {
        let house = house(mechanism);
        for listener in ["pop3", "pop3s", "submission", "submissions"] {
            let (done, said) = attempt(&house, listener, mechanism, login, &token(login));
            assert!(done && said.contains(&format!("AUTH {mechanism}")), "{said}");
            let of_another = token(account_of("CRAM-MD5"));
            let forged = token(login).replace(".ey", ".eY");
            for token in [&*of_another, &*forged, "ya29"] {
                let (done, said) = attempt(&house, listener, mechanism, login, token);
                assert!(!done, "{said}");
            }
        }
    }
}
