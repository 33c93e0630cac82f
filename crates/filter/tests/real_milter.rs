//! A conversation with a milter that others wrote, where it is installed: OpenDKIM, which is
//! built on libmilter.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod kit;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use filter::{Answer, Outcome};
use kit::{BEN, SENDER, body, client, message, select};

/// A process that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn opendkim_signs_through_us() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let key = Command::new("openssl")
        .args(["genrsa", "-out"])
        .arg(path.join("key.pem"))
        .arg("2048")
        .stderr(Stdio::null())
        .status();
    let socket = path.join("milter.sock");
    // The directory of a test is below one that everybody may write to.
    std::fs::write(path.join("opendkim.conf"), "RequireSafeKeys no\n").unwrap();
    let (Ok(made), Ok(child)) = (key, start(path, &socket)) else {
        eprintln!("skipped: opendkim or openssl is not installed");
        return;
    };
    assert!(made.success());
    let _running = Running(child);
    let waited = async {
        while tokio::net::UnixStream::connect(&socket).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waited).await.expect("opendkim listens");
    let config = format!("[[milter]]\nname = \"dkim\"\naddress = \"unix:{}\"\n", socket.display());
    let (_, selection) = select(&config, &["dkim".to_owned()]);
    let mut conversation = selection.begin(client());
    assert_eq!(conversation.mail(&SENDER).await, Answer::Pass);
    assert_eq!(conversation.recipient(&BEN).await, Answer::Pass);
    let recipients = ["ben@example.org".to_owned()];
    let outcome = conversation.message(&message(&body(), &recipients)).await;
    let Outcome::Accept(changes) = outcome else { panic!("{outcome:?}") };
    let header = String::from_utf8(changes.header.expect("it signs")).unwrap();
    let signature = header.lines().next().unwrap();
    // It signs for clients that have authenticated, which it knows by a macro.
    assert!(signature.starts_with("DKIM-Signature: v=1; a=rsa-sha256; c="), "{header}");
    assert!(header.contains("From: anna@example.net\r\nSubject: one\r\n two\r\n"));
}

fn start(path: &std::path::Path, socket: &std::path::Path) -> std::io::Result<Child> {
    Command::new("/usr/sbin/opendkim")
        .args(["-f", "-d", "example.net", "-s", "mail", "-b", "s", "-x"])
        .arg(path.join("opendkim.conf"))
        .arg("-k")
        .arg(path.join("key.pem"))
        .arg("-p")
        .arg(format!("local:{}", socket.display()))
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
}
