//! The ledger: what it remembers, and what becomes of it under a full queue, a kill, damage.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use address::AccountKey;
use jiff::{SignedDuration, Timestamp};
use phaseout::{
    Access, Entry, Filter, Ledger, LedgerConfig, LedgerError, Outcome, Phase, Reliance, read_usage,
    usage_csv,
};

const PATIENCE: Duration = Duration::from_secs(30);

fn config(path: &Path) -> LedgerConfig {
    LedgerConfig { path: path.to_owned(), ..LedgerConfig::default() }
}

fn noon() -> Timestamp {
    "2027-03-10T12:00:00Z".parse().unwrap()
}

fn entry(account: &str, access: Access, minutes: i64) -> Entry {
    Entry {
        at: noon() + SignedDuration::from_mins(minutes),
        client: "192.0.2.1".parse().unwrap(),
        account: AccountKey::parse(account, None).unwrap(),
        access,
        method: match access {
            Access::Legacy => "legacy-access",
            Access::Modern => "smtp-auth",
        },
        helo: "desktop".into(),
        extended: true,
        cohort: Arc::from("north"),
        phase: Phase::Notice,
        outcome: Outcome::Allowed,
        sender: None,
    }
}

fn refused(account: &str, minutes: i64, reason: &'static str) -> Entry {
    Entry { outcome: Outcome::Refused(reason), ..entry(account, Access::Legacy, minutes) }
}

#[test]
fn tells_who_relies_on_what() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.sqlite");
    let ledger = Ledger::open(&config(&path), noon()).unwrap();
    assert!(ledger.moved_aside().is_none());
    for minutes in [0, 1, 2, 90] {
        ledger.record(entry("only@x.example", Access::Legacy, minutes));
    }
    ledger.record(Entry {
        helo: "copier".into(),
        extended: false,
        client: "2001:db8::7".parse().unwrap(),
        phase: Phase::Brownout,
        ..refused("only@x.example", 200, "brownout")
    });
    ledger.record(entry("mixed@x.example", Access::Modern, 0));
    ledger.record(entry("mixed@x.example", Access::Legacy, 10));
    ledger.record(entry("moved@x.example", Access::Legacy, 0));
    ledger.record(entry("moved@x.example", Access::Modern, 10));
    ledger.record(entry("new@x.example", Access::Modern, 0));
    ledger.record(refused("tried@x.example", 0, "closed"));
    ledger.flush(PATIENCE).unwrap();
    let report = ledger.usage(&Filter::default()).unwrap();
    let reliance: Vec<_> =
        report.accounts.iter().map(|usage| (usage.account.as_str(), usage.reliance)).collect();
    assert_eq!(
        reliance,
        [
            ("mixed@x.example", Reliance::Mixed),
            ("moved@x.example", Reliance::Moved),
            ("new@x.example", Reliance::ModernOnly),
            ("only@x.example", Reliance::LegacyOnly),
            ("tried@x.example", Reliance::RefusedOnly),
        ]
    );
    let only = &report.accounts[3];
    assert_eq!((only.legacy.allowed, only.legacy.refused, only.modern.allowed), (4, 1, 0));
    assert_eq!(only.legacy.first_allowed, Some(noon()));
    assert_eq!(only.legacy.last_allowed, Some(noon() + SignedDuration::from_mins(90)));
    assert_eq!(only.phase, Phase::Brownout);
    assert_eq!(only.helo, ["copier", "desktop"]);
    assert_eq!(only.clients.len(), 2);
    assert_eq!(only.reasons, ["brownout"]);
    assert!(only.cannot_authenticate && !report.accounts[0].cannot_authenticate);
    assert_eq!(ledger.counts().written, 11);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["accounts"][3]["reliance"], "legacy-only");
    assert_eq!(json["accounts"][3]["legacy"]["first_allowed"], "2027-03-10T12:00:00Z");
}

#[test]
fn filters() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.sqlite");
    let ledger = Ledger::open(&config(&path), noon()).unwrap();
    for n in 0..10 {
        ledger.record(Entry {
            cohort: Arc::from(if n % 2 == 0 { "even" } else { "odd" }),
            ..entry(&format!("u{n}@x.example"), Access::Legacy, n * 60)
        });
    }
    ledger.flush(PATIENCE).unwrap();
    let names = |filter: Filter| {
        let report = read_usage(&path, &filter).unwrap();
        (
            report.accounts.into_iter().map(|usage| usage.account).collect::<Vec<_>>(),
            report.truncated,
        )
    };
    let (odd, _) = names(Filter { cohort: Some("odd".to_owned()), ..Filter::default() });
    assert_eq!(odd.len(), 5);
    let (one, _) = names(Filter { account: Some("u3@x.example".to_owned()), ..Filter::default() });
    assert_eq!(one, ["u3@x.example"]);
    let from = Some(noon() + SignedDuration::from_hours(2));
    let to = Some(noon() + SignedDuration::from_hours(4));
    let (between, _) = names(Filter { from, to, ..Filter::default() });
    assert_eq!(between, ["u2@x.example", "u3@x.example"]);
    let (three, truncated) = names(Filter { limit: 3, ..Filter::default() });
    assert_eq!((three.len(), truncated), (3, true));
}

