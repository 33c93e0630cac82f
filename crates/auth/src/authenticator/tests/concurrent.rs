//! Many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;

use super::*;
use crate::testing::AtOnce;
use crate::testing::TableFile;
use crate::{Argon2Params, StoredHash, hash_new};

/// A hash of some milliseconds for each MiB.
fn slow(password: &str, mib: u32) -> StoredHash {
    hash_new(password.as_bytes(), &Argon2Params::new(mib * 1024, 2, 1).unwrap()).unwrap()
}

/// `ann` behind one thread and a short queue, never remembered.
fn narrow(queue: usize, hash: StoredHash) -> Authenticator {
    let config = AuthConfig {
        verify_threads: 1,
        verify_queue: queue,
        cache_ttl: Duration::ZERO,
        ..config()
    };
    let accounts = vec![account("ann@example.net", hash, false)];
    Authenticator::new(&config, directory(accounts)).unwrap()
}

async fn from(
    auth: Authenticator,
    login: String,
    password: String,
    client: String,
) -> Result<(), Denied> {
    let secret = Secret::from(password.as_str());
    auth.verify(&login, &secret, &origin(&client), moment(0.0)).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_logins_at_once_hash_two_at_a_time() {
    let hash = slow("right", 8);
    let login = |n: u32| format!("u{n}@example.net");
    let accounts = (0..64).map(|n| account(&login(n), hash.clone(), false)).collect();
    let auth = over(directory(accounts));
    let mut tasks = JoinSet::new();
    for n in 0..64 {
        let password = if n % 2 == 0 { "right" } else { "wrong" };
        tasks.spawn(from(auth.clone(), login(n), password.into(), format!("192.0.2.{}", n % 8)));
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 32);
    assert_eq!(answers.iter().filter(|answer| **answer == Err(Denied::Invalid)).count(), 32);
    let counted = auth.statistics();
    assert_eq!(counted.hashes, 64);
    assert!((1..=2).contains(&counted.running_peak), "{counted:?}");
    assert_eq!((counted.waiting, counted.busy), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_queue_puts_off_and_counts_no_failure() {
    let auth = narrow(4, slow("right", 8));
    let mut tasks = JoinSet::new();
    for n in 0..64 {
        let guess = format!("guess{n}");
        tasks.spawn(from(auth.clone(), "ann@example.net".into(), guess, "192.0.2.1".into()));
    }
    let answers = tasks.join_all().await;
    let busy = answers.iter().filter(|answer| **answer == Err(Denied::Busy)).count();
    let invalid = answers.iter().filter(|answer| **answer == Err(Denied::Invalid)).count();
    assert_eq!(busy + invalid, 64);
    assert!(busy > 0 && invalid > 0, "{busy} {invalid}");
    let counted = auth.statistics();
    assert_eq!((counted.busy, counted.wrong), (busy as u64, invalid as u64));
    assert!(counted.hashes < 64);
    tried(&auth, "ann@example.net", "right", moment(0.0)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flood_from_one_address_does_not_lock_others_out() {
    let auth = narrow(16, slow("right", 8));
    let over = Arc::new(AtomicBool::new(false));
    let mut flood = JoinSet::new();
    for n in 0..64_u32 {
        let (auth, over) = (auth.clone(), Arc::clone(&over));
        flood.spawn(async move {
            let mut attempt = 0_u32;
            while !over.load(Ordering::Relaxed) {
                let guess = format!("{n}-{attempt}");
                let login = "ann@example.net".to_owned();
                let _ = from(auth.clone(), login, guess, "198.51.100.1".into()).await;
                attempt += 1;
                tokio::task::yield_now().await;
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut answers = Vec::new();
    for n in 0..10 {
        let client = format!("192.0.2.{n}");
        let login = "ann@example.net".to_owned();
        answers.push(from(auth.clone(), login, "right".into(), client).await);
    }
    over.store(true, Ordering::Relaxed);
    flood.join_all().await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert!(auth.statistics().busy > 0, "the flood itself was put off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_that_go_away_give_their_place_up() {
    let auth = narrow(8, slow("right", 96));
    let mut tasks = JoinSet::new();
    for n in 0..9 {
        let (login, client) = ("ann@example.net".to_owned(), format!("192.0.2.{n}"));
        tasks.spawn(from(auth.clone(), login, "wrong".into(), client));
    }
    while auth.statistics().attempts < 9 {
        tokio::task::yield_now().await;
    }
    tasks.shutdown().await;
    tried(&auth, "ann@example.net", "right", moment(0.0)).await.unwrap();
    while auth.statistics().waiting > 0 {
        tokio::task::yield_now().await;
    }
    assert!(auth.statistics().hashes < 9, "{:?}", auth.statistics());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reloading_while_verifying_never_lets_a_wrong_password_in() {
    let (one, two) = (cheap("one"), cheap("two"));
    let table = |hash: &StoredHash| format!("ann:{}::::/h\n", hash.to_field().as_str());
    let file = TableFile::new(&table(&one));
    let auth = over(file.load());
    let over = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for (client, password) in [("192.0.2.1", "one"), ("192.0.2.2", "two"), ("192.0.2.3", "three")] {
        let (auth, over) = (auth.clone(), Arc::clone(&over));
        tasks.spawn(async move {
            let mut accepted = 0_u32;
            while !over.load(Ordering::Relaxed) {
                match from(auth.clone(), "ann".into(), password.into(), client.into()).await {
                    Ok(()) => accepted += 1,
                    Err(Denied::Invalid) => {}
                    Err(other) => panic!("{other}"),
                }
                tokio::task::yield_now().await;
            }
            (password, accepted)
        });
    }
    for round in 0..200 {
        file.replace(&table(if round % 2 == 0 { &two } else { &one }));
        auth.directory().reread().unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    over.store(true, Ordering::Relaxed);
    for (password, accepted) in tasks.join_all().await {
        assert_eq!(accepted > 0, password != "three", "{password}: {accepted}");
    }
    // The last table has password one.
    tried(&auth, "ann", "one", moment(0.0)).await.unwrap();
    assert_eq!(tried(&auth, "ann", "two", moment(0.0)).await, Err(Denied::Invalid));
}
