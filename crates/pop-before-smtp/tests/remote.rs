//! Two processes: acknowledged before the reply, and a login that nothing holds up.

#![allow(clippy::unwrap_used, reason = "a test")]

mod kit;

use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::LoginObserver;
use kit::{HOME, Provider};
use pop_before_smtp::remote::{GrantReceiver, ReceiverError, RemotePublisher};
use tokio::task::JoinHandle;

fn socket(isp: &Provider) -> PathBuf {
    isp.folder().join("grants.sock")
}

fn bind(isp: &Provider) -> Result<GrantReceiver, ReceiverError> {
    let config = &isp.bridge.config().socket;
    GrantReceiver::bind(config, isp.bridge.clone(), isp.directory.clone(), isp.clock.clone())
}

fn receive(isp: &Provider) -> JoinHandle<()> {
    tokio::spawn(bind(isp).unwrap().run())
}

async fn stop(receiver: JoinHandle<()>) {
    receiver.abort();
    assert!(receiver.await.unwrap_err().is_cancelled());
}

/// How long a login is held up.
async fn login(isp: &Provider, publisher: &RemotePublisher, name: &str) -> Duration {
    let login = isp.login(name, HOME);
    let begin = Instant::now();
    publisher.on_login(&login).await;
    begin.elapsed()
}

