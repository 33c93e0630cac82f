//! OAUTHBEARER and XOAUTH2 over accounts.

use sasl::{Mechanism, Secret};

use super::*;
use crate::{Answer, AttackConfig, Moment, TokenError, TokenIdentity, TokenVerifier};

/// A token is the login that it is for; `down` cannot be verified, `bad…` is none.
pub(super) struct Provider;

impl TokenVerifier for Provider {
    fn verify<'a>(
        &'a self,
        token: &'a Secret,
        _: Moment,
    ) -> Answer<'a, Result<TokenIdentity, TokenError>> {
        let login = String::from_utf8(token.expose().to_vec()).unwrap().replace('~', "@");
        let verified = match &*login {
            "down" => Err(TokenError::Unavailable),
            bad if bad.starts_with("bad") => Err(TokenError::Invalid),
            _ => Ok(TokenIdentity { login, expires: None }),
        };
        Box::pin(std::future::ready(verified))
    }
}

fn with_provider() -> Authenticator {
    everybody().with_tokens(Arc::new(Provider))
}

fn bearer(authzid: &str, token: &str) -> String {
    format!("n,{authzid},\x01auth=Bearer {token}\x01\x01")
}

fn xoauth2(user: &str, token: &str) -> String {
    format!("user={user}\x01auth=Bearer {token}\x01\x01")
}

#[tokio::test]
async fn a_good_token_opens_the_account_that_it_is_for() {
    let auth = with_provider();
    for (mechanism, message) in [
        (Mechanism::OAuthBearer, bearer("a=hashed@example.net", "hashed~example.net")),
        (Mechanism::OAuthBearer, bearer("a=Hashed@Example.net", "HASHED~example.net")),
        (Mechanism::OAuthBearer, bearer("", "hashed~example.net")),
        (Mechanism::XOAuth2, xoauth2("hashed@example.net", "hashed~example.net")),
    ] {
        let (end, asked) = talk(&auth, mechanism, tls(), &[&message]).await;
        assert_eq!(opened(end).as_deref(), Ok("hashed@example.net"), "{message:?}");
        assert!(asked.is_empty());
    }
    assert_eq!((counted(&auth), auth.statistics().succeeded), ((4, 0), 4));
}

#[tokio::test]
async fn a_token_is_good_while_the_password_has_to_be_changed() {
    let accounts = vec![account("ann@example.net", cheap("right"), false).with_must_change(true)];
    let auth = Authenticator::new(&config(), directory(accounts)).unwrap();
    let auth = auth.with_tokens(Arc::new(Provider));
    let message = xoauth2("ann@example.net", "ann~example.net");
    let (end, _) = talk(&auth, Mechanism::XOAuth2, tls(), &[&message]).await;
    assert_eq!(opened(end).as_deref(), Ok("ann@example.net"));
}

#[tokio::test]
async fn a_refused_client_hears_why_and_then_no() {
    let auth = with_provider();
    for (mechanism, message, status) in [
        (Mechanism::OAuthBearer, bearer("a=plain@example.net", "bad"), "invalid_token"),
        (Mechanism::OAuthBearer, bearer("a=plain@example.net", "two~example.net"), "invalid_token"),
        (Mechanism::OAuthBearer, bearer("a=off@example.net", "off~example.net"), "invalid_token"),
        (Mechanism::OAuthBearer, bearer("", "nobody~example.net"), "invalid_token"),
        (Mechanism::OAuthBearer, bearer("", "."), "invalid_token"),
        (Mechanism::XOAuth2, xoauth2("plain@example.net", "bad"), "401"),
        (Mechanism::XOAuth2, xoauth2("../plain", "plain~example.net"), "401"),
    ] {
        let before = counted(&auth);
        let (end, asked) = talk(&auth, mechanism, tls(), &[&*message, "\x01"]).await;
        assert_eq!(opened(end), Err(Denied::Invalid), "{message:?}");
        assert_eq!(
            asked,
            [match status {
                "401" => "{\"status\":\"401\",\"schemes\":\"bearer\"}",
                _ => "{\"status\":\"invalid_token\"}",
            }]
        );
        assert_eq!(counted(&auth).1 - before.1, 1, "{message:?}");
    }
}

#[tokio::test]
async fn a_failure_counts_even_if_the_client_leaves_before_the_no() {
    let auth = with_provider();
    let mut talk = auth.converse(Mechanism::XOAuth2, origin("192.0.2.1"), tls());
    let message = Secret::from(&*xoauth2("plain@example.net", "bad"));
    assert!(matches!(talk.take(Some(message), moment(0.0)).await, Turn::Challenge(_)));
    drop(talk);
    assert_eq!(counted(&auth), (1, 1));
}

#[tokio::test]
async fn what_the_configuration_says_of_the_provider_is_told() {
    let mut config = config();
    config.sasl.openid_configuration = "https://id.example/c".to_owned();
    config.sasl.oauth_scope = "mail openid".to_owned();
    let auth = Authenticator::new(&config, directory(Vec::new())).unwrap();
    let auth = auth.with_tokens(Arc::new(Provider));
    // RFC 7628 section 4.3: a client asks what it needs.
    let asking = "n,a=ann@example.net,\x01auth=\x01\x01";
    let (end, asked) = talk(&auth, Mechanism::OAuthBearer, tls(), &[asking, "\x01"]).await;
    assert_eq!(opened(end), Err(Denied::Invalid));
    let expected = "{\"status\":\"invalid_token\",\"scope\":\"mail openid\",\
                    \"openid-configuration\":\"https://id.example/c\"}";
    assert_eq!(asked, [expected]);
}

#[tokio::test]
async fn a_provider_that_is_down_is_no_bad_token() {
    let auth = with_provider();
    let message = bearer("a=plain@example.net", "down");
    let (end, asked) = talk(&auth, Mechanism::OAuthBearer, tls(), &[&message]).await;
    assert_eq!((opened(end), asked.len()), (Err(Denied::Unavailable), 0));
    assert_eq!((counted(&auth).1, auth.statistics().unavailable), (0, 1));
}

/// Whether these wrong tokens have the network blocked that sent them.
async fn is_blocked_after(tokens: &[&str]) -> bool {
    let accounts = vec![account("ann@example.net", cheap("right"), false)];
    let attack = AttackConfig { failures_max: 5, ..AttackConfig::default() };
    let auth = Authenticator::new(&AuthConfig { attack, ..config() }, directory(accounts)).unwrap();
    let auth = auth.with_tokens(Arc::new(Provider));
    for (second, token) in (0_u8..).zip(tokens) {
        let at = moment(f64::from(second) * 20.0);
        let mut talk = auth.converse(Mechanism::XOAuth2, origin("192.0.2.1"), tls());
        let message = Secret::from(&*xoauth2("ann@example.net", token));
        if let Turn::Challenge(_) = talk.take(Some(message), at).await {
            let end = talk.take(Some(Secret::default()), at).await;
            assert_eq!(opened(end), Err(Denied::Invalid));
        }
    }
    !auth.blocks(moment(160.0)).is_empty()
}

#[tokio::test]
async fn an_old_token_sent_again_and_again_is_one_failure() {
    assert!(!is_blocked_after(&["bad-old"; 8]).await);
    let guessed = ["bad-1", "bad-2", "bad-3", "bad-4", "bad-5", "bad-6", "bad-7", "bad-8"];
    assert!(is_blocked_after(&guessed).await);
}
