//! Tokens that the issuer is asked about.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::TokenError;
use common::{Asked, Issuer, NOW};
use oauth::OAuthConfig;

const INVALID: Result<String, TokenError> = Err(TokenError::Invalid);
const UNAVAILABLE: Result<String, TokenError> = Err(TokenError::Unavailable);

struct House {
    issuer: Issuer,
    asked: Asked,
    _directory: tempfile::TempDir,
}

async fn house(rules: &str, table: &str) -> House {
    let issuer = Issuer::start(Some((200, active("")))).await;
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("secret"), "p:w /d\n").unwrap();
    let text = format!(
        "{rules}\n[introspection]\nurl = \"{}\"\nclient_id = \"mail host\"\n\
         client_secret_file = \"secret\"\n{table}",
        issuer.url
    );
    let config: OAuthConfig = toml::from_str(&text).unwrap();
    let asked = Asked::new(&config.relative_to(directory.path()));
    House { issuer, asked, _directory: directory }
}

fn active(more: &str) -> String {
    format!(r#"{{"active":true,{more}"email":"ann@example.net","exp":{}}}"#, NOW + 600)
}

#[tokio::test]
async fn the_issuer_is_asked_once_and_then_remembered() {
    let house = house("", "").await;
    let identity = house.asked.verify("opaque+token/==").await.unwrap();
    assert_eq!(identity.login, "ann@example.net");
    assert_eq!(identity.expires.unwrap().as_second(), NOW + 600);
    let request = house.issuer.request.lock().unwrap().clone();
    assert!(request.starts_with("post /x http/1.1\r\n"), "{request}");
    assert!(request.contains("content-type: application/x-www-form-urlencoded\r\n"), "{request}");
    // "mail+host:p%3Aw+%2Fd" in base64, in lower case as the test reads heads.
    let expected = "authorization: basic bwfpbctob3n0onalm0f3kyuyrmq=\r\n";
    assert!(request.contains(expected), "{request}");
    let body = "token=opaque%2Btoken%2F%3D%3D&token_type_hint=access_token";
    assert!(request.ends_with(body), "{request}");
    for _ in 0..10 {
        assert!(house.asked.login("opaque+token/==").await.is_ok());
    }
    assert_eq!(house.issuer.asked(), 1);
    assert!(house.asked.login("another").await.is_ok());
    assert_eq!(house.issuer.asked(), 2);
    // What is remembered ends, and what was withdrawn then counts.
    house.issuer.say(Some((200, r#"{"active":false}"#.to_owned())));
    assert!(house.asked.login("another").await.is_ok());
    house.asked.clock.advance(Duration::from_secs(60));
    assert_eq!(house.asked.login("another").await, INVALID);
    assert_eq!(house.issuer.asked(), 3);
    // A reload forgets.
    house.issuer.say(Some((200, active(""))));
    assert!(house.asked.login("third").await.is_ok());
    house.issuer.say(Some((200, r#"{"active":false}"#.to_owned())));
    assert!(house.asked.login("third").await.is_ok());
    house.asked.verifier.reload().await.unwrap();
    assert_eq!(house.asked.login("third").await, INVALID);
}

#[tokio::test]
async fn a_token_is_not_remembered_beyond_its_end() {
    let house = house("leeway = \"0s\"", "cache_ttl = \"1h\"\n").await;
    assert!(house.asked.login("t").await.is_ok());
    house.asked.clock.advance(Duration::from_secs(599));
    assert!(house.asked.login("t").await.is_ok());
    assert_eq!(house.issuer.asked(), 1);
    house.asked.clock.advance(Duration::from_secs(1));
    assert_eq!(house.asked.login("t").await, INVALID, "the answer says when it ended");
    assert_eq!(house.issuer.asked(), 2);
}

#[tokio::test]
async fn nothing_is_remembered_where_that_is_off() {
    let house = house("", "cache_ttl = \"0s\"\n").await;
    for count in 1..4 {
        assert!(house.asked.login("t").await.is_ok());
        assert_eq!(house.issuer.asked(), count);
    }
}

#[tokio::test]
async fn what_the_answer_must_say() {
    let rules = "issuer = \"https://id.example\"\naudience = [\"mail\"]\nscopes = [\"mail\"]\n";
    let house = house(rules, "cache_ttl = \"0s\"\n").await;
    let good = r#""iss":"https://id.example","aud":"mail","scope":"a mail","#;
    let answer = |change: (&str, &str)| active(&good.replace(change.0, change.1));
    for body in [
        answer(("", "")),
        answer((r#""iss":"https://id.example","#, "")),
        answer((r#""iss""#, r#""token_type":"bearer","iss""#)),
    ] {
        house.issuer.say(Some((200, body.clone())));
        assert!(house.asked.login("t").await.is_ok(), "{body}");
    }
    for body in [
        answer(("id.example", "other.example")),
        answer((r#""aud":"mail""#, r#""aud":"web""#)),
        answer((r#""aud":"mail","#, "")),
        answer(("a mail", "a")),
        answer((r#""iss""#, r#""token_type":"DPoP","iss""#)),
        answer((r#""iss""#, r#""nbf":9999999999,"iss""#)),
        answer(("", "")).replace("true", "false"),
        answer(("", "")).replace("true", "\"true\""),
        answer(("", "")).replace("true", "1"),
        answer(("", "")).replace(r#""active":true,"#, ""),
        answer(("", "")).replace("ann@example.net", ""),
        answer(("", "")).replace(&(NOW + 600).to_string(), &(NOW - 600).to_string()),
        "{}".to_owned(),
    ] {
        house.issuer.say(Some((200, body.clone())));
        assert_eq!(house.asked.login("t").await, INVALID, "{body}");
    }
}

#[tokio::test]
async fn an_issuer_that_cannot_say_is_not_a_wrong_token() {
    let house = house("", "timeout = \"1s\"\n").await;
    for said in [
        Some((500, active(""))),
        Some((401, active(""))),
        Some((302, active(""))),
        Some((200, "<html>".to_owned())),
        Some((200, "[]".to_owned())),
        Some((200, r#"{"active":true,"active":false}"#.to_owned())),
        Some((200, format!(r#"{{"active":true,"x":"{}"}}"#, "x".repeat(100_000)))),
        None,
    ] {
        house.issuer.say(said.clone());
        let begun = Instant::now();
        assert_eq!(house.asked.login("t").await, UNAVAILABLE, "{said:?}");
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
    house.issuer.say(Some((200, active(""))));
    assert!(house.asked.login("t").await.is_ok(), "nothing bad is remembered");
    let asked = house.issuer.asked();
    for token in ["", "a b", "a\r\nX: y", "é", "\0", &"x".repeat(17 * 1024)] {
        assert_eq!(house.asked.login(token).await, INVALID);
    }
    assert_eq!(house.issuer.asked(), asked, "what cannot be a token is not passed on");
}

#[tokio::test]
async fn questions_at_once_are_bounded() {
    let house = house("", "timeout = \"2s\"\nconnections_max = 2\n").await;
    house.issuer.say(None);
    let asked = Arc::new(house.asked);
    let tasks: Vec<_> = (0..200)
        .map(|id| {
            let asked = Arc::clone(&asked);
            tokio::spawn(async move { asked.login(&format!("t{id}")).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), UNAVAILABLE);
    }
    assert!(house.issuer.asked() <= 2, "{}", house.issuer.asked());
}
