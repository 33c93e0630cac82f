//! Limits that need more octets than a transcript can show, and what is not a transcript.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod server_kit;

use std::sync::Arc;

use server_kit::{BEGIN, Conversation, Rules, parameters};
use smtp_proto::server::{Action, CloseReason, Mechanisms, Parameters, Reply, Session, Verb};

fn last_reply(conversation: &Conversation) -> String {
    let text = String::from_utf8(conversation.output.clone()).unwrap();
    text.trim_end().lines().last().unwrap().to_owned()
}

#[test]
fn a_command_may_have_2048_octets_and_no_more() {
    let mut conversation = Conversation::open(parameters(), false);
    let noop = |length: usize| format!("NOOP {}\r\n", "x".repeat(length - 7));
    conversation.receive(noop(2048).as_bytes());
    assert_eq!(last_reply(&conversation), "250 2.0.0 OK");
    conversation.receive(noop(2049).as_bytes());
    assert_eq!(last_reply(&conversation), "500 5.5.2 The command is too long");
    conversation.receive(noop(100_000).as_bytes());
    assert_eq!(last_reply(&conversation), "500 5.5.2 The line is too long");
    conversation.receive(b"NOOP\r\n");
    assert_eq!(last_reply(&conversation), "250 2.0.0 OK");
}

#[test]
fn a_line_without_end_takes_no_memory_and_is_one_error() {
    let mut conversation = Conversation::open(parameters(), false);
    for _ in 0..1000 {
        conversation.receive(&[b'A'; 1024]);
        assert!(conversation.unread() <= Parameters::AUTH_OCTETS_MAX);
    }
    conversation.receive(b"\r\nMAIL FROM:<a@example.net>\r\n");
    assert_eq!(conversation.counts(), "mail=0/1 unknown=0/1 commands=0/2");
}

#[test]
fn an_auth_line_may_have_12288_octets() {
    let mut conversation = Conversation::open_with_auth(parameters(), false);
    conversation.receive(b"EHLO a\r\nAUTH PLAIN\r\n");
    // 9216 octets of credentials are 12288 of base64: three octets a group, all of them `aaa`
    // but for the two NULs.
    let message = format!("AGFu{}AHNl{}", "YWFh".repeat(1500), "YWFh".repeat(1570));
    assert_eq!(message.len(), 12_288);
    conversation.receive(format!("{message}\r\n").as_bytes());
    assert_eq!(last_reply(&conversation), Reply535.text());
    conversation.receive(format!("AUTH PLAIN\r\n{message}YWFh\r\n").as_bytes());
    assert_eq!(last_reply(&conversation), "500 5.5.6 The authentication line is too long");
    // The exchange is over, and the next line is a command again.
    conversation.receive(b"NOOP\r\n");
    assert_eq!(last_reply(&conversation), "250 2.0.0 OK");
}

struct Reply535;

impl Reply535 {
    fn text(&self) -> String {
        format!("535 5.7.8 {}", Reply::BAD_CREDENTIALS.text())
    }
}

#[test]
fn a_message_far_beyond_the_limit_ends_the_session() {
    let mut conversation = Conversation::open(parameters(), false);
    conversation.receive(b"HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n");
    for _ in 0..1024 + 1 {
        assert!(!conversation.closed);
        conversation.receive(&[b'x'; 1022]);
        conversation.receive(b"\r\n");
    }
    conversation.receive(&[b'x'; 4096]);
    assert!(conversation.closed);
    assert!(last_reply(&conversation).starts_with("552 5.3.4 "));
    let last_two = &conversation.asked[conversation.asked.len() - 2..];
    assert_eq!(last_two, ["rejected <> too-large", "close message-overrun"]);
}

#[test]
fn commands_that_lead_nowhere_become_errors() {
    let mut conversation = Conversation::open(parameters(), false);
    for _ in 0..Parameters::IDLE_COMMANDS_MAX + 49 {
        conversation.receive(b"NOOP\r\n");
        assert!(!conversation.closed);
    }
    conversation.receive(b"NOOP\r\n");
    assert!(conversation.closed);
    assert_eq!(conversation.asked, ["close too-many-errors"]);
}

#[test]
fn accepted_mail_pays_for_them() {
    let mut conversation = Conversation::open(parameters(), false);
    conversation.receive(b"HELO a\r\n");
    for _ in 0..500 {
        let transaction = b"RSET\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nx\r\n.\r\n";
        conversation.receive(transaction);
    }
    assert!(!conversation.closed);
    assert_eq!(conversation.counts(), "helo=1 mail=500 rcpt=500 data=500 rset=500 commands=2001");
}

#[test]
fn a_question_without_an_answer_ends_the_session() {
    let mut session = Session::<Rules>::new(Arc::new(parameters()), Mechanisms::NONE, false, BEGIN);
    let mut output = Vec::new();
    let input = b"HELO a\r\nMAIL FROM:<a@example.net>\r\nQUIT\r\n";
    let step = session.next(input, &mut output);
    let Action::Mail(_, pending) = step.action else { panic!() };
    let rest = &input[step.consumed..];
    drop(pending);
    output.clear();
    let step = session.next(rest, &mut output);
    assert_eq!(step.consumed, 0);
    assert!(matches!(step.action, Action::Close(CloseReason::Unanswered)));
    assert_eq!(output, b"421 4.3.0 Closing the connection\r\n");
}

#[test]
fn the_daemon_can_end_a_session_in_any_state() {
    let mut session = Session::<Rules>::new(Arc::new(parameters()), Mechanisms::NONE, true, BEGIN);
    let mut output = Vec::new();
    session.end(CloseReason::Timeout, &mut output);
    assert_eq!(output, b"421 4.4.2 Timeout, closing the connection\r\n");
    let step = session.next(b"EHLO a\r\n", &mut output);
    assert_eq!(step.consumed, 0);
    assert!(matches!(step.action, Action::Close(CloseReason::Timeout)));
    assert_eq!(session.counts().all(Verb::Ehlo), 0);
}
