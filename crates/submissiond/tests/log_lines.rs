//! What an administrator reads: one line for each happening, and nothing in it that a client
//! could forge. One test alone, for the log is the process's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod kit;

use std::io::Write;
use std::sync::{Arc, Mutex};

use auth::{AuthConfig, MasterConfig};
use kit::{LEGACY, Plan, RECEIVING, Says, WRONG_PASSWORD, start, start_plan};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn with(&self, words: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn one_line_for_each_happening() {
    let lines = Lines::default();
    let writer = lines.clone();
    tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).init();
    let daemon = start(LEGACY).await;

    let mut client = daemon.client("legacy").await;
    client.reply().await;
    client.send(b"EHLO x\x1b[2J\" rip=198.51.100.1\r\n").await;
    client.reply().await;
    client.expect("MAIL FROM:<\"a b=c\"@example.net>", "530 5.7.0").await;
    client.expect(WRONG_PASSWORD, "535 5.7.8").await;
    client.expect(kit::ANNAS_PASSWORD, "235 2.7.0").await;
    let forged = "From: boss@example.net\r\n\r\n";
    client.submit("anna@example.net", &["x@example.org"], forged).await;
    client.expect("MAIL FROM:<anna@example.net>", "250").await;
    client.expect("RCPT TO:<\"no body\"@example.net>", "550 5.1.1").await;
    client.expect("RSET", "250").await;
    let text = "From: anna@example.net\r\n\r\nHi\r\n";
    let reply = client.submit("anna@example.net", &["x@example.org"], text).await;
    let queue_id = reply.rsplit(' ').next().unwrap();
    client.expect("QUIT", "221 2.0.0").await;
    assert!(client.is_closed().await);

    let refused = lines.with("sender refused");
    assert_eq!(refused.len(), 1);
    assert!(refused[0].contains(r#"reason="no-authority" code=530 rip=127.0.0.1"#), "{refused:?}");
    assert!(refused[0].contains(r#"sender="<\"a b=c\"@example.net>""#), "{refused:?}");
    assert!(refused[0].contains(r#"helo="x?[2J\" rip=198.51.100.1""#), "{refused:?}");
    assert_eq!(lines.with("login failed").len(), 1);
    assert!(lines.with("login failed")[0].contains("rip=127.0.0.1"));
    let succeeded = lines.with("login succeeded");
    assert_eq!(succeeded.len(), 1);
    assert!(succeeded[0].contains(r#"account="anna@example.net""#), "{succeeded:?}");
    assert!(succeeded[0].contains(r#"mechanism="PLAIN""#), "{succeeded:?}");
    assert!(!succeeded[0].contains("master="), "{succeeded:?}");
    let refused = lines.with("message refused");
    assert_eq!(refused.len(), 1);
    assert!(refused[0].contains(r#"reason="header" code=550"#), "{refused:?}");
    assert!(refused[0].contains(r#"account="anna@example.net""#), "{refused:?}");
    let refused = lines.with("recipient refused");
    assert_eq!(refused.len(), 1);
    let words = r#"reason="no-such-mailbox" code=550 rip=127.0.0.1 account="anna@example.net""#;
    assert!(refused[0].contains(words), "{refused:?}");
    assert!(refused[0].contains(r#"recipient="<\"no body\"@example.net>""#), "{refused:?}");
    let accepted = lines.with("message accepted");
    assert_eq!(accepted.len(), 1);
    for words in [
        &format!("queue_id={queue_id}"),
        r#"account="anna@example.net" authority="smtp-auth" rip=127.0.0.1"#,
        "recipients=1",
        r#"coding="7BIT" extensions=- "#,
        r#"tls="none" ms="#,
        r#"listener="legacy""#,
    ] {
        assert!(accepted[0].contains(words), "{words}: {accepted:?}");
    }
    let ended = lines.with("disconnected");
    assert_eq!(ended.len(), 1);
    let counts =
        r#"counts="ehlo=1 auth=1/2 mail=3/4 rcpt=2/3 data=1/2 rset=1 quit=1 commands=10/14""#;
    assert!(ended[0].contains(r#"reason="quit""#) && ended[0].contains(counts), "{ended:?}");
    a_session_cannot_fill_the_log(&lines).await;
    who_sends_for_a_customer_is_named(&lines).await;
    for secret in ["secret", "AGFubm", "wrong"] {
        let found: Vec<_> =
            lines.with(secret).into_iter().filter(|l| !l.contains("wrong-password")).collect();
        assert!(found.is_empty(), "{found:?}");
    }
}

/// `help`, a master user, for anna: where he may, and where he may not.
async fn who_sends_for_a_customer_is_named(lines: &Lines) {
    let directory = tempfile::tempdir().unwrap();
    let passwd_file = directory.path().join("masters");
    std::fs::write(&passwd_file, "help:{PLAIN}staff\n").unwrap();
    let networks = vec!["127.0.0.0/8".parse().unwrap()];
    let master = MasterConfig { passwd_file, networks, ..MasterConfig::default() };
    let config = AuthConfig { master, ..AuthConfig::default() };
    for allowed in [true, false] {
        let listener = format!("{LEGACY}masters_may_send = {allowed}\n");
        let authenticator = Some(kit::authenticator(config.clone(), kit::the_usual()));
        let daemon = start_plan(Plan { authenticator, ..Plan::new(listener) }).await;
        let mut client = daemon.legacy().await;
        client.expect("AUTH LOGIN YW5uYUBleGFtcGxlLm5ldCpoZWxw", "334 ").await;
        let code = if allowed { "235" } else { "535" };
        client.expect("c3RhZmY=", code).await;
        if allowed {
            let text = "From: anna@example.net\r\n\r\nHi\r\n";
            client.submit("anna@example.net", &["x@example.org"], text).await;
        }
    }
    let named = r#"account="anna@example.net" master="help""#;
    let succeeded = lines.with("login succeeded");
    let words = format!(r#"{named} mechanism="LOGIN""#);
    assert!(succeeded.last().unwrap().contains(&words), "{succeeded:?}");
    let accepted = lines.with("message accepted");
    assert!(accepted.last().unwrap().contains(named), "{accepted:?}");
    let refused = lines.with("login refused");
    assert_eq!(refused.len(), 1);
    assert!(refused[0].contains(r#"reason="master-user" code=535"#), "{refused:?}");
    assert!(refused[0].contains(named), "{refused:?}");
}

/// Refusals that are not for good end no session, and its log is bounded all the same.
async fn a_session_cannot_fill_the_log(lines: &Lines) {
    let daemon = start(RECEIVING).await;
    daemon.steered.say(Says::AllowAnna { recipients_max: None });
    let mut client = daemon.legacy().await;
    client.expect("MAIL FROM:<stranger@example.org>", "250").await;
    client.expect("RCPT TO:<ben@example.net>", "250").await;
    for _ in 0..60 {
        client.expect("RCPT TO:<x@example.org>", "452 4.5.3").await;
    }
    client.expect("QUIT", "221").await;
    assert!(client.is_closed().await);
    assert_eq!(lines.with("local-and-elsewhere").len(), 50);
    let ended = lines.with("disconnected");
    assert!(
        ended.last().unwrap().contains("rcpt=1/61")
            && ended.last().unwrap().contains("unlogged=10"),
        "{ended:?}"
    );
}
