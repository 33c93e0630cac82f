//! What is remembered of right and wrong passwords, and for how long.

use super::super::Outcome;
use super::*;
use crate::StoredHash;
use crate::testing::{AtOnce, TableFile, key};

#[tokio::test]
async fn a_repeated_login_costs_no_hash_until_its_time_is_over() {
    let auth = two();
    for second in [0.0, 1.0, 299.0] {
        tried(&auth, "ann@example.net", "right", moment(second)).await.unwrap();
    }
    assert_eq!((auth.statistics().hashes, auth.statistics().cached), (1, 2));
    tried(&auth, "ann@example.net", "right", moment(300.0)).await.unwrap();
    assert_eq!(auth.statistics().hashes, 2, "counted from the hash, not from the last use");
    assert_eq!(auth.statistics().remembered, 1);
}

#[tokio::test]
async fn without_a_time_to_live_nothing_is_remembered() {
    let config = AuthConfig { cache_ttl: Duration::ZERO, ..config() };
    let accounts = vec![account("ann@example.net", cheap("right"), false)];
    let auth = Authenticator::new(&config, directory(accounts)).unwrap();
    for _ in 0..3 {
        tried(&auth, "ann@example.net", "right", moment(0.0)).await.unwrap();
    }
    assert_eq!((auth.statistics().hashes, auth.statistics().remembered), (3, 0));
}

#[tokio::test]
async fn one_accounts_success_says_nothing_about_another() {
    // The same stored hash for both, as after a careless copy.
    let hash = cheap("right");
    let auth = over(directory(vec![
        account("ann@example.net", hash.clone(), false),
        account("bob@example.net", hash, false),
    ]));
    tried(&auth, "ann@example.net", "right", moment(0.0)).await.unwrap();
    let bob = tried(&auth, "bob@example.net", "right", moment(0.0)).await;
    assert_eq!(bob.unwrap(), "bob@example.net");
    assert_eq!(auth.statistics().hashes, 2);
    let mixed = tried(&auth, "ann@example.net", "rightbob", moment(0.0)).await;
    assert_eq!(mixed, Err(Denied::Invalid));
}

#[tokio::test]
async fn a_changed_disabled_or_removed_record_counts_at_once() {
    let line = |hash: &StoredHash, extra: &str| {
        format!("ann:{}::::/h::{extra}\n", hash.to_field().as_str())
    };
    let (old, new) = (cheap("old"), cheap("new"));
    let file = TableFile::new(&line(&old, ""));
    let auth = over(file.load());
    let login = async |password: &str| tried(&auth, "ann", password, moment(0.0)).await;
    let replace = |text: &str| {
        file.replace(text);
        auth.directory().reread().unwrap();
    };
    login("old").await.unwrap();
    assert_eq!(login("new").await, Err(Denied::Invalid));

    replace(&line(&new, ""));
    assert_eq!(login("old").await, Err(Denied::Invalid));
    login("new").await.expect("that it was wrong a moment ago is of no account");

    replace(&line(&new, "disabled=yes"));
    assert_eq!(login("new").await, Err(Denied::Invalid));

    replace(&line(&new, ""));
    login("new").await.expect("what failed while disabled is right again");

    replace("");
    assert_eq!(login("new").await, Err(Denied::Invalid));
}

#[tokio::test]
async fn a_record_that_changed_during_the_hash_is_not_logged_in() {
    let file = TableFile::new("ann:{PLAIN}x::::/h\nbob:{PLAIN}x::::/h\n");
    let auth = over(file.load());
    let verified = auth.directory().locate(&key("ann@example.net")).await.unwrap().unwrap();
    let now = async |text: &str| {
        file.replace(text);
        auth.directory().reread().unwrap();
        match auth.shared.still_valid(&verified).await.unwrap() {
            Outcome::Accepted(current) => Some(current.addresses()[0].to_string()),
            _ => None,
        }
    };
    assert_eq!(now("ann:{PLAIN}y::::/h\n").await, None);
    assert_eq!(now("ann:{PLAIN}x::::/h::disabled=yes\n").await, None);
    assert_eq!(now("bob:{PLAIN}x::::/h\n").await, None);
    let moved = now("ann:{PLAIN}x::::/h::addresses=new@example.net\n").await;
    assert_eq!(moved.as_deref(), Some("new@example.net"), "the login gets the record as it is");
}

#[tokio::test]
async fn the_same_wrong_password_is_hashed_once_whether_or_not_there_is_an_account() {
    let auth = two();
    for login in ["ann@example.net", "nobody@example.net", "off@example.net"] {
        let before = auth.statistics();
        for _ in 0..5 {
            assert_eq!(tried(&auth, login, "old", moment(0.0)).await, Err(Denied::Invalid));
        }
        let after = auth.statistics();
        assert_eq!(after.hashes - before.hashes, 1, "{login}");
        assert_eq!(after.repeated - before.repeated, 4, "{login}");
    }
    tried(&auth, "ann@example.net", "right", moment(0.0)).await.unwrap();
}

#[tokio::test]
async fn the_cache_is_bounded() {
    let login = |n: u32| format!("u{n}@example.net");
    let accounts = (0..300).map(|n| account(&login(n), plain("right"), false)).collect();
    let config = AuthConfig { cache_entries: 64, ..config() };
    let auth = Authenticator::new(&config, directory(accounts)).unwrap();
    for n in 0..300 {
        tried(&auth, &login(n), "right", moment(0.0)).await.unwrap();
    }
    assert!((1..=64).contains(&auth.statistics().remembered), "{:?}", auth.statistics());
}
