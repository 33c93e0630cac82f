//! The record of logins in memory, on disk, and after a crash.

use super::*;
use crate::testing::{account, key, moment, origin, plain};

fn login(name: &str, second: f64, client: &str) -> Login {
    let from = origin(client);
    Login {
        account: Arc::new(account(name, plain("x"), false)),
        client: from.client,
        channel: from.channel,
        at: moment(second),
        acting: None,
    }
}

fn text(directory: &Path) -> String {
    std::fs::read_to_string(directory.join("last-logins")).unwrap()
}

#[tokio::test]
async fn a_login_is_known_at_once_and_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let logins = LastLogins::open(directory.path()).unwrap();
    assert!(logins.is_empty());
    let observer: &dyn LoginObserver = &logins;
    observer.on_login(&login("ann@example.net", 1.25, "192.0.2.1")).await;
    observer.on_login(&login("bob@example.net", 2.0, "2001:db8::1")).await;
    observer.on_login(&login("ann@example.net", 3.75, "192.0.2.9")).await;
    let ann = logins.get(&key("ann@example.net")).unwrap();
    assert_eq!((ann.at, ann.client.to_string()), (moment(3.75).wall, "192.0.2.9".to_owned()));
    assert!(logins.flush());
    drop(logins);
    let logins = LastLogins::open(directory.path()).unwrap();
    assert_eq!(logins.len(), 2);
    let ann = logins.get(&key("ann@example.net")).unwrap();
    assert_eq!((ann.at, ann.service, ann.tls), (moment(3.0).wall, Service::Pop3, true));
    assert_eq!(logins.get(&key("bob@example.net")).unwrap().client.to_string(), "2001:db8::1");
    assert_eq!(logins.get(&key("zoe@example.net")), None);
}

#[test]
fn the_last_handle_puts_everything_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let logins = LastLogins::open(directory.path()).unwrap();
    let clone = logins.clone();
    logins.record(&login("ann@example.net", 1.0, "192.0.2.1"));
    drop(logins);
    clone.record(&login("bob@example.net", 1.0, "192.0.2.1"));
    drop(clone);
    assert_eq!(
        text(directory.path()),
        "1970-01-02T00:00:01Z 192.0.2.1 pop3 tls ann@example.net\n\
         1970-01-02T00:00:01Z 192.0.2.1 pop3 tls bob@example.net\n"
    );
}

#[test]
fn logins_reach_the_disk_by_themselves() {
    let directory = tempfile::tempdir().unwrap();
    let logins = LastLogins::open(directory.path()).unwrap();
    logins.record(&login("ann@example.net", 1.0, "192.0.2.1"));
    let patience = Instant::now() + Duration::from_secs(30);
    while text(directory.path()).is_empty() {
        assert!(Instant::now() < patience, "nothing was written");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn one_process_keeps_it() {
    let directory = tempfile::tempdir().unwrap();
    let first = LastLogins::open(directory.path()).unwrap();
    let second = LastLogins::open(directory.path()).map(|_| ());
    assert!(matches!(second, Err(LastLoginError::InUse { .. })), "{second:?}");
    drop(first);
    LastLogins::open(directory.path()).unwrap();
    let absent = LastLogins::open(&directory.path().join("absent")).unwrap_err();
    assert!(absent.to_string().contains("last-logins.lock"), "{absent}");
}

#[test]
fn what_a_crash_left_half_written_is_dropped_and_the_rest_kept() {
    let directory = tempfile::tempdir().unwrap();
    let good = "2026-11-24T12:00:00Z 192.0.2.1 pop3 clear ann@example.net\n";
    let garbage: &[&[u8]] = &[
        b"2026-11-24T12:00:00Z 192.0.2.1 pop3 tls bob@exam",
        b"\0\0\0\0\0\0\0\0",
        b"\xff\xfe\n",
        b"2026-11-24T12:00:00Z 192.0.2.1 pop3 tls ../../x\n",
        b"2026-11-24T12:00:00Z 192.0.2.1 imap tls bob@example.net\n",
        b"2026-11-24T12:00:00Z 192.0.2.1 pop3 tls bob@example.net more\n",
        &[b'x'; 5000],
    ];
    for left in garbage {
        std::fs::write(directory.path().join("last-logins"), [good.as_bytes(), left].concat())
            .unwrap();
        std::fs::write(directory.path().join("last-logins.new"), "torn").unwrap();
        let logins = LastLogins::open(directory.path()).unwrap();
        assert_eq!(logins.len(), 1, "{left:?}");
        assert_eq!(text(directory.path()), good);
        logins.record(&login("zoe@example.net", 1.0, "192.0.2.1"));
        drop(logins);
        assert_eq!(text(directory.path()).lines().count(), 2, "appended to a whole line");
    }
}

#[test]
fn outdated_lines_are_cleared_away() {
    let directory = tempfile::tempdir().unwrap();
    let logins = LastLogins::open(directory.path()).unwrap();
    for n in 0..6000_u32 {
        logins.record(&login(&format!("u{}@example.net", n % 7), f64::from(n), "192.0.2.1"));
        if n % 1000 == 0 {
            assert!(logins.flush());
        }
    }
    assert!(logins.flush());
    drop(logins);
    let lines = text(directory.path()).lines().count();
    assert!((7..5000).contains(&lines), "{lines}");
    let logins = LastLogins::open(directory.path()).unwrap();
    assert_eq!(logins.len(), 7);
    assert_eq!(logins.get(&key("u0@example.net")).unwrap().at, moment(5999.0 - 5999.0 % 7.0).wall);
}

#[test]
fn many_sessions_at_once_lose_nothing_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let logins = LastLogins::open(directory.path()).unwrap();
    std::thread::scope(|scope| {
        for session in 0..8 {
            let logins = &logins;
            scope.spawn(move || {
                for n in 0..500 {
                    logins.record(&login(&format!("u{session}-{n}@example.net"), 1.0, "192.0.2.1"));
                }
            });
        }
    });
    assert_eq!(logins.len(), 4000);
    let lost = logins.lost();
    drop(logins);
    let on_disk = LastLogins::open(directory.path()).unwrap().len() as u64;
    assert_eq!(on_disk + lost, 4000);
}

#[test]
fn a_disk_that_refuses_costs_no_login_and_is_made_up_for() {
    let directory = tempfile::tempdir().unwrap();
    let (mut file, _) = StateFile::open(directory.path()).unwrap();
    // A handle that may only read stands for a full disk.
    file.replace_handle(std::fs::File::open(directory.path().join("last-logins")).unwrap());
    let records = Arc::new(DashMap::new());
    let record = LastLogin {
        at: moment(1.0).wall,
        client: "192.0.2.1".parse().unwrap(),
        service: Service::Submission,
        tls: false,
    };
    let mut pending = Vec::new();
    for n in 0..BATCH_MAX {
        let key = key(&format!("u{n}@example.net"));
        records.insert(key.clone(), record);
        pending.push((key, record));
    }
    let mut writer = Writer { file, records, pending };
    assert!(!writer.write());
    assert!(writer.pending.is_empty(), "what waits for the disk is bounded");
    assert!(!writer.is_done());
    assert!(writer.write(), "the next try writes the file anew");
    assert!(writer.is_done());
    let text = text(directory.path());
    assert_eq!(text.lines().count(), BATCH_MAX);
    assert!(text.starts_with("1970-01-02T00:00:01Z 192.0.2.1 submission clear u"), "{text:.80}");
}
