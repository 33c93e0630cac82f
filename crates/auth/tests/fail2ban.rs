//! The shipped fail2ban filters against real lines, in both formats of the log: by fail2ban's own
//! program where it is installed, and by their expressions alone in any case.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use address::AccountKey;
use auth::{
    Account, AuthConfig, Authenticator, Channel, Directory, Moment, Origin, Service, StoredHash,
};
use sasl::Secret;

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Names that would like to have somebody else banned, or nobody.
const HOSTILE: [&str; 9] = [
    "x\" rip=203.0.113.1 service=\"pop3\" tls=true reason=\"unknown\"",
    "x\\\" rip=203.0.113.1 service=\"pop3\" tls=true reason=\"unknown",
    "x\r\n2026-11-24T15:15:50.291796Z  INFO lastpost::auth: login failed user=\"x\" \
     rip=203.0.113.1 service=\"pop3\" tls=true reason=\"unknown\"",
    "\",\"rip\":\"203.0.113.1\",\"service\":\"pop3\",\"tls\":true,\"reason\":\"unknown\",\
     \"target\":\"lastpost::auth\"}",
    "{\"timestamp\":\"2026-11-24T15:15:50.291796Z\",\"level\":\"INFO\",\"message\":\"login failed\"",
    "INFO lastpost::auth: login failed user=\"x\" rip=203.0.113.1",
    "WARN lastpost::auth: network blocked network=203.0.113.0/24 reason=\"failures\" failures=1",
    "\u{2028}rip=203.0.113.1\u{85}",
    "\\",
];

/// What one address did, what another did, and what none of the filters may see.
fn log(json: bool) -> String {
    let sink = Sink::default();
    let writer = sink.clone();
    // As the programs themselves set it up.
    let builder = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone());
    let subscriber: Box<dyn tracing::Subscriber + Send + Sync> = match json {
        true => Box::new(builder.json().flatten_event(true).finish()),
        false => Box::new(builder.with_ansi(false).finish()),
    };
    let _guard = tracing::subscriber::set_default(subscriber);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let key = AccountKey::parse("ann@example.net", None).unwrap();
        let hash = StoredHash::parse("{PLAIN}right").unwrap();
        let account = Account::new(key, Vec::new(), hash, PathBuf::from("/m"), false);
        let directory = Directory::from_accounts(vec![account], None).unwrap();
        let mut config = AuthConfig { failure_delay: Duration::ZERO, ..AuthConfig::default() };
        config.attack.failures_max = 12;
        let auth = Authenticator::new(&config, directory).unwrap();
        let at = Moment { wall: jiff::Timestamp::UNIX_EPOCH, mono: Duration::from_secs(86_400) };
        let attempt = async |login: &str, password: &str, client: &str, service| {
            let channel = Channel { service, tls: true, genuine_address: true };
            let origin = Origin { client: client.parse().unwrap(), channel };
            let _ = auth.verify(login, &Secret::from(password), &origin, at).await;
        };
        // Two failures each of an address of either family, through either daemon.
        attempt("ann@example.net", "a", "192.0.2.1", Service::Pop3).await;
        attempt("nobody", "b", "192.0.2.1", Service::Submission).await;
        attempt("ann@example.net", "c", "2001:db8:1::7", Service::Submission).await;
        attempt("nobody", "d", "2001:db8:1::7", Service::Pop3).await;
        // An old password, and a login that succeeds.
        attempt("ann@example.net", "a", "198.51.100.1", Service::Pop3).await;
        attempt("ann@example.net", "right", "198.51.100.1", Service::Pop3).await;
        for name in HOSTILE {
            attempt(name, "x", "192.0.2.66", Service::Pop3).await;
        }
        // Two blocks, and what follows them.
        for client in ["192.0.2.77", "2001:db8:77::1"] {
            for n in 0..20 {
                attempt("ann@example.net", &format!("{client}{n}"), client, Service::Pop3).await;
            }
        }
    });
    let log = sink.0.lock().unwrap().clone();
    String::from_utf8(log).unwrap()
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/fail2ban")
}

