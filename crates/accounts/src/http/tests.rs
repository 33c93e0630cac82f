//! A hook that answers as documented, and hooks that do not.

use std::sync::Mutex;

use auth::{Channel, Credential, ManualClock, Service};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const ANN: &str = r#"{"password":"{PLAIN}secret","maildir":"/srv/ann","quota":"1G"}"#;

/// A hook that gives the same octets to whatever it is asked, one connection after the other.
struct Hook {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Hook {
    async fn raw(answer: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut octets = Vec::new();
                while !is_whole(&octets) && stream.read_buf(&mut octets).await.unwrap_or(0) > 0 {}
                heard.lock().unwrap().push(String::from_utf8_lossy(&octets).into_owned());
                // Who has read enough closes.
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { port, asked, task }
    }

    async fn new(status: u16, body: &str) -> Self {
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        Self::raw([head.as_bytes(), body.as_bytes()].concat()).await
    }

    fn config(&self) -> HttpConfig {
        HttpConfig {
            url: format!("http://127.0.0.1:{}/hook", self.port),
            list: true,
            // Only a hook that is meant to be slow may fail by it.
            timeout: Duration::from_secs(30),
            ..HttpConfig::default()
        }
    }

    fn source(&self, mode: HttpMode) -> HttpSource {
        let config = HttpConfig { mode, ..self.config() };
        HttpSource::open("hook", &config, &crate::testing::common()).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn is_whole(octets: &[u8]) -> bool {
    let text = String::from_utf8_lossy(octets);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        line.to_lowercase().strip_prefix("content-length: ").map(|n| n.parse::<usize>().unwrap())
    });
    body.len() >= length.unwrap_or(0)
}

fn key(login: &str) -> AccountKey {
    AccountKey::parse(login, None).unwrap()
}

fn origin() -> Origin {
    let channel = Channel { service: Service::Submission, tls: true, genuine_address: true };
    Origin { client: "::ffff:192.0.2.7".parse().unwrap(), channel }
}

#[tokio::test]
async fn an_account_is_looked_up() {
    let hook = Hook::new(200, ANN).await;
    let source = hook.source(HttpMode::Lookup);
    let account = source.find(&key("ann@example.net")).await.unwrap().unwrap();
    assert_eq!(account.key().as_str(), "ann@example.net");
    assert!(account.hash().unwrap().verify(b"secret"));
    assert_eq!(account.maildir(), std::path::Path::new("/srv/ann"));
    assert_eq!(account.policy().words(), ["quota=1G"]);
    let asked = hook.asked().remove(0);
    assert!(asked.starts_with("POST /hook HTTP/1.1\r\n"), "{asked}");
    assert!(
        asked.ends_with("\r\n\r\n{\"ask\":\"account\",\"login\":\"ann@example.net\"}"),
        "{asked}"
    );
    assert!(!asked.to_lowercase().contains("authorization"), "{asked}");
}

#[tokio::test]
async fn the_hook_verifies_and_hears_where_the_login_came_from() {
    let record = r#"{"maildir":"/srv/ann","version":"7","login":"ann@example.net"}"#;
    let hook = Hook::new(200, record).await;
    let source = hook.source(HttpMode::Verify);
    let account = source.find(&key("alias@example.net")).await.unwrap().unwrap();
    assert_eq!(account.key().as_str(), "ann@example.net", "as the record says");
    let Credential::AtSource { version } = account.credential() else { panic!("a hash") };
    assert_eq!(version.as_deref(), Some("7"));
    for (status, body, expected) in [
        (200, r#"{"verified":true}"#, true),
        (200, r#"{"verified":false}"#, false),
        (401, "", false),
        (404, "", false),
    ] {
        let hook = Hook::new(status, body).await;
        let source = hook.source(HttpMode::Verify);
        let secret = Secret::from("pa\"ss\u{e9}");
        assert_eq!(source.verify(&account, &secret, &origin()).await, Ok(expected), "{status}");
        let asked = hook.asked().remove(0);
        assert!(
            asked.ends_with(
                "{\"ask\":\"verify\",\"login\":\"ann@example.net\",\"password\":\"pa\\\"ss\u{e9}\",\
                 \"service\":\"submission\",\"client\":\"192.0.2.7\",\"tls\":true}"
            ),
            "{asked}"
        );
        assert_eq!(source.verify(&account, &Secret::from(""), &origin()).await, Ok(false));
        let octets = Secret::from(&b"\xff\xfe"[..]);
        assert_eq!(source.verify(&account, &octets, &origin()).await, Ok(false));
        assert_eq!(hook.asked().len(), 1, "what cannot be right is not asked");
    }
}

#[tokio::test]
async fn the_token_is_shown_and_its_refusal_is_no_wrong_password() {
    let hook = Hook::new(401, "").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "s3cret\n").unwrap();
    let config = HttpConfig { token_file: Some(file), ..hook.config() };
    let source = HttpSource::open("hook", &config, &crate::testing::common()).unwrap();
    let error = source.find(&key("ann@example.net")).await.unwrap_err();
    assert!(error.problem.contains("token") && !error.problem.contains("s3cret"), "{error}");
    let asked = hook.asked().remove(0).to_lowercase();
    assert!(asked.contains("\r\nauthorization: bearer s3cret\r\n"), "{asked}");
    std::fs::write(folder.path().join("token"), "another").unwrap();
    source.reload().await.unwrap();
    assert!(source.find(&key("ann@example.net")).await.is_err());
    let asked = hook.asked().remove(1).to_lowercase();
    assert!(asked.contains("\r\nauthorization: bearer another\r\n"), "{asked}");
    std::fs::remove_file(folder.path().join("token")).unwrap();
    assert!(source.reload().await.unwrap_err().contains("token"));
}

#[tokio::test]
async fn owners_and_pages() {
    let record = |login: &str, addresses: &str| {
        format!(
            r#"{{"login":"{login}","password":"{{PLAIN}}x","maildir":"/m","addresses":[{addresses}]}}"#
        )
    };
    let body = format!(
        r#"{{"accounts":[{},{},{},{{"login":"broken"}}]}}"#,
        record("ann@x.example", r#""ann@x.example","team@x.example""#),
        record("ben@x.example", r#""Team@x.example""#),
        record("eve@x.example", r#""eve@x.example""#),
    );
    let hook = Hook::new(200, &body).await;
    let source = hook.source(HttpMode::Lookup);
    let page = source.page(Some(&key("a@x.example")), 5000).await.unwrap().unwrap();
    let logins: Vec<&str> = page.iter().map(|account| account.key().as_str()).collect();
    assert_eq!(logins, ["ann@x.example", "ben@x.example", "eve@x.example"], "but not the broken");
    assert!(hook.asked()[0].ends_with(r#"{"ask":"list","after":"a@x.example","limit":100}"#));
    let error = source.page(None, 3).await.unwrap_err();
    assert!(error.problem.contains("more than 3"), "{error}");

    let whole = body.replace(r#",{"login":"broken"}"#, "");
    let hook = Hook::new(200, &whole).await;
    let team = Mailbox::parse("team@x.example").unwrap();
    let owners = hook.source(HttpMode::Lookup).owners(&team).await.unwrap();
    let logins: Vec<&str> = owners.iter().map(|account| account.key().as_str()).collect();
    assert_eq!(logins, ["ben@x.example", "ann@x.example"], "the primary one first, no stranger");
    let unknown = Hook::new(404, "").await;
    assert!(unknown.source(HttpMode::Lookup).owners(&team).await.unwrap().is_empty());
    let config = HttpConfig { list: false, ..unknown.config() };
    let source = HttpSource::open("hook", &config, &crate::testing::common()).unwrap();
    assert!(source.page(None, 10).await.unwrap().is_none(), "it cannot list");
}

#[tokio::test]
async fn answers_that_are_none_are_unavailable() {
    for (status, body) in [
        (200, ""),
        (200, "null"),
        (200, "[]"),
        (200, "{}"),
        (200, "true"),
        (200, r#"{"password":"{PLAIN}x","maildir":"/m"} trailing"#),
        (200, r#"{"password":"{PLAIN}x","maildir":"/m","passwd":"x"}"#),
        (200, r#"{"password":7,"maildir":"/m"}"#),
        (200, r#"{"password":"{PLAIN}x","maildir":"/m","disabled":"yes"}"#),
        (200, r#"{"password":"{PLAIN}x","maildir":"/m","sessions":-1}"#),
        (200, r#"{"password":"{PLAIN}x","maildir":"/m","addresses":"a@b.example"}"#),
        (200, r#"{"password":"{PLAIN}x","password":"{PLAIN}y","maildir":"/m"}"#),
        (200, r#"{"password":"bare","maildir":"/m"}"#),
        (200, r#"{"password":"{PLAIN}x","maildir":"m"}"#),
        (200, r#"{"password":"{PLAIN}x","maildir":"/m","version":"1"}"#),
        (200, r#"{"login":"a/b","password":"{PLAIN}x","maildir":"/m"}"#),
        (200, r#"{"maildir":"/m"}"#),
        (204, ""),
        (301, ""),
        (403, ""),
        (500, r#"{"password":"{PLAIN}x","maildir":"/m"}"#),
    ] {
        let hook = Hook::new(status, body).await;
        let error = hook.source(HttpMode::Lookup).find(&key("ann@x.example")).await.unwrap_err();
        assert_eq!(error.source_name, "hook");
        assert!(!error.problem.contains("bare") && !error.problem.is_empty(), "{error}");
    }
    // In the mode where the hook verifies, a hash means that somebody misunderstood.
    let hook = Hook::new(200, ANN).await;
    assert!(hook.source(HttpMode::Verify).find(&key("ann@x.example")).await.is_err());
}

#[tokio::test]
async fn nothing_but_a_plain_yes_opens_a_mailbox() {
    let account = auth::Account::new(
        key("ann@x.example"),
        Vec::new(),
        Credential::AtSource { version: None },
        "/m".into(),
        false,
    );
    let account = Arc::new(account);
    for (status, body) in [
        (200, ""),
        (200, "{}"),
        (200, "true"),
        (200, "<html>welcome</html>"),
        (200, r#"{"verified":1}"#),
        (200, r#"{"verified":"true"}"#),
        (200, r#"{"verified":true,"verified":false}"#),
        (200, r#"{"verified":true,"locked":true}"#),
        (201, r#"{"verified":true}"#),
        (302, r#"{"verified":true}"#),
        (403, r#"{"verified":true}"#),
        (500, r#"{"verified":true}"#),
    ] {
        let hook = Hook::new(status, body).await;
        let source = hook.source(HttpMode::Verify);
        let answer = source.verify(&account, &Secret::from("x"), &origin()).await;
        assert!(answer.is_err(), "{status} {body}: {answer:?}");
    }
    let hook = Hook::raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 17\r\n\r\n\
          {\"verified\":true}"
            .to_vec(),
    )
    .await;
    let answer =
        hook.source(HttpMode::Verify).verify(&account, &Secret::from("x"), &origin()).await;
    assert!(answer.unwrap_err().problem.contains("application/json"));
}

#[tokio::test]
async fn hostile_answers_are_unavailable() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let huge = format!("{head}Content-Length: 99999999\r\n\r\n{{").into_bytes();
    let endless = {
        let mut answer = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
        for _ in 0..100 {
            answer.extend(b"1000\r\n");
            answer.extend([b' '; 0x1000]);
            answer.extend(b"\r\n");
        }
        answer
    };
    let garbage = format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{ANN}").into_bytes();
    let cut = format!("{head}Content-Length: 500\r\n\r\n{ANN}").into_bytes();
    let deep = format!("{head}Content-Length: 60000\r\n\r\n{}", "[".repeat(60_000)).into_bytes();
    let squeezed = format!("{head}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{{}}");
    for answer in [
        Vec::new(),
        b"\x15\x03\x01\x00\x02\x02\x28".to_vec(),
        b"220 mail.example.net ESMTP\r\n".to_vec(),
        vec![b'A'; 1 << 20],
        huge,
        endless,
        garbage,
        cut,
        deep,
        squeezed.into_bytes(),
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
            .to_vec(),
    ] {
        let hook = Hook::raw(answer).await;
        let error = hook.source(HttpMode::Lookup).find(&key("ann@x.example")).await.unwrap_err();
        assert!(!error.problem.is_empty());
    }
}

#[tokio::test]
async fn a_hook_that_fails_again_and_again_is_left_alone_for_a_while() {
    let clock = Arc::new(ManualClock::new(jiff::Timestamp::UNIX_EPOCH));
    let common = Common { clock: Arc::clone(&clock) as _, ..crate::testing::common() };
    let hook = Hook::new(500, "").await;
    let source = HttpSource::open("hook", &hook.config(), &common).unwrap();
    let ann = key("ann@x.example");
    for _ in 0..10 {
        assert!(source.find(&ann).await.is_err());
    }
    assert_eq!(hook.asked().len(), 3, "the others failed without asking");
    clock.advance(PAUSE);
    for _ in 0..5 {
        assert!(source.find(&ann).await.is_err());
    }
    assert_eq!(hook.asked().len(), 4, "one tried");
}

#[tokio::test]
async fn nobody_answers() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = HttpConfig {
        url: format!("http://127.0.0.1:{port}/"),
        timeout: Duration::from_millis(200),
        connections: 2,
        ..HttpConfig::default()
    };
    let source = HttpSource::open("hook", &config, &crate::testing::common()).unwrap();
    // Connected, and then silence: all come back, those that do not get a turn at once.
    let source = Arc::new(source);
    let asked: Vec<_> = (0..300)
        .map(|_| {
            let source = Arc::clone(&source);
            tokio::spawn(async move { source.find(&key("ann@x.example")).await })
        })
        .collect();
    let mut busy = 0;
    for answer in asked {
        busy += u32::from(answer.await.unwrap().unwrap_err().problem.contains("waiting"));
    }
    assert!(busy > 0, "the queue has an end");
    let ann = key("ann@x.example");
    drop(listener);
    assert!(source.find(&ann).await.is_err());
}

#[test]
fn wrong_settings_are_named() {
    let good = HttpConfig { url: "https://hook.example/x".to_owned(), ..HttpConfig::default() };
    assert_eq!(good.check(), Ok(()));
    type Case = (fn(&mut HttpConfig), &'static str);
    let cases: &[Case] = &[
        (|c| c.url.clear(), "accounts.source.http.url"),
        (|c| c.url = "ftp://x/".into(), "accounts.source.http.url"),
        (|c| c.timeout = Duration::ZERO, "accounts.source.http.timeout"),
        (|c| c.connections = 0, "accounts.source.http.connections"),
    ];
    for (break_it, key) in cases {
        let mut config = good.clone();
        break_it(&mut config);
        assert_eq!(config.check().unwrap_err().key, *key);
    }
    for (url, protected) in [
        ("https://hook.example/x", true),
        ("http://localhost:8025", true),
        ("http://[::1]:80/x", true),
        ("HTTP://127.0.0.1?x", true),
        ("http://192.0.2.1:80/127.0.0.1", false),
        ("Http://hook.example/https://", false),
    ] {
        let config = HttpConfig { url: url.to_owned(), ..HttpConfig::default() };
        assert_eq!(config.is_protected(), protected, "{url}");
        let source = HttpSource::open("hook", &config, &crate::testing::common()).unwrap();
        assert_eq!(source.warnings().is_empty(), protected, "{url}");
    }
    let config = HttpConfig { ca_file: "/nonexistent/ca".into(), ..good };
    let error = HttpSource::open("hook", &config, &crate::testing::common()).err().unwrap();
    assert_eq!(error.key, "accounts.source.http.ca_file");
    let text = "url = \"http://192.0.2.1/\"\nmode = \"verify\"\ntoken_env = \"T\"\nlist = true\n";
    let config: HttpConfig = toml::from_str(text).unwrap();
    assert_eq!((config.mode, config.list), (HttpMode::Verify, true));
    assert!(toml::from_str::<HttpConfig>("uri = \"x\"").is_err());
}
