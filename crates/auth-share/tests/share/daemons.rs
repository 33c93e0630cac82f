//! The two daemons of one host.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use auth::Denied;

use crate::kit::{Host, eventually, key};

const POP3: (&str, &str) = ("pop3d.sock", "submissiond.sock");
const SUBMISSION: (&str, &str) = ("submissiond.sock", "pop3d.sock");

fn daemon(directory: &Path, (own, peer): (&str, &str)) -> Host {
    Host::new(Some((directory, own, peer)), None)
}

#[tokio::test]
async fn what_one_sees_the_other_knows() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    let (pop3, submission) = (daemon(&run, POP3), daemon(&run, SUBMISSION));
    // Half of the failures here and half there are as many as all in one place.
    pop3.fail("192.0.2.1", 5).await;
    eventually("the submission daemon hears", || submission.heard() >= 5).await;
    submission.fail("192.0.2.1", 6).await;
    assert_eq!(submission.blocks(), ["192.0.2.1/32"]);
    eventually("the POP3 daemon hears of the block", || pop3.blocks() == ["192.0.2.1/32"]).await;
    assert_eq!(pop3.login("bob@example.net", "right", "192.0.2.1").await, Err(Denied::Busy));
    let network = "192.0.2.1/32".parse().unwrap();
    let now = auth::Clock::now(&*pop3.clock);
    assert_eq!(pop3.auth.forgive_network(&network, now).len(), 1);
    eventually("forgiven on both", || submission.blocks().is_empty()).await;
    assert_eq!(submission.login("bob@example.net", "right", "192.0.2.1").await, Ok(()));
    assert_eq!(pop3.publisher.statistics().malformed, 0);
}

#[tokio::test]
async fn a_customer_of_one_passes_the_block_of_both() {
    let directory = tempfile::tempdir().unwrap();
    let (pop3, submission) = (daemon(directory.path(), POP3), daemon(directory.path(), SUBMISSION));
    pop3.login("bob@example.net", "right", "192.0.2.1").await.unwrap();
    eventually("the submission daemon hears", || submission.heard() >= 1).await;
    submission.fail("192.0.2.1", 12).await;
    assert_eq!(submission.blocks(), ["192.0.2.1/32"]);
    assert_eq!(submission.login("bob@example.net", "right", "192.0.2.1").await, Ok(()));
}

#[tokio::test]
async fn only_their_user_can_speak_to_them() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    std::fs::create_dir(&run).unwrap();
    std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o777)).unwrap();
    let pop3 = daemon(&run, POP3);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&run), 0o700);
    assert_eq!(mode(&run.join("pop3d.sock")), 0o600);
    drop(pop3);
    let gone = || !run.join("pop3d.sock").exists();
    eventually("the socket goes with the daemon", gone).await;
    assert_eq!(std::fs::read_dir(&run).unwrap().count(), 0);
}

#[tokio::test]
async fn nonsense_is_counted_and_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let pop3 = daemon(directory.path(), POP3);
    let to = directory.path().join("pop3d.sock");
    let stranger = UnixDatagram::unbound().unwrap();
    for nonsense in [&b""[..], b"x", &[0; 66], &[1; 66], &[255; 67], &vec![7; 60_000]] {
        stranger.send_to(nonsense, &to).unwrap();
    }
    eventually("all is counted", || pop3.publisher.statistics().malformed == 6).await;
    // Another key, as of a host that was not given ours.
    let other = Host::with(Some((directory.path(), SUBMISSION.0, SUBMISSION.1)), None, &key(1));
    other.fail("192.0.2.1", 3).await;
    eventually("counted as well", || pop3.publisher.statistics().malformed >= 9).await;
    assert_eq!(pop3.heard(), 0);
    assert_eq!(pop3.login("ann@example.net", "right", "192.0.2.1").await, Ok(()));
}

#[tokio::test]
async fn each_works_alone_and_finds_the_other_again() {
    let directory = tempfile::tempdir().unwrap();
    let pop3 = daemon(directory.path(), POP3);
    pop3.fail("192.0.2.1", 12).await;
    eventually("nobody is told", || pop3.publisher.statistics().lost > 0).await;
    assert_eq!(pop3.blocks(), ["192.0.2.1/32"]);
    // A daemon that begins asks what holds.
    for _ in 0..3 {
        let submission = daemon(directory.path(), SUBMISSION);
        eventually("it knows the block", || submission.blocks() == ["192.0.2.1/32"]).await;
        let block = &submission.auth.blocks(auth::Clock::now(&*submission.clock))[0];
        assert!(block.learned);
        let period = block.until.duration_since(block.since);
        assert!(Duration::try_from(period).unwrap() <= Duration::from_secs(600));
    }
    let submission = daemon(directory.path(), SUBMISSION);
    let before = submission.heard();
    pop3.fail("192.0.2.77", 3).await;
    eventually("it hears again", || submission.heard() >= before + 3).await;
}

/// More than anybody reads is lost, not kept.
#[tokio::test]
async fn a_flood_is_cut_to_a_rate() {
    let directory = tempfile::tempdir().unwrap();
    let (pop3, submission) = (daemon(directory.path(), POP3), daemon(directory.path(), SUBMISSION));
    for n in 0..5000_u32 {
        let client = std::net::Ipv4Addr::from(0xc000_0200 + (n << 8)).to_string();
        let _ = pop3.login(&format!("user{n}@example.net"), "x", &client).await;
    }
    let told = || pop3.publisher.statistics();
    eventually("all is told or lost", || told().told_daemon + told().lost >= 5000).await;
    // Its clock stands still: there is one burst.
    assert!(told().told_daemon <= 2000 + 10, "{:?}", told());
    eventually("what was told is heard", || submission.heard() >= told().told_daemon).await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_leaves_the_daemon_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let deep = directory.path().join("x".repeat(200));
    for run in [file.join("run"), deep] {
        let alone = daemon(&run, POP3);
        alone.fail("192.0.2.1", 3).await;
        assert_eq!(alone.login("ann@example.net", "right", "198.51.100.1").await, Ok(()));
    }
}