#[test]
fn the_same_use_within_an_hour_is_one_row() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.sqlite");
    let ledger = Ledger::open(&config(&path), noon()).unwrap();
    for n in 0..5_000 {
        let mut entry = entry("a@x.example", Access::Legacy, 0);
        entry.at += SignedDuration::from_millis(n);
        ledger.record(entry);
    }
    ledger.flush(PATIENCE).unwrap();
    let rows: i64 = rusqlite::Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM usage", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 1);
    assert_eq!(ledger.usage(&Filter::default()).unwrap().accounts[0].legacy.allowed, 5_000);
}

#[test]
fn a_full_queue_drops_and_counts_and_never_waits() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.sqlite");
    let ledger = Ledger::open(&LedgerConfig { queue: 4, ..config(&path) }, noon()).unwrap();
    // Another process holds the file: the writer waits, whoever records does not.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let begin = Instant::now();
    for n in 0..50_000 {
        ledger.record(entry(&format!("u{n}@x.example"), Access::Legacy, 0));
    }
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    assert!(ledger.counts().dropped > 0);
    assert!(matches!(ledger.flush(Duration::from_millis(200)), Err(LedgerError::Stuck)));
    other.execute_batch("COMMIT").unwrap();
    ledger.flush(PATIENCE).unwrap();
    let counts = ledger.counts();
    assert_eq!(counts.written + counts.dropped + counts.lost, 50_000);
}

#[test]
fn old_entries_go_and_the_file_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.sqlite");
    let settings = LedgerConfig { retention_days: 10, rows_max: 100, ..config(&path) };
    let ledger = Ledger::open(&settings, noon()).unwrap();
    let day = 24 * 60;
    ledger.record(entry("old@x.example", Access::Legacy, -11 * day));
    ledger.record(entry("kept@x.example", Access::Legacy, -9 * day));
    ledger.record(entry("new@x.example", Access::Legacy, 0));
    ledger.flush(PATIENCE).unwrap();
    let names = |ledger: &Ledger| -> Vec<_> {
        let report = ledger.usage(&Filter::default()).unwrap();
        report.accounts.into_iter().map(|usage| usage.account).collect()
    };
    assert_eq!(names(&ledger), ["kept@x.example", "new@x.example"]);
    for n in 0..150 {
        ledger.record(entry(&format!("u{n:03}@x.example"), Access::Legacy, day + n));
    }
    ledger.flush(PATIENCE).unwrap();
    let left = names(&ledger);
    assert!(left.len() <= 100 && left.contains(&"u149@x.example".to_owned()), "{}", left.len());
    assert!(!left.contains(&"kept@x.example".to_owned()));
}