/// How long a login waits at most.
const BOUND: Duration = Duration::from_millis(50);
/// The same on a busy machine.
const BOUND_WHEN_BUSY: Duration = Duration::from_millis(500);
/// For tests that are about the grant and not about the wait.
const LONG: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_is_there_when_the_login_returns_a_thousand_times() {
    let isp = Provider::with("");
    let mut receiver = receive(&isp);
    let publisher = RemotePublisher::start_with_patience(&socket(&isp), LONG);
    for n in 0..1_000 {
        if n % 250 == 200 {
            // Killed and started again: the very next login is there again.
            stop(receiver).await;
            receiver = receive(&isp);
        }
        let name = format!("crowd{}@open.example", n % 8);
        login(&isp, &publisher, &name).await;
        assert_eq!(isp.outcome(&name, HOME), "allowed", "login {n}");
        isp.bridge.revoke(&pop_before_smtp::Revocation::All);
    }
    assert_eq!(publisher.counts().acknowledged, 1_000);
    stop(receiver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_logins_share_the_connection() {
    let isp = Arc::new(Provider::with("sharing.accounts_per_address = 100"));
    let receiver = receive(&isp);
    let publisher = RemotePublisher::start_with_patience(&socket(&isp), LONG);
    let publisher = Arc::new(publisher);
    let mut logins = tokio::task::JoinSet::new();
    for n in 0..50 {
        let (isp, publisher) = (Arc::clone(&isp), Arc::clone(&publisher));
        logins.spawn(async move {
            let name = format!("crowd{n}@open.example");
            login(&isp, &publisher, &name).await;
            assert_eq!(isp.outcome(&name, HOME), "allowed");
        });
    }
    while let Some(done) = logins.join_next().await {
        done.unwrap();
    }
    assert_eq!(publisher.counts().acknowledged, 50);
    stop(receiver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_absent_receiver_holds_nobody_up() {
    let isp = Provider::with("");
    let publisher = RemotePublisher::start(&socket(&isp));
    let begin = Instant::now();
    for _ in 0..200 {
        let held_up = login(&isp, &publisher, "alice@open.example").await;
        assert!(held_up < BOUND_WHEN_BUSY, "{held_up:?}");
    }
    // None of them waited for the bound.
    assert!(begin.elapsed() < 200 * BOUND / 2, "{:?}", begin.elapsed());
    let counts = publisher.counts();
    assert_eq!((counts.acknowledged, counts.unsent + counts.late), (0, 200));
    // It comes up: the next login is published.
    let patient = RemotePublisher::start_with_patience(&socket(&isp), LONG);
    login(&isp, &patient, "alice@open.example").await;
    let receiver = receive(&isp);
    login(&isp, &patient, "alice@open.example").await;
    assert_eq!(isp.outcome("alice@open.example", HOME), "allowed");
    stop(receiver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_never_answers_holds_up_the_first_login_alone() {
    let isp = Provider::with("");
    let path = socket(&isp);
    let stalled = tokio::net::UnixListener::bind(&path).unwrap();
    let accepting = tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            held.push(stalled.accept().await.unwrap());
        }
    });
    let publisher = RemotePublisher::start(&path);
    let first = login(&isp, &publisher, "alice@open.example").await;
    assert!((BOUND * 9 / 10..BOUND_WHEN_BUSY).contains(&first), "{first:?}");
    // For three seconds, across a reconnection.
    let begin = Instant::now();
    let mut held_up = Vec::new();
    while begin.elapsed() < Duration::from_secs(3) {
        held_up.push(login(&isp, &publisher, "alice@open.example").await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // A busy machine may hold up a few by itself.
    let slow = held_up.iter().filter(|held_up| **held_up > BOUND / 2).count();
    assert!(slow * 20 <= held_up.len(), "{slow} of {}", held_up.len());
    assert_eq!(publisher.counts().acknowledged, 0);
    // A good one takes its place: soon logins are acknowledged again.
    accepting.abort();
    let _ended = accepting.await;
    let receiver = receive(&isp);
    let begin = Instant::now();
    while publisher.counts().acknowledged == 0 {
        login(&isp, &publisher, "alice@open.example").await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(isp.outcome("alice@open.example", HOME), "allowed");
    stop(receiver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_receiver_decides() {
    let isp = Provider::with("excluded = [\"192.0.2.0/24\"]");
    let receiver = receive(&isp);
    let publisher = RemotePublisher::start_with_patience(&socket(&isp), LONG);
    login(&isp, &publisher, "bob@closed.example").await;
    let mut excluded = isp.login("alice@open.example", "192.0.2.1");
    publisher.on_login(&excluded).await;
    excluded.client = HOME.parse().unwrap();
    excluded.channel.genuine_address = false;
    publisher.on_login(&excluded).await;
    assert_eq!(publisher.counts().acknowledged, 3);
    let counts = isp.bridge.counts();
    assert_eq!(counts.grants, 0);
    for reason in ["closed", "excluded-network", "address-unknown"] {
        assert_eq!(counts.logins[reason], 1, "{reason}");
    }
    stop(receiver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_was_long_under_way_makes_an_older_grant_or_none() {
    let isp = Provider::with("");
    let receiver = receive(&isp);
    let publisher = RemotePublisher::start_with_patience(&socket(&isp), LONG);
    let old = isp.login("alice@open.example", HOME);
    isp.pass(20);
    publisher.on_login(&old).await;
    let grant = isp.bridge.grants(auth::Clock::now(&*isp.clock), 1).grants.remove(0);
    assert_eq!(grant.login, old.at.wall);
    isp.bridge.revoke(&pop_before_smtp::Revocation::All);
    isp.pass(11);
    publisher.on_login(&old).await;
    assert_eq!(publisher.counts().acknowledged, 2);
    assert_eq!(isp.outcome("alice@open.example", HOME), "no-grant");
    stop(receiver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_cut_off_and_others_go_on() {
    let isp = Provider::with("");
    let receiver = receive(&isp);
    let publisher = RemotePublisher::start_with_patience(&socket(&isp), LONG);
    login(&isp, &publisher, "alice@open.example").await;
    let path = socket(&isp);
    let hostile = tokio::task::spawn_blocking(move || {
        for nonsense in [&b"\xff\xff"[..], b"GET / HTTP/1.1\r\n\r\n", &[0; 64], &[0xFF; 100_000]] {
            let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            // The other end may close while we still write.
            let _written = stream.write_all(nonsense);
            let mut rest = Vec::new();
            let _ended = stream.read_to_end(&mut rest);
            assert!(rest.is_empty());
        }
        // Half a frame, and silence: it costs a place, nothing else.
        let mut silent = std::os::unix::net::UnixStream::connect(&path).unwrap();
        silent.write_all(&[0, 40, 1]).unwrap();
        silent
    });
    let _silent = hostile.await.unwrap();
    login(&isp, &publisher, "bob@open.example").await;
    assert_eq!(publisher.counts().acknowledged, 2);
    stop(receiver).await;
}

#[tokio::test]
async fn the_socket_is_private_and_one_process_has_it() {
    let isp = Provider::with("");
    let path = socket(&isp);
    let first = bind(&isp).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    assert!(matches!(bind(&isp), Err(ReceiverError::InUse(_))));
    drop(first);
    assert!(!path.exists(), "it goes with its owner");
    // A dead process leaves its socket behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let second = bind(&isp).unwrap();
    // One that is not ours any more stays.
    std::fs::remove_file(&path).unwrap();
    let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
    drop(second);
    assert!(path.exists());
    drop(other);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "a file").unwrap();
    let error = bind(&isp).unwrap_err();
    assert!(matches!(error, ReceiverError::NotASocket(_)), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a file");
}

/// Connects to `SOCKET` and says whether it was cut off; run by the test below as another user.
#[test]
#[ignore = "the other user of processes_of_other_users_are_cut_off"]
fn other_user() {
    let path = std::env::var_os("SOCKET").unwrap();
    let mut stream = std::os::unix::net::UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    // A ping, which is answered if we are trusted.
    let _sent = stream.write_all(&[0, 10, 1, 3, 0, 0, 0, 0, 0, 0, 0, 9]);
    let mut answer = [0; 12];
    assert!(stream.read_exact(&mut answer).is_ok(), "cut off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_of_other_users_are_cut_off() {
    use std::os::unix::process::CommandExt;
    let isp = Provider::with("");
    if std::fs::metadata(isp.folder()).unwrap().uid() != 0 {
        eprintln!("skipped: only root can become another user");
        return;
    }
    // The mode of the socket is the first barrier; it is opened to reach the second one.
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(folder.path(), 0o755);
    let program = folder.path().join("other-user");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    open(&program, 0o755);
    for (users, trusted) in [(vec![], false), (vec![65_534], true)] {
        let path = folder.path().join("grants.sock");
        let config = pop_before_smtp::SocketConfig { path: path.clone(), users };
        let (bridge, directory) = (isp.bridge.clone(), isp.directory.clone());
        let receiver = GrantReceiver::bind(&config, bridge, directory, isp.clock.clone()).unwrap();
        open(&path, 0o666);
        let receiver = tokio::spawn(receiver.run());
        let mut other = std::process::Command::new(&program);
        other.args(["other_user", "--exact", "--ignored"]).env("SOCKET", &path).uid(65_534);
        let output = tokio::task::spawn_blocking(move || other.output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("running 1 test"), "{said}");
        assert_eq!(output.status.success(), trusted, "{said}");
        stop(receiver).await;
    }
}
