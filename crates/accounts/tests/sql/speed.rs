//! What a look-up costs, with a hundred thousand accounts.

use std::time::{Duration, Instant};

use super::*;

const ACCOUNTS: usize = 100_000;

async fn speed(database: &Database) {
    for first in (0..ACCOUNTS).step_by(5000) {
        database.insert_many(first..first + 5000);
    }
    for (way, settings) in [("socket", database.settings()), ("TLS", database.settings_tls())] {
        let source = open(&database.config(settings));
        let login = |n: usize| key(&format!("u{}", n * 7919 % ACCOUNTS));
        source.find(&login(0)).await.unwrap();
        let mut times = Vec::new();
        for n in 0..2000 {
            let key = login(n);
            let begun = Instant::now();
            assert!(source.find(&key).await.unwrap().is_some());
            times.push(begun.elapsed());
        }
        times.sort();
        let begun = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..64 {
            let source = Arc::clone(&source);
            tasks.spawn(async move {
                for n in 0..100 {
                    let key = key(&format!("u{}", (task * 100 + n) * 7919 % ACCOUNTS));
                    assert!(source.find(&key).await.unwrap().is_some());
                }
            });
        }
        tasks.join_all().await;
        let all = begun.elapsed();
        eprintln!(
            "{:?} by {way}: one at a time {:?} (p50) {:?} (p99), 64 at a time {:.0}/s",
            database.kind,
            times[times.len() / 2],
            times[times.len() * 99 / 100],
            6400.0 / all.as_secs_f64()
        );
        assert!(times[times.len() / 2] < Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "heavy: figures for look-ups in PostgreSQL"]
async fn postgresql() {
    if let Some(database) = Database::new(Kind::Postgresql).await {
        speed(&database).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "heavy: figures for look-ups in MariaDB"]
async fn mariadb() {
    if let Some(database) = Database::new(Kind::Mariadb).await {
        speed(&database).await;
    }
}
