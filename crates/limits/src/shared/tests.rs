//! Several hosts that count together, on a real server; and servers that are of no use.

mod kit;

use std::time::Duration;

use crate::{Limits, Verdict};
use kit::{Host, Server, address, eventually, read, unused};

const NOW: &str = "2026-11-24T12:00:00Z";

async fn send(host: &Host, account: &str, to: &str) -> Verdict {
    host.send(account, "192.0.2.1", &[to]).await
}

/// Sends until one is refused: how many were taken.
async fn sent(host: &Host, account: &str, most: u32) -> u32 {
    for count in 0..most {
        let verdict = send(host, account, "known@b.example").await;
        if verdict != Verdict::Pass {
            assert!(matches!(verdict, Verdict::Defer { .. }), "{verdict:?}");
            return count;
        }
    }
    most
}

#[tokio::test]
async fn two_hosts_count_together() {
    let Some(server) = Server::start() else { return };
    let config = read("account.messages_per_hour = 10", &server.url);
    let (one, two) = (Host::sharing(&config).await, Host::sharing(&config).await);
    for _ in 0..4 {
        assert_eq!(send(&one, "anna", "x@b.example").await, Verdict::Pass);
        assert_eq!(send(&two, "anna", "x@b.example").await, Verdict::Pass);
    }
    assert_eq!(sent(&one, "anna", 10).await, 2);
    assert_eq!(sent(&two, "anna", 10).await, 0, "what is full on one host is full on the other");
    assert_eq!(sent(&two, "bert", 10).await, 10, "others are not touched");
    let verdict = two.limits.mail(&two.who("anna", "192.0.2.1"), two.now()).await;
    assert!(matches!(verdict, Verdict::Defer { .. }), "told at MAIL already: {verdict:?}");
}

#[tokio::test]
async fn of_many_sessions_on_two_hosts_just_so_many_get_a_place() {
    let Some(server) = Server::start() else { return };
    let config = read("account.messages_per_hour = 25", &server.url);
    let (one, two) = (Host::sharing(&config).await, Host::sharing(&config).await);
    let mut sessions = tokio::task::JoinSet::new();
    for number in 0..100 {
        let host = if number % 2 == 0 { one.clone() } else { two.clone() };
        sessions.spawn(async move { send(&host, "anna", "x@b.example").await });
    }
    let verdicts = sessions.join_all().await;
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::Pass).count(), 25);
}

#[tokio::test]
async fn who_is_known_to_one_host_is_known_to_all() {
    let Some(server) = Server::start() else { return };
    let config = read(
        "account.first_time_recipients_per_day = { most = 3, action = \"defer\" }",
        &server.url,
    );
    let (one, two) = (Host::sharing(&config).await, Host::sharing(&config).await);
    for to in ["a@b.example", "b@b.example", "c@b.example"] {
        assert_eq!(send(&one, "anna", to).await, Verdict::Pass);
    }
    assert_eq!(
        send(&two, "anna", "A@B.example").await,
        Verdict::Pass,
        "known, if in other letters"
    );
    assert!(matches!(send(&two, "anna", "d@b.example").await, Verdict::Defer { .. }));
    assert_eq!(send(&one, "anna", "b@b.example").await, Verdict::Pass);
    assert!(one.limits.forget(&address("anna")).await);
    assert_eq!(send(&two, "anna", "d@b.example").await, Verdict::Pass, "all is forgotten");
}

#[tokio::test]
async fn networks_and_addresses_are_counted_on_all_hosts() {
    let Some(server) = Server::start() else { return };
    let section = "account.networks_per_hour = 3\n\
                   account.messages_per_hour = 0\naddress.messages_per_hour = 5";
    let config = read(section, &server.url);
    let (one, two) = (Host::sharing(&config).await, Host::sharing(&config).await);
    for (number, host) in [&one, &two, &one, &two].into_iter().enumerate() {
        let client = format!("198.51.{number}.1");
        let held = number == 3;
        let _ = host.limits.mail(&host.who("bot", &client), host.now()).await;
        let verdict = host.send("bot", &client, &["x@b.example"]).await;
        assert_eq!(matches!(verdict, Verdict::Hold { .. }), held, "{number}: {verdict:?}");
    }
    for number in 0..5 {
        let host = if number % 2 == 0 { &one } else { &two };
        let account = format!("user{number}");
        assert_eq!(host.send(&account, "203.0.113.1", &["x@b.example"]).await, Verdict::Pass);
    }
    let verdict = two.send("user9", "203.0.113.1", &["x@b.example"]).await;
    assert!(matches!(verdict, Verdict::Defer { .. }), "{verdict:?}");
}

#[tokio::test]
async fn a_suspension_holds_on_all_hosts_until_one_resumes() {
    let Some(server) = Server::start() else { return };
    let config =
        read("account.messages_per_hour = { most = 2, action = \"suspend\" }", &server.url);
    let (one, two) = (Host::sharing(&config).await, Host::sharing(&config).await);
    for _ in 0..2 {
        assert_eq!(send(&one, "anna", "x@b.example").await, Verdict::Pass);
    }
    assert!(matches!(send(&one, "anna", "x@b.example").await, Verdict::Suspend { .. }));
    eventually("the other host knows", || {
        two.wake();
        two.limits.suspended(&address("anna")).is_some()
    })
    .await;
    assert!(matches!(send(&two, "anna", "x@b.example").await, Verdict::Suspend { .. }));
    assert!(two.limits.resume(&address("anna"), two.now()).await.unwrap());
    one.wake();
    eventually("the first host knows", || one.limits.suspended(&address("anna")).is_none()).await;
    assert_eq!(send(&one, "anna", "x@b.example").await, Verdict::Pass, "with new counters");
    assert!(two.limits.suspended(&address("anna")).is_none(), "and it does not come back");
}

