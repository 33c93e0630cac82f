//! Verification from outside: what a client can learn, and what it costs.

mod cached;
mod concurrent;
mod delayed;
mod digest;
mod special;

use crate::testing::{account, cheap, directory, moment, origin, plain};
use crate::{AuthConfig, Authenticator, Denied, Directory, Moment};
use sasl::Secret;
use std::time::Duration;

/// Two threads, no delay.
fn config() -> AuthConfig {
    AuthConfig { verify_threads: 2, failure_delay: Duration::ZERO, ..AuthConfig::default() }
}

fn over(directory: Directory) -> Authenticator {
    Authenticator::new(&config(), directory).unwrap()
}

/// `ann` (password `right`), `off` (password `right`, disabled).
fn two() -> Authenticator {
    over(directory(vec![
        account("ann@example.net", cheap("right"), false),
        account("off@example.net", cheap("right"), true),
    ]))
}

/// Tries to log in from the usual place; the login that succeeded.
async fn tried(
    auth: &Authenticator,
    login: &str,
    password: &str,
    at: Moment,
) -> Result<String, Denied> {
    let secret = Secret::from(password);
    let login = auth.verify(login, &secret, &origin("192.0.2.1"), at).await?;
    Ok(login.account.key().to_string())
}

#[tokio::test]
async fn the_right_password_logs_in_as_the_account() {
    let auth = two();
    let from = origin("::ffff:192.0.2.1");
    let at = moment(0.0);
    let login = auth.verify(" Ann@Example.NET ", &Secret::from("right"), &from, at).await.unwrap();
    assert_eq!(login.account.key().as_str(), "ann@example.net");
    assert_eq!(login.client.to_string(), "192.0.2.1", "one spelling for one address");
    assert_eq!((login.channel, login.at), (from.channel, at));
    let counted = auth.statistics();
    assert_eq!((counted.attempts, counted.succeeded, counted.hashes), (1, 1, 1));
}

#[tokio::test]
async fn unknown_disabled_and_wrong_are_the_same_answer_for_the_same_work() {
    let auth = two();
    for (login, password) in [
        ("ann@example.net", "wrong"),
        ("off@example.net", "wrong"),
        ("off@example.net", "right"),
        ("nobody@example.net", "right"),
        ("nobody", "right"),
        ("ann@example.org", "right"),
    ] {
        let before = auth.statistics().hashes;
        assert_eq!(tried(&auth, login, password, moment(0.0)).await, Err(Denied::Invalid));
        assert_eq!(auth.statistics().hashes - before, 1, "{login}");
    }
    let counted = auth.statistics();
    assert_eq!((counted.wrong, counted.disabled, counted.unknown), (1, 2, 3));
    assert_eq!(counted.remembered, 0, "failures are never cached");
    assert_eq!(Denied::Invalid.to_string(), "authentication failed");
}

#[tokio::test]
async fn hostile_names_and_passwords_fail_before_any_work() {
    let auth = two();
    let long = "x".repeat(10_000);
    let names = [
        "",
        " ",
        "../../etc/passwd",
        "a/b",
        "a\\b",
        ".",
        "..",
        "ann@example.net\0",
        "\0",
        "a b",
        "a:b",
        "ann@example.net\r\nUSER x",
        "@",
        "ann@",
        "@example.net",
        "a@b@c",
        "ann@.",
        &long,
        "\u{202e}ann@example.net/",
    ];
    for name in names {
        let answer = tried(&auth, name, "right", moment(0.0)).await;
        assert_eq!(answer, Err(Denied::Invalid), "{name:?}");
    }
    for password in ["", "\0", "right\0", "right\r\n", &long] {
        let answer = tried(&auth, "ann@example.net", password, moment(0.0)).await;
        assert_eq!(answer, Err(Denied::Invalid), "{password:?}");
    }
    assert_eq!(auth.statistics().hashes, 0);
    assert_eq!(
        tried(&auth, "ann@example.net", "right", moment(0.0)).await.unwrap(),
        "ann@example.net"
    );
}

#[tokio::test]
async fn passwords_need_not_be_utf8() {
    let auth = over(directory(vec![account("ann@example.net", plain("p"), false)]));
    let secret = Secret::new(vec![0xff, 0xfe]);
    let at = moment(0.0);
    let answer = auth.verify("ann@example.net", &secret, &origin("192.0.2.1"), at).await;
    assert_eq!(answer.map(|_| ()), Err(Denied::Invalid));
}

#[tokio::test]
async fn an_empty_table_still_works_for_its_refusal() {
    let auth = over(directory(Vec::new()));
    assert_eq!(tried(&auth, "ann@example.net", "x", moment(0.0)).await, Err(Denied::Invalid));
    assert_eq!(auth.statistics().hashes, 1);
}

#[test]
fn a_configuration_that_cannot_be_obeyed_is_refused() {
    let config = AuthConfig { verify_queue: 0, ..AuthConfig::default() };
    let error = Authenticator::new(&config, directory(Vec::new())).unwrap_err().to_string();
    assert_eq!(error, "auth.verify_queue: 0 is out of range; expected 1 to 65536");
}
