//! Questions to policy services.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod kit;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use filter::{Answer, Outcome, Selection};
use kit::{BEN, SENDER, body, client, message, select};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

/// A policy service on a Unix socket.
struct Service {
    path: std::path::PathBuf,
    _directory: tempfile::TempDir,
    seen: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Service {
    /// Answers with what `answer` makes of the question; an empty answer closes the connection,
    /// `None` hangs.
    fn start(answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let (log, count, answer) = (Arc::clone(&seen), Arc::clone(&connections), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                tokio::spawn(async move {
                    let mut question = String::new();
                    let mut block = [0; 4096];
                    while let Ok(read @ 1..) = stream.read(&mut block).await {
                        question.push_str(std::str::from_utf8(&block[..read]).unwrap());
                        if !question.ends_with("\n\n") {
                            continue;
                        }
                        let answer = answer(&question);
                        log.lock().unwrap().push(std::mem::take(&mut question));
                        match answer.as_deref() {
                            Some("") => return,
                            Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
                            None => {}
                        }
                    }
                });
            }
        });
        Self { path, _directory: directory, seen, connections }
    }

    fn selection(&self, more: &str) -> Selection {
        let path = self.path.display();
        let config = format!("[[policy]]\nname = \"p\"\naddress = \"unix:{path}\"\n{more}");
        select(&config, &["p".to_owned()]).1
    }
}

fn action(text: &str) -> Option<String> {
    Some(format!("action={text}\n\n"))
}

async fn whole(selection: &Selection) -> (Answer, Outcome) {
    let mut conversation = selection.begin(client());
    assert_eq!(conversation.mail(&SENDER).await, Answer::Pass);
    let answer = conversation.recipient(&BEN).await;
    let recipients = ["ben@example.org".to_owned()];
    (answer, conversation.message(&message(&body(), &recipients)).await)
}

#[tokio::test]
async fn it_is_asked_at_each_recipient_over_one_connection() {
    let service = Service::start(|_| action("DUNNO"));
    let selection = service.selection("context = \"outgoing\"");
    for _ in 0..3 {
        assert!(matches!(whole(&selection).await, (Answer::Pass, Outcome::Accept(_))));
    }
    assert_eq!(service.connections.load(Ordering::SeqCst), 1);
    let seen = service.seen.lock().unwrap();
    assert_eq!(seen.len(), 3);
    assert!(seen[0].contains("\nprotocol_state=RCPT\n"));
    assert!(seen[0].contains("\nrecipient=ben@example.org\n"));
    assert!(seen[0].contains("\npolicy_context=outgoing\n"));
    let instance =
        |text: &str| text.lines().find(|l| l.starts_with("instance=")).unwrap().to_owned();
    assert_ne!(instance(&seen[0]), instance(&seen[1]));
}

#[tokio::test]
async fn actions_are_carried_out() {
    let at = "at = [\"mail\", \"rcpt\", \"end-of-message\"]";
    let service = Service::start(|question| match question.contains("protocol_state=RCPT") {
        true => action("REJECT 5.7.1 over quota"),
        false => action("DUNNO"),
    });
    let (answer, _) = whole(&service.selection(at)).await;
    let Answer::Refuse(refusal) = answer else { panic!() };
    assert_eq!((refusal.code, refusal.text.as_str()), (554, "over quota"));

    let service =
        Service::start(|question| match question.contains("protocol_state=END-OF-MESSAGE") {
            true => action("HOLD have a look"),
            false => action("PREPEND X-Policy: seen"),
        });
    let (_, outcome) = whole(&service.selection(at)).await;
    let Outcome::Hold { reason, changes } = outcome else { panic!() };
    assert_eq!(reason, "have a look");
    let header = String::from_utf8(changes.header.unwrap()).unwrap();
    assert!(header.starts_with("X-Policy: seen\r\n"), "{header}");

    let service = Service::start(|_| action("DISCARD"));
    let (_, outcome) = whole(&service.selection("")).await;
    assert_eq!(outcome, Outcome::Discard { filter: "p".to_owned() });

    let service = Service::start(|_| action("FILTER smtp:[::1]:10025"));
    assert!(matches!(whole(&service.selection("")).await, (Answer::Pass, Outcome::Accept(_))));
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_made_again() {
    let count = AtomicUsize::new(0);
    let service = Service::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        1 => Some(String::new()),
        _ => action("DUNNO"),
    });
    let selection = service.selection("");
    for _ in 0..3 {
        assert!(matches!(whole(&selection).await, (Answer::Pass, Outcome::Accept(_))));
    }
    assert_eq!(service.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn one_that_fails_decides_nothing() {
    let impatient = "command_timeout = \"200ms\"\n";
    let broken: Vec<fn(&str) -> Option<String>> =
        vec![|_| None, |_| Some(String::new()), |_| Some("nothing\n\n".to_owned()), |_| {
            Some("x".repeat(20_000))
        }];
    for answer in broken {
        let service = Service::start(answer);
        let (strict, _) = whole(&service.selection(impatient)).await;
        let Answer::Refuse(refusal) = strict else { panic!() };
        assert!(refusal.is_failure && refusal.code == 451);
        let mild = impatient.to_owned() + "on_failure = \"accept\"";
        let outcome = whole(&service.selection(&mild)).await;
        assert!(matches!(outcome, (Answer::Pass, Outcome::Accept(_))));
    }
}
