//! CRAM-MD5 over accounts.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sasl::{Mechanism, Secret};

use super::*;

async fn tried(auth: &Authenticator, name: &str, secret: &[u8]) -> Turn {
    let mut talk = auth.converse(Mechanism::CramMd5, origin("192.0.2.1"), TlsFacts::default());
    let Turn::Challenge(challenge) = talk.take(None, moment(0.0)).await else { panic!() };
    let mac = Hmac::<Md5>::new_from_slice(secret).unwrap();
    let digest = mac.chain_update(challenge.expose()).finalize().into_bytes();
    let digits: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
    talk.take(Some(Secret::from(&*format!("{name} {digits}"))), moment(0.0)).await
}

#[tokio::test]
async fn who_has_a_secret_or_a_plain_password_logs_in_and_nobody_else() {
    let auth = everybody();
    let right = tried(&auth, "Plain@example.net", b"right").await;
    assert_eq!(opened(right).as_deref(), Ok("plain@example.net"));
    for (name, secret) in [
        ("plain@example.net", &b"wrong"[..]),
        ("plain@example.net", b""),
        ("one@example.net", b"right"),
        ("hashed@example.net", b"right"),
        ("off@example.net", b"right"),
        ("nobody@example.net", b"right"),
        // What is digested where there is no secret is nobody's way in.
        ("nobody@example.net", &[0; 12]),
        ("hashed@example.net", &[0; 12]),
        ("", b"right"),
    ] {
        let before = counted(&auth);
        let end = tried(&auth, name, secret).await;
        assert_eq!(opened(end), Err(Denied::Invalid), "{name}");
        assert_eq!(counted(&auth).1 - before.1, 1, "{name}");
    }
    assert_eq!(auth.statistics().hashes, 0);
}

#[tokio::test]
async fn no_challenge_comes_twice() {
    let auth = everybody();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..100 {
        let mut talk = auth.converse(Mechanism::CramMd5, origin("192.0.2.1"), TlsFacts::default());
        let Turn::Challenge(challenge) = talk.take(None, moment(0.0)).await else { panic!() };
        assert!(seen.insert(challenge.expose().to_vec()));
        assert!(challenge.expose().ends_with(b".86400@auth.invalid>"), "the time of the attempt");
    }
}

#[tokio::test]
async fn a_master_user_may_use_it() {
    let (auth, _file) = with_masters();
    let end = tried(&auth, "plain@example.net*help", b"staff").await;
    assert_eq!(login(end).acting.unwrap().as_str(), "help");
    let end = tried(&auth, "plain@example.net*help", b"right").await;
    assert_eq!(opened(end), Err(Denied::Invalid));
}
