//! Servers that are stopped, killed or paused.

use std::time::{Duration, Instant};

use auth::ManualClock;

use super::*;

on_both! {
    alone:
    a_restart_costs_nobody_a_login
    a_server_that_stands_still_holds_nobody_up_for_long
}

async fn a_restart_costs_nobody_a_login(database: &Database) {
    database.insert("ann@example.net", "{PLAIN}x", &[]);
    let clock = Arc::new(ManualClock::new(jiff::Timestamp::UNIX_EPOCH));
    let source = database.config(database.settings()).open(&common_at(clock.clone())).unwrap();
    assert!(source.find(&key("ann")).await.unwrap().is_some());
    let server = database.server();
    for kill in [false, true] {
        server.stop(kill);
        let begun = Instant::now();
        for _ in 0..200 {
            source.find(&key("ann")).await.unwrap_err();
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        let error = source.find(&key("ann")).await.unwrap_err();
        assert!(error.problem.contains("not asked again yet"), "{error}");
        server.resume();
        clock.advance(Duration::from_secs(1));
        let ann = source.find(&key("ann")).await;
        assert!(ann.unwrap().is_some(), "within a second");
        // Sessions that were open are opened again, and nobody notices.
        let again = async || source.find(&key("ann")).await.unwrap().is_some();
        assert!(again().await);
        server.stop(kill);
        server.resume();
        assert!(again().await, "kill: {kill}");
    }
}

async fn a_server_that_stands_still_holds_nobody_up_for_long(database: &Database) {
    database.insert("ann@example.net", "{PLAIN}x", &[]);
    let clock = Arc::new(ManualClock::new(jiff::Timestamp::UNIX_EPOCH));
    let mut settings = database.settings();
    let timeout = Duration::from_millis(500);
    (settings.connect_timeout, settings.query_timeout) = (timeout, timeout);
    let source = database.config(settings).open(&common_at(clock.clone())).unwrap();
    assert!(source.find(&key("ann")).await.unwrap().is_some());
    let server = database.server();
    server.signal("-STOP");
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let source = Arc::clone(&source);
        tasks.spawn(async move { source.find(&key("ann")).await.is_err() });
    }
    let refused = tasks.join_all().await.into_iter().all(|refused| refused);
    let took = begun.elapsed();
    let begun = Instant::now();
    let error = source.find(&key("ann")).await.map(drop);
    let known = begun.elapsed();
    server.signal("-CONT");
    assert!(refused);
    // One after the other, on eight connections, they would take a minute.
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(error.unwrap_err().problem.contains("not asked again yet"));
    assert!(known < timeout, "{known:?}");
    // It has much to wake up from on a slow machine; each try is bounded.
    let begun = Instant::now();
    loop {
        clock.advance(Duration::from_secs(1));
        match source.find(&key("ann")).await {
            Ok(found) => break assert!(found.is_some()),
            Err(_) if begun.elapsed() < Duration::from_secs(60) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
