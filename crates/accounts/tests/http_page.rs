//! The example of docs/accounts/http.md works as it stands there; only places are others.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "kit/certificate.rs"]
mod certificate;
#[path = "kit/fences.rs"]
mod fences;

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use accounts::Common;
use accounts::http::{HttpConfig, HttpSource};
use address::{AccountKey, Domain};
use auth::{
    AccountSource as _, AuthConfig, Authenticator, Channel, Clock, Directory, MaildirTemplate,
    Origin, Service, SystemClock,
};
use fences::{fenced, source};
use sasl::Secret;

/// Longest wait for the hook to start, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Hook(Child);

impl Hook {
    /// Runs a program that listens on `port`, and waits until it does.
    fn run(program: &str, folder: &Path, port: u16) -> Self {
        let script = folder.join("hook.py");
        std::fs::write(&script, program).unwrap();
        std::fs::write(folder.join("token"), "a-long-secret\n").unwrap();
        let child = Command::new("python3")
            .arg(&script)
            .env("HOOK_TOKEN", "a-long-secret")
            .stderr(Stdio::null())
            .spawn();
        let mut hook = Self(child.unwrap());
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(hook.0.try_wait().unwrap().is_none(), "the hook has ended");
            assert!(start.elapsed() < PATIENCE, "the hook does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        hook
    }
}

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

fn common(default_domain: Option<Domain>, clock: Arc<dyn Clock>) -> Common {
    Common {
        default_domain,
        maildir: MaildirTemplate::parse("%h/Maildir").unwrap(),
        weak_schemes: auth::WeakSchemes::default(),
        clock,
        state_directory: "/nonexistent".into(),
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn the_example_of_the_page() {
    if !python_is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let program = fenced("http.md", "python");
    assert!(program.lines().count() <= 25, "it is meant to be short");
    let _hook = Hook::run(&program.replace("8025", &port.to_string()), folder.path(), port);
    let token = folder.path().join("token");

    let configuration = fenced("http.md", "toml")
        .replace("8025", &port.to_string())
        .replace("/etc/lastpost/hook.token", &token.display().to_string())
        + "timeout = \"30s\"\n";
    let (source, domain) = source(&configuration);
    let clock = Arc::new(SystemClock::new());
    let common = common(Some(domain.clone()), Arc::clone(&clock) as _);
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

#[tokio::test]
async fn the_same_hook_under_tls() {
    if !python_is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let (authority, certificate, key) = certificate::certificate();
    let (good, bad) = (place("good", &authority), place("bad", &certificate::certificate().0));
    let (certificate, key) = (place("certificate", &certificate), place("key", &key));
    let port = free_port();
    let under_tls = format!(
        "import ssl\ncontext = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
         context.load_cert_chain({certificate:?}, {key:?})\n\
         server = ThreadingHTTPServer((\"127.0.0.1\", {port}), Hook)\n\
         server.socket = context.wrap_socket(server.socket, server_side=True)\n\
         server.serve_forever()\n"
    );
    let program = fenced("http.md", "python");
    let begun = program.split("ThreadingHTTPServer((").next().unwrap();
    let _hook = Hook::run(&format!("{begun}\n{under_tls}"), folder.path(), port);
    let ann = AccountKey::parse("ann@example.net", None).unwrap();
    let find = async |host: &str, ca_file: &Path| {
        let config = HttpConfig {
            url: format!("https://{host}:{port}/"),
            ca_file: ca_file.to_owned(),
            token_file: Some(folder.path().join("token")),
            timeout: Duration::from_secs(30),
            ..HttpConfig::default()
        };
        let clock = Arc::new(SystemClock::new());
        let source = HttpSource::open("hook", &config, &common(None, clock)).unwrap();
        source.find(&ann).await.map(|found| found.is_some())
    };
    assert_eq!(find("127.0.0.1", &good).await, Ok(true));
    for (host, ca_file) in [("127.0.0.1", &bad), ("localhost", &good)] {
        let problem = find(host, ca_file).await.unwrap_err().problem;
        assert!(problem.contains("no TLS"), "{host}: {problem}");
    }
}
