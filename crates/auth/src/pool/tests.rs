//! Threads, memory, and who is served.

use super::*;
use crate::testing::cheap;
use crate::{Argon2Params, hash_new};

fn source(last: u8) -> Source {
    Source::from(std::net::IpAddr::from([192, 0, 2, last]))
}

fn right() -> Target {
    Target::Decoy(Arc::new(cheap("right")))
}

fn costing(kib: u32) -> Target {
    let params = Argon2Params::new(kib, 1, 1).unwrap();
    Target::Decoy(Arc::new(hash_new(b"right", &params).unwrap()))
}

async fn ended(pool: Pool) {
    let shared = Arc::downgrade(&pool.shared);
    drop(pool);
    let ended = async {
        while shared.strong_count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("a thread goes on");
}

#[tokio::test]
async fn threads_verify_and_end_with_the_pool() {
    let pool = Pool::new(3, 8, 64).unwrap();
    for (password, fits) in [("right", true), ("wrong", false)] {
        let secret = Secret::from(password);
        let verified = pool.verify(source(1), Standing::Unknown, right(), &secret).await;
        assert_eq!(verified, Ok(fits));
    }
    assert_eq!((pool.hashes(), pool.running_peak(), pool.waiting()), (2, 1, 0));
    ended(pool).await;
}

#[tokio::test]
async fn a_pool_without_room_says_so_at_once() {
    let pool = Pool::new(1, 0, 64).unwrap();
    let secret = Secret::from("right");
    let verified = pool.verify(source(1), Standing::Known, right(), &secret).await;
    assert_eq!(verified, Err(PoolError::Full));
    assert_eq!(pool.hashes(), 0);
}

/// Verifies so many at once, each of another source.
async fn together(pool: &Arc<Pool>, targets: Vec<Target>) {
    let mut tasks = tokio::task::JoinSet::new();
    for (number, target) in targets.into_iter().enumerate() {
        let pool = Arc::clone(pool);
        tasks.spawn(async move {
            let source = source(u8::try_from(number % 250).unwrap());
            pool.verify(source, Standing::Unknown, target, &Secret::from("right")).await
        });
    }
    assert!(tasks.join_all().await.into_iter().all(|verified| verified == Ok(true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_hashes_together_stay_within_the_memory() {
    // Two of the larger ones fit, or a larger one and two small ones.
    let pool = Arc::new(Pool::new(6, 256, 4).unwrap());
    let (large, small) = (costing(2048), costing(1024));
    let targets = (0..40).map(|n| if n % 3 == 0 { large.clone() } else { small.clone() });
    together(&pool, targets.collect()).await;
    assert!(pool.memory_peak() <= 4096, "{} KiB", pool.memory_peak());
    assert!((2..=4).contains(&pool.running_peak()), "{}", pool.running_peak());
    assert_eq!(pool.hashes(), 40);
    ended(Arc::into_inner(pool).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hash_that_needs_more_than_all_is_computed_alone() {
    let pool = Arc::new(Pool::new(4, 256, 1).unwrap());
    let (huge, small) = (costing(3072), costing(256));
    let targets = (0..30).map(|n| if n % 5 == 0 { huge.clone() } else { small.clone() });
    together(&pool, targets.collect()).await;
    assert_eq!(pool.memory_peak(), 3072, "no other beside it");
    assert_eq!(pool.hashes(), 30);
}

#[tokio::test]
async fn suspects_leave_a_thread_to_others() {
    let pool = Arc::new(Pool::new(2, 256, 256).unwrap());
    // Some two hundred milliseconds each, even where the machine is fast.
    let params = Argon2Params::new(32 * 1024, 8, 1).unwrap();
    let slow = Target::Decoy(Arc::new(hash_new(b"right", &params).unwrap()));
    let mut attack = tokio::task::JoinSet::new();
    for n in 0..20 {
        let (pool, slow) = (Arc::clone(&pool), slow.clone());
        attack.spawn(async move {
            pool.verify(source(n), Standing::Suspect, slow, &Secret::from("x")).await
        });
    }
    while pool.hashes() == 0 {
        tokio::task::yield_now().await;
    }
    let secret = Secret::from("right");
    for n in 0..20 {
        let verified = pool.verify(source(100 + n), Standing::Unknown, right(), &secret).await;
        assert_eq!(verified, Ok(true));
    }
    assert!(pool.waiting() > 0, "they were served while suspects waited");
    assert!(pool.running_peak() <= 2);
    attack.shutdown().await;
    assert_eq!(pool.waiting(), 0, "who goes away leaves the queue at once");
}

#[tokio::test]
async fn strangers_of_one_48_are_one_source() {
    let pool = Arc::new(Pool::new(1, 8, 256).unwrap());
    let params = Argon2Params::new(32 * 1024, 8, 1).unwrap();
    let slow = Target::Decoy(Arc::new(hash_new(b"right", &params).unwrap()));
    let verify = |client: String, standing, target: &Target| {
        let (pool, target) = (Arc::clone(&pool), target.clone());
        async move {
            let client: std::net::IpAddr = client.parse().unwrap();
            pool.verify(Source::from(client), standing, target, &Secret::from("right")).await
        }
    };
    let mut attack = tokio::task::JoinSet::new();
    for n in 0..40 {
        attack.spawn(verify(format!("2001:db8:1:{n}::1"), Standing::Unknown, &slow));
    }
    while pool.waiting() < 8 {
        tokio::task::yield_now().await;
    }
    let refused = async {
        let mut refused = 0;
        while refused < 30
            && let Some(Ok(answer)) = attack.join_next().await
        {
            refused += u32::from(answer == Err(PoolError::Full));
        }
        refused
    };
    assert!(refused.await >= 30, "they have no more room than one address");
    // One other address displaces one of them, and is served after one of them at most.
    let before = pool.hashes();
    let answer = verify("2001:db8:2::1".to_owned(), Standing::Unknown, &right()).await;
    assert_eq!(answer, Ok(true));
    assert!(pool.hashes() - before <= 3, "{} hashes first", pool.hashes() - before);
    attack.shutdown().await;
}