#[test]
fn an_unusable_file_is_moved_aside_and_a_new_one_begun() {
    let make_future = |path: &Path| {
        drop(Ledger::open(&config(path), noon()).unwrap());
        let file = rusqlite::Connection::open(path).unwrap();
        file.execute_batch("PRAGMA user_version = 99").unwrap();
    };
    let make_foreign = |path: &Path| {
        let file = rusqlite::Connection::open(path).unwrap();
        file.execute_batch("CREATE TABLE t (x)").unwrap();
    };
    let make_garbage = |path: &Path| std::fs::write(path, vec![b'x'; 10_000]).unwrap();
    let make_damaged = |path: &Path| {
        let ledger = Ledger::open(&config(path), noon()).unwrap();
        for n in 0..2_000 {
            ledger.record(entry(&format!("u{n}@x.example"), Access::Legacy, 0));
        }
        drop(ledger);
        let file = rusqlite::Connection::open(path).unwrap();
        file.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE")
            .unwrap();
        drop(file);
        let mut octets = std::fs::read(path).unwrap();
        let page = octets.len() / 4096 / 2 * 4096;
        octets[page..page + 4096].fill(0xAA);
        std::fs::write(path, octets).unwrap();
    };
    type Make<'a> = &'a dyn Fn(&Path);
    let make: [(Make<'_>, &str); 4] = [
        (&make_future, "has format 99; this version reads and writes format 1"),
        (&make_foreign, "is a database of another program"),
        (&make_garbage, "is damaged"),
        (&make_damaged, "is damaged"),
    ];
    for (make, reason) in make {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.sqlite");
        make(&path);
        // A reader says so and leaves the file alone.
        if reason != "is damaged" {
            let error = read_usage(&path, &Filter::default()).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
        let ledger = Ledger::open(&config(&path), noon()).unwrap();
        let moved = ledger.moved_aside().unwrap();
        assert!(moved.reason.starts_with(reason), "{}", moved.reason);
        assert!(moved.to.ends_with("ledger.sqlite.aside-20270310T120000Z"), "{moved:?}");
        assert!(moved.to.exists());
        ledger.record(entry("a@x.example", Access::Legacy, 0));
        ledger.flush(PATIENCE).unwrap();
        assert_eq!(ledger.usage(&Filter::default()).unwrap().accounts.len(), 1);
    }
}

#[test]
fn a_file_that_can_be_neither_used_nor_moved_is_an_error() {
    let error = Ledger::open(&config(Path::new("/nonexistent/l.sqlite")), noon()).unwrap_err();
    assert!(matches!(error, LedgerError::File { .. }), "{error}");
    assert!(error.to_string().contains("/nonexistent/l.sqlite"), "{error}");
    let missing = read_usage(Path::new("/nonexistent/l.sqlite"), &Filter::default()).unwrap_err();
    assert!(matches!(missing, LedgerError::File { .. }), "{missing}");
}

#[test]
fn only_the_owner_reads_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.sqlite");
    let _ledger = Ledger::open(&config(&path), noon()).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn csv_is_quoted_and_never_a_formula() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.sqlite");
    let ledger = Ledger::open(&config(&path), noon()).unwrap();
    ledger.record(Entry {
        helo: "=cmd|'/c calc'!A0,\"x\"".into(),
        ..entry("a@x.example", Access::Legacy, 0)
    });
    ledger.record(Entry {
        helo: "x".repeat(10_000).into(),
        ..entry("b@x.example", Access::Legacy, 0)
    });
    ledger.flush(PATIENCE).unwrap();
    let report = ledger.usage(&Filter::default()).unwrap();
    assert_eq!(report.accounts[1].helo[0].len(), Entry::HELO_MAX);
    let csv = usage_csv(&report.accounts);
    let line = csv.lines().nth(1).unwrap();
    assert_eq!(
        line,
        "a@x.example,north,notice,legacy-only,1,0,2027-03-10T12:00:00Z,2027-03-10T12:00:00Z,0,,\
         false,\"'=cmd|'/c calc'!A0,\"\"x\"\"\",192.0.2.1,"
    );
}

/// Records for ever, telling how far it is; run by the test below, which kills it.
#[test]
#[ignore = "the victim of killed_at_any_moment_at_most_the_last_second_is_lost"]
fn victim() {
    let path = std::env::var_os("LEDGER").unwrap();
    let ledger = Ledger::open(&config(Path::new(&path)), noon()).unwrap();
    let begin = Instant::now();
    for n in 0.. {
        ledger.record(entry("a@x.example", Access::Legacy, 0));
        std::fs::write(
            Path::new(&path).with_extension("progress.new"),
            format!("{n} {}", begin.elapsed().as_millis()),
        )
        .unwrap();
        std::fs::rename(
            Path::new(&path).with_extension("progress.new"),
            Path::new(&path)
                .with_extension(format!("progress.{}", begin.elapsed().as_millis() / 100)),
        )
        .unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn killed_at_any_moment_at_most_the_last_second_is_lost() {
    for round in 0..3u64 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.sqlite");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["victim", "--exact", "--ignored"])
            .env("LEDGER", &path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(2_300 + round * 370));
        child.kill().unwrap();
        child.wait().unwrap();
        // How many had been recorded in each tenth of a second.
        let recorded = |tenth: u64| {
            let progress =
                std::fs::read_to_string(path.with_extension(format!("progress.{tenth}")));
            progress.ok().and_then(|text| text.split(' ').next()?.parse::<u64>().ok())
        };
        let last = (0..100).rev().find(|tenth| recorded(*tenth).is_some()).unwrap();
        // The commit comes within a second of the first entry of its batch; the machine may
        // be busy, so half a second of grace.
        let safe = (0..last.saturating_sub(14)).rev().find_map(recorded).unwrap_or(0);
        let ledger = Ledger::open(&config(&path), noon()).unwrap();
        assert!(ledger.moved_aside().is_none());
        let kept = ledger.usage(&Filter::default()).unwrap();
        let kept = kept.accounts.first().map_or(0, |usage| usage.legacy.allowed);
        assert!(safe > 0 && kept >= safe, "round {round}: {kept} kept of {safe} that were safe");
    }
}