/// The expressions of a filter, with what fail2ban puts for its tags.
fn expressions(filter: &str) -> Vec<regex_lite::Regex> {
    let text = std::fs::read_to_string(shipped().join("filter.d").join(filter)).unwrap();
    let of = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")));
        let line = line.unwrap_or_else(|| panic!("{name} is not in {filter}"));
        let address = "(?P<who>[0-9a-fA-F:.]+)";
        let network = "(?P<who>[0-9a-fA-F:.]+/[0-9]+)";
        let line = line.replace("<ADDR>", address).replace("<SUBNET>", network);
        regex_lite::Regex::new(&line).unwrap()
    };
    assert!(text.contains("\nfailregex = %(_text)s\n            %(_json)s\n"), "{filter}");
    vec![of("_text"), of("_json")]
}

/// Whom a filter finds in a log, sorted.
fn found(filter: &str, log: &str) -> Vec<String> {
    let expressions = expressions(filter);
    let mut found: Vec<_> = log
        .lines()
        .filter_map(|line| expressions.iter().find_map(|expression| expression.captures(line)))
        .map(|captured| captured["who"].to_owned())
        .collect();
    found.sort();
    found
}

fn times<'a>(count: usize, who: &'a str) -> impl Iterator<Item = String> + 'a {
    std::iter::repeat_n(who.to_owned(), count)
}

/// Whom the filter for failures has to find.
fn failures() -> Vec<String> {
    let mut all: Vec<_> = times(2, "192.0.2.1")
        .chain(times(2, "2001:db8:1::7"))
        .chain(times(HOSTILE.len(), "192.0.2.66"))
        .chain(times(12, "192.0.2.77"))
        .chain(times(12, "2001:db8:77::1"))
        .collect();
    all.sort();
    all
}

const BLOCKS: [&str; 2] = ["192.0.2.77/32", "2001:db8:77::/64"];

/// One test, alone in its program: which events are of interest to anybody is decided once for
/// all threads.
#[test]
fn the_filters_find_whom_they_should_and_nobody_else() {
    for json in [false, true] {
        let log = log(json);
        assert!(!log.contains("203.0.113.1 service=\"pop3\" tls=true reason=\"unknown\"\n"));
        assert_eq!(found("lastpost.conf", &log), failures(), "{log}");
        assert_eq!(found("lastpost-block.conf", &log), BLOCKS, "{log}");
        // As a journal shows it.
        let prefixed: String =
            log.lines().map(|line| format!("Nov 24 15:15:50 mx lastpost[7]: {line}\n")).collect();
        assert_eq!(found("lastpost.conf", &prefixed), failures());
        by_fail2ban(&log, "lastpost.conf", &failures());
        by_fail2ban(&log, "lastpost-block.conf", &BLOCKS.map(str::to_owned));
        by_fail2ban(&prefixed, "lastpost.conf", &failures());
    }
}

/// The same by fail2ban itself.
fn by_fail2ban(log: &str, filter: &str, expected: &[String]) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("log");
    std::fs::write(&file, log).unwrap();
    let output = Command::new("fail2ban-regex")
        .args(["--out", "ip"])
        .arg(&file)
        .arg(shipped().join("filter.d").join(filter))
        .output();
    let Ok(output) = output else {
        assert!(std::env::var("LASTPOST_REQUIRE_CLIENTS").is_err(), "fail2ban is not installed");
        eprintln!("skipped: fail2ban is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let mut found: Vec<String> = said.lines().map(str::to_owned).collect();
    found.sort();
    // It writes an address that stands for itself without its length.
    let plain = |network: &String| network.trim_end_matches("/32").to_owned();
    let mut expected: Vec<String> = expected.iter().map(plain).collect();
    expected.sort();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(found, expected, "{filter}: {errors}\n{log}");
}
