//! PLAIN and LOGIN over accounts.

use sasl::Mechanism;

use super::*;

async fn say(auth: &Authenticator, message: &str) -> Turn {
    talk(auth, Mechanism::Plain, tls(), &[message]).await.0
}

#[tokio::test]
async fn plain_and_login_open_any_account_whatever_its_password_is_stored_as() {
    let auth = everybody();
    for name in ["plain", "one", "two", "hashed"] {
        let name = format!("{name}@example.net");
        let message = format!("\0{name}\0right");
        assert_eq!(opened(say(&auth, &message).await), Ok(name.clone()));
        let (end, asked) = talk(&auth, Mechanism::Login, tls(), &[&*name, "right"]).await;
        assert_eq!((opened(end), &*asked), (Ok(name), &["Password:".to_owned()][..]));
    }
    for name in ["off", "shut", "nobody"] {
        let message = format!("\0{name}@example.net\0right");
        assert_eq!(opened(say(&auth, &message).await), Err(Denied::Invalid), "{name}");
    }
}

#[tokio::test]
async fn an_identity_is_the_login_in_any_spelling_and_nobody_else() {
    let auth = everybody();
    for (authzid, right) in [
        ("", true),
        ("plain@example.net", true),
        ("Plain@EXAMPLE.net", true),
        (" plain@example.net", true),
        ("two@example.net", false),
        ("plain", false),
        ("plain@example.net*help", false),
        ("\u{feff}", false),
    ] {
        let turn = say(&auth, &format!("{authzid}\0plain@example.net\0right")).await;
        assert_eq!(opened(turn).is_ok(), right, "{authzid:?}");
    }
    assert_eq!(counted(&auth), (8, 4));
}

#[tokio::test]
async fn a_login_without_domain_is_the_one_with_it() {
    let file = TableFile::new("ann:{PLAIN}right::::/m:\n");
    let auth = Authenticator::new(&config(), file.load()).unwrap();
    for message in ["ann\0ann@example.net\0right", "ann@example.net\0Ann\0right"] {
        assert_eq!(opened(say(&auth, message).await).as_deref(), Ok("ann@example.net"));
    }
}

#[tokio::test]
async fn a_master_user_says_in_plain_as_whom_he_acts() {
    let (auth, _file) = with_masters();
    for message in [
        "plain@example.net\0help\0staff",
        "\0plain@example.net*help\0staff",
        "plain@example.net\0plain@example.net*help\0staff",
    ] {
        let login = login(say(&auth, message).await);
        assert_eq!(login.account.key().as_str(), "plain@example.net");
        assert_eq!(login.acting.unwrap().as_str(), "help", "{message:?}");
    }
    for message in [
        "plain@example.net\0help\0right",
        "off@example.net\0help\0staff",
        "nobody@example.net\0help\0staff",
        "off@example.net\0plain@example.net*help\0staff",
        "plain@example.net*help\0help\0staff",
        "x\0plain@example.net\0right",
        "help\0help\0staff",
        "*\0help\0staff",
    ] {
        assert_eq!(opened(say(&auth, message).await), Err(Denied::Invalid), "{message:?}");
    }
    let mut elsewhere = auth.converse(Mechanism::Plain, origin("198.51.100.1"), tls());
    let message = Secret::from("plain@example.net\0help\0staff");
    let end = elsewhere.take(Some(message), moment(0.0)).await;
    assert_eq!(opened(end), Err(Denied::Invalid), "not from there");
}

#[tokio::test]
async fn what_names_somebody_counts_as_his_failure_also_if_it_is_malformed() {
    let auth = everybody();
    for (message, attempts) in [
        ("", 0),
        ("plain@example.net\0right", 0),
        ("\0plain@example.net\0ri\0ght", 1),
        ("\0plain@example.net\0right\0", 1),
    ] {
        let before = counted(&auth);
        assert!(matches!(say(&auth, message).await, Turn::Malformed), "{message:?}");
        assert_eq!(counted(&auth).1 - before.1, attempts, "{message:?}");
    }
    for message in ["\0plain@example.net\0", "\0\0right", "\0\0"] {
        let before = counted(&auth);
        assert_eq!(opened(say(&auth, message).await), Err(Denied::Invalid), "{message:?}");
        assert_eq!(counted(&auth).1 - before.1, 1, "{message:?}");
    }
}
