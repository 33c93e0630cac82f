//! The example of docs/accounts/http.md works as it stands there; only places are others.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "kit/fences.rs"]
mod fences;

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use accounts::Common;
use address::AccountKey;
use auth::{
    AuthConfig, Authenticator, Channel, Clock as _, Directory, MaildirTemplate, Origin, Service,
    SystemClock,
};
use fences::{fenced, source};
use sasl::Secret;

/// Longest wait for the hook to start, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Hook(Child);

impl Drop for Hook {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn python_is_installed() -> bool {
    let found = Command::new("python3").arg("--version").output().is_ok();
    if !found {
        let required = std::env::var_os("LASTPOST_REQUIRE_CLIENTS").is_some();
        assert!(!required, "python3 is not installed");
        eprintln!("skipped: python3 is not installed");
    }
    found
}

#[tokio::test]
async fn the_example_of_the_page() {
    if !python_is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (script, token) = (folder.path().join("hook.py"), folder.path().join("token"));
    let program = fenced("http.md", "python");
    assert!(program.lines().count() <= 25, "it is meant to be short");
    std::fs::write(&script, program.replace("8025", &port.to_string())).unwrap();
    std::fs::write(&token, "a-long-secret\n").unwrap();
    let hook = Command::new("python3")
        .arg(&script)
        .env("HOOK_TOKEN", "a-long-secret")
        .stderr(Stdio::null())
        .spawn();
    let mut hook = Hook(hook.unwrap());
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(hook.0.try_wait().unwrap().is_none(), "the hook has ended");
        assert!(start.elapsed() < PATIENCE, "the hook does not start");
        std::thread::sleep(Duration::from_millis(10));
    }

    let configuration = fenced("http.md", "toml")
        .replace("8025", &port.to_string())
        .replace("/etc/lastpost/hook.token", &token.display().to_string())
        + "timeout = \"30s\"\n";
    let (source, domain) = source(&configuration);
    let clock = Arc::new(SystemClock::new());
    let common = Common {
        weak_schemes: auth::WeakSchemes::default(),
        default_domain: Some(domain.clone()),
        maildir: MaildirTemplate::parse("%h/Maildir").unwrap(),
        clock: Arc::clone(&clock) as _,
        state_directory: "/nonexistent".into(),
    };
    let source = source.open(&common).unwrap();
    assert!(source.warnings().is_empty(), "{:?}", source.warnings());
    let directory = Directory::chain(vec![source], Some(domain)).unwrap();
    let settings = AuthConfig { failure_delay: Duration::ZERO, ..AuthConfig::default() };
    let auth = Authenticator::new(&settings, directory.clone()).unwrap();
    let channel = Channel { service: Service::Pop3, tls: true, genuine_address: true };
    let origin = Origin { client: "192.0.2.1".parse().unwrap(), channel };
    let log_in = async |login: &str, password: &str| {
        auth.verify(login, &Secret::from(password), &origin, clock.now()).await
    };
    let account = log_in("ann", "correct horse").await.unwrap().account;
    assert_eq!(account.key().as_str(), "ann@example.net");
    assert_eq!(account.addresses().len(), 2);
    assert_eq!(account.maildir(), std::path::Path::new("/srv/mail/ann/Maildir"));
    assert_eq!((account.cohort(), account.policy().words().len()), (Some("business"), 1));
    assert!(log_in("ann", "battery staple").await.is_err());
    assert!(log_in("ben", "correct horse").await.is_err());
    let key = AccountKey::parse("ben@example.net", None).unwrap();
    assert!(directory.find(&key).await.unwrap().is_none(), "unknown, and not: unavailable");
}