#[tokio::test]
async fn what_is_taken_back_or_fails_counts_on_all_hosts() {
    let Some(server) = Server::start() else { return };
    let section = "account.messages_per_hour = 1\n\
                   account.failed_recipients_per_hour = { most = 2, action = \"defer\" }";
    let config = read(section, &server.url);
    let (one, two) = (Host::sharing(&config).await, Host::sharing(&config).await);
    let ruling = one.rule("anna", "192.0.2.1", &["x@b.example"]).await;
    assert!(matches!(send(&two, "anna", "x@b.example").await, Verdict::Defer { .. }));
    drop(ruling);
    let free = async || two.limits.mail(&two.who("anna", "192.0.2.1"), two.now()).await;
    kit::eventually_async("the place is free again", async || free().await == Verdict::Pass).await;
    for _ in 0..3 {
        one.limits.recipient_failed(&one.who("anna", "192.0.2.1"), one.now());
    }
    kit::eventually_async("the failures count", async || free().await != Verdict::Pass).await;
}

#[tokio::test]
async fn a_server_that_dies_leaves_each_host_to_count_alone() {
    let Some(mut server) = Server::start() else { return };
    let config = read("account.messages_per_hour = 10", &server.url);
    let host = Host::sharing(&config).await;
    for _ in 0..6 {
        assert_eq!(send(&host, "anna", "x@b.example").await, Verdict::Pass);
    }
    server.kill();
    assert_eq!(sent(&host, "anna", 20).await, 4, "the host goes on where the server was");
    assert!(host.limits.statistics().shared_failures > 0);
    server.restart();
    // The clock of the limits has to pass the second of rest.
    kit::eventually_async("it is asked again", async || {
        host.clock.advance(Duration::from_secs(2));
        host.wake();
        send(&host, "bert", "x@b.example").await;
        host.limits.statistics().sharing
    })
    .await;
}

#[tokio::test]
async fn a_server_that_hangs_costs_one_wait_in_a_second() {
    let (listener, url) = unused();
    let swallowing = std::thread::spawn(move || listener.accept());
    let config = read("account.messages_per_hour = 100", &url);
    let host = Host::alone(&config, Duration::from_millis(50));
    // As if it had told its key before.
    host.shared().key.store(Some(std::sync::Arc::new([7; 32])));
    for _ in 0..100 {
        assert_eq!(send(&host, "anna", "x@b.example").await, Verdict::Pass);
    }
    assert_eq!(host.limits.statistics().shared_failures, 1);
    assert!(matches!(send(&host, "anna", "x@b.example").await, Verdict::Defer { .. }));
    host.clock.advance(Duration::from_secs(2));
    assert!(matches!(send(&host, "anna", "x@b.example").await, Verdict::Defer { .. }));
    assert_eq!(host.limits.statistics().shared_failures, 2);
    drop(host);
    let _ = swallowing.join();
}

#[tokio::test]
async fn hostile_names_stay_within_their_keys() {
    let Some(server) = Server::start() else { return };
    let config = read("account.messages_per_hour = 1", &server.url);
    let host = Host::sharing(&config).await;
    let names = ["a'b\"c", "*", "{x}", "key", "..lastpost;limits", "ü漢", &"x".repeat(320)];
    let names = names.iter().filter(|name| address::AccountKey::parse(name, None).is_ok());
    for name in names {
        let to = format!("\"{}\\\"\"@b.example", "y".repeat(30));
        assert_eq!(send(&host, name, &to).await, Verdict::Pass, "{name}");
        assert!(matches!(send(&host, name, &to).await, Verdict::Defer { .. }), "{name}");
    }
    assert!(host.limits.statistics().sharing);
    assert_eq!(host.limits.statistics().shared_failures, 0);
}

#[tokio::test]
async fn the_password_comes_from_its_file() {
    let Some(server) = Server::start_with(&["--requirepass", "s3cret"]) else { return };
    let mut config = read("account.messages_per_hour = 1", &server.url);
    let wrong = Host::alone(&config, Duration::from_secs(10));
    kit::eventually_async("it is refused", async || {
        wrong.clock.advance(Duration::from_secs(2));
        wrong.wake();
        tokio::task::yield_now().await;
        wrong.limits.statistics().shared_failures > 0
    })
    .await;
    assert_eq!(send(&wrong, "anna", "x@b.example").await, Verdict::Pass, "mail flows");
    let file = server.write("password", "s3cret\n");
    config.shared_password_file = Some(file);
    let host = Host::sharing(&config).await;
    assert_eq!(send(&host, "anna", "x@b.example").await, Verdict::Pass);
    assert!(matches!(send(&host, "anna", "x@b.example").await, Verdict::Defer { .. }));
}

#[test]
fn nothing_secret_is_shown() {
    let limits = format!(
        "{:?}",
        Limits::open(
            &read("", "redis://127.0.0.1:1/0"),
            tempfile::tempdir().unwrap().path(),
            std::sync::Arc::new(auth::ManualClock::new(NOW.parse().unwrap())),
        )
    );
    assert!(limits.len() < 200 && !limits.contains("key"), "{limits}");
}
