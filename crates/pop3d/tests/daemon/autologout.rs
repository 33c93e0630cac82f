//! The autologout at its real ten minutes, on a clock that is wound on.

use std::sync::Arc;
use std::time::Duration;

use auth::{AuthConfig, Authenticator, Directory, SystemClock};
use netio::{Drain, ListenConfig, Listener, TlsMode};
use pop3d::{Pop3Config, Pop3d};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::kit::{NAME, names, put};

const MINUTE: Duration = Duration::from_secs(60);

struct Client(BufReader<TcpStream>);

impl Client {
    async fn ask(&mut self, command: &str, start: &str) {
        self.0.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
        self.expect(start).await;
    }

    async fn expect(&mut self, start: &str) {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        assert!(line.starts_with(start), "{line:?} instead of {start:?}");
    }

    /// Everything that comes until the server closes.
    async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).await.unwrap();
        rest
    }
}

#[tokio::test(start_paused = true)]
async fn after_ten_minutes_of_silence_it_closes_without_a_word() {
    let directory = tempfile::tempdir().unwrap();
    let maildir = directory.path().join("aiko");
    maildrop::create(&maildir).unwrap();
    put(&maildir, "1.m", b"x\n");
    let key = address::AccountKey::parse("aiko", None).unwrap();
    let hash = auth::StoredHash::parse("{PLAIN}secret").unwrap();
    let account = auth::Account::new(key, Vec::new(), hash, maildir.clone(), false);
    let accounts = Directory::from_accounts(vec![account], None).unwrap();
    let authenticator = Authenticator::new(&AuthConfig::default(), accounts).unwrap();
    let address = "127.0.0.1:0".parse().unwrap();
    let listen = ListenConfig { address, tls: TlsMode::None, proxy_protocol: false };
    let config = Pop3Config { listen: vec![listen], ..Pop3Config::default() };
    config.check().unwrap();
    let clock = Arc::new(SystemClock::new());
    let pop3d = Pop3d::new(config, NAME, authenticator, Vec::new(), clock, None).unwrap();
    let listeners = pop3d.bind().unwrap();
    let address = listeners.first().map(Listener::local_addr).unwrap();
    let (_trigger, drain) = Drain::new();
    tokio::spawn(async move { pop3d.serve(listeners, drain).await.unwrap() });

    let mut client = Client(BufReader::new(TcpStream::connect(address).await.unwrap()));
    client.expect("+OK").await;
    client.ask("USER aiko", "+OK").await;
    client.ask("PASS secret", "+OK").await;
    client.ask("DELE 1", "+OK").await;
    // Each command gives it the ten minutes anew.
    for _ in 0..3 {
        tokio::time::sleep(MINUTE * 10 - Duration::from_secs(1)).await;
        client.ask("NOOP", "+OK").await;
    }
    let answered = Instant::now();
    tokio::time::sleep(MINUTE * 5).await;
    // A line that is not finished does not.
    client.0.write_all(b"NOO").await.unwrap();
    assert_eq!(client.rest().await, b"", "RFC 1939 section 3: no response");
    let silence = answered.elapsed();
    assert!(silence >= MINUTE * 10, "{silence:?}");
    assert!(silence < MINUTE * 10 + Duration::from_secs(5), "{silence:?}");
    assert_eq!(names(&maildir), ["1.m"]);
}
